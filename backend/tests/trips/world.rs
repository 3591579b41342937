//! A platform over a store, vehicles, and orders that were offered to them.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tripline_backend::audit::Audit;
use tripline_backend::config::Config;
use tripline_backend::domain::change::Wish;
use tripline_backend::domain::dispatch::DispatchRules;
use tripline_backend::domain::order::{Conversation, Order, Rider, Vehicle};
use tripline_backend::domain::ride::Candidate;
use tripline_backend::domain::trip::{Outcome, Trip};
use tripline_backend::operate::Actor;
use tripline_backend::service::{Applied, Platform, Submission};
use tripline_backend::store::certificate::CertificateRow;
use tripline_backend::store::{Store, Tx};
use tripline_backend::time;
use tripline_protocol::id::{AssignmentId, CommandNumber, DeviceId, OrderId, TripId};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::envelope::decode;
use tripline_protocol::link::up::{CommandOutcome, Event};
use tripline_protocol::signing::SecretKey;
use tripline_protocol::trip::TripStep;

use crate::published::held;
use crate::quoted;
use crate::unit::{Unit, certificate, device, start};

pub(crate) const OTP: &str = "4711";

const RULES: DispatchRules =
    DispatchRules { offer_ms: 30_000, search_ms: 120_000, ..DispatchRules::DEFAULT };

const CONVERSATION: &str = r#"{"core_version":"0.9.4","domain":"nic2004:60221","country":"IND",
    "city":"std:080","bap_id":"bap.example","bap_uri":"https://bap.example/beckn",
    "transaction_id":"07070707-0009-4000-8000-000000000007",
    "message_id":"07070707-0008-4000-8000-000000000007"}"#;

pub(crate) fn vehicle(n: u8) -> Vehicle {
    Vehicle {
        device: device(n),
        registration: format!("KA {n}"),
        category: "AUTO".into(),
        make: None,
        model: None,
        color: None,
        driver: None,
        driver_name: "Raghav".into(),
        driver_phone: "+91-97".into(),
    }
}

pub(crate) struct World {
    pub(crate) platform: Arc<Platform>,
}

impl World {
    /// With so many vehicles.
    pub(crate) async fn new(store: Store, vehicles: u8) -> Self {
        let mut tx = store.write().await.expect("begins");
        for n in 1..=vehicles {
            assert!(tx.add_vehicle(vehicle(n), time::now()).await.expect("added"));
            let row = CertificateRow {
                device: device(n),
                key_hash: vec![1],
                ca_fingerprint: vec![2],
                der: vec![n],
                issued_at: time::now(),
                expires_at: time::now().plus_ms(1_000_000_000),
                ended: None,
            };
            assert_eq!(tripline_backend::identity::authority::sha256(&[n]), certificate(n));
            tx.add_certificate(row).await.expect("added");
        }
        tx.commit().await.expect("commits");
        Self::over(store)
    }

    /// A platform that is started over a store with whatever is in it.
    pub(crate) fn over(store: Store) -> Self {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpp.sample.toml");
        let settings = Config::load(&sample).expect("the sample is valid").settings();
        let (audit, _) = Audit::new();
        let key = SecretKey::from_seed(&[1; 32]);
        Self { platform: Arc::new(Platform::new(store, settings, key, audit)) }
    }

    /// An order of this number that is offered to a vehicle, which is held for it.
    pub(crate) async fn offered(&self, n: u8, to: u8) -> Ride {
        let at = time::now();
        let rider = Rider { name: "Asha".into(), phone: "+91-98".into() };
        let conversation = Conversation(CONVERSATION.into());
        let mut order = quoted::order(n, at);
        order.initialize(Some(rider), conversation.clone(), at).expect("quoted");
        order.confirm(None, Some(OTP.into()), conversation, &RULES, at).expect("initialized");
        let ride = Ride::new(n);
        let mut tx = self.platform.store.write().await.expect("begins");
        tx.add_order(&order).await.expect("added");
        assert!(tx.hold(&device(to), ride.order).await.expect("answers"), "it is free");
        tx.add_assignment(ride.offer, ride.trip, ride.order).await.expect("added");
        let mut stored = tx.order(ride.order).await.expect("answers").expect("there");
        let candidate = Candidate {
            vehicle: vehicle(to),
            assignment: ride.offer,
            trip: ride.trip,
            otp_key: [n; 16],
        };
        stored.order.offer(candidate, &RULES, at);
        tx.save_order(&stored).await.expect("saved");
        tx.commit().await.expect("commits");
        ride
    }

    /// The same order is offered to another vehicle beside.
    pub(crate) async fn offered_too(&self, ride: Ride, to: u8) -> Ride {
        let other = Ride {
            offer: AssignmentId::from_bytes([to + 100; 16]),
            trip: TripId::from_bytes([to + 100; 16]),
            ..ride
        };
        let mut tx = self.platform.store.write().await.expect("begins");
        assert!(tx.hold(&device(to), ride.order).await.expect("answers"), "it is free");
        tx.add_assignment(other.offer, other.trip, ride.order).await.expect("added");
        let mut stored = tx.order(ride.order).await.expect("answers").expect("there");
        let candidate = Candidate {
            vehicle: vehicle(to),
            assignment: other.offer,
            trip: other.trip,
            otp_key: [to; 16],
        };
        stored.order.offer(candidate, &RULES, time::now());
        tx.save_order(&stored).await.expect("saved");
        tx.commit().await.expect("commits");
        other
    }

    /// An order whose driver accepted.
    pub(crate) async fn accepted(&self, n: u8, unit: &mut Unit) -> Ride {
        let ride = self.offered(n, unit_number(unit)).await;
        let event = unit.accept(ride.offer);
        self.tell(unit, vec![event]).await;
        ride
    }

    /// An order whose driver is at the pickup.
    pub(crate) async fn at_pickup(&self, n: u8, unit: &mut Unit) -> Ride {
        let ride = self.accepted(n, unit).await;
        unit.drive(500, 60);
        let event = unit.step(ride.trip, TripStep::Arrive);
        self.tell(unit, vec![event]).await;
        ride
    }

    /// An order whose ride has begun.
    pub(crate) async fn started(&self, n: u8, unit: &mut Unit) -> Ride {
        let ride = self.at_pickup(n, unit).await;
        unit.drive(0, 30);
        let event = unit.step(ride.trip, start(OTP));
        self.tell(unit, vec![event]).await;
        ride
    }

    /// The rider has the ride changed, at the price that is told.
    pub(crate) async fn change(&self, ride: Ride, wish: Wish) {
        let (at, road) = (time::now(), &self.platform.settings.road);
        let mut tx = self.platform.store.write().await.expect("begins");
        let mut stored = tx.order(ride.order).await.expect("answers").expect("there");
        let order = &mut stored.order;
        let terms = order.proposed_terms(&wish, road, at);
        order.propose(wish, terms, at.plus_ms(60_000), at).expect("possible");
        let total = order.proposal.as_ref().expect("proposed").quote.total();
        let effects = order.accept_proposal(total, at).expect("in time, at that price");
        let done = self.platform.carry_out_change(&mut tx, &mut stored, effects, at).await;
        drop(done.expect("stored"));
        tx.commit().await.expect("commits");
    }

    /// A batch of a unit's events arrives.
    pub(crate) async fn tell(&self, unit: &mut Unit, events: Vec<Event>) {
        let batch = unit.batch(events);
        self.submit(&batch).await;
    }

    pub(crate) async fn submit(&self, batch: &Submission) {
        let applied = self.platform.ingest(std::slice::from_ref(batch)).await.expect("committed");
        assert!(applied.iter().all(|it| matches!(it, Applied::Committed(_))), "{applied:?}");
    }

    /// The unit reports on the newest command of this kind that waits for it.
    pub(crate) async fn report(
        &self,
        unit: &mut Unit,
        is_it: impl Fn(&CommandBody) -> bool,
        outcome: CommandOutcome,
    ) {
        let open = self.commands(&unit.device()).await;
        let found = open.iter().rev().find(|(_, body)| is_it(body)).expect("such a command");
        let event = unit.done(found.0, outcome);
        self.tell(unit, vec![event]).await;
    }

    /// The commands that wait for a device.
    pub(crate) async fn commands(&self, device: &DeviceId) -> Vec<(CommandNumber, CommandBody)> {
        let mut tx = self.platform.store.read().await.expect("begins");
        let open = tx.open_down_messages(device, CommandNumber(0), 1_000).await.expect("answers");
        open.into_iter()
            .map(|(number, payload)| (number, decode::<Command>(&payload).expect("ours").body))
            .collect()
    }

    pub(crate) async fn order(&self, ride: Ride) -> Order {
        let mut tx = self.platform.store.read().await.expect("begins");
        tx.order(ride.order).await.expect("answers").expect("there").order
    }

    pub(crate) async fn trip(&self, ride: Ride) -> Trip {
        self.order(ride).await.trip_of(ride.trip).expect("a trip").clone()
    }

    pub(crate) async fn is_held(&self, unit: &Unit) -> bool {
        let mut tx = self.platform.store.read().await.expect("begins");
        !tx.held_among(&[unit.device()]).await.expect("answers").is_empty()
    }

    /// What the rider's platform was told, in order: the action, and the state of the ride in it.
    pub(crate) async fn told(&self, ride: Ride) -> Vec<String> {
        let (mut told, mut sequence) = (Vec::new(), 1);
        let mut tx = self.platform.store.read().await.expect("begins");
        let key = ride.order.to_string();
        while let Some((row, body)) = tx.callback(&key, sequence).await.expect("answers") {
            let body = held(&row.action, &body);
            let code = "/message/order/fulfillment/state/descriptor/code";
            let code = body.pointer(code).and_then(Value::as_str).unwrap_or("-");
            told.push(format!("{} {code}", row.action));
            sequence += 1;
        }
        told
    }

    /// Carries out an operator's verb in a transaction of its own.
    pub(crate) async fn operate<T, E: std::fmt::Debug>(
        &self,
        verb: impl AsyncFnOnce(&Platform, &mut Tx, &Actor) -> Result<T, E>,
    ) -> T {
        let mut tx = self.platform.store.write().await.expect("begins");
        let done = verb(&self.platform, &mut tx, &Actor::cli()).await.expect("possible");
        tx.commit().await.expect("commits");
        done
    }
}

fn unit_number(unit: &Unit) -> u8 {
    unit.device().as_str().trim_start_matches('d').parse().expect("a number")
}

/// An order, and one offer of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ride {
    pub(crate) order: OrderId,
    pub(crate) offer: AssignmentId,
    pub(crate) trip: TripId,
}

impl Ride {
    fn new(n: u8) -> Self {
        Self {
            order: OrderId::from_bytes([n; 16]),
            offer: AssignmentId::from_bytes([n; 16]),
            trip: TripId::from_bytes([n; 16]),
        }
    }
}

/// The steps of a trip's record, each with what became of it.
pub(crate) fn record(trip: &Trip) -> Vec<String> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Applied => "applied",
        Outcome::Crossed => "crossed",
        Outcome::Refused(_) => "refused",
    };
    trip.facts.iter().map(|fact| format!("{} {}", fact.step, word(&fact.outcome))).collect()
}
