//! The live fleet: the newest position of every device.

use std::collections::HashMap;

use geo::{Distance as _, Haversine, Point};
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::up::Live;
use tripline_protocol::unit::{Position, Timestamp};

/// A position older than this is not "live": its vehicle is not offered rides, in ms.
pub const LIVE_AGE_MS_MAX: i64 = 60_000;

/// A position dated later than its followers (a clock gone wrong) is held for so long only, in ms.
const SUPERSEDED_AFTER_MS: i64 = 10_000;

/// Where a device was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LivePosition {
    /// What it said.
    pub live: Live,
    /// When it was received, on our clock: a device's clock does not decide how old we hold it.
    pub received_at: Timestamp,
}

impl LivePosition {
    /// Whether something as new should have come since: what comes then is taken, whatever its date.
    fn is_stale(&self, now: Timestamp) -> bool {
        self.age_ms(now) > SUPERSEDED_AFTER_MS
    }

    /// Milliseconds since it was received.
    pub fn age_ms(&self, now: Timestamp) -> i64 {
        now.since_ms(self.received_at).max(0)
    }
}

/// The newest position of every device that was heard since start.
#[derive(Debug, Default)]
pub struct LiveFleet {
    positions: HashMap<DeviceId, LivePosition>,
}

/// A device near a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// The device.
    pub device: DeviceId,
    /// Straight-line distance to the place, in metres.
    pub distance_m: u32,
}

impl LiveFleet {
    /// Takes in a position; one that is older than what is known changes nothing.
    pub fn update(&mut self, device: &DeviceId, live: Live, received_at: Timestamp) {
        let seen = LivePosition { live, received_at };
        match self.positions.get_mut(device) {
            Some(known) if known.live.at >= live.at && !known.is_stale(received_at) => {}
            Some(known) => *known = seen,
            None => {
                self.positions.insert(device.clone(), seen);
            }
        }
    }

    /// Forgets a device: it is near nothing before it is heard again.
    pub fn forget(&mut self, device: &DeviceId) {
        self.positions.remove(device);
    }

    /// A device's newest position.
    pub fn get(&self, device: &DeviceId) -> Option<&LivePosition> {
        self.positions.get(device)
    }

    /// Devices seen lately within `radius_m` of a place, nearest first.
    pub fn near(&self, place: Position, radius_m: u32, now: Timestamp) -> Vec<Near> {
        let mut near: Vec<_> = self
            .positions
            .iter()
            .filter(|(_, seen)| seen.age_ms(now) <= LIVE_AGE_MS_MAX)
            .map(|(device, seen)| Near {
                device: device.clone(),
                distance_m: distance_m(seen.live.position, place),
            })
            .filter(|near| near.distance_m <= radius_m)
            .collect();
        near.sort_by(|a, b| (a.distance_m, &a.device).cmp(&(b.distance_m, &b.device)));
        near
    }

    /// The first `rows` devices behind one, by id.
    pub fn page(&self, after: Option<&DeviceId>, rows: usize) -> Vec<(&DeviceId, &LivePosition)> {
        let behind = |device: &DeviceId| after.is_none_or(|after| device > after);
        let mut page: Vec<_> = self.positions.iter().filter(|(device, _)| behind(device)).collect();
        if rows < page.len() {
            page.select_nth_unstable_by(rows, |(one, _), (other, _)| one.cmp(other));
            page.truncate(rows);
        }
        page.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        page
    }

    /// How many devices were heard since start.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }
}

/// Great-circle distance in whole metres.
pub fn distance_m(a: Position, b: Position) -> u32 {
    let point = |position: Position| Point::new(position.lon_deg(), position.lat_deg());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a distance on Earth: not negative, under 2.1e7 m"
    )]
    let metres = Haversine.distance(point(a), point(b)).round() as u32;
    metres
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(second: i64, lat_e7: i32) -> Live {
        Live {
            at: Timestamp::from_unix_ms(second * 1000),
            position: Position::new(lat_e7, 0).expect("on the globe"),
            speed_mmps: None,
            course_cdeg: None,
        }
    }

    fn device(name: &str) -> DeviceId {
        name.parse().expect("valid")
    }

    #[test]
    fn the_nearest_live_device_comes_first_and_stale_or_far_ones_not_at_all() {
        let mut fleet = LiveFleet::default();
        let now = Timestamp::from_unix_ms(100_000);
        fleet.update(&device("far"), live(1, 500_000), now);
        fleet.update(&device("b"), live(1, 20_000), now);
        fleet.update(&device("a"), live(1, 10_000), now);
        fleet.update(&device("stale"), live(1, 0), now.plus_ms(-LIVE_AGE_MS_MAX - 1));
        let place = Position::new(0, 0).expect("on the globe");
        let near = fleet.near(place, 3_000, now);
        let names: Vec<_> = near.iter().map(|near| near.device.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(near[0].distance_m, 111);
    }

    #[test]
    fn a_device_that_is_forgotten_is_near_nothing() {
        let mut fleet = LiveFleet::default();
        let now = Timestamp::from_unix_ms(0);
        fleet.update(&device("a"), live(1, 0), now);
        fleet.forget(&device("a"));
        assert!(fleet.near(Position::new(0, 0).expect("on the globe"), 3_000, now).is_empty());
    }

    #[test]
    fn an_older_position_that_comes_late_changes_nothing() {
        let mut fleet = LiveFleet::default();
        let now = Timestamp::from_unix_ms(0);
        fleet.update(&device("a"), live(10, 1), now);
        fleet.update(&device("a"), live(9, 2), now.plus_ms(5));
        assert_eq!(fleet.get(&device("a")).map(|seen| seen.live), Some(live(10, 1)));
    }
}
