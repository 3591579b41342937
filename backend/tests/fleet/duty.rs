//! Sign-in with a PIN, duty, shifts and cash, as devices and operators have them.

use std::path::Path;
use std::time::Duration;

use tripline_backend::audit::Audit;
use tripline_backend::config::Config;
use tripline_backend::domain::dispatch::DispatchRules;
use tripline_backend::domain::fleet::DutyState;
use tripline_backend::domain::order::{Conversation, Rider};
use tripline_backend::domain::ride::{Candidate, RideRules};
use tripline_backend::identity::authority::{Fingerprint, sha256};
use tripline_backend::keys::pin::PinKey;
use tripline_backend::operate::driver::{
    DriverChange, change as change_driver, set_pin, show as show_driver, unlock,
};
use tripline_backend::operate::duty::{DutyChange, set as set_duty};
use tripline_backend::operate::shift::{Settling, list as list_shifts, settle};
use tripline_backend::operate::vehicle::assign;
use tripline_backend::operate::{Actor, OperateError, Page};
use tripline_backend::service::duty::note_cash;
use tripline_backend::service::{Lane, Platform, Submission};
use tripline_backend::store::certificate::CertificateRow;
use tripline_backend::store::{Store, Tx};
use tripline_protocol::duty::{Duty as OnWire, TypedPin};
use tripline_protocol::id::{AssignmentId, CommandNumber, JournalEpoch, Sequence, TripId};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::up::{Answer, Event, EventBatch, EventBody};
use tripline_protocol::meter::Reading;
use tripline_protocol::signing::SecretKey;
use tripline_protocol::unit::{Paise, Timestamp};

use crate::both::on_both;
use crate::{NOW, add_driver, add_vehicle, device, driver_id, quoted};

/// A platform with two drivers, of whom one has the PIN 4711, and two vehicles.
struct Yard {
    platform: Platform,
    sequence: u64,
}

fn pin_key() -> PinKey {
    PinKey::new(&SecretKey::from_seed(&[9; 32]))
}

fn certificate(id: &str) -> Fingerprint {
    sha256(id.as_bytes())
}

impl Yard {
    async fn new(store: Store) -> Self {
        let mut tx = store.write().await.expect("begins");
        for id in ["asha", "ravi"] {
            add_driver(&mut tx, id).await;
        }
        for id in ["v1", "v2"] {
            add_vehicle(&mut tx, id, None).await;
            let row = CertificateRow {
                device: device(id),
                key_hash: vec![1],
                ca_fingerprint: vec![2],
                der: id.as_bytes().to_vec(),
                issued_at: NOW,
                expires_at: NOW.plus_ms(1_000_000),
                ended: None,
            };
            tx.add_certificate(row).await.expect("added");
        }
        let set = set_pin(&mut tx, &Actor::cli(), "asha", "4711", &pin_key(), NOW).await;
        assert!(set.expect("set").pin_set);
        tx.commit().await.expect("commits");
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpp.sample.toml");
        let settings = Config::load(&sample).expect("the sample is valid").settings();
        let key = SecretKey::from_seed(&[1; 32]);
        let platform = Platform::new(store, settings, key, Audit::new().0).with_pin_key(pin_key());
        Self { platform, sequence: 0 }
    }

    async fn write(&self) -> Tx {
        self.platform.store.write().await.expect("begins")
    }

    /// A device says something; why that had no effect.
    async fn hear(&mut self, id: &str, body: EventBody) -> Option<String> {
        self.hear_of(id, body, NOW).await
    }

    /// The same, of something that happened then.
    async fn hear_of(&mut self, id: &str, body: EventBody, at: Timestamp) -> Option<String> {
        self.sequence += 1;
        let epoch = JournalEpoch(self.sequence);
        let event = Event { at, gnss_time: true, reading: Reading::default(), fix: None, body };
        let batch = EventBatch { epoch, after: Sequence::ZERO, records: vec![event] };
        let payload = encode(&batch);
        let lane = Lane::Event(batch, payload);
        let heard = Submission { device: device(id), certificate: certificate(id), lane };
        self.platform.ingest(&[heard]).await.expect("committed");
        let mut tx = self.platform.store.read().await.expect("begins");
        let mut events = tx.events(&device(id), epoch).await.expect("read");
        events.remove(0).refused
    }

    async fn sign_in(&mut self, id: &str, driver: &str, pin: &str) -> Option<String> {
        let body = EventBody::SignedIn { driver: driver_id(driver), pin: TypedPin(pin.into()) };
        self.hear(id, body).await
    }

    /// What a device was told last: who is signed in, whether they take rides, why somebody is not.
    async fn told(&self, id: &str) -> (Option<String>, OnWire, Option<String>) {
        let mut tx = self.platform.store.read().await.expect("begins");
        let all = CommandNumber(0);
        let waiting = tx.open_down_messages(&device(id), all, 100).await.expect("read");
        let (_, payload) = waiting.last().expect("told something");
        let command: Command = decode(payload).expect("a command");
        let CommandBody::OnDuty(told) = command.body else { panic!("{:?}", command.body) };
        (told.driver.map(|(id, _)| id.to_string()), told.duty, told.refused)
    }

    async fn duty(&self, driver: &str) -> Option<(String, DutyState)> {
        let mut tx = self.platform.store.read().await.expect("begins");
        let duty = tx.duty_of_driver(&driver_id(driver)).await.expect("read")?;
        Some((duty.device.to_string(), duty.state))
    }
}

#[tokio::test]
async fn the_right_pin_begins_a_shift_and_the_device_is_told_who_drives() {
    on_both(|store| async move {
        let mut yard = Yard::new(store).await;
        assert_eq!(yard.sign_in("v1", "asha", "4711").await, None);
        assert_eq!(yard.duty("asha").await, Some(("v1".into(), DutyState::On)));
        assert_eq!(yard.told("v1").await, (Some("asha".into()), OnWire::On, None));
        let mut tx = yard.write().await;
        let vehicle = tx.vehicle(&device("v1")).await.expect("read").expect("there");
        assert_eq!(vehicle.driver, Some(driver_id("asha")), "whoever is signed in drives");
        drop(tx);

        assert_eq!(yard.hear("v1", EventBody::Duty { duty: OnWire::Break }).await, None);
        assert_eq!(yard.duty("asha").await, Some(("v1".into(), DutyState::Break)));
        assert_eq!(yard.hear("v1", EventBody::Duty { duty: OnWire::Off }).await, None);
        assert_eq!(yard.duty("asha").await, None);
        assert_eq!(yard.told("v1").await, (None, OnWire::Off, None));
        let mut tx = yard.write().await;
        let shifts = list_shifts(&mut tx, Some("asha"), &Page::default()).await.expect("read");
        assert_eq!(shifts.items.len(), 1, "a break is no new shift");
        assert!(shifts.items[0].ended_at_unix_ms.is_some());
        drop(tx);
        let refused = yard.hear("v1", EventBody::Duty { duty: OnWire::On }).await;
        assert_eq!(refused.as_deref(), Some("nobody is signed in on it"));
    })
    .await;
}

#[tokio::test]
async fn whoever_signs_in_elsewhere_is_signed_off_where_they_were_and_ends_who_was_there() {
    on_both(|store| async move {
        let mut yard = Yard::new(store).await;
        let mut tx = yard.write().await;
        let on = DutyChange { state: "on".into(), vehicle: Some("KA v2".into()) };
        set_duty(&mut tx, &Actor::cli(), "ravi", on, NOW).await.expect("set");
        tx.commit().await.expect("commits");
        assert_eq!(yard.told("v2").await, (Some("ravi".into()), OnWire::On, None));

        assert_eq!(yard.sign_in("v1", "asha", "4711").await, None);
        assert_eq!(yard.sign_in("v2", "asha", "4711").await, None);
        assert_eq!(yard.duty("asha").await, Some(("v2".into(), DutyState::On)));
        assert_eq!(yard.duty("ravi").await, None, "his vehicle has another driver");
        assert_eq!(yard.told("v1").await, (None, OnWire::Off, None));
        assert_eq!(yard.told("v2").await, (Some("asha".into()), OnWire::On, None));
        let mut tx = yard.write().await;
        for (driver, shifts, open) in [("asha", 2, 1), ("ravi", 1, 0)] {
            let listed = list_shifts(&mut tx, Some(driver), &Page::default()).await.expect("read");
            let still = listed.items.iter().filter(|shift| shift.ended_at_unix_ms.is_none());
            assert_eq!((listed.items.len(), still.count()), (shifts, open), "{driver}");
        }
    })
    .await;
}

#[tokio::test]
async fn five_wrong_pins_lock_until_an_operator_unlocks_and_no_pin_is_kept() {
    on_both(|store| async move {
        let mut yard = Yard::new(store).await;
        for left in [4, 3, 2, 1] {
            let refused = yard.sign_in("v1", "asha", "0000").await;
            assert_eq!(refused, Some(format!("wrong PIN; tries left: {left}")));
        }
        let locked = Some("too many wrong PINs: ask the operator to unlock".to_owned());
        assert_eq!(yard.sign_in("v2", "asha", "0000").await, locked, "on whatever device");
        assert_eq!(yard.sign_in("v1", "asha", "4711").await, locked);
        assert_eq!(yard.told("v1").await, (None, OnWire::Off, locked));
        let mut tx = yard.write().await;
        assert!(show_driver(&mut tx, "asha").await.expect("read").locked);
        assert!(!unlock(&mut tx, &Actor::cli(), "asha", NOW).await.expect("unlocked").locked);
        tx.commit().await.expect("commits");
        assert_eq!(yard.sign_in("v1", "asha", "4711").await, None);

        let unset = yard.sign_in("v2", "ravi", "4711").await.expect("refused");
        assert!(unset.contains("no PIN is set"), "{unset}");
        let unknown = yard.sign_in("v2", "nobody", "4711").await.expect("refused");
        assert!(unknown.contains("not known"), "{unknown}");
        let mut tx = yard.platform.store.read().await.expect("begins");
        for epoch in 1..=yard.sequence {
            for id in ["v1", "v2"] {
                for event in tx.events(&device(id), JournalEpoch(epoch)).await.expect("read") {
                    let holds = |pin: &[u8]| event.payload.windows(4).any(|part| part == pin);
                    assert!(!holds(b"4711") && !holds(b"0000"), "{epoch}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn cash_is_in_the_account_of_the_shift_in_which_it_was_taken_in_until_it_is_handed_over() {
    on_both(|store| async move {
        let mut yard = Yard::new(store).await;
        assert_eq!(yard.sign_in("v1", "asha", "4711").await, None);
        let mut tx = yard.write().await;
        let vehicle = tx.vehicle(&device("v1")).await.expect("read").expect("there");
        let at = tripline_backend::time::now();
        let driver = vehicle.driver.clone().expect("one");
        let who = (&driver, &vehicle.device);
        let order = quoted::order(1, NOW).id;
        assert!(note_cash(&mut tx, who, (order, Paise(12_300)), at).await.expect("noted"));
        assert!(!note_cash(&mut tx, who, (order, Paise(12_300)), at).await.expect("noted before"));
        let listed = list_shifts(&mut tx, Some("asha"), &Page::default()).await.expect("read");
        let shift = listed.items.first().expect("a shift").clone();
        assert_eq!(shift.cash_paise, 12_300);
        let part = Settling { amount_paise: Some(10_000), note: "by hand".into() };
        let shown = settle(&mut tx, &Actor::cli(), &shift.id, part, NOW).await.expect("settled");
        assert_eq!((shown.shift.cash_paise, shown.entries.len()), (2_300, 2));
        let over = Settling { amount_paise: Some(2_301), note: String::new() };
        let error = settle(&mut tx, &Actor::cli(), &shift.id, over, NOW).await;
        assert!(matches!(error, Err(OperateError::Invalid { .. })), "{error:?}");
        let rest = settle(&mut tx, &Actor::cli(), &shift.id, Settling::default(), NOW).await;
        let rest = rest.expect("settled").shift;
        assert_eq!((rest.cash_paise, rest.ended_at_unix_ms), (0, None), "the shift goes on");

        // A driver who does not sign in: a shift from the first cash to its settlement.
        let (ravi, order) = (driver_id("ravi"), quoted::order(2, NOW).id);
        let who = (&ravi, &vehicle.device);
        assert!(note_cash(&mut tx, who, (order, Paise(500)), NOW).await.expect("noted"));
        let listed = list_shifts(&mut tx, Some("ravi"), &Page::default()).await.expect("read");
        let id = &listed.items.first().expect("a shift").id;
        let done = settle(&mut tx, &Actor::cli(), id, Settling::default(), NOW.plus_ms(1)).await;
        assert!(done.expect("settled").shift.ended_at_unix_ms.is_some());
    })
    .await;
}

#[tokio::test]
async fn of_two_who_take_the_same_cash_at_once_one_gets_it() {
    on_both(|store| async move {
        let mut yard = Yard::new(store).await;
        assert_eq!(yard.sign_in("v1", "asha", "4711").await, None);
        let (asha, v1) = (driver_id("asha"), device("v1"));
        let mut tx = yard.write().await;
        let cash = (quoted::order(1, NOW).id, Paise(12_300));
        assert!(note_cash(&mut tx, (&asha, &v1), cash, NOW).await.expect("noted"));
        let listed = list_shifts(&mut tx, Some("asha"), &Page::default()).await.expect("read");
        let id = listed.items.first().expect("a shift").id.clone();
        tx.commit().await.expect("commits");

        let mut first = yard.write().await;
        let taken = settle(&mut first, &Actor::cli(), &id, Settling::default(), NOW).await;
        assert_eq!(taken.expect("settled").shift.cash_paise, 0);
        let second = async {
            let mut tx = yard.write().await;
            let taken = settle(&mut tx, &Actor::cli(), &id, Settling::default(), NOW).await;
            tx.commit().await.expect("commits");
            taken
        };
        // Long enough for the second to read the balance, if nothing kept it from that.
        let commits = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            first.commit().await.expect("commits");
        };
        let (second, ()) = tokio::join!(second, commits);
        assert!(matches!(second, Err(OperateError::Conflict { .. })), "{second:?}");
        let mut tx = yard.platform.store.read().await.expect("begins");
        let listed = list_shifts(&mut tx, Some("asha"), &Page::default()).await.expect("read");
        assert_eq!(listed.items.first().expect("a shift").cash_paise, 0, "handed over once");
    })
    .await;
}

#[tokio::test]
async fn what_was_asked_before_the_present_duty_began_has_no_effect_and_is_answered() {
    on_both(|store| async move {
        let mut yard = Yard::new(store).await;
        let signed_in =
            || EventBody::SignedIn { driver: driver_id("asha"), pin: TypedPin("4711".into()) };
        let a_break = || EventBody::Duty { duty: OnWire::Break };
        // A device that was away tells of a sign-in and what came after it, in turn.
        let long_ago = Timestamp::from_unix_ms(1_700_000_000_000);
        assert_eq!(yard.hear_of("v1", signed_in(), long_ago).await, None);
        assert_eq!(yard.hear_of("v1", a_break(), long_ago.plus_ms(1)).await, None);
        assert_eq!(yard.duty("asha").await, Some(("v1".into(), DutyState::Break)));

        let mut tx = yard.write().await;
        for (driver, vehicle) in [("asha", "KA v1"), ("ravi", "KA v2")] {
            let on = DutyChange { state: "on".into(), vehicle: Some(vehicle.into()) };
            set_duty(&mut tx, &Actor::cli(), driver, on, NOW).await.expect("set");
        }
        tx.commit().await.expect("commits");
        let overtaken = Some("this was asked for before the present duty began; ask again".into());
        let before = NOW.plus_ms(-1);
        assert_eq!(yard.hear_of("v1", a_break(), before).await, overtaken);
        assert_eq!(yard.told("v1").await, (Some("asha".into()), OnWire::On, overtaken.clone()));
        assert_eq!(yard.hear_of("v2", signed_in(), before).await, overtaken);
        assert_eq!(yard.told("v2").await, (Some("ravi".into()), OnWire::On, overtaken));
        assert_eq!(yard.duty("asha").await, Some(("v1".into(), DutyState::On)));
        assert_eq!(yard.duty("ravi").await, Some(("v2".into(), DutyState::On)));

        assert_eq!(yard.hear("v2", signed_in()).await, None);
        assert_eq!(yard.duty("asha").await, Some(("v2".into(), DutyState::On)));
        assert_eq!(yard.duty("ravi").await, None);
    })
    .await;
}

/// Whoever is at the wheel of v1 has accepted a ride.
async fn accept_a_ride(tx: &mut Tx) {
    const RULES: DispatchRules = DispatchRules::DEFAULT;
    const RIDE: RideRules = RideRules {
        search_ms: 100_000,
        reassign_max: 8,
        silent_ms: 120_000,
        close_silent_ms: 21_600_000,
    };
    let mut order = quoted::order(1, NOW);
    let rider = Rider { name: "Mira".into(), phone: "+91-9800000009".into() };
    let later = Conversation("{}".into());
    order.initialize(Some(rider), later.clone(), NOW).expect("quoted");
    order.confirm(None, Some("4711".into()), later, &RULES, NOW).expect("initialized");
    let assignment = AssignmentId::from_bytes([1; 16]);
    let vehicle = tx.vehicle(&device("v1")).await.expect("read").expect("there");
    let trip = TripId::from_bytes([1; 16]);
    order.offer(Candidate { vehicle, assignment, trip, otp_key: [1; 16] }, &RULES, NOW);
    let handled = order.handle_answer(assignment, &Answer::Accept, &RIDE, NOW, NOW);
    assert_eq!(handled.refused, None);
    tx.add_order(&order).await.expect("added");
}

#[tokio::test]
async fn nobody_is_taken_off_a_ride_that_they_accepted() {
    on_both(|store| async move {
        let mut yard = Yard::new(store).await;
        assert_eq!(yard.sign_in("v1", "asha", "4711").await, None);
        let mut tx = yard.write().await;
        accept_a_ride(&mut tx).await;
        let actor = Actor::cli();
        let refused = |outcome: Result<(), OperateError>| {
            let error = outcome.expect_err("refused").to_string();
            assert!(error.contains("driver \"asha\" drives trip 01010101"), "{error}");
        };
        let to = |state: &str, vehicle: Option<&str>| DutyChange {
            state: state.into(),
            vehicle: vehicle.map(Into::into),
        };
        for (driver, change) in [
            ("asha", to("off", None)),
            ("asha", to("on", Some("v2"))),
            ("ravi", to("on", Some("v1"))),
        ] {
            refused(set_duty(&mut tx, &actor, driver, change, NOW).await.map(|_| ()));
        }
        let asha = driver_id("asha");
        refused(assign(&mut tx, &actor, "v2", Some(&asha), NOW).await.map(|_| ()));
        let inactive = DriverChange { active: Some(false), ..DriverChange::default() };
        refused(change_driver(&mut tx, &actor, "asha", inactive.clone(), NOW).await.map(|_| ()));
        let pause = set_duty(&mut tx, &actor, "asha", to("break", None), NOW).await;
        assert_eq!(pause.expect("set").state, "break", "where they are");

        let on = to("on", Some("v2"));
        set_duty(&mut tx, &actor, "ravi", on, NOW).await.expect("set");
        change_driver(&mut tx, &actor, "ravi", inactive, NOW).await.expect("changed");
        assert_eq!(tx.duty_of_driver(&driver_id("ravi")).await.expect("read"), None);
        assert_eq!(tx.open_shift(&driver_id("ravi")).await.expect("read"), None);
    })
    .await;
}
