//! Tracks for the gate and the sampler: made up, or recorded.

use std::path::{Path, PathBuf};

use tripline_agent_core::stream::{Decoder, Heard};
use tripline_protocol::fix::{Fix, FixType};
use tripline_protocol::unit::{Position, Timestamp};

/// The recorded drive.
pub(crate) const DRIVE: &str = "traces/MTV.Local1.ublox-F9K.20200206-181434.nmea";

/// The SPAN receiver's record of it.
pub(crate) const TRUTH: &str = "traces/MTV.Local1.SPAN.20200206-181434.gga";

/// A file of the test data; `None`, with a loud word, where they are not provided.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("TRIPLINE_DATA_DIR");
    if dir.is_none() {
        eprintln!("\n*** SKIPPED: TRIPLINE_DATA_DIR does not name the folder of recordings ***\n");
    }
    dir.map(|dir| Path::new(&dir).join(name))
}

/// The fixes of a recording of NMEA.
pub(crate) fn recording(name: &str) -> Option<Vec<Fix>> {
    let bytes = std::fs::read(data(name)?).expect("the recording can be read");
    let mut decoder = Decoder::new(Timestamp::from_unix_ms(0));
    let mut fixes: Vec<Fix> = Vec::new();
    let mut on_heard = |heard| {
        if let Heard::Observation(observation) = heard {
            fixes.extend(observation.at.map(|at| observation.fix(at)));
        }
    };
    decoder.push(&bytes, &mut on_heard);
    decoder.finish(&mut on_heard);
    Some(fixes)
}

/// A fix near the equator, where a degree is nearly as long either way.
pub(crate) fn fix(at_ms: i64, north_m: f64, east_m: f64, speed_mmps: Option<u32>) -> Fix {
    #[expect(clippy::cast_possible_truncation, reason = "a few kilometres")]
    let e7 = |metres: f64, degree_m: f64| (metres / degree_m * 1e7).round() as i32;
    let (lat, lon) = (e7(north_m, 110_574.275_8), e7(east_m, 111_319.490_8));
    Fix {
        at: Timestamp::from_unix_ms(1_700_000_000_000 + at_ms),
        position: Position::new(lat, lon).expect("on the globe"),
        speed_mmps,
        course_cdeg: None,
        altitude_mm: None,
        satellites: None,
        hdop_c: Some(80),
        accuracy_mm: None,
        fix_type: FixType::ThreeD,
        refused: None,
    }
}

/// 20 minutes in one place, with 12 m of noise on each axis that drifts from fix to fix.
pub(crate) fn parked(seed: u64, drift: f64, speed: impl Fn(&mut Noise) -> Option<u32>) -> Vec<Fix> {
    let mut noise = Noise::new(seed);
    let mut offset = [12.0 * noise.normal(), 12.0 * noise.normal()];
    let fresh = 12.0 * (1.0 - drift * drift).sqrt();
    let at = |s: i64| {
        offset = offset.map(|metres| metres * drift + fresh * noise.normal());
        fix(s * 1_000, offset[0], offset[1], speed(&mut noise))
    };
    (0..1_200).map(at).collect()
}

/// Noise that is the same in every run.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly from 0 to 1 (splitmix64).
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(crate) fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Gaussian with mean 0 and a deviation of 1 (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.even()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.even()).cos()
    }

    /// The speed of a vehicle that stands, with 0.1 m/s of noise on each axis, in mm/s.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a speed")]
    pub(crate) fn doppler_mmps(&mut self) -> u32 {
        (self.normal().hypot(self.normal()) * 100.0) as u32
    }

    /// Any speed up to `max_mmps`, in mm/s.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a speed")]
    pub(crate) fn even_mmps(&mut self, max_mmps: u32) -> u32 {
        (self.even() * f64::from(max_mmps)) as u32
    }
}
