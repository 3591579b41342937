//! A fence around a pickup or drop: whether the vehicle is there.
//!
//! The fence is entered at its radius and left a fifth further out, plus what the receiver may be off,
//! so that noise at its edge does not ring twice.

use tripline_protocol::assignment::Assignment;
use tripline_protocol::fix::{Fix, FixStamp};
use tripline_protocol::id::TripId;
use tripline_protocol::link::up::Waypoint;
use tripline_protocol::unit::{Position, Uptime};

use crate::geodesy::distance_mm;

/// Radius of a fence where nothing else is configured, in m.
pub const RADIUS_M: u32 = 100;

/// How long after the last fix that counts the vehicle is still known to be near, in ms.
pub const UNKNOWN_AFTER_MS: u64 = 30_000;

/// How near the vehicle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nearness {
    /// Whether it is inside the fence.
    pub inside: bool,
    /// Distance to the middle, in m.
    pub distance_m: u32,
}

impl Nearness {
    /// How near a lone fix of `age_ms` is to `middle`; `None` if it is too old to tell.
    pub fn of(middle: Position, radius_m: u32, seen: FixStamp, age_ms: u64) -> Option<Self> {
        let distance_m = u32::try_from(distance_mm(middle, seen.position) / 1_000);
        let distance_m = distance_m.unwrap_or(u32::MAX);
        (age_ms <= UNKNOWN_AFTER_MS).then_some(Self { inside: distance_m <= radius_m, distance_m })
    }
}

/// The fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    middle: Position,
    radius_mm: u64,
    inside: bool,
    entered: bool,
    last: Option<(FixStamp, Uptime)>,
}

impl Fence {
    /// A fence of `radius_m` around `middle`, with the vehicle outside.
    pub fn new(middle: Position, radius_m: u32) -> Self {
        let radius_mm = u64::from(radius_m) * 1_000;
        Self { middle, radius_mm, inside: false, entered: false, last: None }
    }

    /// Takes in a judged fix; whether the vehicle has just come inside for the first time.
    pub fn step(&mut self, now: Uptime, fix: &Fix) -> bool {
        if fix.refused.is_some() {
            return false;
        }
        self.last = Some((fix.into(), now));
        let mm = distance_mm(self.middle, fix.position);
        // A receiver that is lost is not near because it cannot tell.
        let accuracy_mm = u64::from(fix.accuracy_mm.unwrap_or(0)).min(self.radius_mm);
        self.inside = if self.inside {
            mm <= self.radius_mm / 5 * 6 + accuracy_mm
        } else {
            mm <= self.radius_mm
        };
        let enters = self.inside && !self.entered;
        self.entered |= enters;
        enters
    }

    /// Sets another radius, by which the last fix is inside or not. Coming near is told at the next one.
    pub fn set_radius(&mut self, radius_m: u32) {
        self.radius_mm = u64::from(radius_m) * 1_000;
        self.look_again();
    }

    /// Goes to another place, by which the last fix is inside or not; coming near that one is told anew.
    fn move_to(&mut self, middle: Position) {
        if middle != self.middle {
            self.middle = middle;
            self.entered = false;
            self.look_again();
        }
    }

    /// Whether the last fix is inside the fence as it is.
    fn look_again(&mut self) {
        let lies_within =
            |stamp: FixStamp| distance_mm(self.middle, stamp.position) <= self.radius_mm;
        self.inside = self.last.is_some_and(|(stamp, _)| lies_within(stamp));
    }

    /// How near the vehicle is; `None` while that is not known.
    pub fn nearness(&self, now: Uptime) -> Option<Nearness> {
        let (stamp, seen) = self.last?;
        let mm = distance_mm(self.middle, stamp.position);
        let distance_m = u32::try_from(mm / 1_000).unwrap_or(u32::MAX);
        (now.since_ms(seen) <= UNKNOWN_AFTER_MS)
            .then_some(Nearness { inside: self.inside, distance_m })
    }
}

/// The two fences of a trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fences {
    trip: TripId,
    pickup: Fence,
    drop: Fence,
}

impl Fences {
    /// Around pickup and drop of an assignment.
    pub fn new(assignment: &Assignment, radius_m: u32) -> Self {
        Self {
            trip: assignment.trip,
            pickup: Fence::new(assignment.pickup.position, radius_m),
            drop: Fence::new(assignment.drop.position, radius_m),
        }
    }

    /// Sets another radius for both.
    pub fn set_radius(&mut self, radius_m: u32) {
        self.pickup.set_radius(radius_m);
        self.drop.set_radius(radius_m);
    }

    /// Goes where the rider's change of the trip has pickup and drop; other trips' places are not theirs.
    pub fn follow(&mut self, assignment: &Assignment) {
        if assignment.trip == self.trip {
            self.pickup.move_to(assignment.pickup.position);
            self.drop.move_to(assignment.drop.position);
        }
    }

    /// The trip they belong to.
    pub const fn trip(&self) -> TripId {
        self.trip
    }

    /// Takes in a judged fix for one of the places; whether the vehicle has just come near it.
    pub fn step(&mut self, place: Waypoint, now: Uptime, fix: &Fix) -> bool {
        match place {
            Waypoint::Pickup => self.pickup.step(now, fix),
            Waypoint::Drop => self.drop.step(now, fix),
        }
    }

    /// How near the vehicle is to the pickup; `None` while that is not known.
    pub fn pickup(&self, now: Uptime) -> Option<Nearness> {
        self.pickup.nearness(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripline_protocol::fix::{FixType, Refusal};
    use tripline_protocol::unit::Timestamp;

    fn fix(metres: i32) -> Fix {
        Fix {
            at: Timestamp::from_unix_ms(0),
            position: Position::new(metres * 9_044 / 100, 0).expect("on the globe"),
            speed_mmps: None,
            course_cdeg: None,
            altitude_mm: None,
            satellites: None,
            hdop_c: None,
            accuracy_mm: Some(5_000),
            fix_type: FixType::ThreeD,
            refused: None,
        }
    }

    fn fence() -> Fence {
        Fence::new(Position::new(0, 0).expect("on the globe"), 100)
    }

    #[test]
    fn the_fence_is_entered_at_its_radius_left_beyond_it_and_rings_once() {
        let mut fence = fence();
        let now = Uptime::default();
        for (metres, enters, inside) in [
            (500, false, false),
            (102, false, false),
            (98, true, true),
            (124, false, true),
            (126, false, false),
            (110, false, false),
            (0, false, true),
        ] {
            assert_eq!(fence.step(now, &fix(metres)), enters, "{metres}");
            let nearness = fence.nearness(now).expect("known");
            assert_eq!(nearness.inside, inside, "{metres}");
            assert!(nearness.distance_m.abs_diff(metres.unsigned_abs()) <= 1, "{nearness:?}");
        }
    }

    #[test]
    fn a_fence_that_moves_rings_again_and_knows_at_once_whether_the_vehicle_is_there() {
        let (mut fence, now) = (fence(), Uptime::default());
        assert!(fence.step(now, &fix(0)));
        fence.move_to(fix(0).position);
        assert!(!fence.step(now, &fix(0)), "the same place");
        fence.move_to(fix(1_000).position);
        assert!(fence.nearness(now).is_some_and(|near| !near.inside && near.distance_m > 990));
        assert!(fence.step(now, &fix(950)));
        fence.move_to(fix(900).position);
        assert!(fence.nearness(now).is_some_and(|near| near.inside));
        assert!(fence.step(now, &fix(950)), "it is told of that place too");
    }

    #[test]
    fn nearness_is_unknown_before_a_fix_counts_and_half_a_minute_after() {
        let mut fence = fence();
        let refused = Fix { refused: Some(Refusal::PoorGeometry), ..fix(0) };
        assert!(!fence.step(Uptime::default(), &refused));
        assert_eq!(fence.nearness(Uptime::default()), None);
        assert!(fence.step(Uptime::from_ms(1_000), &fix(0)));
        assert!(fence.nearness(Uptime::from_ms(31_000)).is_some_and(|near| near.inside));
        assert_eq!(fence.nearness(Uptime::from_ms(31_001)), None);
    }

    #[test]
    fn a_lone_fix_tells_while_it_is_fresh() {
        let middle = fix(0).position;
        let of = |metres, age_ms| Nearness::of(middle, 100, (&fix(metres)).into(), age_ms);
        assert!(of(90, UNKNOWN_AFTER_MS).is_some_and(|near| near.inside));
        assert!(of(1_400, 0).is_some_and(|near| !near.inside && near.distance_m > 1_300));
        assert_eq!(of(90, UNKNOWN_AFTER_MS + 1), None);
    }
}
