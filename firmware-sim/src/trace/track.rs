//! A track between its points: where the vehicle was at each whole second, how fast and which way.
//!
//! Straight lines at even speed between points. Distances are on a sphere; over the length of one leg
//! the error is far below what a receiver would report.

const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A leg shorter than this has no direction to speak of: the course before it holds.
const COURSE_LEG_M_MIN: f64 = 0.5;

/// Over a longer leg the recorder was off. It also bounds what a wrong date (1970 and today in one track)
/// can cost.
const LEG_MS_MAX: i64 = 24 * 3600 * 1000;

/// One recorded point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TrackPoint {
    pub(super) unix_ms: i64,
    /// Degrees, north positive.
    pub(super) lat_deg: f64,
    /// Degrees, east positive.
    pub(super) lon_deg: f64,
    /// Meters above mean sea level.
    pub(super) ele_m: Option<f64>,
}

/// One second of the drive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moment {
    pub(super) unix_ms: i64,
    pub(super) lat_deg: f64,
    pub(super) lon_deg: f64,
    pub(super) ele_m: Option<f64>,
    pub(super) speed_mps: f64,
    /// Degrees from true north, clockwise, 0 to below 360.
    pub(super) course_deg: f64,
}

/// The whole seconds from the first point to the last. A segment that holds none (a single point, most
/// often) stands at the next one, so that no segment vanishes.
pub(super) fn at_one_hertz(points: &[TrackPoint]) -> Vec<Moment> {
    let Some(last) = points.last() else { return vec![] };
    let mut moments = Vec::new();
    let mut course_deg = 0.0;
    for leg in points.windows(2) {
        let (from, to) = (&leg[0], &leg[1]);
        let moving = Motion::over(from, to, course_deg);
        course_deg = moving.course_deg;
        let first_ms = whole_second_from(from.unix_ms);
        let slept = to.unix_ms - from.unix_ms > LEG_MS_MAX;
        let end_ms = if slept { to.unix_ms.min(first_ms + 1) } else { to.unix_ms };
        moments.extend(
            (first_ms..end_ms).step_by(1000).map(|at_ms| between(from, to, at_ms, &moving)),
        );
    }
    // Each leg ends before its last point, so the very last is still to come.
    if last.unix_ms % 1000 == 0 || moments.is_empty() {
        let speed_mps = moments.last().map_or(0.0, |moment| moment.speed_mps);
        let still = Motion { speed_mps, course_deg };
        moments.push(between(last, last, whole_second_from(last.unix_ms), &still));
    }
    moments
}

/// How the vehicle moves over one leg.
struct Motion {
    speed_mps: f64,
    course_deg: f64,
}

impl Motion {
    fn over(from: &TrackPoint, to: &TrackPoint, course_before_deg: f64) -> Self {
        let distance_m = distance_m(from, to);
        let leg_s = seconds(to.unix_ms - from.unix_ms);
        let speed_mps = if leg_s > 0.0 { distance_m / leg_s } else { 0.0 };
        let holds = distance_m < COURSE_LEG_M_MIN;
        Self {
            speed_mps,
            course_deg: if holds { course_before_deg } else { bearing_deg(from, to) },
        }
    }
}

fn between(from: &TrackPoint, to: &TrackPoint, at_ms: i64, moving: &Motion) -> Moment {
    let leg_ms = to.unix_ms - from.unix_ms;
    let share = if leg_ms > 0 { seconds(at_ms - from.unix_ms) / seconds(leg_ms) } else { 0.0 };
    let mix = |a: f64, b: f64| a + (b - a) * share;
    Moment {
        unix_ms: at_ms,
        lat_deg: mix(from.lat_deg, to.lat_deg),
        lon_deg: wrapped(from.lon_deg + wrapped(to.lon_deg - from.lon_deg) * share),
        ele_m: from.ele_m.zip(to.ele_m).map(|(a, b)| mix(a, b)).or(from.ele_m),
        speed_mps: moving.speed_mps,
        course_deg: moving.course_deg,
    }
}

/// Haversine.
fn distance_m(from: &TrackPoint, to: &TrackPoint) -> f64 {
    let half_lat = (to.lat_deg - from.lat_deg).to_radians() / 2.0;
    let half_lon = (to.lon_deg - from.lon_deg).to_radians() / 2.0;
    let cosines = from.lat_deg.to_radians().cos() * to.lat_deg.to_radians().cos();
    let haversine = half_lat.sin().powi(2) + cosines * half_lon.sin().powi(2);
    2.0 * EARTH_RADIUS_M * haversine.sqrt().min(1.0).asin()
}

fn bearing_deg(from: &TrackPoint, to: &TrackPoint) -> f64 {
    let (from_lat, to_lat) = (from.lat_deg.to_radians(), to.lat_deg.to_radians());
    let lon = (to.lon_deg - from.lon_deg).to_radians();
    let east = lon.sin() * to_lat.cos();
    let north = from_lat.cos() * to_lat.sin() - from_lat.sin() * to_lat.cos() * lon.cos();
    east.atan2(north).to_degrees().rem_euclid(360.0)
}

/// Into -180 to 180 degrees, so that a leg over the date line is short.
fn wrapped(lon_deg: f64) -> f64 {
    if lon_deg.abs() <= 180.0 { lon_deg } else { (lon_deg + 180.0).rem_euclid(360.0) - 180.0 }
}

fn whole_second_from(unix_ms: i64) -> i64 {
    unix_ms + (-unix_ms).rem_euclid(1000)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a leg of 285,000 years would be the first inexact one"
)]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(unix_ms: i64, lat_deg: f64, lon_deg: f64) -> TrackPoint {
        TrackPoint { unix_ms, lat_deg, lon_deg, ele_m: None }
    }

    fn times(moments: &[Moment]) -> Vec<i64> {
        moments.iter().map(|moment| moment.unix_ms).collect()
    }

    #[test]
    fn a_leg_is_driven_at_even_speed() {
        // A thousandth of a degree of latitude is 111.2 m.
        let moments = at_one_hertz(&[point(0, 10.0, 20.0), point(10_000, 10.001, 20.0)]);
        assert_eq!(times(&moments), (0..=10).map(|s| s * 1000).collect::<Vec<_>>());
        assert!((moments[5].lat_deg - 10.0005).abs() < 1e-9);
        for moment in &moments {
            assert!((moment.speed_mps - 11.12).abs() < 0.01, "{moment:?}");
            assert!(moment.course_deg.abs() < 1e-9, "{moment:?}");
        }
    }

    #[test]
    fn only_whole_seconds_are_spoken_of() {
        let moments =
            at_one_hertz(&[point(250, 0.0, 0.0), point(1_900, 0.0, 1.0), point(2_400, 0.0, 1.0)]);
        assert_eq!(times(&moments), [1_000, 2_000]);
    }

    #[test]
    fn a_recorder_that_was_off_leaves_a_gap() {
        let moments = at_one_hertz(&[point(0, 0.0, 0.0), point(LEG_MS_MAX + 1_000, 0.0, 1.0)]);
        assert_eq!(times(&moments), [0, LEG_MS_MAX + 1_000]);
    }

    #[test]
    fn standing_still_holds_the_course() {
        let moments = at_one_hertz(&[
            point(0, 0.0, 0.0),
            point(1_000, 0.0, -0.001),
            point(3_000, 0.0, -0.001),
        ]);
        assert!((moments[2].course_deg - 270.0).abs() < 1e-6);
        assert!(moments[2].speed_mps < 1e-9);
    }

    #[test]
    fn a_lone_point_is_one_second() {
        assert_eq!(times(&at_one_hertz(&[point(1_500, 1.0, 2.0)])), [2_000]);
        assert_eq!(times(&at_one_hertz(&[point(2_000, 1.0, 2.0)])), [2_000]);
        let twice = [point(2_000, 1.0, 2.0), point(2_000, 1.0, 2.0)];
        assert_eq!(times(&at_one_hertz(&twice)), [2_000]);
        assert_eq!(at_one_hertz(&[]), []);
    }

    #[test]
    fn the_date_line_is_crossed_the_short_way() {
        let moments = at_one_hertz(&[point(0, 0.0, 179.999), point(2_000, 0.0, -179.999)]);
        assert!((moments[1].lon_deg.abs() - 180.0).abs() < 1e-6, "{}", moments[1].lon_deg);
        assert!(moments[1].speed_mps < 112.0);
        assert!((moments[1].course_deg - 90.0).abs() < 1e-6);
    }
}
