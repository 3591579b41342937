//! Fields as this dialect writes them: positions, times, durations, money, addresses.

use jiff::Timestamp as Instant;
use serde_json::{Value, json};
use tripline_protocol::assignment::Place;
use tripline_protocol::unit::{Paise, Position, Timestamp};

use super::codes::CURRENCY;
use crate::beckn::{Fault, FaultKind};

/// Longest text taken from a request's field, in bytes: names, phones, ids.
const TEXT_LEN_MAX: usize = 256;

/// Longest address line kept, in bytes.
const ADDRESS_LEN_MAX: usize = 300;

/// A schema fault at `path`.
pub(super) fn fault(path: &str, message: &str) -> Fault {
    Fault { kind: FaultKind::Schema, path: Some(path.into()), message: format!("{path} {message}") }
}

/// The text at `pointer`, if there is one: not empty, not longer than any sensible one.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> Result<Option<&'v str>, Fault> {
    match value.pointer(pointer) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.contains(char::is_control) => {
            Err(fault(&dotted(pointer), "has a control character"))
        }
        Some(Value::String(text)) if text.len() <= TEXT_LEN_MAX => Ok(Some(text)),
        Some(Value::String(_)) => {
            Err(fault(&dotted(pointer), &format!("is longer than {TEXT_LEN_MAX} bytes")))
        }
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(fault(&dotted(pointer), "must be a string"))
        }
    }
}

/// Longest text of several words that is taken, in bytes.
const WORDS_LEN_MAX: usize = 1_000;

/// What somebody wrote at `pointer`, if there is anything: line breaks and the like become blanks.
pub(super) fn words(value: &Value, pointer: &str) -> Result<Option<String>, Fault> {
    let Some(Value::String(written)) = value.pointer(pointer) else {
        return Ok(text(value, pointer)?.map(str::to_owned));
    };
    if written.len() > WORDS_LEN_MAX {
        return Err(fault(&dotted(pointer), &format!("is longer than {WORDS_LEN_MAX} bytes")));
    }
    let plain: Vec<_> = written
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|w| !w.is_empty())
        .collect();
    Ok((!plain.is_empty()).then(|| plain.join(" ")))
}

/// The text at `pointer`, which must be there.
pub(super) fn required<'v>(value: &'v Value, pointer: &str) -> Result<&'v str, Fault> {
    text(value, pointer)?.ok_or_else(|| fault(&dotted(pointer), "is missing"))
}

/// `/message/order/id` as `message.order.id`.
pub(super) fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// The place of a fulfillment's `start` or `end`, if there is one.
pub(super) fn place(value: &Value, pointer: &str) -> Result<Option<Place>, Fault> {
    let gps = format!("{pointer}/location/gps");
    let Some(text) = text(value, &gps)? else { return Ok(None) };
    let position = position(text).ok_or_else(|| {
        fault(&dotted(&gps), "must be \"latitude,longitude\" in degrees, 12.9,77.6 for instance")
    })?;
    let address =
        value.pointer(&format!("{pointer}/location/address")).map(address_line).unwrap_or_default();
    Ok(Some(Place { position, address }))
}

/// `lat,lon` in degrees with any number of decimals, blanks permitted, to 1e-7 degree.
fn position(text: &str) -> Option<Position> {
    let (lat, lon) = text.trim_matches(['(', ')']).split_once(',')?;
    Position::new(degrees_e7(lat.trim())?, degrees_e7(lon.trim())?).ok()
}

fn degrees_e7(text: &str) -> Option<i32> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    // Eight digits, the last for rounding.
    let eight: String = fraction.chars().chain("00000000".chars()).take(8).collect();
    let e8 = whole.parse::<i64>().ok()? * 100_000_000 + eight.parse::<i64>().ok()?;
    let e7 = i32::try_from((e8 + 5) / 10).ok()?;
    Some(if negative { -e7 } else { e7 })
}

/// An address as one line, each part once, empty and null parts left out.
fn address_line(value: &Value) -> String {
    const PARTS: [&str; 8] =
        ["name", "door", "building", "street", "locality", "ward", "city", "area_code"];
    let mut parts: Vec<&str> = Vec::new();
    match value {
        Value::String(line) => parts.push(line),
        Value::Object(fields) => {
            for part in PARTS {
                let text = fields.get(part).and_then(Value::as_str).unwrap_or("").trim();
                if !text.is_empty() && !parts.contains(&text) {
                    parts.push(text);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
    }
    let mut line = parts.join(", ");
    while line.len() > ADDRESS_LEN_MAX {
        line.pop();
    }
    line
}

/// A place as this dialect writes it.
pub(super) fn location(place: &Place) -> Value {
    let mut location = json!({ "gps": place.position.to_string() });
    if !place.address.is_empty() {
        location["address"] = json!({ "name": place.address });
    }
    location
}

/// A decimal number in hundredths, as peers write it: as text or as a number, `81`, `81.5`, `81.50`. Finer parts
/// must be zero. `None` if there is none; an error if it is no such number.
pub(super) fn hundredths(value: &Value, pointer: &str) -> Result<Option<i64>, Fault> {
    let must = "must be a decimal number with two places at most, \"81.50\" for instance";
    let written = match value.pointer(pointer) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => String::new(),
    };
    parse_hundredths(&written).map(Some).ok_or_else(|| fault(&dotted(pointer), must))
}

fn parse_hundredths(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let sensible = !fraction.is_empty() && whole.len() + fraction.len() <= 18;
    if !sensible
        || !all_digits(whole)
        || !all_digits(fraction)
        || (whole.is_empty() && fraction == "0")
    {
        return None;
    }
    let (cents, finer) = fraction.split_at(fraction.len().min(2));
    if finer.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let cents: i64 = format!("{cents:0<2}").parse().ok()?;
    whole.checked_mul(100)?.checked_add(cents)?.checked_mul(sign)
}

/// An amount of money in a request.
pub(super) fn amount(value: &Value, pointer: &str) -> Result<Option<Paise>, Fault> {
    Ok(hundredths(value, pointer)?.map(Paise))
}

/// A time as peers write it: RFC 3339, with `Z` or an offset.
pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    let at: Instant = text.parse().ok()?;
    Some(Timestamp::from_unix_ms(at.as_millisecond()))
}

/// RFC 3339, to the millisecond.
pub(super) fn time(at: Timestamp) -> String {
    Instant::from_millisecond(at.unix_ms).unwrap_or(Instant::UNIX_EPOCH).to_string()
}

/// A price.
pub(super) fn price(amount: Paise) -> Value {
    json!({ "currency": CURRENCY, "value": amount.to_string() })
}

/// A price with the range that it may come to, where one is told.
pub(super) fn ranged(mut price: Value, least: Paise, most: Option<Paise>) -> Value {
    if let Some(most) = most {
        price["minimum_value"] = json!(least.to_string());
        price["maximum_value"] = json!(most.to_string());
    }
    price
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_told_beside_the_price_where_there_is_one() {
        let least = Paise(10_500);
        assert_eq!(ranged(price(least), least, None), price(least));
        let told = ranged(price(least), least, Some(Paise(12_600)));
        assert_eq!(told["value"], "105.00");
        assert_eq!(
            (&told["minimum_value"], &told["maximum_value"]),
            (&"105.00".into(), &"126.00".into())
        );
    }

    #[test]
    fn positions_come_with_and_without_blanks_and_with_any_number_of_decimals() {
        for (text, printed) in [
            ("12.923608703179461, 77.61462964117527", "12.9236087,77.6146296"),
            ("12.9,77.6", "12.9000000,77.6000000"),
            ("-0.00000005,+180", "-0.0000001,180.0000000"),
            ("(12.87,77.99)", "12.8700000,77.9900000"),
        ] {
            assert_eq!(position(text).map(|p| p.to_string()).as_deref(), Some(printed), "{text}");
        }
        for text in ["", "12.9", "12.9;77.6", "91,0", "0,181", "a,b", "1e1,2", "12.9,", "--1,2"] {
            assert_eq!(position(text), None, "{text:?}");
        }
    }

    #[test]
    fn decimals_are_read_to_the_hundredth_and_no_further() {
        for (written, expected) in [
            ("81", Some(8_100)),
            ("81.5", Some(8_150)),
            ("81.50", Some(8_150)),
            ("0.05", Some(5)),
            (".5", Some(50)),
            ("-3.25", Some(-325)),
            ("+7.000", Some(700)),
            ("81.505", None),
            ("156 - 176 INR", None),
            ("", None),
            (".", None),
            ("1.", None),
            ("--1", None),
            ("1e3", None),
            ("999999999999999999999", None),
        ] {
            assert_eq!(parse_hundredths(written), expected, "{written:?}");
        }
        let value = json!({ "a": 4, "b": 4.5, "c": true, "d": null });
        assert_eq!(hundredths(&value, "/a"), Ok(Some(400)));
        assert_eq!(hundredths(&value, "/b"), Ok(Some(450)));
        assert!(hundredths(&value, "/c").is_err());
        assert_eq!(hundredths(&value, "/d"), Ok(None));
    }

    #[test]
    fn an_address_becomes_one_line_without_nulls_and_repetitions() {
        let value = json!({
            "door": null, "building": "Main Rd", "street": "Ramanjaneyanagar",
            "locality": "Uttarahalli", "ward": "Uttarahalli", "area_code": "", "city": "Bengaluru"
        });
        assert_eq!(address_line(&value), "Main Rd, Ramanjaneyanagar, Uttarahalli, Bengaluru");
        assert_eq!(address_line(&json!("just a line")), "just a line");
        assert_eq!(address_line(&json!(7)), "");
    }
}
