//! Decimal fields as integers.

/// A decimal such as `123.45` times 10^`scale`, truncated beyond it; `None` if it is not a decimal or
/// does not fit. A sign is taken where `signed`.
pub(super) fn decimal(text: &str, scale: u32) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    let scaled = fraction.bytes().chain(core::iter::repeat(b'0')).take(scale as usize);
    for digit in whole.bytes().chain(scaled) {
        value = value.checked_mul(10)?.checked_add(i64::from(decimal_digit(digit)?))?;
    }
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(if negative { -value } else { value })
}

fn decimal_digit(digit: u8) -> Option<u8> {
    digit.is_ascii_digit().then(|| digit - b'0')
}

/// A number of exactly `digits` decimal digits at the start of `text`, and the rest.
pub(super) fn fixed(text: &str, digits: usize) -> Option<(u32, &str)> {
    let (head, rest) = text.split_at_checked(digits)?;
    if !head.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some((head.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_scaled_without_floating_point() {
        for (text, scale, value) in [
            ("0", 3, Some(0)),
            ("0.028", 3, Some(28)),
            ("62.8", 3, Some(62_800)),
            ("-30.0", 3, Some(-30_000)),
            (".5", 1, Some(5)),
            ("1.23456", 2, Some(123)),
            ("", 2, None),
            (".", 2, None),
            ("1.2x", 1, None),
            ("1.2.3", 1, None),
            ("--1", 1, None),
            ("99999999999999999999", 0, None),
        ] {
            assert_eq!(decimal(text, scale), value, "{text:?}");
        }
    }
}
