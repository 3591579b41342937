//! Lane `live`: the newest position, in a few bytes.

use alloc::vec::Vec;

use super::envelope::{DecodeError, Message};
use crate::fix::Fix;
use crate::unit::{Position, Timestamp};

/// Bytes of a live position behind the version.
const LEN: usize = 14;

/// 2020-01-01T00:00:00Z: no live position is earlier.
const FROM_MS: i64 = 1_577_836_800_000;
/// Lengths of the fields in bits, from the top: time in 0.1 s, latitude and longitude in 1e-6 degree
/// from the south pole and the antimeridian, speed in 0.1 m/s, course in 2 degrees. The lowest bit is 0.
const TIME_BITS: u32 = 36;
const LAT_BITS: u32 = 28;
const LON_BITS: u32 = 29;
const SPEED_BITS: u32 = 10;
const COURSE_BITS: u32 = 8;

const TIME_MAX: i64 = (1 << TIME_BITS) - 1;
const LAT_E6_MAX: i64 = 90_000_000;
const LON_E6_MAX: i64 = 180_000_000;
/// Fastest speed in 0.1 m/s, and what stands for none.
const SPEED_MAX: u32 = SPEED_NONE - 1;
const SPEED_NONE: u32 = (1 << SPEED_BITS) - 1;
/// Courses in a full turn, and what stands for none.
const COURSES: u16 = 180;
const COURSE_NONE: u16 = (1 << COURSE_BITS) - 1;

/// Lane `live`: the newest position. Neither journalled nor repeated.
///
/// It is sent rounded to the nearest, halves away from zero, and read as it was rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// GNSS time of the fix, sent in 0.1 s from 2020 to 2237; a time outside is sent as the nearer end.
    pub at: Timestamp,
    /// Where, sent in 1e-6 degree (about 11 cm).
    pub position: Position,
    /// Speed over ground in mm/s, sent in 0.1 m/s up to 102.2 m/s; what is faster is sent as that.
    pub speed_mmps: Option<u32>,
    /// Course over ground in 1/100 degree, 0 to 35999, sent in 2 degrees.
    pub course_cdeg: Option<u16>,
}

/// Rounds, so that what is held here is what is read there.
impl From<&Fix> for Live {
    fn from(fix: &Fix) -> Self {
        let (at, position) = (fix.at, fix.position);
        Self { at, position, speed_mmps: fix.speed_mmps, course_cdeg: fix.course_cdeg }.rounded()
    }
}

/// The fields as they are sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    time: i64,
    lat_e6: i64,
    lon_e6: i64,
    speed: u32,
    course: u16,
}

impl Live {
    /// The position as it is read after it was sent. Rounding again changes nothing.
    #[must_use]
    pub fn rounded(self) -> Self {
        // Rounding stays within the range of every field.
        self.sent().live().unwrap_or(self)
    }

    fn sent(self) -> Sent {
        let since_ms = self.at.unix_ms.saturating_sub(FROM_MS);
        let tenths =
            |value: i32| (i64::from(value.unsigned_abs()) + 5) / 10 * i64::from(value.signum());
        let speed = |mmps: u32| (mmps / 100 + u32::from(mmps % 100 >= 50)).min(SPEED_MAX);
        let course = |cdeg: u16| (cdeg / 200 + u16::from(cdeg % 200 >= 100)) % COURSES;
        Sent {
            time: (since_ms.saturating_add(50) / 100).clamp(0, TIME_MAX),
            lat_e6: tenths(self.position.lat_e7()),
            lon_e6: tenths(self.position.lon_e7()),
            speed: self.speed_mmps.map_or(SPEED_NONE, speed),
            course: self.course_cdeg.map_or(COURSE_NONE, course),
        }
    }
}

impl Sent {
    /// `None` where a field is out of its range.
    fn live(self) -> Option<Live> {
        let angle = |e6: i64| i32::try_from(e6 * 10).ok();
        Some(Live {
            at: Timestamp::from_unix_ms(FROM_MS + self.time * 100),
            position: Position::new(angle(self.lat_e6)?, angle(self.lon_e6)?).ok()?,
            speed_mmps: Some(self.speed).filter(|speed| *speed < SPEED_NONE).map(|s| s * 100),
            course_cdeg: match self.course {
                COURSE_NONE => None,
                course if course < COURSES => Some(course * 200),
                _ => return None,
            },
        })
    }

    fn pack(self) -> u128 {
        let fields = [
            (self.time, TIME_BITS),
            (self.lat_e6 + LAT_E6_MAX, LAT_BITS),
            (self.lon_e6 + LON_E6_MAX, LON_BITS),
            (self.speed.into(), SPEED_BITS),
            (self.course.into(), COURSE_BITS),
        ];
        let join =
            |packed, (field, bits): (i64, u32)| packed << bits | u128::from(field.cast_unsigned());
        fields.into_iter().fold(0, join) << 1
    }

    /// `None` where the lowest bit is set.
    fn unpack(packed: u128) -> Option<Self> {
        let mut left = packed;
        let mut take = |bits: u32| {
            let field = left & ((1 << bits) - 1);
            left >>= bits;
            i64::try_from(field).ok()
        };
        if take(1)? != 0 {
            return None;
        }
        let course = u16::try_from(take(COURSE_BITS)?).ok()?;
        let speed = u32::try_from(take(SPEED_BITS)?).ok()?;
        let lon_e6 = take(LON_BITS)? - LON_E6_MAX;
        let lat_e6 = take(LAT_BITS)? - LAT_E6_MAX;
        Some(Self { time: take(TIME_BITS)?, lat_e6, lon_e6, speed, course })
    }
}

impl Message for Live {
    fn append(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let packed = self.sent().pack().to_be_bytes();
        bytes.extend(&packed[packed.len() - LEN..]);
        bytes
    }

    fn read(body: &[u8]) -> Result<Self, DecodeError> {
        let Some((head, rest)) = body.split_first_chunk::<LEN>() else {
            return Err(DecodeError::Malformed);
        };
        if !rest.is_empty() {
            return Err(DecodeError::Trailing { len: rest.len() });
        }
        let packed = head.iter().fold(0, |packed, byte| packed << 8 | u128::from(*byte));
        Sent::unpack(packed).and_then(Sent::live).ok_or(DecodeError::Malformed)
    }
}
