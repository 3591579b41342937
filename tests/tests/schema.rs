//! That the examination of callbacks finds what is wrong with one.

use serde_json::{Value, json};
use tripline_tests::schema::faults;
use tripline_tests::spec::spec_dir;

fn context(action: &str) -> Value {
    json!({
        "domain": "nic2004:60221", "country": "IND", "city": "std:080", "action": action,
        "core_version": "0.9.4", "bap_id": "bap.example", "bap_uri": "https://bap.example",
        "transaction_id": "t1", "message_id": "m1", "timestamp": "2026-01-31T08:30:00.000Z",
        "ttl": "PT1H30S",
    })
}

fn on_search() -> Value {
    let price = json!({ "currency": "INR", "value": "105.00", "estimated_value": "105.00",
        "minimum_value": "105", "maximum_value": "126.5" });
    let item = json!({ "id": "auto", "fulfillment_id": "ride", "payment_id": "cash",
        "category_id": "c", "location_id": "l", "price": price, "matched": true,
        "time": { "label": "ETA", "duration": "PT240S" }, "tags": { "groups/1/display": "true" } });
    let provider = json!({ "id": "p", "items": [item], "locations": [{ "id": "l" }],
        "fulfillments": [{ "id": "ride", "start": { "location": { "gps": "12.900000,77.6000000" } } }] });
    let catalog = json!({ "bpp/providers": [provider], "bpp/categories": [{ "id": "c" }],
        "bpp/payments": [{ "id": "cash", "type": "ON-FULFILLMENT" }] });
    json!({ "context": context("on_search"), "message": { "catalog": catalog } })
}

fn on_status() -> Value {
    let price = |value: &str| json!({ "currency": "INR", "value": value });
    let lines = json!([{ "title": "Base fare", "price": price("130.50") },
        { "title": "Offer", "price": price("-25.5") }]);
    let order = json!({
        "id": "o", "state": "ACTIVE",
        "items": [{ "id": "auto", "fulfillment_id": "f", "payment_id": "cash" }],
        "quote": { "price": price("105"), "breakup": lines, "ttl": "PT60S", "value": "105" },
        "fulfillment": { "id": "f", "tracking": true,
            "agent": { "name": "Raghav", "phone": "+91-98", "rateable": true } },
        "payment": { "id": "cash", "type": "ON-FULFILLMENT", "status": "NOT-PAID",
            "params": { "amount": "105.00", "currency": "INR" } },
        "updated_at": "2026-01-31T08:30:00+05:30",
    });
    json!({ "context": context("on_status"), "message": { "order": order } })
}

/// A body with another value at a place; null takes away what is there.
fn with(mut body: Value, pointer: &str, value: &Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).expect("there is such a place");
    match (parent, value) {
        (Value::Object(fields), Value::Null) => {
            fields.remove(name).expect("it was there");
        }
        (Value::Array(items), _) => items[name.parse::<usize>().expect("a number")] = value.clone(),
        (parent, _) => parent[name.replace("~1", "/")] = value.clone(),
    }
    body
}

const PROVIDER: &str = "/message/catalog/bpp~1providers/0";
const ITEM: &str = "/message/catalog/bpp~1providers/0/items/0";
const ORDER: &str = "/message/order";

/// That a change of this body is found, and in these words.
fn assert_found(body: &Value, place: &str, changes: &[(&str, Value, &str)]) {
    let action = body["context"]["action"].as_str().expect("an action");
    assert_eq!(faults(action, body), Vec::<String>::new());
    for (pointer, value, words) in changes {
        let changed = with(body.clone(), &format!("{place}{pointer}"), value);
        let found = faults(action, &changed);
        assert!(found.iter().any(|fault| fault.contains(words)), "{pointer} {value}: {found:?}");
    }
}

#[test]
fn ids_that_point_at_nothing_or_at_something_else_are_found() {
    let named_twice = json!([{ "id": "l" }, { "id": "l" }]);
    assert_found(
        &on_search(),
        "",
        &[
            (&format!("{ITEM}/fulfillment_id"), json!("x"), "fulfillment_id x is of nothing"),
            (&format!("{ITEM}/payment_id"), json!("x"), "payment_id x is of nothing"),
            (&format!("{ITEM}/category_id"), json!("x"), "category_id x is of nothing"),
            (&format!("{ITEM}/location_id"), json!("x"), "location_id x is of nothing"),
            (&format!("{PROVIDER}/locations"), json!(null), "location_id l is of nothing"),
            (&format!("{PROVIDER}/locations"), named_twice, "locations has l twice"),
        ],
    );
    assert_found(
        &on_status(),
        ORDER,
        &[
            ("/fulfillment/id", json!("g"), "fulfillment_id \"f\" is not the order's"),
            ("/payment/id", json!(null), "payment_id \"cash\" is not the order's"),
        ],
    );
}

#[test]
fn amounts_that_are_none_or_do_not_add_up_are_found() {
    let price = "quote/price";
    assert_found(
        &on_status(),
        "/message/order/",
        &[
            (&format!("{price}/value"), json!("104 - 105"), "is no decimal"),
            (&format!("{price}/value"), json!("105."), "is no decimal"),
            (&format!("{price}/value"), json!("105.001"), "is no decimal"),
            (&format!("{price}/value"), json!("+105"), "is no decimal"),
            (&format!("{price}/value"), json!("105.01"), "do not add up"),
            (&format!("{price}/currency"), json!(null), "is no amount of a currency"),
            (&format!("{price}/minimum_value"), json!("106"), "not within its own bounds"),
            ("quote/breakup/0/price/value", json!("130.51"), "do not add up"),
            ("quote/value", json!("104"), "is not that of its price"),
            ("payment/params/amount", json!("105 INR"), "is no decimal"),
        ],
    );
    assert_found(
        &on_search(),
        ITEM,
        &[
            ("/price/maximum_value", json!("104"), "not within its own bounds"),
            ("/price/estimated_value", json!("127"), "not within its own bounds"),
        ],
    );
}

#[test]
fn texts_without_their_form_are_found() {
    let gps = "/fulfillments/0/start/location/gps";
    for wrong in ["12.90000,77.600000", "12.900000", "91.000000,77.600000", "12.900000,x77.600000"]
    {
        assert_found(&on_search(), PROVIDER, &[(gps, json!(wrong), "is no `lat,lon`")]);
    }
    for wrong in ["P240S", "PT", "PTS", "PT5S3M", "PT-5S", "4 min", "PT5"] {
        let change = ("/time/duration", json!(wrong), "is no duration");
        assert_found(&on_search(), ITEM, &[change]);
    }
    assert_found(&on_search(), "", &[("/context/ttl", json!("P1D"), "is no duration")]);
    let change = ("/tags", json!({ "groups/1/display": true }), "has a value that is no text");
    assert_found(&on_search(), ITEM, &[change]);
}

#[test]
fn what_the_published_schema_forbids_is_found() {
    if spec_dir().is_none() {
        return;
    }
    assert_found(
        &on_status(),
        "",
        &[
            ("/context/transaction_id", json!(null), "transaction_id"),
            ("/context/timestamp", json!("yesterday"), "date-time"),
            ("/context/bap_uri", json!("bap.example"), "uri"),
            ("/context/action", json!("on_ride"), "on_ride"),
            ("/message/order", json!(null), "order"),
            // Through a reference to a property of another schema.
            ("/message/order/items/0/fulfillment_id", json!(7), "string"),
            // Of all that an order's item is, and beside it.
            ("/message/order/items/0/matched", json!("yes"), "boolean"),
            ("/message/order/items/0/id", json!(null), "id"),
            ("/message/order/fulfillment/agent/phone", json!(7), "string"),
            ("/message/order/payment/status", json!("OWED"), "OWED"),
            ("/message/order/payment/params/amount", json!("none"), "does not match"),
            ("/message/order/updated_at", json!("2026-01-31 08:30"), "date-time"),
        ],
    );
    assert_found(
        &on_search(),
        PROVIDER,
        &[
            ("/fulfillments/0/start/location/gps", json!("12.900000"), "does not match"),
            ("/items/0/tags/groups~11~1display", json!(true), "string"),
        ],
    );
    let unknown = "the schema has no such field";
    assert_found(
        &on_status(),
        ORDER,
        &[
            ("/fulfilment", json!({}), unknown),
            ("/items/0/fulfillmentId", json!("f"), unknown),
            ("/fulfillment/agent/mobile", json!("+91-98"), unknown),
        ],
    );
    let wrong = faults("on_ride", &on_status());
    assert!(wrong.iter().any(|fault| fault.contains("no path")), "{wrong:?}");
}

#[test]
fn the_form_that_the_schema_forgot_among_its_actions_is_held_to_the_rest_of_it() {
    if spec_dir().is_none() {
        return;
    }
    let element = json!({ "id": "1", "question": "How was it?", "answer_type": "text" });
    let form = json!({
        "context": context("feedback_form"), "message": { "feedback_form": [element] },
    });
    assert_found(
        &form,
        "",
        &[
            ("/context/action", json!("form"), "form"),
            ("/context/domain", json!(null), "domain"),
            ("/message/feedback_form/0/answer_type", json!("shout"), "shout"),
        ],
    );
}
