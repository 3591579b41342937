//! Any sequence of requests, reports and time leaves every order in a defined state, and every ACK is answered.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tripline_backend::time;
use tripline_protocol::trip::TripStep;

use crate::bap::Bap;
use crate::stage::Ride;
use crate::unit::{Unit, start};

/// Something that happens.
#[derive(Debug, Clone, Copy)]
enum Move {
    Select,
    Init,
    Confirm,
    Status,
    Track,
    Cancel,
    Update(u8),
    Accept,
    Step(u8),
    Later(u8),
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        1 => Just(Move::Select),
        2 => Just(Move::Init),
        3 => Just(Move::Confirm),
        1 => Just(Move::Status),
        1 => Just(Move::Track),
        1 => Just(Move::Cancel),
        3 => (0_u8..4).prop_map(Move::Update),
        4 => Just(Move::Accept),
        8 => (0_u8..8).prop_map(Move::Step),
        1 => (0_u8..3).prop_map(Move::Later),
    ]
}

async fn play(moves: &[Move]) {
    let bap = Bap::fresh().await;
    let order = bap.select().await.order().clone();
    let mut ride = Ride { unit: Unit::new(1), trip: None, order };
    let mut acked = Vec::new();
    for (place, one) in moves.iter().enumerate() {
        let id = ride.order["id"].as_str().map(str::to_owned);
        let id = id.unwrap_or_else(|| "11111111-1111-4111-8111-111111111111".into());
        let told = match one {
            Move::Select => bap.select().await,
            Move::Init => bap.init(&ride.order).await,
            Move::Confirm => bap.ask("confirm", &json!({ "order": ride.order })).await,
            Move::Status => bap.ask("status", &json!({ "order_id": id })).await,
            Move::Track => bap.ask("track", &json!({ "order_id": id })).await,
            Move::Cancel => bap.cancel(&id).await,
            Move::Update(which) => {
                let (target, more) = change(*which, &ride.order);
                let mut order = json!({ "id": id });
                order.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
                bap.ask("update", &json!({ "update_target": target, "order": order })).await
            }
            Move::Accept => {
                if let Some((assignment, trip)) = bap.offer_to(&ride.unit).await {
                    let event = ride.unit.accept(assignment);
                    bap.tell(&mut ride.unit, vec![event]).await;
                    ride.trip = Some(trip);
                }
                continue;
            }
            Move::Step(which) => {
                let Some(trip) = ride.trip else { continue };
                ride.unit.drive(100, 40);
                let stored = bap.order(&id).await;
                let step = step(*which, &stored.otp.clone().unwrap_or_default());
                if let Some(step) = step {
                    bap.step(&mut ride.unit, trip, step).await;
                } else {
                    bap.stop(&mut ride.unit, trip, &id, 100).await;
                }
                continue;
            }
            Move::Later(minutes) => {
                bap.handle_due(time::now().plus_ms(i64::from(*minutes) * 60_000)).await;
                continue;
            }
        };
        if told.answer.is_ack() {
            let later = matches!(one, Move::Confirm) && told.callbacks.is_empty();
            assert!(later || told.callbacks.len() == 1, "{place} {one:?}: {told:?}");
            acked.push((place, *one, later));
        }
        if let [(action, body)] = &*told.callbacks
            && body.get("error").is_none()
            && ["on_select", "on_init"].contains(&action.as_str())
            && ride.trip.is_none()
        {
            ride.order = body["message"]["order"].clone();
        }
    }
    // In the end every confirmation is answered too, and no order waits for ever.
    bap.handle_due(time::now().plus_ms(86_400_000)).await;
    bap.handle_due(time::now().plus_ms(2 * 86_400_000)).await;
    let callbacks = bap.callbacks().await;
    let rows: Vec<(String, String)> = bap.world.rows("SELECT action, message_id FROM inbox").await;
    for (action, message_id) in rows {
        let answers =
            callbacks.iter().filter(|(_, body)| body["context"]["message_id"] == *message_id);
        assert_eq!(answers.count(), 1, "{action} {message_id} is answered once: {acked:?}");
    }
    let states: Vec<(String, String)> =
        bap.world.rows("SELECT order_id, state FROM ride_order").await;
    for (id, state) in states {
        let over = ["completed", "cancelled", "unserved", "expired"].contains(&state.as_str());
        assert!(over, "{id} is {state} after two days");
    }
}

fn change(which: u8, order: &Value) -> (&'static str, Value) {
    match which {
        0 => (
            "fulfillment.end",
            json!({ "fulfillment": { "end": { "location": { "gps": "12.95,77.63" } } } }),
        ),
        1 => (
            "fulfillment.start",
            json!({ "fulfillment": { "start": { "location": { "gps": "12.9346,77.6124" } } } }),
        ),
        2 => ("payment", json!({ "payment": { "type": "ON-ORDER", "collected_by": "BAP" } })),
        _ => ("quote", json!({ "quote": order["quote"] })),
    }
}

/// A step of the trip; `None`: it stops.
fn step(which: u8, otp: &str) -> Option<TripStep> {
    Some(match which {
        0 => TripStep::Depart,
        1 => TripStep::Arrive,
        2 => start(otp),
        3 => start("0000"),
        4 => TripStep::Pause,
        5 => TripStep::Resume,
        6 => TripStep::Cancel { reason: "a flat tyre".into() },
        _ => return None,
    })
}

#[test]
fn any_sequence_leaves_a_defined_state_and_every_ack_answered() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let moves = proptest::collection::vec(any_move(), 4..30);
    let played = runner.run(&moves, |moves| {
        runtime.block_on(play(&moves));
        Ok(())
    });
    played.expect("it holds");
}
