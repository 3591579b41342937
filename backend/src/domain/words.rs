//! Figures as people read them.

use jiff::Timestamp as Instant;
use jiff::tz::TimeZone;
use tripline_protocol::unit::{Paise, Timestamp};

/// `3,333`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 device`, `2 devices`, `0 entries`, `3 batches`.
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 {
        return format!("1 {noun}");
    }
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match stem {
        Some(stem) => format!("{count} {stem}ies"),
        None if noun.ends_with("ch") || noun.ends_with('x') => format!("{count} {noun}es"),
        None => format!("{count} {noun}s"),
    }
}

/// `3,333 m`.
pub fn metres(m: u64) -> String {
    format!("{} m", grouped(m))
}

/// `1 h 2 min 3 s`, without what is zero.
pub fn duration(s: u64) -> String {
    let parts = [(s / 3_600, "h"), (s / 60 % 60, "min"), (s % 60, "s")];
    let told: Vec<_> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{} {unit}", grouped(*count)))
        .collect();
    if told.is_empty() { "0 s".into() } else { told.join(" ") }
}

/// `Rs 49.50`, `-Rs 3.00`.
pub fn rupees(amount: Paise) -> String {
    let sign = if amount.0 < 0 { "-" } else { "" };
    let size = Paise(amount.0.saturating_abs());
    format!("{sign}Rs {size}")
}

/// `5 %`, `2.5 %`.
pub fn percent(basis_points: u64) -> String {
    let (whole, part) = (basis_points / 100, basis_points % 100);
    match part {
        0 => format!("{whole} %"),
        _ if part % 10 == 0 => format!("{whole}.{} %", part / 10),
        _ => format!("{whole}.{part:02} %"),
    }
}

/// `2026-11-29 23:10:05 IST`.
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    let instant = Instant::from_millisecond(at.unix_ms).unwrap_or(Instant::UNIX_EPOCH);
    instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// `22:00` of minutes after midnight.
pub fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_write_them() {
        let told = [0, 7, 999, 1_000, 1_234_567].map(grouped).join(" ");
        assert_eq!(told, "0 7 999 1,000 1,234,567");
        let counts = [(1, "entry"), (2, "entry"), (0, "day"), (3, "batch"), (1, "fix"), (2, "fix")];
        let told = counts.map(|(count, noun)| counted(count, noun)).join(", ");
        assert_eq!(told, "1 entry, 2 entries, 0 days, 3 batches, 1 fix, 2 fixes");
        assert_eq!([0, 59, 3_600, 3_723].map(duration).join("; "), "0 s; 59 s; 1 h; 1 h 2 min 3 s");
        assert_eq!([Paise(4_950), Paise(-300)].map(rupees).join(" "), "Rs 49.50 -Rs 3.00");
        assert_eq!([500, 250, 1_825, 5].map(percent).join("; "), "5 %; 2.5 %; 18.25 %; 0.05 %");
        let zone = crate::domain::night::zone("Asia/Kolkata").expect("built in");
        let then = local(Timestamp::from_unix_ms(1_800_000_000_000), &zone);
        assert_eq!(then, "2027-01-15 13:30:00 IST");
    }
}
