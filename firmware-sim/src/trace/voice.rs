//! What a plain GPS receiver would say of one moment: a GGA and an RMC.

use crate::sentence::Sentence;
use crate::utc::{civil, format_time_of_day};

use super::track::Moment;

const KNOTS_PER_MPS: f64 = 3600.0 / 1852.0;

/// One degree in ten-millionths of a minute, the resolution of the position fields (under 2 mm).
const DEGREE_MIN_E7: i64 = 600_000_000;

/// GGA first, as receivers do, then RMC.
pub(super) fn say(moment: &Moment) -> Vec<Vec<u8>> {
    vec![gga(moment).to_line(), rmc(moment).to_line()]
}

fn gga(moment: &Moment) -> Sentence {
    let [lat, north, lon, east] = position(moment);
    let time = format_time_of_day(moment.unix_ms, 2);
    let altitude_m = moment.ele_m.map_or_else(String::new, |ele_m| format!("{ele_m:.1}"));
    Sentence::new([
        "GPGGA",
        &time,
        &lat,
        &north,
        &lon,
        &east,
        "1",
        "10",
        "0.9",
        &altitude_m,
        "M",
        "0.0",
        "M",
        "",
        "",
    ])
}

fn rmc(moment: &Moment) -> Sentence {
    let [lat, north, lon, east] = position(moment);
    let time = format_time_of_day(moment.unix_ms, 2);
    let date = civil(moment.unix_ms).date();
    let date = format!("{:02}{:02}{:02}", date.day(), date.month(), date.year().rem_euclid(100));
    let speed_kn = format!("{:.3}", moment.speed_mps * KNOTS_PER_MPS);
    let course_deg = format!("{:.2}", moment.course_deg);
    Sentence::new([
        "GPRMC",
        &time,
        "A",
        &lat,
        &north,
        &lon,
        &east,
        &speed_kn,
        &course_deg,
        &date,
        "",
        "",
        "A",
    ])
}

/// Latitude, N or S, longitude, E or W.
fn position(moment: &Moment) -> [String; 4] {
    let side = |degrees: f64, plus: &str, minus: &str| {
        if degrees < 0.0 { minus.to_owned() } else { plus.to_owned() }
    };
    [
        degrees_and_minutes(moment.lat_deg, 2),
        side(moment.lat_deg, "N", "S"),
        degrees_and_minutes(moment.lon_deg, 3),
        side(moment.lon_deg, "E", "W"),
    ]
}

/// `ddmm.mmmmmmm`, in integers so that minutes never round up to 60.
fn degrees_and_minutes(degrees: f64, degree_digits: usize) -> String {
    let minutes_e7 = rounded(degrees.abs() * 60e7);
    let (degrees, minutes_e7) = (minutes_e7 / DEGREE_MIN_E7, minutes_e7 % DEGREE_MIN_E7);
    format!(
        "{degrees:0degree_digits$}{:02}.{:07}",
        minutes_e7 / 10_000_000,
        minutes_e7 % 10_000_000
    )
}

#[expect(clippy::cast_possible_truncation, reason = "at most 180 degrees, 1.08e11, far inside i64")]
fn rounded(value: f64) -> i64 {
    value.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_never_read_sixty() {
        assert_eq!(degrees_and_minutes(9.999_999_999_99, 2), "1000.0000000");
        assert_eq!(degrees_and_minutes(-122.093_652_5, 3), "12205.6191500");
        assert_eq!(degrees_and_minutes(0.0, 3), "00000.0000000");
    }

    #[test]
    fn the_southern_and_western_halves_are_named() {
        let moment = Moment {
            unix_ms: 0,
            lat_deg: -33.5,
            lon_deg: -70.25,
            ele_m: None,
            speed_mps: 10.0,
            course_deg: 359.5,
        };
        let lines = String::from_utf8(say(&moment).concat()).expect("ascii");
        assert!(lines.contains(",3330.0000000,S,07015.0000000,W,1,10,0.9,,M,"), "{lines}");
        assert!(lines.contains(",W,19.438,359.50,010170,,,A*"), "{lines}");
    }
}
