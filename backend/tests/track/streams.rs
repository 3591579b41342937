//! Streams: they tell what the link tells, end with the ride, and end when nobody can say that it goes on.

use std::time::{Duration, Instant};

use serde_json::Value;
use tripline_backend::service::track::{ASK_MS, LOOK_MS, UNSURE_MS_MAX};
use tripline_protocol::trip::TripStep;

use crate::town::Town;
use crate::unit::Unit;

/// The bound that the documentation gives for the end of a stream, and what a busy machine adds.
const END_MAX: Duration = Duration::from_millis(ASK_MS + LOOK_MS + 5_000);

fn without_age(mut shown: Value) -> Value {
    if shown["location"].is_object() {
        shown["location"]["age_ms"] = Value::Null;
    }
    shown
}

#[tokio::test]
async fn a_stream_tells_what_the_link_tells_until_the_ride_is_over() {
    let town = Town::new(1).await;
    let mut unit = Unit::new(1);
    let ride = town.accepted(1, &mut unit, 1).await;
    let mut stream = town.follow(1).await;
    let first = stream.next().await.expect("what there is at once");
    assert!(first.data["location"].is_null() && !first.id.is_empty(), "{first:?}");
    let mut ids = vec![first.id];
    for north_e7 in [9_000, 8_000, 7_000] {
        town.seen(&unit, (north_e7, 0));
        let gps = format!("12.900{north_e7:04},77.6000000");
        let moved = stream.until(|event| event.data["location"]["gps"] == gps.as_str()).await;
        assert_eq!(moved.name, "message");
        let asked = town.get(&town.link(1), "application/json").await.json();
        assert_eq!(without_age(moved.data), without_age(asked));
        ids.push(moved.id);
    }
    for (step, phase) in [
        (TripStep::Depart, "en-route-to-pickup"),
        (TripStep::Arrive, "at-pickup"),
        (crate::unit::start(crate::world::OTP), "started"),
        (TripStep::Pause, "paused"),
    ] {
        town.step(&mut unit, ride, step).await;
        ids.push(stream.until(|event| event.data["phase"] == phase).await.id);
    }
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "an id for each: {ids:?}");
    town.stop(&mut unit, ride).await;
    let stopped = Instant::now();
    let over = stream.until(|event| event.name == "over").await;
    assert!(stopped.elapsed() <= END_MAX, "{:?}", stopped.elapsed());
    assert_eq!(
        over.data,
        serde_json::json!({ "status": "inactive", "message": "the ride is over" })
    );
    town.seen(&unit, (1_000, 0));
    assert!(stream.next().await.is_none(), "and nothing after it");
    assert_eq!(town.open(&format!("{}/events", town.link(1)), "*/*").await.status(), 410);
}

#[tokio::test]
async fn whoever_follows_a_driver_who_gave_the_ride_up_follows_him_no_further() {
    let town = Town::new(2).await;
    let (mut first, mut second) = (Unit::new(1), Unit::new(2));
    let ride = town.accepted(1, &mut first, 1).await;
    town.seen(&first, (9_000, 0));
    let mut stream = town.follow(1).await;
    assert!(stream.next().await.is_some_and(|event| event.data["location"].is_object()));
    town.step(&mut first, ride, TripStep::Cancel { reason: "a flat tyre".into() }).await;
    let given_up = Instant::now();
    stream.until(|event| event.name == "changed").await;
    assert!(given_up.elapsed() <= END_MAX && stream.next().await.is_none());
    assert_eq!(town.get(&town.link(1), "*/*").await.status, 410);

    let other = town.world.offered_too(ride, 2).await;
    let event = second.accept(other.offer);
    town.world.tell(&mut second, vec![event]).await;
    town.seen(&first, (8_000, 0));
    let shown = town.get(&town.link(1), "*/*").await.json();
    assert_eq!(
        (&shown["vehicle"]["registration"], &shown["location"]),
        (&"KA 2".into(), &Value::Null)
    );
    let mut stream = town.follow(1).await;
    town.seen(&second, (20_000, 0));
    let seen = stream.until(|event| event.data["location"].is_object()).await;
    assert_eq!(seen.data["location"]["gps"], "12.9020000,77.6000000", "not that of the first");
}

/// The ride goes from one driver to the other so quickly that nobody sees it without one.
#[tokio::test]
async fn a_ride_that_another_driver_has_at_once_is_another_to_its_watchers() {
    let town = Town::new(2).await;
    let (mut first, mut second) = (Unit::new(1), Unit::new(2));
    let ride = town.accepted(1, &mut first, 1).await;
    let mut before = town.follow(1).await;
    assert!(before.next().await.is_some());
    town.step(&mut first, ride, TripStep::Cancel { reason: "a flat tyre".into() }).await;
    let other = town.world.offered_too(ride, 2).await;
    let event = second.accept(other.offer);
    town.world.tell(&mut second, vec![event]).await;
    let mut after = town.follow(1).await;
    let event = after.next().await.expect("the first");
    assert_eq!(event.data["vehicle"]["registration"], "KA 2");
    before.until(|event| event.name == "changed").await;
    assert!(before.next().await.is_none());
    town.step(&mut second, other, TripStep::Cancel { reason: "home".into() }).await;
    after.until(|event| event.name == "changed").await;
}

#[tokio::test]
async fn a_stream_ends_without_a_word_when_nobody_can_say_that_the_ride_goes_on() {
    let town = Town::new(1).await;
    let unit = &mut Unit::new(1);
    town.accepted(1, unit, 1).await;
    let mut stream = town.follow(1).await;
    assert!(stream.next().await.is_some());
    town.world.platform.store.close().await;
    let closed = Instant::now();
    assert!(stream.next().await.is_none(), "no event: the ride may go on");
    let bound = Duration::from_millis(UNSURE_MS_MAX) + END_MAX;
    assert!(closed.elapsed() <= bound, "{:?}", closed.elapsed());
    let answer = town.get(&town.link(1), "text/html").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert!(answer.text.contains("<meta http-equiv=\"refresh\" content=\"5\">"), "{}", answer.text);
}
