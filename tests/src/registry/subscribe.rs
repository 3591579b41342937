//! `POST /subscribe`: the request's signature is checked, then the subscriber has to read a challenge that
//! comes to the address it is known at.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use tripline_protocol::signing::{KeyId, PublicKey, SignatureHeader, verify};
use uuid::Uuid;

use super::book::text;
use super::{Desk, Outcome, Subscription};

/// Whom a request to subscribe is of, and what is to be entered if it stands the challenge.
struct Asked {
    unique_key_id: String,
    entry: Value,
}

pub(super) async fn handle(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refusal) = desk.treat().await {
        return refusal;
    }
    match read(&desk, &headers, &body) {
        Ok(asked) => {
            desk.note_subscription(&asked.subscription(Outcome::Initiated));
            tokio::spawn(challenge(desk, asked));
            Json(json!({ "status": "INITIATED" })).into_response()
        }
        Err(error) => {
            let reason = format!("{error:#}");
            let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
            desk.note_subscription(&Subscription {
                subscriber_id: text(&body, "subscriber_id").into(),
                unique_key_id: text(&body, "unique_key_id").into(),
                outcome: Outcome::Refused(reason.clone()),
            });
            let error = json!({ "error": { "message": reason } });
            (StatusCode::UNAUTHORIZED, Json(error)).into_response()
        }
    }
}

impl Asked {
    fn subscription(&self, outcome: Outcome) -> Subscription {
        Subscription {
            subscriber_id: text(&self.entry, "subscriber_id").into(),
            unique_key_id: self.unique_key_id.clone(),
            outcome,
        }
    }
}

/// Reads the request; an error if its sender need not be believed.
fn read(desk: &Desk, headers: &HeaderMap, bytes: &[u8]) -> Result<Asked> {
    let body: Value = serde_json::from_slice(bytes).context("the body is no JSON")?;
    let id = text(&body, "subscriber_id");
    let known = known(desk, &body);
    let header = headers.get(AUTHORIZATION).context("there is no Authorization header")?;
    let header = SignatureHeader::parse(header.to_str()?)?;
    ensure!(header.key_id.subscriber_id == id, "the signer is not {id}");
    let key = signing_key(&body, &known, &header.key_id)?;
    verify(&header, bytes, &key, Timestamp::now().as_second())?;
    ensure!(desk.is_new_nonce(text(&body, "nonce")), "the nonce is missing, or was used before");

    let template = known.first().context("a stranger: the operators of the registry enter it")?;
    let unique_key_id = match text(&body, "unique_key_id") {
        "" => header.key_id.unique_key_id.context("the key has no id")?,
        named => named.into(),
    };
    let mut entry = template.clone();
    for key in ["signing_public_key", "encr_public_key", "valid_from", "valid_until"] {
        ensure!(!text(&body, key).is_empty(), "{key} is missing");
        entry[key] = json!(text(&body, key));
    }
    entry["unique_key_id"] = json!(unique_key_id);
    entry["status"] = json!("SUBSCRIBED");
    Ok(Asked { unique_key_id, entry })
}

/// What the book has of the sender in its role; any role if it names none.
fn known(desk: &Desk, body: &Value) -> Vec<Value> {
    desk.book().find(&json!({ "subscriber_id": body["subscriber_id"], "type": body["type"] }))
}

/// The registered key that the signer names, or the one that is to be entered.
fn signing_key(body: &Value, known: &[Value], signer: &KeyId) -> Result<PublicKey> {
    let named = signer.unique_key_id.as_deref().unwrap_or_default();
    let registered = known.iter().find(|entry| text(entry, "unique_key_id") == named);
    let key = text(registered.unwrap_or(body), "signing_public_key");
    key.parse().context("signing_public_key")
}

/// Sends the challenge, and enters the key if it is answered well.
async fn challenge(desk: Arc<Desk>, asked: Asked) {
    let outcome = match put(&desk, &asked.entry).await {
        Ok(()) => {
            desk.book().enter(asked.entry.clone());
            Outcome::Subscribed
        }
        Err(error) => Outcome::Failed(format!("{error:#}")),
    };
    desk.note_subscription(&asked.subscription(outcome));
}

async fn put(desk: &Desk, entry: &Value) -> Result<()> {
    let secret = Uuid::new_v4().to_string();
    let challenge = desk.encryption_key.seal(&secret, text(entry, "encr_public_key"))?;
    let body = json!({ "subscriber_id": entry["subscriber_id"], "challenge": challenge });
    let url = format!("{}/on_subscribe", text(entry, "subscriber_url"));
    let request = desk.http.post(&url).header("Content-Type", "application/json");
    let response = request.body(body.to_string()).send().await?;
    let status = response.status();
    ensure!(status.is_success(), "{url} answered {status}");
    let answer: Value = serde_json::from_slice(&response.bytes().await?)?;
    ensure!(text(&answer, "answer") == secret, "{url} did not read the challenge");
    Ok(())
}
