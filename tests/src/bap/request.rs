//! Requests to the BPP, signed, and its synchronous answers.

use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::{Timestamp, Unit};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, WWW_AUTHENTICATE};
use serde_json::{Value, json};
use tripline_protocol::signing;
use uuid::Uuid;

use super::{Bap, CITY, CORE_VERSION, COUNTRY, DOMAIN, key_id, ledger};

/// How long the BPP may take to answer a request, not to call back.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How long a signature holds, in seconds: longer than any request is under way.
const SIGNATURE_VALID_S: i64 = 300;

/// The client of a platform. Proxies of the environment do not lead to the loopback interface.
pub(super) fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build()?)
}

/// What the BPP said at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub http_status: u16,
    /// Whether it is an ACK.
    pub ack: bool,
    /// The body; null if it is not JSON.
    pub body: Value,
    /// The `WWW-Authenticate` header, which comes with a refused signature.
    pub challenge: Option<String>,
    /// Id of the message that is answered; empty if it had none.
    pub message_id: String,
}

/// A request as it went out, so that a test can send the very same again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its action.
    pub action: String,
    /// Its body's bytes.
    pub body: Vec<u8>,
    /// Its `Authorization` header.
    pub authorization: String,
    /// Its message id.
    pub message_id: String,
    /// Whether it was answered with an ACK.
    pub acknowledged: bool,
}

impl Answer {
    async fn read(response: reqwest::Response, message_id: String) -> anyhow::Result<Self> {
        let http_status = response.status().as_u16();
        let challenge = header(response.headers());
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or(Value::Null);
        let status = body.pointer("/message/ack/status").and_then(Value::as_str);
        Ok(Self { http_status, ack: status == Some("ACK"), challenge, message_id, body })
    }

    /// The message id of a request that was taken; an error with the reason if it was not.
    pub(super) fn into_message_id(self, action: &str) -> anyhow::Result<String> {
        let reason = ledger::error(&self.body).unwrap_or_else(|| "no reason given".into());
        ensure!(self.ack, "{action} was refused: HTTP {}, {reason}", self.http_status);
        Ok(self.message_id)
    }
}

fn header(headers: &HeaderMap) -> Option<String> {
    headers.get(WWW_AUTHENTICATE)?.to_str().ok().map(str::to_owned)
}

impl Bap {
    /// Sends a request with a fresh message id, without a message if that is null. A NACK is an answer,
    /// not an error.
    pub async fn request(&self, action: &str, message: Value) -> anyhow::Result<Answer> {
        let message_id = Uuid::new_v4().to_string();
        let context = self.context(action, &message_id);
        let mut body = json!({ "context": context });
        if !message.is_null() {
            body["message"] = message;
        }
        let body = body.to_string().into_bytes();
        let authorization = self.sign(&body);
        let action = action.into();
        let mut sent = Sent { action, body, authorization, message_id, acknowledged: false };
        let answer = self.send_again(&sent).await;
        sent.acknowledged = answer.as_ref().is_ok_and(|answer| answer.ack);
        self.desk.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
        answer
    }

    /// Every request of [`Bap::request`], in order, whatever became of it.
    pub fn sent(&self) -> Vec<Sent> {
        self.desk.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request as it went out before, byte for byte, with the signature of then.
    pub async fn send_again(&self, sent: &Sent) -> anyhow::Result<Answer> {
        let Sent { action, body, authorization, .. } = sent.clone();
        self.request_raw(&action, body, Some(authorization)).await
    }

    /// Sends these very bytes, with this `Authorization` or none.
    pub async fn request_raw(
        &self,
        action: &str,
        body: Vec<u8>,
        authorization: Option<String>,
    ) -> anyhow::Result<Answer> {
        let url = format!("{}/{action}", self.desk.bpp.uri);
        let mut request = self.desk.http.post(&url).header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let message_id = message_id(&body);
        let response = request.body(body).send().await;
        let response = response.with_context(|| format!("no answer from {url}"))?;
        Answer::read(response, message_id).await
    }

    /// The context of a request. A search names no BPP: it is for every one.
    pub fn context(&self, action: &str, message_id: &str) -> Value {
        let desk = &self.desk;
        let now = Timestamp::now();
        let mut context = json!({
            "domain": DOMAIN,
            "country": COUNTRY,
            "city": CITY,
            "action": action,
            "core_version": CORE_VERSION,
            "bap_id": desk.subscriber_id,
            "bap_uri": desk.uri,
            "transaction_id": desk.transaction_id,
            "message_id": message_id,
            "timestamp": now.round(Unit::Millisecond).unwrap_or(now).to_string(),
        });
        if action != "search" {
            context["bpp_id"] = json!(desk.bpp.subscriber_id);
            context["bpp_uri"] = json!(desk.bpp.uri);
        }
        context
    }

    /// The `Authorization` of a body, good for a few minutes.
    pub fn sign(&self, body: &[u8]) -> String {
        let (unique_key_id, key) = self.desk.keys.own();
        let key_id = key_id(&self.desk.subscriber_id, &unique_key_id);
        let now_s = Timestamp::now().as_second();
        signing::sign(body, &key, &key_id, now_s, now_s + SIGNATURE_VALID_S)
    }
}

fn message_id(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let message_id = body.pointer("/context/message_id").and_then(Value::as_str);
    message_id.unwrap_or_default().to_owned()
}
