//! The fields of a sentence, one after the other.

use tripline_protocol::fix::FixType;
use tripline_protocol::unit::Position;

use super::number::{decimal, fixed, whole};
use crate::calendar::{Date, TimeOfDay, full_year};

/// The last year of four digits.
const YEAR_MAX: u32 = 9_999;

/// What is left of a sentence. An empty field is a value the receiver does not know; a field that
/// cannot be read is remembered as nonsense and taken for empty.
pub(super) struct Fields<'a> {
    rest: Option<&'a [u8]>,
    nonsense: bool,
    no_time: bool,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { rest: Some(text), nonsense: false, no_time: false }
    }

    /// The next field; `None` beyond the last.
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        if let Some(at) = rest.iter().position(|byte| *byte == b',') {
            self.rest = Some(&rest[at + 1..]);
            Some(&rest[..at])
        } else {
            self.rest = None;
            Some(rest)
        }
    }

    /// The next field; empty beyond the last.
    pub(super) fn text(&mut self) -> &'a [u8] {
        self.next().unwrap_or_default()
    }

    pub(super) fn skip(&mut self, fields: usize) {
        for _ in 0..fields {
            self.next();
        }
    }

    /// Whether a field so far could not be read.
    pub(super) const fn nonsense(&self) -> bool {
        self.nonsense
    }

    /// Whether the time could not be read, without which nobody knows what the rest tells of.
    pub(super) const fn no_time(&self) -> bool {
        self.no_time
    }

    pub(super) const fn mark_nonsense(&mut self) {
        self.nonsense = true;
    }

    fn read<T>(&mut self, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let field = self.text();
        if field.is_empty() {
            return None;
        }
        let value = read(field);
        self.nonsense |= value.is_none();
        value
    }

    /// `hhmmss` with any number of decimals; a leap second is permitted.
    pub(super) fn time(&mut self) -> Option<TimeOfDay> {
        let field = self.text();
        let time = time(field);
        self.no_time |= time.is_none() && !field.is_empty();
        time
    }

    /// `ddmmyy`.
    pub(super) fn short_date(&mut self) -> Option<Date> {
        self.read(short_date)
    }

    /// Day, month and four-digit year, a field each.
    pub(super) fn long_date(&mut self) -> Option<Date> {
        let (day, month, year) = (self.number(), self.number(), self.number());
        let (day, month, year) = (day?, month?, year?);
        let date = Date::new(year, month, day).filter(|_| year <= YEAR_MAX);
        self.nonsense |= date.is_none();
        date
    }

    /// Latitude, hemisphere, longitude, hemisphere.
    pub(super) fn position(&mut self) -> Option<Position> {
        let (lat, north, lon, east) = (self.text(), self.text(), self.text(), self.text());
        if lat.is_empty() && lon.is_empty() {
            return None;
        }
        let position = position(lat, north, lon, east);
        self.nonsense |= position.is_none();
        position
    }

    /// A number without sign or point.
    pub(super) fn number(&mut self) -> Option<u32> {
        self.read(whole)
    }

    /// A number up to 255 without sign or point.
    pub(super) fn small(&mut self) -> Option<u8> {
        self.read(|text| u8::try_from(whole(text)?).ok())
    }

    /// A speed in knots, as mm/s.
    pub(super) fn knots(&mut self) -> Option<u32> {
        // One knot is 1852 m an hour.
        self.read(|text| rate(decimal(text, 3)?.checked_mul(1852)?))
    }

    /// A speed in km/h, as mm/s.
    pub(super) fn kmh(&mut self) -> Option<u32> {
        self.read(|text| rate(decimal(text, 3)?.checked_mul(1000)?))
    }

    /// A course in degrees, as 1/100 degree from 0 to 35999.
    pub(super) fn course(&mut self) -> Option<u16> {
        self.read(|text| {
            let cdeg = decimal(text, 2).filter(|cdeg| (0..=36_000).contains(cdeg))?;
            u16::try_from(cdeg % 36_000).ok()
        })
    }

    /// A dilution of precision times 100. Receivers say 99.99 or 50.0 for none.
    pub(super) fn dilution(&mut self) -> Option<u16> {
        self.read(|text| u16::try_from(decimal(text, 2)?).ok())
    }

    /// Metres, as mm.
    pub(super) fn metres(&mut self) -> Option<i32> {
        self.read(|text| i32::try_from(decimal(text, 3)?).ok())
    }

    /// Metres of an error estimate, as mm; capped where a receiver without an idea says millions.
    pub(super) fn error(&mut self) -> Option<u32> {
        self.read(|text| {
            let mm = decimal(text, 3).filter(|mm| *mm >= 0)?;
            Some(u32::try_from(mm).unwrap_or(u32::MAX))
        })
    }

    /// The mode indicator of RMC, GLL and VTG (NMEA 2.3); `None` where it is absent.
    pub(super) fn mode(&mut self) -> Option<Mode> {
        self.next().and_then(<[u8]>::first).map(|letter| mode(*letter))
    }
}

/// What a mode indicator says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    NoFix,
    Fix(FixType),
}

/// One letter of a mode indicator: RMC, GLL and VTG have one, GNS one for each constellation.
pub(super) const fn mode(letter: u8) -> Mode {
    match letter {
        b'N' => Mode::NoFix,
        b'E' | b'M' | b'S' => Mode::Fix(FixType::Estimated),
        b'D' => Mode::Fix(FixType::Differential),
        b'F' => Mode::Fix(FixType::RtkFloat),
        b'R' => Mode::Fix(FixType::RtkFixed),
        _ => Mode::Fix(FixType::ThreeD),
    }
}

/// mm an hour as mm/s, to the nearest.
fn rate(mm_per_hour: i64) -> Option<u32> {
    u32::try_from(mm_per_hour.checked_add(1_800)?.div_euclid(3_600)).ok()
}

/// Seconds or minutes: exactly two digits before the point. Two equal characters lost on the line
/// leave the checksum as it was; only the field's width tells.
fn two_digits_and_fraction(text: &[u8], scale: u32) -> Option<i64> {
    match text {
        [b'0'..=b'9', b'0'..=b'9'] | [b'0'..=b'9', b'0'..=b'9', b'.', ..] => decimal(text, scale),
        _ => None,
    }
}

fn time(text: &[u8]) -> Option<TimeOfDay> {
    let (hours, rest) = fixed::<2>(text)?;
    let (minutes, rest) = fixed::<2>(rest)?;
    let seconds_ms = u32::try_from(two_digits_and_fraction(rest, 3)?).ok()?;
    if hours > 23 || minutes > 59 || seconds_ms > 60_999 {
        return None;
    }
    Some(TimeOfDay { ms: (hours * 60 + minutes) * 60_000 + seconds_ms })
}

fn short_date(text: &[u8]) -> Option<Date> {
    let (day, rest) = fixed::<2>(text)?;
    let (month, rest) = fixed::<2>(rest)?;
    let (year, rest) = fixed::<2>(rest)?;
    if rest.is_empty() { Date::new(full_year(year), month, day) } else { None }
}

fn position(lat: &[u8], north: &[u8], lon: &[u8], east: &[u8]) -> Option<Position> {
    let lat_e7 = angle::<2>(lat)?;
    let lon_e7 = angle::<3>(lon)?;
    let lat_e7 = match north {
        b"N" => lat_e7,
        b"S" => -lat_e7,
        _ => return None,
    };
    let lon_e7 = match east {
        b"E" => lon_e7,
        b"W" => -lon_e7,
        _ => return None,
    };
    Position::new(lat_e7, lon_e7).ok()
}

/// Degrees of `DEGREES` digits, then minutes (`ddmm.mmmm` or `dddmm.mmmm`), as degrees times 1e7, to
/// the nearest.
fn angle<const DEGREES: usize>(text: &[u8]) -> Option<i32> {
    let (degrees, rest) = fixed::<DEGREES>(text)?;
    let minutes_e9 = two_digits_and_fraction(rest, 9)?;
    if minutes_e9 >= 60_000_000_000 {
        return None;
    }
    // One degree is 60 minutes: minutes e9 / 60 / 100 are degrees e7.
    let e7 = i64::from(degrees) * 10_000_000 + (minutes_e9 + 3_000) / 6_000;
    i32::try_from(e7).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_angle_off_the_globe_or_of_another_width_is_no_position() {
        for (lat, lon) in [
            ("9100.0", "00000.0"),
            ("0060.0", "00000.0"),
            ("0000.0", "18100.0"),
            ("00-1.0", "00000.0"),
            ("3725.58362", "1220.61915"),
            ("375.58362", "12205.61915"),
            ("36000.0000", "72000.0000"),
        ] {
            assert_eq!(position(lat.as_bytes(), b"N", lon.as_bytes(), b"E"), None, "{lat} {lon}");
        }
        assert!(position(b"9000.0", b"N", b"18000.0", b"W").is_some());
        assert_eq!(position(b"0000.0", b"", b"00000.0", b"E"), None);
    }

    #[test]
    fn seven_decimals_of_a_minute_are_rounded_to_the_nearest_e7_of_a_degree() {
        // 4404.1306024' is 44.06884337333 degrees.
        let south = position(b"4404.1306024", b"S", b"12118.8446777", b"W").expect("a position");
        assert_eq!((south.lat_e7(), south.lon_e7()), (-440_688_434, -1_213_140_780));
    }

    #[test]
    fn times_and_dates_of_another_width_are_none() {
        for text in
            ["21417.0", "0214.00", "021460x", "241417", "026017", "02141", "-21417", "0214177"]
        {
            assert_eq!(time(text.as_bytes()), None, "{text}");
        }
        assert_eq!(time(b"235960.25"), Some(TimeOfDay { ms: 86_400_250 }));
        assert_eq!(short_date(b"220899"), Date::new(1999, 8, 22));
        for text in ["2208-1", "22082020", "320120", "300220", "0102"] {
            assert_eq!(short_date(text.as_bytes()), None, "{text}");
        }
    }
}
