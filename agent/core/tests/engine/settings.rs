//! Settings from afar: taken in once, kept over restarts, told back.

use tripline_agent_core::desk::DriverAction;
use tripline_agent_core::engine::{Draft, Judged, Settings};
use tripline_agent_core::record::Record;
use tripline_agent_core::sampler::{Policies, Policy};
use tripline_protocol::fix::{Fix, Refusal};
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::link::settings::{DeviceSettings, Keep, NO_LIMIT};
use tripline_protocol::link::up::{CommandOutcome, EventBody};
use tripline_protocol::trip::TripStep;

use crate::vehicle::{START, Vehicle, assignment};

fn idle_every(idle_ms: u32) -> DeviceSettings {
    DeviceSettings { live_idle_ms: Some(idle_ms), ..DeviceSettings::default() }
}

fn configure(vehicle: &mut Vehicle, number: u64, above: DeviceSettings) -> Option<CommandOutcome> {
    vehicle.command(number, CommandBody::Configure(above))
}

/// The fixes in the journal.
fn kept(vehicle: &Vehicle) -> Vec<Fix> {
    let fix = |record: &Record| match record {
        Record::Fix { fix, .. } => Some(*fix),
        Record::Event { .. } | Record::Gap { .. } | Record::Anchor(_) => None,
    };
    vehicle.journal.iter().flatten().filter_map(fix).collect()
}

#[test]
fn a_number_is_applied_at_most_once_whatever_it_brings_the_second_time() {
    let mut vehicle = Vehicle::new();
    assert_eq!(configure(&mut vehicle, 5, idle_every(9_000)), Some(CommandOutcome::Applied));
    assert_eq!(vehicle.report().expect("news").live_idle_ms, Some(9_000));
    for number in [5, 4] {
        assert_eq!(configure(&mut vehicle, number, idle_every(7_000)), None);
    }
    assert_eq!(vehicle.report(), None);
}

#[test]
fn what_was_set_is_in_force_after_a_restart_and_is_not_told_again() {
    let mut vehicle = Vehicle::new();
    configure(&mut vehicle, 1, idle_every(9_000));
    let told = vehicle.report().expect("news");
    vehicle.restart();
    assert_eq!(vehicle.report(), None);
    assert_eq!(configure(&mut vehicle, 1, idle_every(7_000)), None, "its number is known too");
    configure(&mut vehicle, 2, DeviceSettings { fence_radius_m: Some(80), ..idle_every(9_000) });
    vehicle.restart();
    let after = vehicle.report().expect("a restart may come before the report");
    assert_eq!(after, DeviceSettings { fence_radius_m: Some(80), ..told });
}

#[test]
fn out_of_range_it_is_refused_and_nothing_changes() {
    let mut vehicle = Vehicle::new();
    configure(&mut vehicle, 1, idle_every(9_000));
    vehicle.report();
    let wrong = [
        DeviceSettings { fence_radius_m: Some(9), ..idle_every(8_000) },
        DeviceSettings { trail_moving: Some(Keep::WithinM(0)), ..idle_every(8_000) },
        idle_every(u32::MAX),
    ];
    for (settings, number) in wrong.into_iter().zip(2..) {
        let outcome = configure(&mut vehicle, number, settings);
        assert_eq!(outcome, Some(CommandOutcome::Refused));
    }
    assert_eq!(vehicle.report(), None);
    vehicle.restart();
    assert_eq!(vehicle.report(), None);
}

#[test]
fn after_its_expiry_it_has_no_effect() {
    let mut vehicle = Vehicle::new();
    vehicle.report();
    let body = CommandBody::Configure(idle_every(9_000));
    assert_eq!(vehicle.command_until(1, Some(START), body), Some(CommandOutcome::Expired));
    assert_eq!(vehicle.report(), None);
}

#[test]
fn a_command_replaces_all_of_the_one_before_and_the_device_decides_the_rest() {
    let base = Settings { fence_radius_m: 70, ..Settings::default() };
    let first = DeviceSettings { motion_parked_after_s: Some(33), ..idle_every(9_000) };
    let mut vehicle = Vehicle::with(base, first);
    let told = vehicle.report().expect("what enrolment brought");
    assert_eq!((told.live_idle_ms, told.motion_parked_after_s), (Some(9_000), Some(33)));
    assert_eq!((told.fence_radius_m, told.motion_overspeed_kmh), (Some(70), Some(NO_LIMIT)));

    let limit = DeviceSettings { motion_overspeed_kmh: Some(80), ..DeviceSettings::default() };
    configure(&mut vehicle, 1, limit);
    let told = vehicle.report().expect("news");
    assert_eq!(told, limit.over(&base.told()), "nothing is left of the first ones");

    configure(&mut vehicle, 2, DeviceSettings::default());
    assert_eq!(vehicle.report(), Some(base.told()));
    vehicle.restart();
    assert_eq!(vehicle.report(), None, "the first ones do not come back");
}

#[test]
fn what_is_in_force_is_told_whole_and_once_a_change_whoever_makes_it() {
    let mut vehicle = Vehicle::new();
    assert_eq!(vehicle.report().expect("nothing was told yet").values().len(), 12);
    assert_eq!(vehicle.report(), None);
    let same = DeviceSettings { live_idle_ms: Some(5_000), ..DeviceSettings::default() };
    configure(&mut vehicle, 1, same);
    assert_eq!(vehicle.report(), None, "what is set is what was in force");
    configure(&mut vehicle, 2, idle_every(9_000));
    configure(&mut vehicle, 3, same);
    assert_eq!(vehicle.report(), None, "there and back");

    vehicle.set_base(Settings { fence_radius_m: 70, ..Settings::default() });
    vehicle.restart();
    assert_eq!(vehicle.report().expect("the file has changed").fence_radius_m, Some(70));
}

#[test]
fn the_cadence_changes_at_once() {
    let mut vehicle = Vehicle::new();
    vehicle.fix(0);
    let mut live_in = |settings, number| {
        configure(&mut vehicle, number, settings);
        let mut count = 0;
        for _ in 0..60 {
            vehicle.pass(1_000);
            let observation = vehicle.observation(0);
            count += usize::from(
                vehicle.engine.handle_observation(&observation, vehicle.now).live.is_some(),
            );
        }
        count
    };
    assert_eq!(live_in(idle_every(10_000), 1), 6);
    assert_eq!(live_in(idle_every(2_000), 2), 30);
}

#[test]
fn a_change_in_mid_drive_leaves_odometer_gate_and_motion_as_they_are() {
    let drive = |settings: Option<DeviceSettings>| {
        let mut vehicle = Vehicle::new();
        vehicle.fix(0);
        for second in 1..=60 {
            if let Some(settings) = settings.filter(|_| second == 30) {
                configure(&mut vehicle, 1, settings);
            }
            vehicle.pass(1_000);
            vehicle.hear(second * 10);
        }
        let view = vehicle.engine.view(vehicle.now);
        (view.odometer_m, view.motion, vehicle.engine.reading(vehicle.now))
    };
    let settings = DeviceSettings {
        gate_hdop_max: Some(5),
        gate_speed_kmh_max: Some(120),
        motion_parked_after_s: Some(20),
        motion_overspeed_kmh: Some(100),
        fence_radius_m: Some(50),
        trail_moving: Some(Keep::EveryS(600)),
        ..idle_every(1_000)
    };
    assert_eq!(drive(Some(settings)), drive(None));
    assert!(drive(None).0 >= 590, "it drove");
}

#[test]
fn the_gates_limit_changes_at_once() {
    let mut vehicle = Vehicle::new();
    vehicle.fix(0);
    let slow = DeviceSettings { gate_speed_kmh_max: Some(30), ..DeviceSettings::default() };
    configure(&mut vehicle, 1, slow);
    vehicle.pass(1_000);
    assert_eq!(vehicle.raw_fix(10), Some(Refusal::Speed), "36 km/h");
    configure(&mut vehicle, 2, DeviceSettings::default());
    vehicle.pass(1_000);
    assert_eq!(vehicle.raw_fix(20), None);
}

#[test]
fn the_fix_held_back_is_kept_when_the_policy_changes() {
    for keep in [Keep::Full, Keep::EveryS(600), Keep::WithinM(1_000)] {
        let policy = Policy::from_keep(Keep::WithinM(10), 60_000);
        let trail = Policies { moving: policy, ..Policies::default() };
        let base = Settings { trail, trail_delay_ms_max: 60_000, ..Settings::default() };
        let mut vehicle = Vehicle::with(base, DeviceSettings::default());
        for second in 0..10 {
            vehicle.hear(second * 10);
            vehicle.pass(1_000);
        }
        let held = START.plus_ms(9_000);
        assert!(!kept(&vehicle).iter().any(|fix| fix.at == held), "straight on");
        let settings = DeviceSettings { trail_moving: Some(keep), ..DeviceSettings::default() };
        configure(&mut vehicle, 1, settings);
        vehicle.hear(5_000);
        for draft in vehicle.engine.flush().into_iter().collect::<Vec<Draft>>() {
            vehicle.write(draft);
        }
        let kept = kept(&vehicle);
        let leads = kept.iter().any(|fix| fix.at == held);
        assert!(leads || keep == Keep::WithinM(1_000), "{keep}: {kept:?}");
        assert!(kept.is_sorted_by_key(|fix| fix.at));
    }
}

#[test]
fn a_wider_fence_makes_an_arrival_of_what_lay_outside() {
    let mut vehicle = Vehicle::new();
    vehicle.command(1, CommandBody::Offer(assignment(1)));
    vehicle.drive(DriverAction::Accept).expect("offered");
    vehicle.fix(150);
    let mut arrive = || {
        let action = DriverAction::Arrive;
        let judged = vehicle.engine.handle_driver(action, vehicle.now).expect("possible");
        let Judged::Done(drafts) = judged else { panic!("{judged:?}") };
        let Some(Draft::Event { event, .. }) = drafts.last() else { panic!("{drafts:?}") };
        let outside =
            matches!(event.body, EventBody::Trip { step: TripStep::ArriveOutside { .. }, .. });
        let wide = DeviceSettings { fence_radius_m: Some(200), ..DeviceSettings::default() };
        vehicle.command(2, CommandBody::Configure(wide));
        outside
    };
    assert!(arrive());
    assert!(!arrive(), "without another fix");
}
