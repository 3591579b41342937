//! Texts with a form: positions, durations, tags.

use serde_json::Value;

/// Fewest decimals of a coordinate: a ninth of a metre.
const DECIMALS_MIN: usize = 6;

pub(super) fn faults(name: &str, value: &Value) -> Vec<String> {
    let fault = match name {
        "gps" => (!is(value, is_gps)).then(|| format!("{value} is no `lat,lon` of 6 decimals")),
        "duration" | "ttl" | "frequency" => {
            (!is(value, is_duration)).then(|| format!("{value} is no duration `PT...`"))
        }
        "tags" => (!are_texts(value)).then(|| format!("{value} has a value that is no text")),
        _ => None,
    };
    fault.into_iter().collect()
}

fn is(value: &Value, form: impl Fn(&str) -> bool) -> bool {
    value.as_str().is_some_and(form)
}

fn is_gps(text: &str) -> bool {
    text.split_once(',').is_some_and(|(lat, lon)| {
        let within = |text: &str, bound: f64| {
            let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            decimals >= DECIMALS_MIN && text.parse::<f64>().is_ok_and(|it| it.abs() <= bound)
        };
        within(lat, 90.0) && within(lon, 180.0)
    })
}

/// Hours, minutes and seconds, in this order, whole, and at least one of them.
fn is_duration(text: &str) -> bool {
    let Some(mut rest) = text.strip_prefix("PT") else { return false };
    for unit in ['H', 'M', 'S'] {
        if let Some((number, behind)) = rest.split_once(unit) {
            if number.is_empty() || !number.bytes().all(|it| it.is_ascii_digit()) {
                return false;
            }
            rest = behind;
        }
    }
    rest.is_empty() && text.len() > "PT".len()
}

fn are_texts(tags: &Value) -> bool {
    tags.as_object().is_some_and(|tags| tags.values().all(Value::is_string))
}
