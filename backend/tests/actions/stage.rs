//! Rides brought to each stage: by requests, and by what the vehicle reports.

use std::fmt;

use serde_json::{Value, json};
use tripline_backend::operate::{Actor, trip as operate};
use tripline_backend::time;
use tripline_protocol::id::TripId;
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::Paise;

use crate::bap::Bap;
use crate::unit::{Unit, start};
use crate::world::{World, at, route};

/// How far a ride has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Quoted,
    Initialized,
    Offered,
    Accepted,
    EnRoute,
    AtPickup,
    Started,
    Paused,
    Ended,
    Paid,
    Scheduled,
    Proposed,
    Reassigning,
    CancelledByRider,
    CancelledByOperator,
    NoShow,
    Unserved,
    Expired,
}

impl Stage {
    pub(crate) const ALL: [Self; 18] = [
        Self::Quoted,
        Self::Initialized,
        Self::Offered,
        Self::Accepted,
        Self::EnRoute,
        Self::AtPickup,
        Self::Started,
        Self::Paused,
        Self::Ended,
        Self::Paid,
        Self::Scheduled,
        Self::Proposed,
        Self::Reassigning,
        Self::CancelledByRider,
        Self::CancelledByOperator,
        Self::NoShow,
        Self::Unserved,
        Self::Expired,
    ];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}

/// A ride at some stage.
pub(crate) struct Ride {
    pub(crate) unit: Unit,
    pub(crate) trip: Option<TripId>,
    /// The order as the last answer had it, with its id.
    pub(crate) order: Value,
}

impl Ride {
    pub(crate) fn id(&self) -> &str {
        self.order["id"].as_str().expect("an id")
    }

    pub(crate) fn trip(&self) -> TripId {
        self.trip.expect("a driver accepted")
    }
}

impl Bap {
    /// A ride of its own at this stage. The order's id is in it from the start, though it is not told before `init`.
    pub(crate) async fn ride_at(&self, stage: Stage) -> Ride {
        Box::pin(self.brought_to(stage)).await
    }

    async fn brought_to(&self, stage: Stage) -> Ride {
        let mut ride = self.booked(stage).await;
        match stage {
            Stage::Quoted | Stage::Initialized | Stage::Offered | Stage::Scheduled => {}
            Stage::Unserved | Stage::Expired => {
                let later = time::now().plus_ms(3_600_000);
                self.handle_due(later).await;
            }
            Stage::Accepted
            | Stage::EnRoute
            | Stage::AtPickup
            | Stage::Started
            | Stage::Paused
            | Stage::Ended
            | Stage::Paid
            | Stage::Proposed
            | Stage::Reassigning
            | Stage::CancelledByRider
            | Stage::CancelledByOperator
            | Stage::NoShow => {
                self.accept(&mut ride).await;
                self.drive_to(stage, &mut ride).await;
            }
        }
        ride
    }

    pub(crate) async fn handle_due(&self, at: tripline_protocol::unit::Timestamp) {
        self.world.platform.handle_due(at).await.expect("done");
    }

    /// As far as requests alone bring it.
    async fn booked(&self, stage: Stage) -> Ride {
        let unit = Unit::new(1);
        let quoted = if stage == Stage::Scheduled {
            let mut fulfillment = route();
            fulfillment["start"]["time"] = json!({ "timestamp": at(86_400) });
            let order =
                json!({ "items": [{ "id": World::item_id() }], "fulfillment": fulfillment });
            self.ask("select", &json!({ "order": order })).await.order().clone()
        } else {
            self.select().await.order().clone()
        };
        if stage == Stage::Quoted {
            let mut order = quoted;
            order["id"] = self.hidden_id(&order).await.into();
            return Ride { unit, trip: None, order };
        }
        let order = self.init(&quoted).await.order().clone();
        let ride = Ride { unit, trip: None, order };
        if !matches!(stage, Stage::Initialized | Stage::Expired) {
            let told = self.confirm(&ride.order).await;
            let answered = usize::from(stage == Stage::Scheduled);
            assert!(told.answer.is_ack() && told.callbacks.len() == answered, "{told:?}");
        }
        ride
    }

    /// The id of an order that was not told one yet.
    async fn hidden_id(&self, quoted: &Value) -> String {
        let fulfillment = quoted["fulfillment"]["id"].as_str().expect("an id");
        let mut tx = self.world.platform.store.read().await.expect("begins");
        let stored = tx.order_of_fulfillment(fulfillment).await.expect("answers");
        stored.expect("there").order.id.to_string()
    }

    /// The driver who was asked accepts.
    pub(crate) async fn accept(&self, ride: &mut Ride) {
        let (assignment, trip) = self.offer_to(&ride.unit).await.expect("an offer");
        let event = ride.unit.accept(assignment);
        self.tell(&mut ride.unit, vec![event]).await;
        ride.trip = Some(trip);
    }

    async fn drive_to(&self, stage: Stage, ride: &mut Ride) {
        match stage {
            Stage::CancelledByRider => {
                let told = self.cancel(ride.id()).await;
                assert_eq!(told.order()["state"], "CANCELLED");
                return;
            }
            Stage::CancelledByOperator => {
                let id = ride.id();
                let platform = &self.world.platform;
                let mut tx = platform.store.write().await.expect("begins");
                let actor = Actor::cli();
                let done = operate::cancel(platform, &mut tx, &actor, id, "a flood", time::now());
                drop(done.await.expect("possible"));
                tx.commit().await.expect("commits");
                return;
            }
            Stage::Reassigning => {
                let reason = "a flat tyre".into();
                self.step(&mut ride.unit, ride.trip.expect("one"), TripStep::Cancel { reason })
                    .await;
                return;
            }
            Stage::Quoted
            | Stage::Initialized
            | Stage::Offered
            | Stage::Accepted
            | Stage::EnRoute
            | Stage::AtPickup
            | Stage::Started
            | Stage::Paused
            | Stage::Ended
            | Stage::Paid
            | Stage::Scheduled
            | Stage::Proposed
            | Stage::NoShow
            | Stage::Unserved
            | Stage::Expired => {}
        }
        let steps: [(Stage, TripStep); 3] = [
            (Stage::EnRoute, TripStep::Depart),
            (Stage::AtPickup, TripStep::Arrive),
            (Stage::Started, TripStep::Depart),
        ];
        if stage == Stage::Accepted {
            return;
        }
        let trip = ride.trip();
        for (reached, step) in steps {
            ride.unit.drive(100, 30);
            let step = if reached == Stage::Started {
                if stage == Stage::NoShow {
                    ride.unit.drive(0, 600);
                    TripStep::NoShow
                } else {
                    start(&self.otp(ride.id()).await)
                }
            } else {
                step
            };
            self.step(&mut ride.unit, trip, step).await;
            if reached == stage {
                return;
            }
        }
        if stage == Stage::Paused {
            self.step(&mut ride.unit, trip, TripStep::Pause).await;
        }
        if stage == Stage::Proposed {
            let end = json!({ "location": { "gps": "12.9800000,77.7000000" } });
            let order = json!({ "id": ride.id(), "fulfillment": { "end": end } });
            let message = json!({ "update_target": "fulfillment.end", "order": order });
            ride.order["quote"] = self.ask("update", &message).await.order()["quote"].clone();
        }
        if matches!(stage, Stage::Ended | Stage::Paid) {
            ride.unit.drive(2_000, 300);
            let id = ride.id().to_owned();
            self.stop(&mut ride.unit, trip, &id, 2_000).await;
            if stage == Stage::Paid {
                let amount = self.order(&id).await.fare().total();
                self.collect(ride, amount).await;
            }
        }
    }

    pub(crate) async fn collect(&self, ride: &mut Ride, amount: Paise) {
        let trip = ride.trip();
        self.step(&mut ride.unit, trip, TripStep::Collected { amount }).await;
    }

    /// The OTP that the rider was told.
    pub(crate) async fn otp(&self, order_id: &str) -> String {
        self.order(order_id).await.otp.expect("an OTP")
    }

    /// The rider calls it off.
    pub(crate) async fn cancel(&self, order_id: &str) -> crate::bap::Told {
        let message = json!({ "order_id": order_id, "cancellation_reason_id": "3" });
        self.ask("cancel", &message).await
    }
}
