//! The meter: how much of a trip is charged for, from the readings its events carry.
//!
//! The vehicle runs it live so that a driver who stops with no network knows what to collect; the
//! backend runs the same code over the events it received. Distance driven while paused is not billed.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::fare::{EXTRAS_MAX, Extra, Usage};
use crate::trip::TripEvent;
use crate::unit::{Odometer, Position, Steady, Timestamp};

/// What the device's counters showed at one moment. None of them ever goes back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The steady clock.
    pub steady: Steady,
    /// The odometer.
    pub odometer: Odometer,
    /// What of the odometer was counted across gaps, where no fix tells the way.
    pub bridged: Odometer,
    /// Fixes heard.
    pub fixes: u64,
    /// Of those, fixes that were refused.
    pub refused: u64,
}

/// What the meter is to know of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// What the counters showed.
    pub reading: Reading,
    /// When it was; a start by night costs more.
    pub at: Option<Timestamp>,
    /// Where it was, as far as the receiver knows.
    pub position: Option<Position>,
}

/// A trip's meter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    run: Run,
    driven_mm: u64,
    bridged_mm: u64,
    riding_ms: u64,
    waiting_ms: u64,
    paused_ms: u64,
    fixes: u64,
    refused: u64,
    started_at: Option<Timestamp>,
    stopped_at: Option<Position>,
    extras: Vec<Extra>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Run {
    /// Nothing is charged: before the arrival and after the end.
    #[default]
    Off,
    /// At the pickup.
    Waiting { since: Steady },
    /// A stop on the way.
    Paused { since: Steady },
    /// The rider is driven.
    Riding { since: Reading },
}

impl Meter {
    /// The meter after `event` at `moment`. Readings that go back count as no time and no distance.
    #[must_use]
    pub fn after(mut self, event: TripEvent, moment: &Moment) -> Self {
        let reading = moment.reading;
        self.book(reading);
        match event {
            TripEvent::Start => self.started_at = moment.at,
            TripEvent::Stop => self.stopped_at = moment.position,
            TripEvent::Depart
            | TripEvent::Arrive
            | TripEvent::ArriveOutside
            | TripEvent::Pause
            | TripEvent::Resume
            | TripEvent::Cancel
            | TripEvent::NoShow => {}
        }
        self.run = match event {
            TripEvent::Arrive => Run::Waiting { since: reading.steady },
            TripEvent::Pause => Run::Paused { since: reading.steady },
            TripEvent::Start | TripEvent::Resume => Run::Riding { since: reading },
            TripEvent::Depart
            | TripEvent::ArriveOutside
            | TripEvent::Stop
            | TripEvent::Cancel
            | TripEvent::NoShow => Run::Off,
        };
        self
    }

    /// Takes in something that the driver paid for the rider; `false` if there are [`EXTRAS_MAX`] already.
    pub fn add_extra(&mut self, extra: Extra) -> bool {
        let room = self.extras.len() < EXTRAS_MAX;
        if room {
            self.extras.push(extra);
        }
        room
    }

    /// What is charged for up to `reading`: whole seconds, and metres rounded to the nearest.
    pub fn usage(&self, reading: Reading) -> Usage {
        let mut to_here = self.clone();
        to_here.book(reading);
        Usage {
            distance_m: metres(to_here.driven_mm),
            bridged_m: metres(to_here.bridged_mm),
            riding_s: to_here.riding_ms / 1000,
            waiting_s: to_here.waiting_ms / 1000,
            paused_s: to_here.paused_ms / 1000,
            fixes: to_here.fixes,
            refused: to_here.refused,
            started_at: to_here.started_at,
            stopped_at: to_here.stopped_at,
            extras: to_here.extras,
        }
    }

    /// Dates its start anew, where the time of that became known only later.
    pub fn date_start(&mut self, at: Timestamp) {
        self.started_at = self.started_at.map(|_| at);
    }

    /// What the driver paid for the rider.
    pub fn extras(&self) -> &[Extra] {
        &self.extras
    }

    /// Whether waiting time runs.
    pub const fn is_waiting(&self) -> bool {
        matches!(self.run, Run::Waiting { .. } | Run::Paused { .. })
    }

    fn book(&mut self, reading: Reading) {
        match self.run {
            Run::Off => {}
            Run::Waiting { since } => add(&mut self.waiting_ms, reading.steady.since_ms(since)),
            Run::Paused { since } => add(&mut self.paused_ms, reading.steady.since_ms(since)),
            Run::Riding { since } => {
                add(&mut self.riding_ms, reading.steady.since_ms(since.steady));
                add(&mut self.driven_mm, reading.odometer.since_mm(since.odometer));
                add(&mut self.bridged_mm, reading.bridged.since_mm(since.bridged));
                add(&mut self.fixes, reading.fixes.saturating_sub(since.fixes));
                add(&mut self.refused, reading.refused.saturating_sub(since.refused));
            }
        }
    }
}

fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

const fn metres(mm: u64) -> u64 {
    mm.saturating_add(500) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64, m: u64) -> Moment {
        Moment { reading: reading(s, m), ..Moment::default() }
    }

    fn reading(s: u64, m: u64) -> Reading {
        Reading {
            steady: Steady { ms: s * 1000 },
            odometer: Odometer { mm: m * 1000 },
            bridged: Odometer { mm: m * 100 },
            fixes: s,
            refused: s / 10,
        }
    }

    #[test]
    fn waiting_begins_at_an_arrival_inside_the_fence_only() {
        let outside = Meter::default().after(TripEvent::ArriveOutside, &at(0, 0));
        assert!(!outside.is_waiting());
        assert_eq!(outside.usage(reading(600, 0)).waiting_s, 0);
        let inside = outside.after(TripEvent::Arrive, &at(600, 300));
        assert!(inside.is_waiting());
        assert_eq!(inside.usage(reading(660, 300)).waiting_s, 60);
    }

    #[test]
    fn the_part_of_the_billed_way_that_lies_in_gaps_is_known_and_how_many_fixes_were_refused() {
        let meter = Meter::default()
            .after(TripEvent::Start, &at(0, 1_000))
            .after(TripEvent::Pause, &at(100, 2_000))
            .after(TripEvent::Resume, &at(200, 5_000));
        let usage = meter.usage(reading(300, 6_000));
        assert_eq!((usage.bridged_m, usage.fixes, usage.refused), (200, 200, 20));
    }

    #[test]
    fn pauses_are_counted_apart_and_their_distance_is_not_billed() {
        let meter = Meter::default()
            .after(TripEvent::Depart, &at(0, 0))
            .after(TripEvent::Arrive, &at(100, 900))
            .after(TripEvent::Start, &at(160, 905))
            .after(TripEvent::Pause, &at(260, 2_005))
            .after(TripEvent::Resume, &at(290, 2_500))
            .after(TripEvent::Stop, &at(390, 3_400));
        let usage = meter.usage(reading(390, 3_400));
        let charged = (usage.distance_m, usage.riding_s, usage.waiting_s, usage.paused_s);
        assert_eq!(charged, (2_000, 200, 60, 30));
        assert_eq!(meter.usage(reading(9_999, 9_999)), usage, "an ended trip costs no more");
    }

    #[test]
    fn a_running_meter_grows_and_readings_that_go_back_add_nothing() {
        let meter = Meter::default().after(TripEvent::Start, &at(10, 100));
        assert_eq!(meter.usage(reading(20, 150)).distance_m, 50);
        assert_eq!(meter.usage(reading(5, 50)), Usage::default());
    }

    #[test]
    fn a_wall_clock_that_jumps_a_year_and_back_changes_neither_time_nor_distance_nor_the_night() {
        let usage = |jumps_ms: [i64; 4]| {
            let begun = Timestamp::from_unix_ms(1_800_000_000_000);
            let moment = |n: usize, s: i64, m| {
                let told = Some(begun.plus_ms(s * 1000 + jumps_ms[n]));
                Moment { at: told, ..at(s.unsigned_abs(), m) }
            };
            Meter::default()
                .after(TripEvent::Arrive, &moment(0, 0, 0))
                .after(TripEvent::Start, &Moment { at: Some(begun), ..moment(1, 60, 5) })
                .after(TripEvent::Pause, &moment(2, 360, 2_005))
                .after(TripEvent::Stop, &moment(3, 400, 2_100))
                .usage(Reading::default())
        };
        let year_ms = 365 * 86_400_000;
        assert_eq!(usage([0; 4]), usage([-year_ms, year_ms, year_ms, -year_ms]));
    }

    #[test]
    fn when_it_started_and_where_it_stopped_are_those_of_these_events() {
        let place = Position::new(1, 2).ok();
        let then = Timestamp::from_unix_ms(1);
        let moment = |reading| Moment { reading, at: Some(then), position: place };
        let meter = Meter::default()
            .after(TripEvent::Start, &moment(reading(0, 0)))
            .after(TripEvent::Stop, &Moment { at: None, ..moment(reading(1, 0)) });
        let usage = meter.usage(Reading::default());
        assert_eq!((usage.started_at, usage.stopped_at), (Some(then), place));
    }

    #[test]
    fn so_many_extras_and_no_more() {
        let mut meter = Meter::default();
        let toll = Extra {
            kind: crate::fare::ExtraKind::Toll,
            amount: crate::unit::Paise(4_500),
            note: "bridge".into(),
        };
        for n in 0..=EXTRAS_MAX {
            assert_eq!(meter.add_extra(toll.clone()), n < EXTRAS_MAX);
        }
        assert_eq!(meter.usage(Reading::default()).extras.len(), EXTRAS_MAX);
    }
}
