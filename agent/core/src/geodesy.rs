//! Distance on the WGS 84 ellipsoid over the short steps between fixes.

use tripline_protocol::unit::Position;

/// Distance between two positions in millimetres.
///
/// Uses the radii of curvature at the middle latitude, which is within 1 part in 10^6 of the geodesic
/// for steps under 10 km and still a fair bridge over a longer gap.
pub fn distance_mm(a: Position, b: Position) -> u64 {
    const SEMI_MAJOR_M: f64 = 6_378_137.0;
    const FIRST_ECCENTRICITY_SQUARED: f64 = 6.694_379_990_141_317e-3;
    const TURN_E7: i64 = 3_600_000_000;

    let lat_delta_e7 = i64::from(b.lat_e7()) - i64::from(a.lat_e7());
    // The short way round, also across the antimeridian.
    let lon_delta_e7 = (i64::from(b.lon_e7()) - i64::from(a.lon_e7()) + TURN_E7 / 2)
        .rem_euclid(TURN_E7)
        - TURN_E7 / 2;
    let middle = f64::midpoint(a.lat_deg(), b.lat_deg()).to_radians();
    let (sin, cos) = (libm::sin(middle), libm::cos(middle));
    let w_squared = 1.0 - FIRST_ECCENTRICITY_SQUARED * sin * sin;
    let w = libm::sqrt(w_squared);
    let meridian_m = SEMI_MAJOR_M * (1.0 - FIRST_ECCENTRICITY_SQUARED) / (w_squared * w);
    let parallel_m = SEMI_MAJOR_M / w * cos;
    let north_m = e7_to_radians(lat_delta_e7) * meridian_m;
    let east_m = e7_to_radians(lon_delta_e7) * parallel_m;
    to_mm(libm::sqrt(north_m * north_m + east_m * east_m))
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
}
