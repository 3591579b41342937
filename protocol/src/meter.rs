//! The meter: how much of a trip is charged for, from the readings its events carry.
//!
//! The vehicle runs it live so that a driver who stops with no network knows what to collect; the
//! backend runs the same code over the events it received. Distance driven while paused is not billed.

use serde::{Deserialize, Serialize};

use crate::tariff::Usage;
use crate::trip::TripEvent;
use crate::unit::{Odometer, Steady};

/// What the device's two counters showed at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The steady clock.
    pub steady: Steady,
    /// The odometer.
    pub odometer: Odometer,
    /// What of the odometer was counted across gaps, where no fix tells the way.
    pub bridged: Odometer,
}

/// A trip's meter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    run: Run,
    driven_mm: u64,
    bridged_mm: u64,
    riding_ms: u64,
    waiting_ms: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Run {
    /// Nothing is charged: before the arrival and after the end.
    #[default]
    Off,
    /// At the pickup, or paused.
    Waiting { since: Steady },
    /// The rider is driven.
    Riding { since: Reading },
}

impl Meter {
    /// The meter after `event` at `reading`. Readings that go back count as no time and no distance.
    #[must_use]
    pub fn after(mut self, event: TripEvent, reading: Reading) -> Self {
        self.book(reading);
        self.run = match event {
            TripEvent::Arrive | TripEvent::Pause => Run::Waiting { since: reading.steady },
            TripEvent::Start | TripEvent::Resume => Run::Riding { since: reading },
            TripEvent::Depart
            | TripEvent::ArriveOutside
            | TripEvent::Stop
            | TripEvent::Cancel
            | TripEvent::NoShow => Run::Off,
        };
        self
    }

    /// What is charged for up to `reading`: whole seconds, and metres rounded to the nearest.
    pub fn usage(mut self, reading: Reading) -> Usage {
        self.book(reading);
        Usage {
            distance_m: self.driven_mm.saturating_add(500) / 1000,
            riding_s: self.riding_ms / 1000,
            waiting_s: self.waiting_ms / 1000,
        }
    }

    /// What of the billed distance up to `reading` was counted across gaps, in metres.
    pub fn bridged_m(mut self, reading: Reading) -> u64 {
        self.book(reading);
        self.bridged_mm.saturating_add(500) / 1000
    }

    /// Whether waiting time runs.
    pub const fn is_waiting(&self) -> bool {
        matches!(self.run, Run::Waiting { .. })
    }

    fn book(&mut self, reading: Reading) {
        match self.run {
            Run::Off => {}
            Run::Waiting { since } => {
                self.waiting_ms = self.waiting_ms.saturating_add(reading.steady.since_ms(since));
            }
            Run::Riding { since } => {
                let ms = reading.steady.since_ms(since.steady);
                let mm = reading.odometer.since_mm(since.odometer);
                self.riding_ms = self.riding_ms.saturating_add(ms);
                self.driven_mm = self.driven_mm.saturating_add(mm);
                let bridged_mm = reading.bridged.since_mm(since.bridged);
                self.bridged_mm = self.bridged_mm.saturating_add(bridged_mm);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(s: u64, m: u64) -> Reading {
        Reading {
            steady: Steady { ms: s * 1000 },
            odometer: Odometer { mm: m * 1000 },
            bridged: Odometer { mm: m * 100 },
        }
    }

    #[test]
    fn waiting_begins_at_an_arrival_inside_the_fence_only() {
        let outside = Meter::default().after(TripEvent::ArriveOutside, reading(0, 0));
        assert!(!outside.is_waiting());
        assert_eq!(outside.usage(reading(600, 0)).waiting_s, 0);
        let inside = outside.after(TripEvent::Arrive, reading(600, 300));
        assert!(inside.is_waiting());
        assert_eq!(inside.usage(reading(660, 300)).waiting_s, 60);
    }

    #[test]
    fn the_part_of_the_billed_way_that_lies_in_gaps_is_known() {
        let meter = Meter::default()
            .after(TripEvent::Start, reading(0, 1_000))
            .after(TripEvent::Pause, reading(10, 2_000))
            .after(TripEvent::Resume, reading(20, 5_000));
        assert_eq!(meter.bridged_m(reading(30, 6_000)), 200);
    }

    #[test]
    fn pauses_count_as_waiting_and_their_distance_is_not_billed() {
        let meter = Meter::default()
            .after(TripEvent::Depart, reading(0, 0))
            .after(TripEvent::Arrive, reading(100, 900))
            .after(TripEvent::Start, reading(160, 905))
            .after(TripEvent::Pause, reading(260, 2_005))
            .after(TripEvent::Resume, reading(290, 2_500))
            .after(TripEvent::Stop, reading(390, 3_400));
        let usage = Usage { distance_m: 2_000, riding_s: 200, waiting_s: 90 };
        assert_eq!(meter.usage(reading(390, 3_400)), usage);
        assert_eq!(meter.usage(reading(9_999, 9_999)), usage, "an ended trip costs no more");
    }

    #[test]
    fn a_running_meter_grows_and_readings_that_go_back_add_nothing() {
        let meter = Meter::default().after(TripEvent::Start, reading(10, 100));
        assert_eq!(meter.usage(reading(20, 150)).distance_m, 50);
        assert_eq!(meter.usage(reading(5, 50)), Usage::default());
    }
}
