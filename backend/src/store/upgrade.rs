//! Bodies of orders as earlier versions wrote them, brought to the form of this one. What they did not know is
//! left out or unknown; what they knew is kept.

use serde_json::{Map, Value, json};
use tripline_protocol::machine::Machine as _;
use tripline_protocol::trip::TripState;

/// The form in which bodies are written.
pub(super) const BODY_VERSION: i64 = 2;

/// How long a trip of before is given until its device counts as silent, in ms: six hours.
const LOOK_MS: i64 = 6 * 3_600_000;

/// A body of this version, of one of that version.
pub(super) fn upgraded(version: i64, mut body: Value) -> Value {
    if version < 2
        && let Some(order) = body.as_object_mut()
    {
        listing(order);
        price(order);
        payment(order);
        cancellation(order);
        cases(order);
        trip(order);
    }
    body
}

/// There was one provider, whom the configuration named and no order.
fn listing(order: &mut Map<String, Value>) {
    let offers = at(order, "/offers");
    let category = offers.pointer("/0/vehicle/category").cloned().unwrap_or_default();
    let of_before = json!({
        "provider_id": "unknown",
        "provider_name": "",
        "item_name": at(order, "/item_id"),
        "vehicle_category": category.as_str().unwrap_or_default(),
    });
    order.entry("listing").or_insert(of_before);
}

/// A flat tariff and an estimated distance become terms; fares get what they were computed from.
fn price(order: &mut Map<String, Value>) {
    if let Some(mut tariff) = order.remove("tariff") {
        let distance = order.remove("estimated_distance_m").unwrap_or_else(|| json!(0));
        fare(order.get_mut("quote"), &tariff);
        let settled = order.get_mut("settlement").and_then(|it| it.get_mut("charged"));
        fare(settled, &tariff);
        let per_km = tariff.as_object_mut().and_then(|it| it.remove("per_km_paise"));
        let from = tariff["base_distance_m"].clone();
        tariff["bands"] =
            json!([{ "from_m": from, "per_km_paise": per_km.unwrap_or_else(|| json!(0)) }]);
        let pickup = at(order, "/route/pickup/position");
        let drop = at(order, "/route/drop/position");
        let estimate = json!({
            "distance_m": distance,
            "duration_s": at(order, "/quote/usage/riding_s"),
            "start_at": at(order, "/created_at"),
            "drop": if drop.is_null() { pickup.clone() } else { drop },
            "pickup": pickup,
        });
        let terms =
            json!({ "tariff": tariff, "nights": [], "discounts": [], "estimate": estimate });
        order.insert("terms".into(), terms);
    }
}

fn fare(fare: Option<&mut Value>, tariff: &Value) {
    let Some(fare) = fare.filter(|fare| fare.is_object()) else { return };
    let usage = fare["usage"].clone();
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let beyond = |used: &str, free: &str| (number(&usage[used]) - number(&tariff[free])).max(0);
    for line in fare["lines"].as_array_mut().into_iter().flatten() {
        let (quantity, rate) = match line["kind"].as_str() {
            Some("distance") => (beyond("distance_m", "base_distance_m"), &tariff["per_km_paise"]),
            Some("time") => (number(&usage["riding_s"]), &tariff["per_minute_paise"]),
            Some("waiting") => {
                (beyond("waiting_s", "waiting_free_s"), &tariff["waiting_per_minute_paise"])
            }
            Some("minimum") => (1, &tariff["minimum_paise"]),
            Some("rounding") => (1, &tariff["rounding_paise"]),
            Some(_) | None => (1, &line["amount"]),
        };
        let rate = rate.clone();
        line["name"] = json!("");
        line["quantity"] = json!(quantity);
        line["rate"] = rate;
    }
    fare["billed_m"] = usage["distance_m"].clone();
    for (key, value) in [
        ("bridged_m", json!(0)),
        ("paused_s", json!(0)),
        ("fixes", json!(0)),
        ("refused", json!(0)),
        ("started_at", Value::Null),
        ("stopped_at", Value::Null),
        ("extras", json!([])),
    ] {
        fare["usage"][key] = value;
    }
}

/// Every ride was paid in cash to its driver.
fn payment(order: &mut Map<String, Value>) {
    let collected = match order.remove("collected") {
        Some(amount) if !amount.is_null() => {
            json!({ "amount": amount, "at": at(order, "/updated_at"), "driver": null })
        }
        Some(_) | None => Value::Null,
    };
    let payment = json!({ "method": "cash", "collected_by": "bpp", "collected": collected });
    order.insert("payment".into(), payment);
}

/// Only drivers called rides off.
fn cancellation(order: &mut Map<String, Value>) {
    let cancelled = match order.remove("cancel_reason") {
        Some(reason) if !reason.is_null() => json!({
            "by": "driver", "name": null, "reason": reason, "at": at(order, "/updated_at"),
            "fare": null,
        }),
        Some(_) | None => Value::Null,
    };
    order.insert("cancelled".into(), cancelled);
}

fn cases(order: &mut Map<String, Value>) {
    let cases = order.get_mut("cases").and_then(Value::as_array_mut).into_iter().flatten();
    for (number, case) in (1..).zip(cases) {
        case["number"] = json!(number);
        case["kind"] = json!("other");
        for key in ["trip", "driven", "resolved"] {
            case[key] = Value::Null;
        }
    }
}

/// The trip was read once: what was told and what was driven were the same.
fn trip(order: &mut Map<String, Value>) {
    let updated_at = at(order, "/updated_at");
    let Some(trip) = order.get_mut("trip").filter(|trip| trip.is_object()) else { return };
    meter(&mut trip["meter"]);
    let state = trip["state"].as_str().and_then(|code| code.parse::<TripState>().ok());
    let over = state.is_none_or(TripState::is_terminal);
    let look_at = updated_at["unix_ms"].as_i64().unwrap_or(0).saturating_add(LOOK_MS);
    let since = trip.pointer("/meter/run/Riding/since").cloned();
    let reading = since.unwrap_or_else(|| {
        json!({
            "steady": { "ms": 0 }, "odometer": { "mm": 0 }, "bridged": { "mm": 0 },
            "fixes": 0, "refused": 0,
        })
    });
    for (key, value) in [
        ("ours", json!(true)),
        ("driven", trip["state"].clone()),
        ("held", json!(!over)),
        ("reading", reading),
        ("vehicle_fare", Value::Null),
        ("ended_at", if over { trip["phase_at"].clone() } else { Value::Null }),
        ("otp", json!({ "tries": 0, "offline_start": false })),
        ("asked", json!([])),
        ("closed", Value::Null),
        ("heard_at", updated_at),
        ("look_at", if over { Value::Null } else { json!({ "unix_ms": look_at }) }),
        ("facts", json!([])),
        // There were some: what is read once more without them would be wrong.
        ("facts_left_out", json!(1)),
    ] {
        trip[key] = value;
    }
}

fn meter(meter: &mut Value) {
    for (key, value) in [
        ("paused_ms", json!(0)),
        ("fixes", json!(0)),
        ("refused", json!(0)),
        ("started_at", Value::Null),
        ("stopped_at", Value::Null),
        ("extras", json!([])),
    ] {
        if meter.get(key).is_none() {
            meter[key] = value;
        }
    }
    if let Some(since) = meter.pointer_mut("/run/Riding/since") {
        for key in ["fixes", "refused"] {
            if since.get(key).is_none() {
                since[key] = json!(0);
            }
        }
    }
}

fn at(order: &Map<String, Value>, pointer: &str) -> Value {
    let mut keys = pointer.split('/').skip(1);
    let first = keys.next().and_then(|key| order.get(key));
    let found = keys.fold(first, |value, key| value.and_then(|value| value.get(key)));
    found.cloned().unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::Order;
    use tripline_protocol::unit::Paise;

    /// Bodies that a version of before wrote, one a line.
    const BODIES: &str = include_str!("../../tests/data/orders_of_before.jsonl");

    fn orders() -> Vec<Order> {
        let read = |line: &str| {
            let body = serde_json::from_str(line).expect("JSON");
            serde_json::from_value(upgraded(1, body)).expect("an order")
        };
        BODIES.lines().map(read).collect()
    }

    #[test]
    fn every_state_of_an_order_of_before_is_read_and_says_the_same() {
        for order in orders() {
            let of_trip = order.trip.as_ref().map(|trip| (trip.state, trip.driven));
            assert!(of_trip.is_none_or(|(told, driven)| told == driven), "{}", order.state);
            assert_eq!(order.terms.estimate.distance_m, 3_000);
            assert_eq!(order.terms.tariff.bands[0].per_km_paise, Paise(1_500));
            assert_eq!(order.terms.tariff.check(), Ok(()));
            let text = serde_json::to_value(&order).expect("written");
            let again: Order = serde_json::from_value(text).expect("read again");
            assert_eq!(again, order);
        }
    }

    #[test]
    fn money_taken_fares_charged_reasons_and_cases_of_before_are_kept() {
        let orders = orders();
        let completed = orders.iter().find(|order| order.settlement.is_some()).expect("one");
        assert_eq!(completed.fare().total(), Paise(6_000));
        assert_eq!(completed.fare().lines[1].quantity, 2_000);
        assert_eq!(completed.payment.amount(), Some(Paise(6_000)));
        assert_eq!(completed.cases.len(), 1);
        let reasons: Vec<_> =
            orders.iter().filter_map(|order| Some(&order.cancelled.as_ref()?.reason)).collect();
        assert_eq!(reasons, ["the rider did not come", "flat tyre"]);
        let riding = orders.iter().find(|order| order.trip.as_ref().is_some_and(|t| t.held));
        assert!(riding.expect("one").due_at().is_some(), "it is looked at whether it is silent");
    }
}
