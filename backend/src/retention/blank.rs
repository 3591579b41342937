//! Taking people out of what was stored, and leaving what accounts need: amounts, dates and ids.

use serde_json::{Map, Value};
use tripline_protocol::id::TripId;
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::trail::{GapReason, TrailBatch, TrailEntry};
use tripline_protocol::link::up::{EventBatch, EventBody, Stream};
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::Timestamp;

use crate::domain::typed::clear_typed;
use crate::store::erase::phone_digits;

/// To what a place is rounded, in 1e-7 degree: 0.1 degree, some 11 km. It tells the city.
const COARSE_E7: i64 = 1_000_000;

/// Takes the rider out of an order's JSON: who it was, the OTP, and where from and where to.
pub(super) fn blank_rider(order: &mut Value) {
    for key in ["rider", "otp"] {
        if let Some(value) = order.get_mut(key) {
            *value = Value::Null;
        }
    }
    walk(order, &mut |object| {
        if let Some(address) = object.get_mut("address") {
            *address = Value::String(String::new());
        }
        for key in ["lat_e7", "lon_e7"] {
            if let Some(degrees) = object.get(key).and_then(Value::as_i64) {
                object.insert(key.into(), (degrees / COARSE_E7 * COARSE_E7).into());
            }
        }
    });
}

/// Takes a driver out of every vehicle of an order's JSON that names them; says whether any did. A vehicle knows
/// its driver by id; one of before there were ids, by the phone alone.
pub(super) fn blank_driver(order: &mut Value, id: &str, phone: &str) -> bool {
    let mut found = false;
    let digits = phone_digits(phone);
    let is_theirs = |vehicle: &Map<String, Value>| {
        if let Some(driver) = vehicle.get("driver").and_then(Value::as_str) {
            return driver == id;
        }
        let known = vehicle.get("driver_phone").and_then(Value::as_str);
        digits.is_some() && known.and_then(phone_digits) == digits
    };
    walk(order, &mut |object| {
        if !object.contains_key("driver_phone") || !is_theirs(object) {
            return;
        }
        for key in ["driver_name", "driver_phone"] {
            if object.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty()) {
                object.insert(key.into(), Value::String(String::new()));
                found = true;
            }
        }
    });
    found
}

/// Shows every object in it, the outer before the inner.
fn walk(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            change(object);
            object.values_mut().for_each(|inner| walk(inner, change));
        }
        Value::Array(values) => values.iter_mut().for_each(|inner| walk(inner, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Events without the places where they happened and without what was typed; `None` if they tell neither. What
/// cannot be read is emptied.
pub(super) fn blank_events(payload: &[u8]) -> Option<Vec<u8>> {
    if payload.is_empty() {
        return None;
    }
    let Ok(mut batch) = decode::<EventBatch>(payload) else { return Some(Vec::new()) };
    let mut found = false;
    for event in &mut batch.records {
        found |= event.fix.take().is_some() | clear_typed(&mut event.body);
        // The vehicle's own fare says where it stopped.
        if let EventBody::Trip { step: TripStep::Stop { fare }, .. } = &mut event.body {
            found |= fare.usage.stopped_at.take().is_some();
        }
    }
    found.then(|| encode(&batch))
}

/// Whether a batch that was set aside tells of a trip between two times, by its times or by the trip's name.
/// One that cannot be read may.
pub(super) fn tells_of(
    lane: Stream,
    payload: &[u8],
    trip: TripId,
    (from, until): (Timestamp, Timestamp),
) -> bool {
    let is_within = |at: Timestamp| (from..=until).contains(&at);
    match lane {
        Stream::Event => decode::<EventBatch>(payload).map_or(true, |batch| {
            // A provisional time says nothing.
            batch.records.iter().any(|event| {
                is_within(event.at) || !event.gnss_time || event.body.trip() == Some(trip)
            })
        }),
        Stream::Trail => decode::<TrailBatch>(payload).map_or(true, |batch| {
            batch.entries.iter().any(|entry| entry.fix().is_some_and(|fix| is_within(fix.at)))
        }),
    }
}

/// A trail batch with the fixes between two times as a declared gap, and how many they are; `None` if it has
/// none. One that cannot be read is emptied.
pub(super) fn blank_trail(
    payload: &[u8],
    (from, until): (Timestamp, Timestamp),
) -> Option<(Vec<u8>, u64)> {
    if payload.is_empty() {
        return None;
    }
    let Ok(mut batch) = decode::<TrailBatch>(payload) else { return Some((Vec::new(), 0)) };
    let mut fixes = 0;
    for entry in &mut batch.entries {
        if entry.fix().is_some_and(|fix| (from..=until).contains(&fix.at)) {
            *entry = TrailEntry::Gap { fixes: 1, reason: GapReason::Thinned };
            fixes += 1;
        }
    }
    (fixes > 0).then(|| (encode(&batch), fixes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order() -> Value {
        json!({
            "id": "o", "state": "completed", "otp": "4711",
            "rider": { "name": "Asha", "phone": "+91-9800000001" },
            "route": { "pickup": { "address": "MG Road", "position": { "lat_e7": 129_716_001, "lon_e7": -775_946_001 } } },
            "terms": { "estimate": { "pickup": { "lat_e7": 129_716_001, "lon_e7": -775_946_001 } } },
            "proposal": { "drop": { "address": "MG Road", "position": { "lat_e7": 129_716_001, "lon_e7": -775_946_001 } } },
            "offers": [
                { "vehicle": { "driver": "meera", "driver_name": "Meera", "driver_phone": "+91-97" } },
                { "vehicle": { "driver_name": "Raghav", "driver_phone": "+91-9800000002" } },
            ],
            "trip": { "vehicle": { "driver": "raghav", "driver_name": "Raghav K", "driver_phone": "+91-96" } },
            "past_trips": [{ "vehicle":
                { "driver": "anu", "driver_name": "Anu", "driver_phone": "09800000002" } }],
            "settlement": { "total": 6000, "lines": [{ "name": "GST", "amount": 300 }] },
        })
    }

    #[test]
    fn without_its_rider_an_order_tells_what_was_paid_and_in_which_city() {
        let mut blank = order();
        blank_rider(&mut blank);
        for key in ["rider", "otp"] {
            assert_eq!(blank[key], Value::Null);
        }
        let coarse = json!({ "lat_e7": 129_000_000, "lon_e7": -775_000_000 });
        assert_eq!(blank["route"]["pickup"], json!({ "address": "", "position": coarse }));
        assert_eq!(blank["terms"]["estimate"]["pickup"], coarse);
        assert_eq!(blank["proposal"]["drop"], blank["route"]["pickup"]);
        for key in ["id", "state", "offers", "trip", "past_trips", "settlement"] {
            assert_eq!(blank[key], order()[key], "{key}");
        }
    }

    #[test]
    fn a_driver_is_taken_out_by_id_and_by_phone_where_there_is_none_and_nobody_else() {
        let mut blank = order();
        assert!(blank_driver(&mut blank, "raghav", "+91-9800000002"));
        let text = blank.to_string();
        assert!(!text.contains("Raghav"), "{text}");
        assert_eq!(blank["trip"]["vehicle"]["driver"], "raghav");
        assert_eq!(blank["trip"]["vehicle"]["driver_phone"], "", "of another phone by then");
        assert_eq!(blank["offers"][1]["vehicle"]["driver_phone"], "");
        assert_eq!(blank["offers"][0], order()["offers"][0]);
        assert_eq!(blank["past_trips"], order()["past_trips"], "who has the phone now");
        assert_eq!(blank["rider"], order()["rider"]);
        assert_eq!(blank["settlement"], order()["settlement"]);
        assert!(!blank_driver(&mut blank, "raghav", "+91-9800000002"), "once");
    }

    #[test]
    fn what_cannot_be_read_is_emptied_once() {
        assert_eq!(blank_events(&[9, 9]), Some(Vec::new()));
        let times = (Timestamp::from_unix_ms(0), Timestamp::from_unix_ms(1));
        assert_eq!(blank_trail(&[9, 9], times), Some((Vec::new(), 0)));
        assert_eq!(blank_events(&[]), None);
        assert_eq!(blank_trail(&[], times), None);
    }
}
