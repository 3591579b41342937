//! Frozen bytes of the device link, version 1. If one of these fails, do not change the test: a
//! vehicle on the road speaks these bytes. Grow an enum at its end, or raise the version.

use tripline_protocol::assignment::{Assignment, Change, Place, RiderContact};
use tripline_protocol::duty::{Duty, OnDuty, TypedPin};
use tripline_protocol::fare::{Extra, ExtraKind, FareLineKind, FareReason, Usage};
use tripline_protocol::fix::{FixStamp, FixType, Refusal};
use tripline_protocol::id::{
    AssignmentId, CommandNumber, DriverId, JournalEpoch, OrderId, Sequence, TripId,
};
use tripline_protocol::link::down::{Command, CommandBody, CommitAck, DriveVerb};
use tripline_protocol::link::envelope::{DecodeError, Message, decode, encode};
use tripline_protocol::link::settings::{DeviceSettings, Keep, NO_LIMIT};
use tripline_protocol::link::trail::{GapReason, TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::link::up::{
    Answer, Batch, CommandOutcome, EVENT_BATCH_RECORDS_MAX, Event, EventBatch, EventBody, Live,
    MotionState, Presence, Stream, Trouble, Waypoint,
};
use tripline_protocol::meter::Reading;
use tripline_protocol::otp::{OtpVerifier, TypedOtp};
use tripline_protocol::tariff::{
    Band, Cancellation, Night, Outstation, Package, Surcharge, Tariff, Tax,
};
use tripline_protocol::terms::{Discount, Estimate, Span, Terms};
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::{Odometer, Paise, Position, Steady, Timestamp};

fn position() -> Position {
    Position::new(374_263_973, -1_220_936_434).expect("on the globe")
}

fn at() -> Timestamp {
    Timestamp::from_unix_ms(1_581_041_657_000)
}

fn tariff() -> Tariff {
    Tariff {
        code: "auto".into(),
        version: 3,
        base_paise: Paise(3000),
        base_distance_m: 2000,
        bands: vec![
            Band { from_m: 2000, per_km_paise: Paise(1500) },
            Band { from_m: 10_000, per_km_paise: Paise(1800) },
        ],
        per_minute_paise: Paise(50),
        pickup_paise: Paise(1000),
        minimum_paise: Paise(3000),
        waiting_per_minute_paise: Paise(100),
        waiting_free_s: 180,
        night: Some(Night {
            from_minute: 22 * 60,
            until_minute: 5 * 60,
            time_zone: "Asia/Kolkata".into(),
            surcharge: Surcharge::FactorPercent(150),
        }),
        package: None,
        outstation: None,
        taxes: vec![Tax { name: "GST".into(), rate_bp: 500, on_extras: true }],
        cancellation: Cancellation {
            free_s: 300,
            charge_paise: Paise(2000),
            no_show_paise: Paise(4000),
        },
        range_percent: 20,
        rounding_paise: Paise(100),
    }
}

/// A rental with what the other tariff has not, though no real one has all of it.
fn rental() -> Tariff {
    Tariff {
        code: "rental".into(),
        night: Some(Night {
            surcharge: Surcharge::FlatPaise(Paise(5000)),
            ..tariff().night.expect("a night")
        }),
        package: Some(Package {
            included_s: 14_400,
            included_m: 40_000,
            per_km_over_paise: Paise(1600),
            per_minute_over_paise: Paise(200),
        }),
        outstation: Some(Outstation {
            minimum_m_per_day: 250_000,
            allowance_per_day_paise: Paise(30_000),
        }),
        ..tariff()
    }
}

fn terms(tariff: Tariff) -> Terms {
    let nights = vec![Span { from: at().plus_ms(-3_600_000), until: at().plus_ms(21_600_000) }];
    let discount = |code: &str, max_paise| Discount {
        code: code.into(),
        percent_bp: 1000,
        flat_paise: Paise(500),
        max_paise,
        least_paise: Paise(10_000),
    };
    Terms {
        tariff,
        nights,
        discounts: vec![discount("FIRST", Some(Paise(2000))), discount("CITY", None)],
        estimate: Estimate {
            distance_m: 1_500,
            duration_s: 420,
            start_at: at(),
            pickup: position(),
            drop: position(),
        },
    }
}

fn extra() -> Extra {
    Extra { kind: ExtraKind::Toll, amount: Paise(4500), note: "sea link".into() }
}

/// Every kind of event, in batches as large as they may be.
fn event_batches() -> Vec<EventBatch> {
    let trip = TripId::from_bytes([2; 16]);
    let assignment = AssignmentId::from_bytes([3; 16]);
    let usage = Usage {
        distance_m: 12_340,
        bridged_m: 120,
        riding_s: 300,
        waiting_s: 200,
        paused_s: 60,
        fixes: 300,
        refused: 3,
        started_at: Some(at()),
        stopped_at: Some(position()),
        extras: vec![extra()],
    };
    let stop = TripStep::Stop { fare: terms(tariff()).metered(usage) };
    let steps = [
        TripStep::Depart,
        TripStep::Arrive,
        TripStep::Start { otp: Some(TypedOtp("4711".into())) },
        TripStep::Pause,
        TripStep::Resume,
        stop,
        TripStep::Cancel { reason: "flat tyre".into() },
        TripStep::NoShow,
        TripStep::Collected { amount: Paise(4500) },
        TripStep::ArriveOutside { distance_m: 350 },
        TripStep::Extra(extra()),
    ];
    let mut bodies = vec![
        EventBody::Booted { absent_since: Some(at()), agent_version: "0.1.0".into() },
        EventBody::Answered { assignment, answer: Answer::Accept },
        EventBody::Answered { assignment, answer: Answer::Reject { reason: "far".into() } },
        EventBody::CommandDone { number: CommandNumber(7), outcome: CommandOutcome::Expired },
        EventBody::Lost,
    ];
    bodies.extend(steps.map(|step| EventBody::Trip { trip, step }));
    bodies.extend([
        EventBody::Motion { state: MotionState::Parked, ignition: Some(false) },
        EventBody::Overspeed { speed_mmps: 27_778, limit_mmps: 22_222 },
        EventBody::Near { trip, place: Waypoint::Drop },
        EventBody::Sos { trip: Some(trip) },
        EventBody::Trouble { trouble: Trouble::JournalInMemory, present: true },
        EventBody::Running { settings: settings() },
        EventBody::OtpTried { trip },
        EventBody::SignedIn { driver: driver(), pin: TypedPin("4711".into()) },
        EventBody::Duty { duty: Duty::Break },
    ]);
    let event = |body| Event {
        at: at(),
        gnss_time: true,
        reading: Reading {
            steady: Steady { ms: 90_000 },
            odometer: Odometer { mm: 1_234_567 },
            bridged: Odometer { mm: 5_000 },
            fixes: 4_200,
            refused: 17,
        },
        fix: Some(FixStamp { at: at(), position: position() }),
        body,
    };
    let events: Vec<_> = bodies.into_iter().map(event).collect();
    events
        .chunks(EVENT_BATCH_RECORDS_MAX)
        .map(|events| Batch {
            epoch: JournalEpoch(0x0123_4567_89ab_cdef),
            after: Sequence(41),
            records: events.to_vec(),
        })
        .collect()
}

fn driver() -> DriverId {
    "asha-1".parse().expect("valid")
}

/// One of each kind of value, and what is not set.
fn settings() -> DeviceSettings {
    DeviceSettings {
        live_on_trip_ms: Some(2_000),
        trail_on_trip: Some(Keep::Full),
        trail_moving: Some(Keep::WithinM(10)),
        trail_parked: Some(Keep::EveryS(300)),
        motion_overspeed_kmh: Some(NO_LIMIT),
        gate_speed_kmh_max: Some(252),
        ..DeviceSettings::default()
    }
}

fn trail() -> TrailBatch {
    let fix = |refused| TrailFix {
        at: at(),
        position: position(),
        speed_cmps: Some(1_389),
        course_ddeg: Some(651),
        altitude_mm: Some(-4_400),
        fix_type: FixType::RtkFixed,
        refused,
    };
    TrailBatch {
        epoch: JournalEpoch(1),
        after: Sequence(0),
        entries: vec![
            TrailEntry::Fix(fix(None)),
            TrailEntry::Fix(fix(Some(Refusal::Jump))),
            TrailEntry::Gap { fixes: 300, reason: GapReason::Thinned },
        ],
    }
}

/// A vehicle that drives off and turns, with a digit more or less here and there.
fn drive() -> TrailBatch {
    let fix = |second: i32| TrailFix {
        at: at().plus_ms(1_000 * i64::from(second) + if second > 40 { 200 } else { 0 }),
        position: Position::new(
            374_263_973 + second * second * 45 - second % 3,
            -1_220_936_434 + second * second * second,
        )
        .expect("on the globe"),
        speed_cmps: (second != 30).then_some(100 * second.unsigned_abs()),
        course_ddeg: u16::try_from(3_590 + 7 * second).ok().map(|ddeg| ddeg % 3_600),
        altitude_mm: Some(4_400 + 100 * (second % 5)),
        fix_type: if second % 20 == 7 { FixType::RtkFloat } else { FixType::RtkFixed },
        refused: None,
    };
    TrailBatch {
        epoch: JournalEpoch(0x0123_4567_89ab_cdef),
        after: Sequence(86_400),
        entries: (0..60).map(|second| TrailEntry::Fix(fix(second))).collect(),
    }
}

fn commands() -> Vec<Command> {
    let order = OrderId::from_bytes([1; 16]);
    let trip = TripId::from_bytes([2; 16]);
    let assignment = AssignmentId::from_bytes([3; 16]);
    let place = |address: &str| Place { position: position(), address: address.into() };
    let offer = Assignment {
        id: assignment,
        order,
        trip,
        pickup: place("Castro Street"),
        drop: place("Shoreline"),
        terms: terms(tariff()),
        pickup_at: None,
        expires_at: at().plus_ms(30_000),
        otp: Some(OtpVerifier::new(order, "4711", [9; 16])),
        collect_cash: true,
        auto_accept: false,
    };
    let rental = Assignment {
        terms: terms(rental()),
        pickup_at: Some(at().plus_ms(3_600_000)),
        otp: None,
        collect_cash: false,
        auto_accept: true,
        ..offer.clone()
    };
    let contact = RiderContact { trip, name: "Asha".into(), phone: "+91-9800000000".into() };
    let change = Change {
        trip,
        pickup: place("Castro Street"),
        drop: place("Moffett Field"),
        terms: terms(tariff()),
        collect_cash: false,
    };
    let bodies = [
        CommandBody::Offer(offer),
        CommandBody::Withdraw { assignment, reason: "too late".into() },
        CommandBody::Rider(contact),
        CommandBody::CancelTrip { trip, reason: "rider cancelled".into() },
        CommandBody::Configure(settings()),
        CommandBody::Offer(rental),
        CommandBody::Drive {
            trip,
            verb: DriveVerb::Stop,
            reason: "the driver's phone is broken".into(),
        },
        CommandBody::UnlockOtp { trip },
        CommandBody::OnDuty(OnDuty {
            driver: Some((driver(), "Asha".into())),
            duty: Duty::On,
            refused: None,
        }),
        CommandBody::OnDuty(OnDuty {
            driver: None,
            duty: Duty::Off,
            refused: Some("the PIN is wrong".into()),
        }),
        CommandBody::Change(change),
    ];
    bodies
        .into_iter()
        .zip(1..)
        .map(|(body, number)| Command {
            number: CommandNumber(number),
            expires_at: Some(at()),
            body,
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).expect("four bits");
    let mut text = String::new();
    for line in bytes.chunks(32) {
        text.extend(line.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
        text.push('\n');
    }
    text
}

fn frozen<M: Message + PartialEq + std::fmt::Debug>(message: &M) -> String {
    let bytes = encode(message);
    assert_eq!(decode::<M>(&bytes).as_ref(), Ok(message), "reads back what it wrote");
    hex(&bytes)
}

#[test]
fn the_live_position_keeps_its_bytes() {
    let live =
        Live { at: at(), position: position(), speed_mmps: Some(13_890), course_cdeg: Some(6_513) };
    let bare = Live { speed_mmps: None, course_cdeg: None, ..live };
    insta::assert_snapshot!([live, bare].map(|live| frozen(&live.rounded())).concat());
}

#[test]
fn the_event_batches_keep_their_bytes() {
    insta::assert_snapshot!(event_batches().iter().map(frozen).collect::<String>());
}

#[test]
fn the_trail_batch_keeps_its_bytes() {
    insta::assert_snapshot!([trail(), drive()].map(|batch| frozen(&batch)).concat());
}

#[test]
fn presence_and_commit_ack_keep_their_bytes() {
    let here = Presence::Here { agent_version: "0.1.0".into() };
    let commit_ack =
        CommitAck { epoch: JournalEpoch(1), stream: Stream::Trail, through: Sequence(300) };
    let text = [frozen(&here), frozen(&Presence::Gone), frozen(&commit_ack)].concat();
    insta::assert_snapshot!(text);
}

#[test]
fn the_commands_keep_their_bytes() {
    insta::assert_snapshot!(commands().iter().map(frozen).collect::<String>());
}

/// Every value of an enum with its number on the wire.
fn numbers<T: serde::Serialize + std::fmt::Display>(what: &str, values: &[T]) -> String {
    let number = |value: &T| postcard::to_allocvec(value).expect("a number");
    let line = |value| format!("{what} {} {value}\n", hex(&number(value)).trim_end());
    values.iter().map(line).collect()
}

#[test]
fn the_codes_of_fares_and_drivers_keep_their_numbers() {
    let text = [
        numbers("duty", Duty::ALL),
        numbers("drive", DriveVerb::ALL),
        numbers("extra", ExtraKind::ALL),
        numbers("fare reason", FareReason::ALL),
        numbers("fare line", FareLineKind::ALL),
    ];
    insta::assert_snapshot!(text.concat());
}

#[test]
fn trailing_bytes_another_version_and_any_truncation_are_refused() {
    let bytes = encode(&event_batches()[0]);
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(decode::<EventBatch>(&longer), Err(DecodeError::Trailing { len: 1 }));
    let mut newer = bytes.clone();
    newer[0] = 2;
    assert_eq!(decode::<EventBatch>(&newer), Err(DecodeError::Version { found: 2 }));
    assert_eq!(decode::<EventBatch>(&[]), Err(DecodeError::Empty));
    for len in 1..bytes.len() {
        assert_eq!(decode::<EventBatch>(&bytes[..len]), Err(DecodeError::Malformed), "{len} bytes");
    }
    let huge = vec![1; 64 * 1024 + 1];
    assert_eq!(decode::<EventBatch>(&huge), Err(DecodeError::TooLong { len: huge.len() }));
}

proptest::proptest! {
    #[test]
    fn decoding_is_total(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        if let Some(version) = bytes.first_mut() {
            *version = 1;
        }
        let _ = decode::<Live>(&bytes);
        let _ = decode::<EventBatch>(&bytes);
        let _ = decode::<TrailBatch>(&bytes);
        let _ = decode::<Command>(&bytes);
        let _ = decode::<CommitAck>(&bytes);
        let _ = decode::<Presence>(&bytes);
    }
}
