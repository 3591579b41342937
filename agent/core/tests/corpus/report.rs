//! gpsd's own reports of a log, from its `.chk`.

use serde_json::Value;

/// A `TPV` report that has a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Report {
    /// Unix time in ms, where gpsd knew it.
    pub(crate) unix_ms: Option<i64>,
    /// Latitude in degrees.
    pub(crate) lat_deg: f64,
    /// Longitude in degrees.
    pub(crate) lon_deg: f64,
}

/// Every report with a position, in order. gpsd reports an epoch again whenever it has learnt more
/// of it, at first perhaps without its time.
pub(crate) fn reports(chk: &[u8]) -> Vec<Report> {
    let lines = chk.split(|byte| *byte == b'\n');
    lines.filter(|line| line.starts_with(br#"{"class":"TPV""#)).filter_map(report).collect()
}

fn report(line: &[u8]) -> Option<Report> {
    let tpv: Value = serde_json::from_slice(line).expect("a TPV report is JSON");
    let unix_ms = tpv["time"].as_str().map(unix_ms);
    Some(Report { unix_ms, lat_deg: tpv["lat"].as_f64()?, lon_deg: tpv["lon"].as_f64()? })
}

/// `2015-03-02T05:32:33.438Z`.
fn unix_ms(text: &str) -> i64 {
    let number = |from: usize, to: usize| -> i64 { text[from..to].parse().expect("digits") };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Days since 1970-01-01 by counting whole years and months: slow, plain and not the agent's way.
    let is_leap = |year: i64| year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    let of_years: i64 = (1970..year).map(|year| 365 + i64::from(is_leap(year))).sum();
    let february = 28 + i64::from(is_leap(year));
    let of_months: i64 = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30]
        .iter()
        .take(usize::try_from(month - 1).expect("a month"))
        .sum();
    let hours = (of_years + of_months + day - 1) * 24 + number(11, 13);
    ((hours * 60 + number(14, 16)) * 60 + number(17, 19)) * 1000 + number(20, 23)
}
