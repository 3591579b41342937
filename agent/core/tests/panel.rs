//! The panel: pins that bounce, presses of any length, and tables of every meaning and every pattern.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::rc::Rc;

use embedded_hal::digital::{ErrorKind, ErrorType, InputPin, OutputPin};
use proptest::prelude::*;
use tripline_agent_core::panel::{
    Blink, Button, ButtonName, Debounce, IGNITION_DEBOUNCE_MS, Indication, Input, Kind, Leds,
    Output, Panel, Pattern, Phase, Pins, Press, Seen, Sos, TripMoment, meaning,
};
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::Uptime;

const POLL_MS: u64 = 10;

const fn up(ms: u64) -> Uptime {
    Uptime::from_ms(ms)
}

/// Plays levels, each for so many ms, after and before a second of rest; gives the presses with their
/// times.
fn play(name: ButtonName, levels: &[(bool, u64)], poll_ms: u64) -> Vec<(Kind, u64)> {
    let mut button = Button::new(name);
    let rest = (false, 1_000);
    let edges: Vec<_> = std::iter::once(&rest).chain(levels).chain([&rest]).copied().collect();
    let whole_ms: u64 = edges.iter().map(|(_, ms)| ms).sum();
    let level_at = |mut ms: u64| {
        for (level, for_ms) in &edges {
            if ms < *for_ms {
                return *level;
            }
            ms -= for_ms;
        }
        false
    };
    (0..whole_ms)
        .step_by(usize::try_from(poll_ms).expect("small"))
        .filter_map(|ms| button.look(Some(level_at(ms)), up(ms)).map(|press| (press.kind, ms)))
        .collect()
}

fn kinds(name: ButtonName, levels: &[(bool, u64)]) -> Vec<Kind> {
    play(name, levels, POLL_MS).into_iter().map(|(kind, _)| kind).collect()
}

/// Bounces, each shorter than the debounce, ending on `to`.
fn bounces(to: bool) -> impl Strategy<Value = Vec<(bool, u64)>> {
    prop::collection::vec((1_u64..30, 1_u64..30), 0..8).prop_map(move |pairs| {
        pairs.into_iter().flat_map(|(first, then)| [(to, first), (!to, then)]).collect()
    })
}

/// The first bounces of them, shorter than the debounce all together.
fn burst(to: bool) -> impl Strategy<Value = Vec<(bool, u64)>> {
    bounces(to).prop_map(|bounces| {
        let mut left_ms: u64 = 29;
        let fits = |(_, ms): &(bool, u64)| {
            left_ms = left_ms.saturating_sub(*ms);
            left_ms > 0
        };
        bounces.into_iter().take_while(fits).collect()
    })
}

proptest! {
    #[test]
    fn a_press_is_one_press_however_its_contacts_bounce(
        closing in bounces(true),
        held_ms in 60_u64..500,
        opening in bounces(false),
    ) {
        let levels: Vec<_> =
            closing.into_iter().chain([(true, held_ms)]).chain(opening).collect();
        let presses = play(ButtonName::Accept, &levels, 1);
        prop_assert_eq!(presses.len(), 1, "{:?}", presses);
    }

    /// Seen at longer intervals, bounces can look like a level that stands; a burst shorter than the
    /// debounce cannot.
    #[test]
    fn a_press_with_short_bursts_is_one_press_however_seldom_it_is_looked_at(
        closing in burst(true),
        held_ms in 60_u64..900,
        opening in burst(false),
        poll_ms in 1_u64..=15,
    ) {
        let levels: Vec<_> =
            closing.into_iter().chain([(true, held_ms)]).chain(opening).collect();
        let presses = play(ButtonName::Accept, &levels, poll_ms);
        prop_assert_eq!(presses.len(), 1, "{:?}", presses);
    }

    #[test]
    fn bounces_alone_are_no_press(noise in bounces(true)) {
        prop_assert_eq!(play(ButtonName::Stop, &noise, 1), []);
    }

    #[test]
    fn a_held_button_is_one_long_press_while_it_is_still_held(
        closing in bounces(true),
        held_ms in 1_600_u64..20_000,
        opening in bounces(false),
    ) {
        let begins: u64 = 1_000 + closing.iter().map(|(_, ms)| ms).sum::<u64>();
        let levels: Vec<_> =
            closing.into_iter().chain([(true, held_ms)]).chain(opening).collect();
        let presses = play(ButtonName::Stop, &levels, 1);
        prop_assert_eq!(presses.len(), 1);
        prop_assert_eq!(presses[0].0, Kind::Long);
        prop_assert!(presses[0].1 <= begins + 1_500 + 30 + 2, "{:?}", presses);
    }

    #[test]
    fn a_debounced_level_changes_only_to_one_that_stood(
        levels in prop::collection::vec((any::<bool>(), 1_u64..80), 1..60),
    ) {
        let mut debounce = Debounce::new(30, false, up(0));
        let (mut now, mut stood_since, mut last) = (0, 0, false);
        for (level, for_ms) in levels {
            for _ in 0..for_ms {
                if level != last {
                    (last, stood_since) = (level, now);
                }
                let before = debounce.settled();
                let changed = debounce.settle(level, up(now));
                prop_assert_eq!(changed.is_some(), debounce.settled() != before);
                if now - stood_since >= 30 {
                    prop_assert_eq!(debounce.settled(), Some(level));
                } else {
                    prop_assert_eq!(debounce.settled(), before);
                }
                now += 1;
            }
        }
    }
}

#[test]
fn what_is_let_go_between_short_and_long_is_no_press_but_for_sos() {
    for (held_ms, others, sos) in [
        (950, vec![Kind::Short], vec![Kind::Short]),
        (1_100, vec![], vec![Kind::Short]),
        (1_400, vec![], vec![Kind::Short]),
        (1_600, vec![Kind::Long], vec![Kind::Short]),
        (2_900, vec![Kind::Long], vec![Kind::Short]),
        (3_100, vec![Kind::Long], vec![Kind::Long]),
    ] {
        for name in ButtonName::ALL {
            let wanted = if name == ButtonName::Sos { &sos } else { &others };
            assert_eq!(&kinds(name, &[(true, held_ms)]), wanted, "{} for {held_ms}", name.name());
        }
    }
}

#[test]
fn a_button_stuck_from_the_start_or_through_a_gap_counts_once_it_was_released() {
    let mut button = Button::new(ButtonName::Stop);
    let mut presses = |from_ms: u64, until_ms: u64, pressed: Option<bool>| {
        (from_ms..until_ms)
            .step_by(10)
            .filter_map(|ms| button.look(pressed, up(ms)).map(|press| press.kind))
            .collect::<Vec<_>>()
    };
    assert_eq!(presses(0, 5_000, Some(true)), [], "held from the start");
    assert_eq!(presses(5_000, 6_000, Some(false)), []);
    assert_eq!(presses(6_000, 9_000, Some(true)), [Kind::Long]);
    assert_eq!(presses(9_000, 10_000, Some(false)), []);
    assert_eq!(presses(10_000, 10_500, Some(true)), []);
    assert_eq!(presses(12_000, 15_000, Some(true)), [], "nobody looked for 1.5 s");
    assert_eq!(presses(15_000, 16_000, Some(false)), []);
    assert_eq!(presses(16_000, 16_500, Some(true)), []);
    assert_eq!(presses(16_500, 16_600, None), [], "the pin failed for a moment");
    assert_eq!(presses(16_600, 20_000, Some(true)), []);
    assert_eq!(presses(20_000, 21_000, Some(false)), []);
    assert_eq!(presses(21_000, 21_500, Some(true)), []);
    assert_eq!(presses(21_500, 22_000, Some(false)), [Kind::Short]);
}

/// A pin whose level and health a test sets, and which keeps what was written.
#[derive(Debug, Clone, Default)]
struct Wire {
    high: Rc<Cell<bool>>,
    broken: Rc<Cell<bool>>,
    written: Rc<RefCell<Vec<bool>>>,
}

#[derive(Debug)]
struct Broken;

impl embedded_hal::digital::Error for Broken {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for Wire {
    type Error = Broken;
}

impl InputPin for Wire {
    fn is_high(&mut self) -> Result<bool, Broken> {
        if self.broken.get() { Err(Broken) } else { Ok(self.high.get()) }
    }

    fn is_low(&mut self) -> Result<bool, Broken> {
        self.is_high().map(|high| !high)
    }
}

impl OutputPin for Wire {
    fn set_high(&mut self) -> Result<(), Broken> {
        if self.broken.get() {
            return Err(Broken);
        }
        self.written.borrow_mut().push(true);
        Ok(())
    }

    fn set_low(&mut self) -> Result<(), Broken> {
        if self.broken.get() {
            return Err(Broken);
        }
        self.written.borrow_mut().push(false);
        Ok(())
    }
}

#[test]
fn lines_that_are_active_low_are_read_and_lit_the_other_way_round() {
    let (accept, ignition, led) = (Wire::default(), Wire::default(), Wire::default());
    accept.high.set(true);
    let pins = Pins {
        buttons: [Some(Input::new(accept.clone(), true)), None, None, None],
        ignition: Some(Input::new(ignition.clone(), false)),
        status: Some(Output::new(led.clone(), true)),
        trouble: None,
    };
    let mut panel = Panel::new(pins, up(0));
    let mut now = 0;
    let mut look_for = |panel: &mut Panel<Wire>, ms: u64| {
        let mut all = Vec::new();
        for _ in 0..ms / 10 {
            now += 10;
            all.push(panel.look(up(now)));
        }
        all
    };
    assert!(look_for(&mut panel, 400).iter().all(|seen| *seen == Seen::default()));
    let later = look_for(&mut panel, IGNITION_DEBOUNCE_MS);
    assert_eq!(later.last().and_then(|seen| seen.ignition), Some(false));
    accept.high.set(false);
    look_for(&mut panel, 200);
    accept.high.set(true);
    ignition.high.set(true);
    let later = look_for(&mut panel, 1_000);
    let press = Press { button: ButtonName::Accept, kind: Kind::Short };
    assert_eq!(later.iter().flat_map(|seen| seen.presses).flatten().collect::<Vec<_>>(), [press]);
    assert_eq!(later.last().and_then(|seen| seen.ignition), Some(true));
    ignition.broken.set(true);
    assert_eq!(look_for(&mut panel, 10).last().and_then(|seen| seen.ignition), None);

    let riding = Indication { trip: Some(trip(TripState::Started)), ..Indication::default() };
    for ms in [2_000, 2_010] {
        panel.show(&riding, up(ms));
    }
    assert_eq!(*led.written.borrow(), [false], "lit by a low level, and written once");
    led.broken.set(true);
    panel.show(&riding, up(3_500));
    led.broken.set(false);
    panel.show(&riding, up(3_510));
    assert_eq!(*led.written.borrow(), [false, false], "written again after a failure");
    panel.darken(up(3_520));
    assert_eq!(led.written.borrow().last(), Some(&true));
}

const fn trip(state: TripState) -> TripMoment {
    TripMoment { state, needs_otp: false, to_collect: false, changed: false }
}

/// Every state a panel can meet, with its name.
fn moments() -> Vec<(String, Indication)> {
    let with = |trip, offer_waits| Indication { trip, offer_waits, ..Indication::default() };
    let mut moments = vec![
        ("no trip".to_owned(), with(None, false)),
        ("no trip, an offer".to_owned(), with(None, true)),
    ];
    for state in TripState::ALL {
        moments.push((state.to_string(), with(Some(trip(*state)), false)));
        if *state == TripState::AtPickup {
            let trip = TripMoment { needs_otp: true, ..trip(*state) };
            moments.push((format!("{state}, needs OTP"), with(Some(trip), false)));
        }
        if *state == TripState::Ended {
            let trip = TripMoment { to_collect: true, ..trip(*state) };
            moments.push((format!("{state}, to collect"), with(Some(trip), false)));
            moments.push((format!("{state}, to collect, an offer"), with(Some(trip), true)));
        }
    }
    moments
}

#[test]
fn every_press_has_its_meaning_in_every_state_as_recorded() {
    let mut table = String::new();
    for (name, indication) in moments() {
        writeln!(table, "{name}").expect("a string");
        for button in ButtonName::ALL {
            for kind in [Kind::Short, Kind::Long] {
                let meant = match meaning(Press { button, kind }, &indication) {
                    Ok(action) => format!("{action:?}"),
                    Err(misuse) => format!("- {misuse}"),
                };
                let press = format!("{} {kind:?}", button.name());
                writeln!(table, "  {press:<18} {meant}").expect("a string");
            }
        }
    }
    insta::assert_snapshot!(table);
}

/// Light sampled every 50 ms, from the beginning of a pattern.
fn drawn(lit: impl Fn(u64) -> bool) -> String {
    (0..3_000).step_by(50).map(|ms| if lit(ms) { '#' } else { '.' }).collect()
}

fn status_over_time(indication: &Indication, blink: Option<Blink>) -> (String, String) {
    let both = |ms: u64| {
        let mut leds = Leds::new(up(0));
        leds.poll(up(0), indication);
        if let Some(blink) = blink {
            leds.blink(blink, up(0));
        }
        (0..=ms).map(|ms| leds.poll(up(ms), indication)).last().expect("a light")
    };
    (drawn(|ms| both(ms).status), drawn(|ms| both(ms).trouble))
}

fn phase_of(phase: Phase) -> Indication {
    let state = match phase {
        Phase::Idle | Phase::OfferWaits => None,
        Phase::ToPickup => Some(TripState::EnRouteToPickup),
        Phase::AtPickup => Some(TripState::AtPickup),
        Phase::Riding | Phase::Changed => Some(TripState::Started),
        Phase::Paused => Some(TripState::Paused),
        Phase::ToCollect => Some(TripState::Ended),
    };
    let (to_collect, changed) = (phase == Phase::ToCollect, phase == Phase::Changed);
    Indication {
        offer_waits: phase == Phase::OfferWaits,
        trip: state.map(|state| TripMoment { to_collect, changed, ..trip(state) }),
        connected: true,
        has_fix: true,
        ..Indication::default()
    }
}

#[test]
fn patterns_of_light_are_as_recorded() {
    let mut table = String::from("status, a character for 50 ms\n");
    for phase in Phase::ALL {
        let indication = phase_of(phase);
        assert_eq!(indication.phase(), phase);
        let name = Pattern::of_phase(phase).name;
        writeln!(table, "  {name:<17} {}", status_over_time(&indication, None).0).expect("text");
    }
    table.push_str("trouble\n");
    let well = phase_of(Phase::Idle);
    let no_link = Indication { connected: false, ..well };
    let no_fix = Indication { has_fix: false, ..no_link };
    let no_receiver = Indication { receiver_missing: true, ..no_fix };
    let journal = Indication { journal_degraded: true, ..no_receiver };
    let waits = Indication { sos: Some(Sos::Waits), ..journal };
    let received = Indication { sos: Some(Sos::Received), ..journal };
    for indication in [well, no_link, no_fix, no_receiver, journal, waits, received] {
        let name = Pattern::of_trouble(&indication).name;
        writeln!(table, "  {name:<17} {}", status_over_time(&indication, None).1).expect("text");
    }
    table.push_str("answers, while riding without a link\n");
    let riding = Indication { connected: false, ..phase_of(Phase::Riding) };
    for blink in [Blink::Done, Blink::Refused] {
        let (status, trouble) = status_over_time(&riding, Some(blink));
        let name = Pattern::of_blink(blink).name;
        writeln!(table, "  {name:<8} status  {status}\n  {name:<8} trouble {trouble}")
            .expect("text");
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_light_changes_exactly_when_it_was_announced() {
    let wrong = Indication { connected: false, ..phase_of(Phase::AtPickup) };
    for blink in [None, Some(Blink::Done), Some(Blink::Refused)] {
        let mut leds = Leds::new(up(0));
        leds.poll(up(0), &wrong);
        if let Some(blink) = blink {
            leds.blink(blink, up(0));
        }
        let mut lit = leds.poll(up(0), &wrong);
        let mut next = leds.next_change();
        let mut changes = 0;
        for ms in 1..10_000 {
            let now = leds.poll(up(ms), &wrong);
            if now != lit {
                assert_eq!(next, Some(up(ms)), "announced otherwise");
                changes += 1;
            }
            lit = now;
            next = leds.next_change();
        }
        assert!(changes > 20, "{changes}");
    }
    let mut leds = Leds::new(up(0));
    leds.poll(up(0), &phase_of(Phase::Riding));
    assert_eq!(leds.next_change(), None, "steady light and no trouble never change");
}

/// An infallible pin fits too: the panel asks nothing of a board but embedded-hal's traits.
#[test]
fn a_pin_of_any_board_fits() {
    struct Grounded;
    impl ErrorType for Grounded {
        type Error = Infallible;
    }
    impl InputPin for Grounded {
        fn is_high(&mut self) -> Result<bool, Infallible> {
            Ok(false)
        }

        fn is_low(&mut self) -> Result<bool, Infallible> {
            Ok(true)
        }
    }
    assert!(matches!(Input::new(Grounded, true).is_active(), Ok(true)));
}
