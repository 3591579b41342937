//! Where a vehicle is after a moment at a speed and a course. Integers only: both ends must agree to
//! the last digit.

/// Sine of an angle in 1/100 degree, times 2^30. Exact to about 1e-6.
const fn sin_q30(cdeg: i64) -> i64 {
    let cdeg = cdeg.rem_euclid(36_000);
    let (sign, half) = if cdeg < 18_000 { (1, cdeg) } else { (-1, cdeg - 18_000) };
    let quarter = if half <= 9_000 { half } else { 18_000 - half };
    // A polynomial in the share of a quarter turn, coefficients times 2^30.
    let z = (quarter << 30) / 9_000;
    let z2 = (z * z) >> 30;
    let mut sum = -4_684_166;
    sum = 85_349_230 + ((sum * z2) >> 30);
    sum = -693_552_362 + ((sum * z2) >> 30);
    sum = 1_686_628_113 + ((sum * z2) >> 30);
    sign * ((sum * z) >> 30)
}

const fn cos_q30(cdeg: i64) -> i64 {
    sin_q30(cdeg + 9_000)
}

/// North and east.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Plane {
    pub(super) north: i64,
    pub(super) east: i64,
}

impl Plane {
    pub(super) fn map(self, each: impl Fn(i64) -> i64) -> Self {
        Self { north: each(self.north), east: each(self.east) }
    }

    /// Makes one of three, coordinate by coordinate.
    pub(super) fn with(
        self,
        second: Self,
        third: Self,
        each: impl Fn(i64, i64, i64) -> i64,
    ) -> Self {
        Self {
            north: each(self.north, second.north, third.north),
            east: each(self.east, second.east, third.east),
        }
    }
}

/// Faster than this nothing is predicted, in cm/s.
const SPEED_CMPS_MAX: i64 = 100_000;

/// A velocity in 1/64 mm/s.
pub(super) fn velocity(speed_cmps: i64, course_ddeg: i64) -> Plane {
    let speed = speed_cmps.clamp(0, SPEED_CMPS_MAX) * 10;
    let course_cdeg = course_ddeg * 10;
    Plane {
        north: (speed * cos_q30(course_cdeg)) >> 24,
        east: (speed * sin_q30(course_cdeg)) >> 24,
    }
}

/// How long a degree is at a latitude, in mm on the WGS 84 ellipsoid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Degree {
    /// The latitude in 1/100 degree.
    lat_cdeg: i64,
    lat_mm: i64,
    lon_mm: i64,
}

impl Degree {
    /// At the equator.
    pub(super) const EQUATOR: Self = Self::at(0);

    const fn at(lat_cdeg: i64) -> Self {
        let lat = lat_cdeg;
        let lat_mm =
            111_132_954 - ((559_822 * cos_q30(2 * lat)) >> 30) + ((1_175 * cos_q30(4 * lat)) >> 30);
        let lon_mm = ((111_412_840 * cos_q30(lat)) >> 30) - ((93_500 * cos_q30(3 * lat)) >> 30);
        // Next to a pole a degree of longitude is nothing; what is predicted there does not matter.
        let lon_mm = if lon_mm < 1_000_000 { 1_000_000 } else { lon_mm };
        Self { lat_cdeg, lat_mm, lon_mm }
    }

    /// At this latitude: the same again over about a kilometre.
    pub(super) fn moved(self, lat_e7: i64) -> Self {
        let lat_cdeg = lat_e7 / 100_000;
        if lat_cdeg == self.lat_cdeg { self } else { Self::at(lat_cdeg) }
    }

    /// What so many 1/16 mm are, in 1/16 of 1e-7 degree.
    pub(super) const fn e7(self, way: Plane) -> Plane {
        Plane {
            north: way.north * 10_000_000 / self.lat_mm,
            east: way.east * 10_000_000 / self.lon_mm,
        }
    }
}
