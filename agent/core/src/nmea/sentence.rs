//! The fields of a sentence. RMC gives date, speed and course; GGA gives altitude and quality.

use tripline_protocol::fix::FixType;
use tripline_protocol::unit::Position;

use super::number::{decimal, fixed};
use crate::calendar::{Date, TimeOfDay};

/// Recommended minimum data: `--RMC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rmc {
    /// Time of the fix.
    pub time: TimeOfDay,
    /// Date of the fix; `None` where the receiver left it out.
    pub date: Option<Date>,
    /// Position; `None` while the receiver warns (status V) or left it out.
    pub position: Option<Position>,
    /// Speed over ground in mm/s.
    pub speed_mmps: Option<u32>,
    /// Course over ground in 1/100 degree.
    pub course_cdeg: Option<u16>,
    /// Quality by the mode indicator (NMEA 2.3); `Autonomous` where it is absent.
    pub fix_type: FixType,
}

/// Fix data: `--GGA`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gga {
    /// Time of the fix.
    pub time: TimeOfDay,
    /// Position and quality; `None` without a fix.
    pub fix: Option<(Position, FixType)>,
    /// Satellites used.
    pub satellites: Option<u8>,
    /// HDOP times 100.
    pub hdop_c: Option<u16>,
    /// Altitude above mean sea level in mm.
    pub altitude_mm: Option<i32>,
}

/// A sentence this agent understands. The talker is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sentence {
    /// `--RMC`.
    Rmc(Rmc),
    /// `--GGA`.
    Gga(Gga),
}

impl Sentence {
    /// Reads the inside of a sentence; `None` for other sentences and for fields that make no sense.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, fields) = text.split_once(',')?;
        let formatter = (address.len() == 5).then(|| address.get(2..)).flatten()?;
        match formatter {
            "RMC" => parse_rmc(fields).map(Self::Rmc),
            "GGA" => parse_gga(fields).map(Self::Gga),
            _ => None,
        }
    }
}

fn parse_rmc(fields: &str) -> Option<Rmc> {
    let mut fields = fields.split(',');
    let mut next = || fields.next().unwrap_or("");
    let time = parse_time(next())?;
    let valid = next() == "A";
    let position = parse_position(next(), next(), next(), next());
    let speed = next();
    let course = next();
    let date = parse_date(next());
    let (_variation, _side) = (next(), next());
    let fix_type = match next() {
        "E" | "M" | "S" => FixType::Estimated,
        "D" => FixType::Differential,
        "F" | "R" => FixType::RtkFixed,
        _ => FixType::ThreeD,
    };
    Some(Rmc {
        time,
        date,
        position: position.filter(|_| valid),
        speed_mmps: decimal(speed, 3).and_then(speed_from_milliknots),
        course_cdeg: decimal(course, 2).and_then(course_from_cdeg),
        fix_type,
    })
}

fn parse_gga(fields: &str) -> Option<Gga> {
    let mut fields = fields.split(',');
    let mut next = || fields.next().unwrap_or("");
    let time = parse_time(next())?;
    let position = parse_position(next(), next(), next(), next());
    let fix_type = match next() {
        "1" | "3" => Some(FixType::ThreeD),
        "2" => Some(FixType::Differential),
        "4" | "5" => Some(FixType::RtkFixed),
        "6" | "7" | "8" => Some(FixType::Estimated),
        _ => None,
    };
    let satellites = next().parse().ok();
    let hdop_c = decimal(next(), 2).and_then(|value| u16::try_from(value).ok());
    let altitude_mm = decimal(next(), 3).and_then(|value| i32::try_from(value).ok());
    Some(Gga { time, fix: position.zip(fix_type), satellites, hdop_c, altitude_mm })
}

fn speed_from_milliknots(milliknots: i64) -> Option<u32> {
    // One knot is 1852 m an hour.
    u32::try_from(milliknots.checked_mul(1852)? / 3600).ok()
}

fn course_from_cdeg(cdeg: i64) -> Option<u16> {
    (0..=36_000).contains(&cdeg).then(|| u16::try_from(cdeg % 36_000).ok()).flatten()
}

/// Seconds or minutes: exactly two digits before the point. Two equal characters lost on the line
/// leave the checksum as it was; only the field's width tells.
fn two_digits_and_fraction(text: &str, scale: u32) -> Option<i64> {
    let (_, rest) = fixed(text, 2)?;
    if rest.is_empty() || rest.starts_with('.') { decimal(text, scale) } else { None }
}

/// `hhmmss` with any number of decimals; a leap second is permitted.
fn parse_time(text: &str) -> Option<TimeOfDay> {
    let (hours, rest) = fixed(text, 2)?;
    let (minutes, rest) = fixed(rest, 2)?;
    let seconds_ms = u32::try_from(two_digits_and_fraction(rest, 3)?).ok()?;
    if hours > 23 || minutes > 59 || seconds_ms > 60_999 {
        return None;
    }
    Some(TimeOfDay { ms: (hours * 60 + minutes) * 60_000 + seconds_ms })
}

/// `ddmmyy`.
fn parse_date(text: &str) -> Option<Date> {
    let (day, rest) = fixed(text, 2)?;
    let (month, rest) = fixed(rest, 2)?;
    let (year, rest) = fixed(rest, 2)?;
    if !rest.is_empty() {
        return None;
    }
    Date::new(2000 + year, month, day)
}

fn parse_position(lat: &str, north: &str, lon: &str, east: &str) -> Option<Position> {
    let lat_e7 = parse_angle(lat, 2)?;
    let lon_e7 = parse_angle(lon, 3)?;
    let lat_e7 = match north {
        "N" => lat_e7,
        "S" => -lat_e7,
        _ => return None,
    };
    let lon_e7 = match east {
        "E" => lon_e7,
        "W" => -lon_e7,
        _ => return None,
    };
    Position::new(lat_e7, lon_e7).ok()
}

/// `ddmm.mmmm` or `dddmm.mmmm` as degrees times 1e7, to the nearest.
fn parse_angle(text: &str, degree_digits: usize) -> Option<i32> {
    let (degrees, rest) = fixed(text, degree_digits)?;
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

    const RMC: &str = "GNRMC,021417.00,A,3725.58362,N,12205.61915,W,0.028,65.13,070220,13.06,E,F,V";
    const GGA: &str = "GNGGA,021417.00,3725.58362,N,12205.61915,W,5,12,0.76,4.4,M,-30.0,M,0.0,2000";

    #[test]
    fn rmc_and_gga_become_integers() {
        let position = Position::new(374_263_937, -1_220_936_525).expect("on the globe");
        let time = TimeOfDay { ms: (2 * 3600 + 14 * 60 + 17) * 1000 };
        assert_eq!(
            Sentence::parse(RMC),
            Some(Sentence::Rmc(Rmc {
                time,
                date: Some(Date { days: 18_299 }),
                position: Some(position),
                speed_mmps: Some(14),
                course_cdeg: Some(6_513),
                fix_type: FixType::RtkFixed,
            }))
        );
        assert_eq!(
            Sentence::parse(GGA),
            Some(Sentence::Gga(Gga {
                time,
                fix: Some((position, FixType::RtkFixed)),
                satellites: Some(12),
                hdop_c: Some(76),
                altitude_mm: Some(4_400),
            }))
        );
    }

    #[test]
    fn a_warning_or_empty_fields_give_no_position() {
        let warned = RMC.replace(",A,", ",V,");
        let Some(Sentence::Rmc(rmc)) = Sentence::parse(&warned) else { panic!("an RMC") };
        assert_eq!(rmc.position, None);
        let empty = "GPGGA,021417.00,,,,,0,00,,,M,,M,,";
        let Some(Sentence::Gga(gga)) = Sentence::parse(empty) else { panic!("a GGA") };
        assert_eq!((gga.fix, gga.hdop_c, gga.altitude_mm), (None, None, None));
    }

    #[test]
    fn nonsense_in_a_field_that_matters_is_no_sentence_or_no_position() {
        for text in ["", "GPRMC", "GPRMC,", "GPRMC,2514,A", "GPRMC,-21417,A", "XRMC,021417,A"] {
            assert_eq!(Sentence::parse(text), None, "{text:?}");
        }
        for (lat, lon) in
            [("9100.0", "00000.0"), ("0060.0", "00000.0"), ("0000.0", "18100.0"), ("00-1.0", "1")]
        {
            assert_eq!(parse_position(lat, "N", lon, "E"), None, "{lat} {lon}");
        }
    }

    #[test]
    fn a_time_or_angle_that_lost_two_equal_digits_is_no_sentence_or_no_position() {
        assert_eq!(Sentence::parse(&RMC.replace("021417.00", "21417.0")), None);
        assert_eq!(Sentence::parse(&RMC.replace("021417.00", "0214.00")), None);
        assert_eq!(parse_position("3725.58362", "N", "1220.61915", "W"), None);
        assert_eq!(parse_position("375.58362", "N", "12205.61915", "W"), None);
    }

    #[test]
    fn dates_count_days_since_1970_through_leap_years() {
        for (text, days) in [
            ("010100", 10_957),
            ("290200", 11_016),
            ("010300", 11_017),
            ("311299", 10_957 + 36_524),
            ("070220", 18_299),
        ] {
            assert_eq!(parse_date(text), Some(Date { days }), "{text}");
        }
        assert_eq!(parse_date("2208-1"), None);
    }
}
