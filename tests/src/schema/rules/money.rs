//! Money: the schema's pattern of a decimal is not anchored, and no schema adds up.

use serde_json::Value;

/// The amounts of a price.
const AMOUNTS: [&str; 7] = [
    "value",
    "estimated_value",
    "computed_value",
    "listed_value",
    "offered_value",
    "minimum_value",
    "maximum_value",
];

pub(super) fn faults(name: &str, value: &Value) -> Vec<String> {
    let mut faults = match name {
        "price" => price(value),
        "amount" => not_decimal(name, value).into_iter().collect(),
        _ => Vec::new(),
    };
    if name == "quote" {
        faults.extend(quote(value));
    }
    faults
}

/// A decimal as a whole, in hundredths.
fn hundredths(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "00"));
    let are_digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(part) {
        return None;
    }
    let part: i64 = match part.len() {
        1 => part.parse::<i64>().ok()? * 10,
        2 => part.parse().ok()?,
        _ => return None,
    };
    Some(sign * (whole.parse::<i64>().ok()?.checked_mul(100)? + part))
}

fn not_decimal(name: &str, value: &Value) -> Option<String> {
    hundredths(value).is_none().then(|| format!("{name} {value} is no decimal"))
}

fn price(price: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let amounts: Vec<_> =
        AMOUNTS.iter().filter_map(|name| Some((*name, price.get(name)?))).collect();
    if amounts.is_empty() || !price["currency"].is_string() {
        faults.push(format!("{price} is no amount of a currency"));
    }
    faults.extend(amounts.iter().filter_map(|(name, amount)| not_decimal(name, amount)));
    let least = hundredths(&price["minimum_value"]).unwrap_or(i64::MIN);
    let most = hundredths(&price["maximum_value"]).unwrap_or(i64::MAX);
    let is_within = |(_, amount): &(&str, &Value)| {
        hundredths(amount).is_none_or(|amount| (least..=most).contains(&amount))
    };
    if !amounts.iter().all(is_within) {
        faults.push(format!("{price} is not within its own bounds"));
    }
    faults
}

/// What is said beside `price` repeats it.
fn quote(quote: &Value) -> Vec<String> {
    let total = hundredths(&quote["price"]["value"]);
    let mut faults = Vec::new();
    if let Some(lines) = quote["breakup"].as_array() {
        let lines = lines.iter().map(|line| hundredths(&line["price"]["value"]));
        let sum: Option<i64> = lines.sum();
        if sum.is_none() || sum != total {
            faults.push(format!("the lines of {quote} do not add up to its price"));
        }
    }
    for name in ["value", "currency"] {
        if quote.get(name).is_some_and(|said| *said != quote["price"][name]) {
            faults.push(format!("{name} of {quote} is not that of its price"));
        }
    }
    faults
}
