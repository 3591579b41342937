//! Distance on the WGS 84 ellipsoid over the short steps between fixes.

use tripline_protocol::fix::{Fix, FixStamp};
use tripline_protocol::unit::{Position, Timestamp};

/// The whole turn, in units of 1e-7 degree.
const TURN_E7: i64 = 3_600_000_000;

/// Segments a curve is measured in: a right angle is then within 0.1 % of its length.
const CURVE_SEGMENTS: u16 = 16;

/// Longest way between two positions over which their velocities tell the curve, in ms.
const CURVE_MS_MAX: u64 = 60_000;

/// Speed below which a vehicle has no course worth using, in mm/s.
const COURSE_SPEED_MMPS_MIN: u32 = 500;

/// Where a vehicle was, and with what velocity where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waypoint {
    /// Where and when.
    pub stamp: FixStamp,
    /// Speed over ground in mm/s.
    pub speed_mmps: Option<u32>,
    /// Course over ground in 1/100 degree.
    pub course_cdeg: Option<u16>,
}

impl From<&Fix> for Waypoint {
    fn from(fix: &Fix) -> Self {
        Self { stamp: fix.into(), speed_mmps: fix.speed_mmps, course_cdeg: fix.course_cdeg }
    }
}

impl Waypoint {
    /// Velocity in m/s, east and north.
    fn velocity(&self) -> Option<[f64; 2]> {
        let speed_mmps = self.speed_mmps?;
        if speed_mmps < COURSE_SPEED_MMPS_MIN {
            return Some([0.0; 2]);
        }
        let course = (f64::from(self.course_cdeg?) / 100.0).to_radians();
        let speed_mps = f64::from(speed_mmps) / 1000.0;
        Some([speed_mps * libm::sin(course), speed_mps * libm::cos(course)])
    }
}

/// Distance between two positions in millimetres.
///
/// Uses the radii of curvature at the middle latitude, which is within 1 part in 10^6 of the geodesic
/// for steps under 10 km and still a fair bridge over a longer gap.
pub fn distance_mm(a: Position, b: Position) -> u64 {
    let [east_m, north_m] = offset_m(a, b);
    to_mm(libm::hypot(east_m, north_m))
}

/// Where a vehicle would have been at `at` had it gone straight and evenly from `a` to `b`: the
/// position interpolated in time. Before `a` it is `a`, after `b` it is `b`.
pub fn between(a: FixStamp, b: FixStamp, at: Timestamp) -> Position {
    let whole_ms = i128::from(b.at.since_ms(a.at));
    let gone_ms = i128::from(at.since_ms(a.at));
    if gone_ms <= 0 || whole_ms <= 0 {
        return a.position;
    }
    let gone_ms = gone_ms.min(whole_ms);
    let part = |delta_e7: i64| {
        let e7 = i128::from(delta_e7) * gone_ms / whole_ms;
        i64::try_from(e7).unwrap_or_default()
    };
    let lat_e7 = i64::from(a.position.lat_e7()) + part(lat_delta_e7(a.position, b.position));
    let lon_e7 = i64::from(a.position.lon_e7()) + part(lon_delta_e7(a.position, b.position));
    let position = i32::try_from(lat_e7).ok().zip(i32::try_from(wrapped(lon_e7)).ok());
    position.and_then(|(lat, lon)| Position::new(lat, lon).ok()).unwrap_or(a.position)
}

/// Length in mm of the way from `a` to `b` that nobody saw.
///
/// Where both velocities are known it is the cubic that leaves `a` and reaches `b` with them, which
/// follows a bend that the chord cuts. It is never shorter than the chord and never longer than the
/// mean of both speeds would have gone. A tangent is at most three chords long, since from there on
/// the cubic would go back on a straight road. Otherwise, and beyond a minute, it is the chord.
pub fn way_mm(a: &Waypoint, b: &Waypoint) -> u64 {
    let chord_mm = distance_mm(a.stamp.position, b.stamp.position);
    let elapsed_ms = u64::try_from(b.stamp.at.since_ms(a.stamp.at)).unwrap_or(0);
    let (Some(leaving), Some(reaching)) = (a.velocity(), b.velocity()) else {
        return chord_mm;
    };
    if elapsed_ms > CURVE_MS_MAX {
        return chord_mm;
    }
    let chord = offset_m(a.stamp.position, b.stamp.position);
    let tangent = |velocity| tangent_m(velocity, elapsed_ms, chord);
    let curve_mm = to_mm(curve_m(chord, tangent(leaving), tangent(reaching)));
    let speeds_mmps = u64::from(a.speed_mmps.unwrap_or(0)) + u64::from(b.speed_mmps.unwrap_or(0));
    let driven_mm = speeds_mmps.saturating_mul(elapsed_ms) / 2000;
    curve_mm.min(driven_mm).max(chord_mm)
}

/// The Hermite tangent of a velocity in m, shortened to three chords.
#[expect(clippy::cast_precision_loss, reason = "at most a minute")]
fn tangent_m(velocity: [f64; 2], elapsed_ms: u64, chord: [f64; 2]) -> [f64; 2] {
    let elapsed_s = elapsed_ms as f64 / 1000.0;
    let length_m = libm::hypot(velocity[0], velocity[1]) * elapsed_s;
    let length_m_max = 3.0 * libm::hypot(chord[0], chord[1]);
    let shortened = if length_m > length_m_max { length_m_max / length_m } else { 1.0 };
    velocity.map(|mps| mps * elapsed_s * shortened)
}

/// Length of the cubic Hermite curve from the origin to `chord`.
fn curve_m(chord: [f64; 2], leaving: [f64; 2], reaching: [f64; 2]) -> f64 {
    let point = |segment: u16| {
        let u = f64::from(segment) / f64::from(CURVE_SEGMENTS);
        let axis = |axis: usize| {
            let (to, out, into) = (chord[axis], leaving[axis], reaching[axis]);
            u * (out + u * (3.0 * to - 2.0 * out - into + u * (out + into - 2.0 * to)))
        };
        [axis(0), axis(1)]
    };
    (0..CURVE_SEGMENTS)
        .map(|segment| (point(segment), point(segment + 1)))
        .map(|(a, b)| libm::hypot(b[0] - a[0], b[1] - a[1]))
        .sum()
}

/// The way from `a` to `b` in m, east and north.
fn offset_m(a: Position, b: Position) -> [f64; 2] {
    const SEMI_MAJOR_M: f64 = 6_378_137.0;
    const FIRST_ECCENTRICITY_SQUARED: f64 = 6.694_379_990_141_317e-3;

    let middle = f64::midpoint(a.lat_deg(), b.lat_deg()).to_radians();
    let (sin, cos) = (libm::sin(middle), libm::cos(middle));
    let w_squared = 1.0 - FIRST_ECCENTRICITY_SQUARED * sin * sin;
    let w = libm::sqrt(w_squared);
    let meridian_m = SEMI_MAJOR_M * (1.0 - FIRST_ECCENTRICITY_SQUARED) / (w_squared * w);
    let parallel_m = SEMI_MAJOR_M / w * cos;
    [e7_to_radians(lon_delta_e7(a, b)) * parallel_m, e7_to_radians(lat_delta_e7(a, b)) * meridian_m]
}

fn lat_delta_e7(a: Position, b: Position) -> i64 {
    i64::from(b.lat_e7()) - i64::from(a.lat_e7())
}

/// The short way round, also across the antimeridian.
fn lon_delta_e7(a: Position, b: Position) -> i64 {
    wrapped(i64::from(b.lon_e7()) - i64::from(a.lon_e7()))
}

/// An angle brought into half a turn either way.
const fn wrapped(e7: i64) -> i64 {
    (e7 + TURN_E7 / 2).rem_euclid(TURN_E7) - TURN_E7 / 2
}

#[expect(clippy::cast_precision_loss, reason = "at most 3.6e9, exact in f64")]
fn e7_to_radians(e7: i64) -> f64 {
    (e7 as f64 / 1e7).to_radians()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a distance on Earth: not negative, under 2.1e10 mm"
)]
fn to_mm(metres: f64) -> u64 {
    libm::round(metres * 1000.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo::{Distance, Geodesic, Point};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_step_is_as_long_as_the_geodesic(
            lat_e7 in -850_000_000_i32..850_000_000,
            lon_e7 in -1_800_000_000_i32..1_800_000_000,
            north_e7 in -300_000_i32..300_000,
            east_e7 in -300_000_i32..300_000,
        ) {
            let a = Position::new(lat_e7, lon_e7).expect("on the globe");
            let lon = (i64::from(lon_e7) + i64::from(east_e7) + 5_400_000_000) % 3_600_000_000
                - 1_800_000_000;
            let b = Position::new(lat_e7 + north_e7, i32::try_from(lon).expect("wrapped"))
                .expect("on the globe");
            let truth_m = Geodesic.distance(
                Point::new(a.lon_deg(), a.lat_deg()),
                Point::new(b.lon_deg(), b.lat_deg()),
            );
            #[expect(clippy::cast_precision_loss, reason = "a few kilometres")]
            let ours_m = distance_mm(a, b) as f64 / 1000.0;
            prop_assert!((ours_m - truth_m).abs() <= 0.001 + truth_m * 2e-6, "{ours_m} {truth_m}");
        }
    }

    /// A place some metres north and east of one on the equator.
    fn waypoint(at_ms: i64, north_m: i32, east_m: i32, mps: u32, course_deg: u16) -> Waypoint {
        let position = Position::new(north_m * 9_044 / 100, east_m * 8_983 / 100);
        Waypoint {
            stamp: FixStamp {
                at: Timestamp::from_unix_ms(at_ms),
                position: position.expect("on the globe"),
            },
            speed_mmps: Some(mps * 1_000),
            course_cdeg: Some(course_deg * 100),
        }
    }

    #[test]
    fn a_way_bends_as_its_ends_point_and_a_straight_one_is_its_chord() {
        let start = waypoint(0, 0, 0, 10, 0);
        for (end, metres) in [
            (waypoint(20_000, 200, 0, 10, 0), 200..=201),
            // It waited on the way: the tangents do not overshoot.
            (waypoint(50_000, 200, 0, 10, 0), 200..=201),
            // A right angle and a turn about are longer than their chords of 141 m and 100 m.
            (waypoint(20_000, 100, 100, 10, 90), 155..=200),
            (waypoint(30_000, 0, 100, 10, 180), 160..=300),
            // Nobody knows what happened in two minutes.
            (waypoint(120_000, 100, 100, 10, 90), 141..=142),
        ] {
            let mm = way_mm(&start, &end);
            assert!(metres.contains(&(mm / 1_000)), "{mm}, not {metres:?}");
        }
        let unknown = Waypoint { course_cdeg: None, ..waypoint(20_000, 100, 100, 10, 0) };
        assert_eq!(way_mm(&start, &unknown) / 1_000, 141);
    }

    proptest! {
        #[test]
        fn a_way_is_never_shorter_than_its_chord_nor_longer_than_the_speeds_would_go(
            ms in 1_i64..100_000,
            (north_m, east_m) in (-500..500, -500..500),
            (mps, to_mps) in (0_u32..40, 0_u32..40),
            (course_deg, to_course_deg) in (0_u16..360, 0_u16..360),
        ) {
            let from = waypoint(0, 0, 0, mps, course_deg);
            let to = waypoint(ms, north_m, east_m, to_mps, to_course_deg);
            let chord_mm = distance_mm(from.stamp.position, to.stamp.position);
            let driven_mm = u64::from(mps + to_mps) * ms.unsigned_abs() / 2;
            let mm = way_mm(&from, &to);
            prop_assert!(mm >= chord_mm && mm <= chord_mm.max(driven_mm), "{mm}");
        }

        #[test]
        fn a_position_between_divides_the_way_as_the_time(
            lon_e7 in -1_800_000_000_i32..1_800_000_000,
            (north_m, east_m) in (-500..500, -500..500),
            percent in 0_i64..=100,
        ) {
            let moved = |north_m: i32, east_m: i32| {
                let lon = wrapped(i64::from(lon_e7) + i64::from(east_m) * 90);
                Position::new(north_m * 90, i32::try_from(lon).expect("wrapped")).expect("there")
            };
            let stamp = |ms, position| FixStamp { at: Timestamp::from_unix_ms(ms), position };
            let (a, b) = (stamp(0, moved(0, 0)), stamp(100_000, moved(north_m, east_m)));
            let middle = between(a, b, Timestamp::from_unix_ms(percent * 1_000));
            let whole_mm = distance_mm(a.position, b.position);
            let part_mm = distance_mm(a.position, middle);
            let expected_mm = whole_mm * percent.unsigned_abs() / 100;
            prop_assert!(part_mm.abs_diff(expected_mm) <= 30, "{part_mm} of {whole_mm}");
        }
    }
}
