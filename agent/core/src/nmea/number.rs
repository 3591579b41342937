//! Decimal fields as integers.

/// A decimal such as `123.45` times 10^`scale`, truncated beyond it; `None` if it is not a decimal or
/// does not fit.
pub(super) fn decimal(text: &[u8], scale: u32) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut value: i64 = 0;
    let mut wanted = scale;
    let mut point = false;
    let mut empty = true;
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                empty = false;
                if point {
                    if wanted == 0 {
                        continue;
                    }
                    wanted -= 1;
                }
                value = value.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
            }
            b'.' if !point => point = true,
            _ => return None,
        }
    }
    if empty {
        return None;
    }
    let value = value.checked_mul(10_i64.checked_pow(wanted)?)?;
    Some(if negative { -value } else { value })
}

/// A number without sign or point that fits.
pub(super) fn whole(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u32, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        value.checked_mul(10)?.checked_add(u32::from(digit))
    })
}

/// A number of exactly `N` decimal digits (at most 9) at the start of `text`, and the rest.
pub(super) fn fixed<const N: usize>(text: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = text.split_first_chunk::<N>()?;
    let mut value = 0;
    for byte in head {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u32::from(byte - b'0');
    }
    Some((value, rest))
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
            ("5.", 1, Some(50)),
            ("1.23456", 2, Some(123)),
            ("", 2, None),
            (".", 2, None),
            ("1.2x", 1, None),
            ("1.2.3", 1, None),
            ("--1", 1, None),
            ("99999999999999999999", 0, None),
            ("9999999999999999", 9, None),
        ] {
            assert_eq!(decimal(text.as_bytes(), scale), value, "{text:?}");
        }
    }

    #[test]
    fn whole_numbers_have_neither_sign_nor_point() {
        for (text, value) in
            [("07", Some(7)), ("", None), ("-1", None), ("1.0", None), ("99999999999", None)]
        {
            assert_eq!(whole(text.as_bytes()), value, "{text:?}");
        }
        assert_eq!(fixed::<2>(b"0713"), Some((7, &b"13"[..])));
        assert_eq!(fixed::<2>(b"7"), None);
        assert_eq!(fixed::<2>(b"+7"), None);
    }
}
