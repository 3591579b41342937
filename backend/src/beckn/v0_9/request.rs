//! Requests: JSON to the domain's terms.

use serde_json::Value;
use tripline_protocol::id::OrderId;
use tripline_protocol::signing;

use super::codes::{ACTIONS, action as action_code};
use super::context::Context;
use super::fields::{fault, place, required, text};
use crate::beckn::{Action, Fault, FaultKind, Received, Request, Selection};
use crate::domain::order::{Rider, Route};
use crate::network::subscriber::normalized_id;

/// Reads the body of a request that came to `action`.
pub fn parse(action: &str, body: &[u8]) -> Result<Received, Fault> {
    let served = ACTIONS.into_iter().find(|served| action_code(*served) == action);
    let served = served.ok_or_else(|| Fault {
        kind: FaultKind::UnknownAction,
        path: None,
        message: format!(
            "{action} is not served here; served are {}",
            ACTIONS.map(action_code).join(", ")
        ),
    })?;
    let body: Value = serde_json::from_slice(body).map_err(|error| Fault {
        kind: FaultKind::Json,
        path: None,
        message: format!("the body is not JSON: {error}"),
    })?;
    let context = Context::parse(&body, action)?;
    let (bpp_id, bpp_uri) = Context::addressee(&body)?;
    let message = body.get("message").cloned().unwrap_or(Value::Null);
    if !message.is_object() {
        return Err(fault("message", "must be an object"));
    }
    Ok(Received {
        bap_id: normalized_id(&context.bap_id),
        bap_uri: context.bap_uri.clone(),
        bpp_id: bpp_id.as_deref().map(normalized_id),
        bpp_uri,
        message_id: context.message_id.clone(),
        digest: signing::digest(message.to_string().as_bytes()).into_bytes(),
        conversation: context.to_conversation(),
        request: request(served, &body)?,
    })
}

fn request(action: Action, body: &Value) -> Result<Request, Fault> {
    Ok(match action {
        Action::Search => Request::Search { route: route(body, "/message/intent/fulfillment")? },
        Action::Select => {
            Request::Select { item_id: item_id(body)?.into(), route: whole_route(body)? }
        }
        Action::Init => Request::Init { selection: selection(body)?, rider: rider(body)? },
        Action::Confirm => Request::Confirm { selection: selection(body)?, rider: rider(body)? },
        Action::Status => Request::Status { order_id: order_id(body)? },
        Action::Track => Request::Track { order_id: order_id(body)? },
    })
}

fn route(body: &Value, pointer: &str) -> Result<Route, Fault> {
    let start = format!("{pointer}/start");
    let pickup = place(body, &start)?.ok_or_else(|| {
        fault(&super::fields::dotted(&format!("{start}/location/gps")), "is missing")
    })?;
    Ok(Route { pickup, drop: place(body, &format!("{pointer}/end"))? })
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
        let path = "message.order.id";
        let id = id.parse().map_err(|_| fault(path, "is no order of ours"))?;
        return Ok(Selection::Order(id));
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

fn first<'v>(body: &'v Value, pointers: &[&str]) -> Result<Option<&'v str>, Fault> {
    for pointer in pointers {
        if let Some(found) = text(body, pointer)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn order_id(body: &Value) -> Result<OrderId, Fault> {
    required(body, "/message/order_id")?
        .parse()
        .map_err(|_| fault("message.order_id", "is no order of ours"))
}
