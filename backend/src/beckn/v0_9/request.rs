//! Requests: JSON to the domain's terms.

use serde_json::Value;
use tripline_protocol::id::OrderId;
use tripline_protocol::signing;
use tripline_protocol::unit::Timestamp;

use super::codes::{collector, fault_path, payment_method};
use super::context::{Context, Wait};
use super::fields::{fault, parse_time, place, required, text};
use crate::beckn::json::{self, JsonFault};
use crate::beckn::{Action, Fault, FaultKind, Received, Request, Selection};
use crate::domain::order::{Rider, Route};
use crate::domain::payment::PaymentTerms;
use crate::network::subscriber::normalized_id;

/// Reads the body of a request that came to `action`.
pub fn parse(action: &str, body: &[u8]) -> Result<Received, Fault> {
    let served = Action::from_code(action).ok_or_else(|| {
        let served = Action::ALL.map(Action::code).join(", ");
        let message = format!("this action is not served here; served are {served}");
        Fault::new(FaultKind::UnknownAction, message)
    })?;
    let body = json::parse(body).map_err(json_fault)?;
    let (context, Wait { sent_at, ttl_ms }) = Context::parse(&body, action)?;
    let (bpp_id, bpp_uri) = Context::addressee(&body)?;
    let message = body.get("message").filter(|message| message.is_object());
    let message = message.ok_or_else(|| fault("message", "must be an object"))?;
    Ok(Received {
        bap_id: normalized_id(&context.bap_id),
        bap_uri: context.bap_uri.clone(),
        bpp_id: bpp_id.as_deref().map(normalized_id),
        bpp_uri,
        domain: context.domain.clone(),
        message_id: context.message_id.clone(),
        // Written anew: keys in order, no blanks, numbers by their value (1.0 is 1.00, but not 1).
        digest: signing::digest(message.to_string().as_bytes()).into_bytes(),
        sent_at,
        ttl_ms,
        conversation: context.to_conversation(),
        request: request(served, &body)?,
    })
}

fn json_fault(fault: JsonFault) -> Fault {
    let message = fault.to_string();
    match fault {
        JsonFault::Duplicate { path } => Fault::at(FaultKind::Json, path, message),
        JsonFault::ByteOrderMark
        | JsonFault::Empty
        | JsonFault::NotUtf8 { .. }
        | JsonFault::Syntax { .. }
        | JsonFault::Depth
        | JsonFault::Nodes => Fault::new(FaultKind::Json, message),
    }
}

/// The same fault with the field it is about, where its kind says which.
pub fn located(fault: Fault, action: Action) -> Fault {
    let path = fault.path.or_else(|| fault_path(fault.kind, action).map(str::to_owned));
    Fault { path, ..fault }
}

fn request(action: Action, body: &Value) -> Result<Request, Fault> {
    Ok(match action {
        Action::Search => Request::Search { route: route(body, "/message/intent/fulfillment")? },
        Action::Select => {
            Request::Select { item_id: item_id(body)?.into(), route: whole_route(body)? }
        }
        Action::Init => Request::Init {
            selection: selection(body)?,
            rider: rider(body)?,
            payment: payment(body)?,
        },
        Action::Confirm => Request::Confirm {
            selection: selection(body)?,
            rider: rider(body)?,
            payment: payment(body)?,
        },
        Action::Status => Request::Status { order_id: order_id(body)? },
        Action::Track => Request::Track { order_id: order_id(body)? },
    })
}

fn route(body: &Value, pointer: &str) -> Result<Route, Fault> {
    let start = format!("{pointer}/start");
    let pickup = place(body, &start)?.ok_or_else(|| {
        fault(&super::fields::dotted(&format!("{start}/location/gps")), "is missing")
    })?;
    let drop = place(body, &format!("{pointer}/end"))?;
    Ok(Route { pickup, drop, pickup_at: pickup_at(body, &start)? })
}

/// When the rider wants to be picked up, where that is said.
fn pickup_at(body: &Value, start: &str) -> Result<Option<Timestamp>, Fault> {
    let pointer = format!("{start}/time/timestamp");
    let Some(said) = text(body, &pointer)? else { return Ok(None) };
    let must = "must be a time with its zone, 2026-01-31T08:30:00.000Z for instance";
    parse_time(said).map(Some).ok_or_else(|| fault(&super::fields::dotted(&pointer), must))
}

/// A route to be priced: its drop must be there.
fn whole_route(body: &Value) -> Result<Route, Fault> {
    let route = route(body, "/message/order/fulfillment")?;
    if route.drop.is_none() {
        return Err(fault("message.order.fulfillment.end.location.gps", "is missing"));
    }
    Ok(route)
}

fn item_id(body: &Value) -> Result<&str, Fault> {
    required(body, "/message/order/items/0/id")
}

/// What a request goes on with: by order, by fulfillment, or said anew. The transaction id is not
/// looked at: published conversations change it midway.
fn selection(body: &Value) -> Result<Selection, Fault> {
    if let Some(id) = text(body, "/message/order/id")? {
        return Ok(Selection::Order(id.parse().map_err(|_| no_order("message.order.id"))?));
    }
    let fulfillment = match text(body, "/message/order/fulfillment/id")? {
        Some(id) => Some(id),
        None => text(body, "/message/order/items/0/fulfillment_id")?,
    };
    match fulfillment {
        Some(id) => Ok(Selection::Fulfillment(id.into())),
        None => Ok(Selection::Anew { item_id: item_id(body)?.into(), route: whole_route(body)? }),
    }
}

/// The rider, from wherever a BAP may have put the name and the phone. Both are needed.
fn rider(body: &Value) -> Result<Option<Rider>, Fault> {
    const NAMES: [&str; 3] = [
        "/message/order/fulfillment/customer/person/name",
        "/message/order/customer/person/name",
        "/message/order/billing/name",
    ];
    const PHONES: [&str; 5] = [
        "/message/order/fulfillment/customer/contact/phone",
        "/message/order/fulfillment/customer/person/phone",
        "/message/order/customer/contact/phone",
        "/message/order/customer/person/phone",
        "/message/order/billing/phone",
    ];
    let name = first(body, &NAMES)?;
    let phone = first(body, &PHONES)?;
    Ok(name.zip(phone).map(|(name, phone)| Rider { name: name.into(), phone: phone.into() }))
}

/// How the ride is to be paid, if that is said. What we do not know could mean that it is paid already.
fn payment(body: &Value) -> Result<Option<PaymentTerms>, Fault> {
    const TYPE: &str = "/message/order/payment/type";
    const COLLECTED_BY: &str = "/message/order/payment/collected_by";
    let (kind, by) = (text(body, TYPE)?, text(body, COLLECTED_BY)?);
    if kind.is_none() && by.is_none() {
        return Ok(None);
    }
    let known = |path, what: &str| fault(&super::fields::dotted(path), what);
    let method = kind.map(|kind| payment_method(kind).ok_or(kind)).transpose().map_err(|_| {
        known(TYPE, "must be ON-FULFILLMENT, POST-FULFILLMENT, PRE-FULFILLMENT or ON-ORDER")
    })?;
    let collected_by = by
        .map(|by| collector(by).ok_or(by))
        .transpose()
        .map_err(|_| known(COLLECTED_BY, "must be BPP or BAP"))?;
    let default = PaymentTerms::default();
    Ok(Some(PaymentTerms {
        method: method.unwrap_or(default.method),
        collected_by: collected_by.unwrap_or(default.collected_by),
    }))
}

fn first<'v>(body: &'v Value, pointers: &[&str]) -> Result<Option<&'v str>, Fault> {
    for pointer in pointers {
        if let Some(found) = text(body, pointer)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn order_id(body: &Value) -> Result<OrderId, Fault> {
    required(body, "/message/order_id")?.parse().map_err(|_| no_order("message.order_id"))
}

/// What cannot be an id of ours names no order.
fn no_order(path: &str) -> Fault {
    Fault::at(FaultKind::UnknownOrder, path, format!("{path} names no order of yours here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(message: &str) -> Vec<u8> {
        let context = r#"{"domain":"d","country":"IND","city":"std:080","action":"track",
            "core_version":"0.9.4","bap_id":"b","bap_uri":"http://b","transaction_id":"t",
            "message_id":"m","timestamp":"2026-01-01T00:00:00Z"}"#;
        let body = format!("{{\"context\":{context},\"message\":{message}}}");
        parse("track", body.as_bytes()).expect("good").digest
    }

    #[test]
    fn a_digest_is_of_what_is_asked_and_not_of_how_it_is_written() {
        let of = |more: &str| {
            digest(&format!(r#"{{"order_id":"6743e9e2-4fb5-487c-92b7-13ba8018f176",{more}}}"#))
        };
        let one = of(r#""a":{"b":1.0,"c":["x","y"]}"#);
        for same in [
            r#""a":{"c":["x","y"],"b":1.0}"#,
            "\"a\" : {\r\n \"b\":1.00 , \"c\":[\"x\" ,\"\\u0079\"]}",
            r#""a":{"b":10e-1,"c":["x","y"]}"#,
        ] {
            assert_eq!(of(same), one, "{same}");
        }
        for other in [
            r#""a":{"b":1,"c":["x","y"]}"#,
            r#""a":{"b":1.0,"c":["y","x"]}"#,
            r#""a":{"b":1.0,"c":["x","y"],"d":null}"#,
        ] {
            assert_ne!(of(other), one, "{other}");
        }
    }
}
