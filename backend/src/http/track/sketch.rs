//! The sketch of a ride: vehicle, pickup and drop to scale, north up, with a scale bar. There is no map under
//! it: whoever drew one would learn where the rider is.

use tripline_protocol::unit::Position;

use super::page::fill;
use crate::service::track::Shown;

/// Sides of the sketch, in its own units.
const SIDE: f64 = 320.0;

/// Room that is left at each side, for marks and their names.
const MARGIN: f64 = 48.0;

/// Least that is shown, in m: positions are not better than some metres.
const EXTENT_M_MIN: f64 = 200.0;

/// One degree of latitude, in m, on a sphere of the Earth's mean radius.
const M_PER_DEG: f64 = 111_194.93;

/// Least cosine of a latitude that is divided by: at the poles nothing is to scale.
const COS_MIN: f64 = 0.01;

/// Lengths that a scale bar may have, each with its name.
const BARS: [(f64, &str); 13] = [
    (50.0, "50 m"),
    (100.0, "100 m"),
    (200.0, "200 m"),
    (500.0, "500 m"),
    (1e3, "1 km"),
    (2e3, "2 km"),
    (5e3, "5 km"),
    (1e4, "10 km"),
    (2e4, "20 km"),
    (5e4, "50 km"),
    (1e5, "100 km"),
    (2e5, "200 km"),
    (5e5, "500 km"),
];

/// Longest scale bar, as a part of the side.
const BAR_PART_MAX: f64 = 0.4;

/// What of the globe is on the sketch.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// The middle, in degrees.
    lat_deg: f64,
    lon_deg: f64,
    /// Metres to a unit of the sketch.
    m_per_unit: f64,
}

impl Frame {
    /// The frame that these are in, with room around.
    fn around(first: Position, others: &[Position]) -> Self {
        // Longitudes count from the first, so that a ride across the 180th meridian is short.
        let lon_of =
            |place: &Position| first.lon_deg() + east_deg(first.lon_deg(), place.lon_deg());
        let (mut south, mut north) = (first.lat_deg(), first.lat_deg());
        let (mut west, mut east) = (first.lon_deg(), first.lon_deg());
        for place in others {
            (south, north) = (south.min(place.lat_deg()), north.max(place.lat_deg()));
            (west, east) = (west.min(lon_of(place)), east.max(lon_of(place)));
        }
        let (lat_deg, lon_deg) = (f64::midpoint(south, north), f64::midpoint(west, east));
        let high_m = (north - south) * M_PER_DEG;
        let wide_m = (east - west) * M_PER_DEG * cosine(lat_deg);
        let extent_m = high_m.max(wide_m).max(EXTENT_M_MIN);
        Self { lat_deg, lon_deg, m_per_unit: extent_m / 2.0_f64.mul_add(-MARGIN, SIDE) }
    }

    /// Where a place stands on the sketch, rightwards and downwards.
    fn spot(&self, place: Position) -> (f64, f64) {
        let east_m = east_deg(self.lon_deg, place.lon_deg()) * M_PER_DEG * cosine(self.lat_deg);
        let north_m = (place.lat_deg() - self.lat_deg) * M_PER_DEG;
        (SIDE / 2.0 + east_m / self.m_per_unit, SIDE / 2.0 - north_m / self.m_per_unit)
    }

    /// The longest scale bar that fits: its length on the sketch, and its name.
    fn bar(&self) -> (f64, &'static str) {
        let fits = |(m, _): &&(f64, _)| m / self.m_per_unit <= SIDE * BAR_PART_MAX;
        let (m, name) = BARS.iter().rfind(fits).unwrap_or(&BARS[0]);
        (m / self.m_per_unit, name)
    }
}

/// How far east of one meridian another is, in degrees, the short way round.
fn east_deg(from: f64, to: f64) -> f64 {
    (to - from + 540.0).rem_euclid(360.0) - 180.0
}

fn cosine(lat_deg: f64) -> f64 {
    lat_deg.to_radians().cos().max(COS_MIN)
}

fn translate((right, down): (f64, f64)) -> String {
    format!("translate({right:.1} {down:.1})")
}

const fn visibility(is_visible: bool) -> &'static str {
    if is_visible { "visible" } else { "hidden" }
}

/// The sketch as SVG. `told` says what is on it to whoever does not see it.
pub(super) fn sketch(shown: &Shown, told: &str) -> String {
    let ride = &shown.ride;
    let drop = ride.drop.as_ref().map(|drop| drop.position);
    let vehicle = shown.position.map(|seen| seen.live);
    let others: Vec<Position> = drop.into_iter().chain(vehicle.map(|live| live.position)).collect();
    let frame = Frame::around(ride.pickup.position, &others);
    let course = vehicle.and_then(|live| live.course_cdeg);
    let (bar, bar_name) = frame.bar();
    let pickup = frame.spot(ride.pickup.position);
    let (drop_at, vehicle_at) = (
        drop.map_or(pickup, |drop| frame.spot(drop)),
        vehicle.map_or(pickup, |live| frame.spot(live.position)),
    );
    fill(
        include_str!("sketch.svg"),
        &[
            ("told", told),
            ("lat", &format!("{:.7}", frame.lat_deg)),
            ("lon", &format!("{:.7}", frame.lon_deg)),
            ("metres", &format!("{:.5}", frame.m_per_unit)),
            ("way", &format!("M{:.1} {:.1}L{:.1} {:.1}", pickup.0, pickup.1, drop_at.0, drop_at.1)),
            ("pickup", &translate(pickup)),
            ("drop", &translate(drop_at)),
            ("drop-seen", visibility(drop.is_some())),
            ("vehicle", &translate(vehicle_at)),
            ("vehicle-seen", visibility(vehicle.is_some())),
            ("course", &format!("{:.1}", f64::from(course.unwrap_or(0)) / 100.0)),
            ("course-seen", if course.is_some() { "inherit" } else { "hidden" }),
            ("bar", &format!("{bar:.1}")),
            ("bar-name", bar_name),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lat_e7: i32, lon_e7: i32) -> Position {
        Position::new(lat_e7, lon_e7).expect("on the globe")
    }

    #[test]
    fn what_is_sketched_is_within_it_to_scale_and_north_is_up() {
        let pickup = at(129_000_000, 776_000_000);
        for (other, right, down) in [
            (at(129_100_000, 776_000_000), 0.0, -1.0),
            (at(128_900_000, 776_000_000), 0.0, 1.0),
            (at(129_000_000, 776_100_000), 1.0, 0.0),
            (at(129_000_000, 775_900_000), -1.0, 0.0),
        ] {
            let frame = Frame::around(pickup, &[other]);
            let (from, to) = (frame.spot(pickup), frame.spot(other));
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            let length = dx.hypot(dy);
            assert!((dx - right * length).abs() < 0.01 && (dy - down * length).abs() < 0.01);
            let told_m = f64::from(crate::domain::live::distance_m(pickup, other));
            let drawn_m = length * frame.m_per_unit;
            assert!((drawn_m / told_m - 1.0).abs() < 0.01, "{drawn_m} for {told_m}");
            for (x, y) in [from, to] {
                assert!((MARGIN - 0.1..=SIDE - MARGIN + 0.1).contains(&x), "{x}");
                assert!((MARGIN - 0.1..=SIDE - MARGIN + 0.1).contains(&y), "{y}");
            }
            let (bar, name) = frame.bar();
            assert!(bar > SIDE / 10.0 && bar <= SIDE * BAR_PART_MAX, "{bar} for {name}");
        }
    }

    #[test]
    fn one_place_alone_the_poles_and_the_180th_meridian_have_a_sketch() {
        let fiji =
            Frame::around(at(-180_000_000, 1_799_990_000), &[at(-180_000_000, -1_799_990_000)]);
        assert!(fiji.m_per_unit < 2.0, "two hundred metres, not round the globe: {fiji:?}");
        for frame in [
            Frame::around(at(0, 0), &[]),
            Frame::around(at(900_000_000, 0), &[at(900_000_000, 1_700_000_000)]),
        ] {
            let (x, y) = frame.spot(at(0, 0));
            assert!(x.is_finite() && y.is_finite() && frame.m_per_unit > 0.0, "{frame:?}");
        }
    }
}
