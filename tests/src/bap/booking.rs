//! A booking, step by step: each sends its request and waits for the callback that answers it.
//!
//! A NACK, and a callback whose `error` is set, are errors here, with code and message. Such a callback
//! is in the ledger all the same.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::{Bap, ledger};

/// How long the BPP may take to call back with what it knows already.
const CALLBACK_MAX: Duration = Duration::from_secs(10);

/// How long it may take to find a driver who accepts.
const ASSIGNMENT_MAX: Duration = Duration::from_mins(1);

impl Bap {
    /// Looks for rides between two positions, `lat,lon`; returns `on_search`.
    pub async fn search(&self, pickup_gps: &str, drop_gps: &str) -> anyhow::Result<Value> {
        let intent = json!({ "fulfillment": route(pickup_gps, drop_gps) });
        self.ask("search", json!({ "intent": intent })).await
    }

    /// Asks what a ride with this item of the catalog would cost; returns `on_select`.
    pub async fn select(
        &self,
        item_id: &str,
        pickup_gps: &str,
        drop_gps: &str,
    ) -> anyhow::Result<Value> {
        let order =
            json!({ "items": [{ "id": item_id }], "fulfillment": route(pickup_gps, drop_gps) });
        self.ask("select", json!({ "order": order })).await
    }

    /// Goes on with the order of an `on_select` for this rider; returns `on_init`.
    pub async fn init(
        &self,
        on_select: &Value,
        rider_name: &str,
        rider_phone: &str,
    ) -> anyhow::Result<Value> {
        let mut order = order_of(on_select)?;
        order["fulfillment"]["customer"] = json!({
            "person": { "name": rider_name },
            "contact": { "phone": rider_phone },
        });
        self.ask("init", json!({ "order": order })).await
    }

    /// Books the order of an `on_init` and returns the message id for [`Bap::on_confirm`]: the answer
    /// comes when a driver has accepted.
    pub async fn confirm(&self, on_init: &Value) -> anyhow::Result<String> {
        let message = json!({ "order": order_of(on_init)? });
        self.request("confirm", message).await?.into_message_id("confirm")
    }

    /// Waits for the answer to a [`Bap::confirm`].
    pub async fn on_confirm(&self, message_id: &str) -> anyhow::Result<Value> {
        self.reply("confirm", message_id, ASSIGNMENT_MAX).await
    }

    /// Asks where an order stands; returns `on_status`.
    pub async fn status(&self, order_id: &str) -> anyhow::Result<Value> {
        self.ask("status", json!({ "order_id": order_id })).await
    }

    /// Asks where an order's vehicle is; returns `on_track`.
    pub async fn track(&self, order_id: &str) -> anyhow::Result<Value> {
        self.ask("track", json!({ "order_id": order_id })).await
    }

    /// Calls an order off for one of the reasons that there are; returns `on_cancel`.
    pub async fn cancel(&self, order_id: &str, reason_id: &str) -> anyhow::Result<Value> {
        let message = json!({ "order_id": order_id, "cancellation_reason_id": reason_id });
        self.ask("cancel", message).await
    }

    /// Changes what `update_target` names, `fulfillment` for instance, to what the order says of it;
    /// returns `on_update`.
    pub async fn update(&self, update_target: &str, order: Value) -> anyhow::Result<Value> {
        self.ask("update", json!({ "update_target": update_target, "order": order })).await
    }

    /// Rates something of a category; returns `on_rating`.
    pub async fn rate(&self, category: &str, id: &str, value: u8) -> anyhow::Result<Value> {
        let message = json!({ "rating_category": category, "id": id, "value": value });
        self.ask("rating", message).await
    }

    /// Asks who helps with an order; returns `on_support`.
    pub async fn support(&self, ref_id: &str) -> anyhow::Result<Value> {
        self.ask("support", json!({ "ref_id": ref_id })).await
    }

    /// Asks why a ride may be called off; returns `cancellation_reasons`.
    pub async fn cancellation_reasons(&self) -> anyhow::Result<Value> {
        self.ask("get_cancellation_reasons", Value::Null).await
    }

    /// Asks what can be rated; returns `rating_categories`.
    pub async fn rating_categories(&self) -> anyhow::Result<Value> {
        self.ask("get_rating_categories", Value::Null).await
    }

    /// Asks what is to be asked of whoever rates so; returns `feedback_form`.
    pub async fn feedback_form(&self, category: &str, value: u8) -> anyhow::Result<Value> {
        let message = json!({ "rating_value": value, "rating_category": category });
        self.ask("get_feedback_form", message).await
    }

    /// Asks with this message, or without any if it is null, and waits for the callback with what is
    /// known already.
    pub async fn ask(&self, action: &str, message: Value) -> anyhow::Result<Value> {
        let message_id = self.request(action, message).await?.into_message_id(action)?;
        self.answered(action, &message_id).await
    }

    /// Waits for the callback that answers a request, with what is known already.
    pub async fn answered(&self, action: &str, message_id: &str) -> anyhow::Result<Value> {
        self.reply(action, message_id, CALLBACK_MAX).await
    }

    /// The callback that answers a request: what is pushed has message ids of its own.
    async fn reply(
        &self,
        action: &str,
        message_id: &str,
        deadline: Duration,
    ) -> anyhow::Result<Value> {
        let callback = callback_of(action);
        let what = format!("{callback} for message {message_id}");
        let body = self.wait_for(&what, deadline, |accepted| {
            let answers = |message: &str, action: &str| message == message_id && action == callback;
            let entry = accepted.iter().find(|entry| answers(&entry.message_id, &entry.action))?;
            Some(entry.body.clone())
        });
        let body = body.await?;
        if let Some(error) = ledger::error(&body) {
            bail!("{action} failed: {error}");
        }
        Ok(body)
    }
}

/// The message of an `init` that says its order anew, without a `select` before it: each makes an order.
pub fn order_said_anew(item_id: &str, pickup_gps: &str, drop_gps: &str) -> Value {
    let mut fulfillment = route(pickup_gps, drop_gps);
    fulfillment["customer"] = json!({
        "person": { "name": "Asha Rao" },
        "contact": { "phone": "+91-9800000000" },
    });
    json!({ "order": { "items": [{ "id": item_id }], "fulfillment": fulfillment } })
}

fn route(pickup_gps: &str, drop_gps: &str) -> Value {
    json!({
        "start": { "location": { "gps": pickup_gps } },
        "end": { "location": { "gps": drop_gps } },
    })
}

/// The action that answers another.
fn callback_of(action: &str) -> String {
    match action.strip_prefix("get_") {
        Some(what) => what.to_owned(),
        None => format!("on_{action}"),
    }
}

/// The order of a callback, to be said back.
fn order_of(callback: &Value) -> anyhow::Result<Value> {
    let order = callback.pointer("/message/order").context("the callback carries no order")?;
    Ok(order.clone())
}
