//! A small 0.9 registry: it verifies who asks, sends its challenge, and shows whom it took up. Its cipher
//! is written here once more, so that ours is not measured by itself.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tripline_backend::http::listener;
use tripline_backend::network::http::builder;
use tripline_backend::time;
use tripline_protocol::signing::{SignatureHeader, decode_base64, encode_base64, verify};
use x25519_dalek::{PublicKey, StaticSecret};

/// Longest wait of the registry for an answer, in ms.
const ANSWER_MS_MAX: u64 = 20_000;

/// What it knows, and how it behaves.
#[derive(Default)]
pub(crate) struct Kept {
    /// Whom it took up, as `/lookup` answers.
    pub(crate) entries: Vec<Value>,
    /// Every body that `/subscribe` was posted, of those whose signature holds.
    pub(crate) asked: Vec<Value>,
    /// What `/subscribe` answers in place of a status.
    pub(crate) says: Option<(u16, String)>,
    /// Whether the challenge is sent later, by [`Registry::challenge`].
    pub(crate) waits: bool,
}

/// The registry. Clones share it.
#[derive(Clone)]
pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    secret: StaticSecret,
}

impl Registry {
    pub(crate) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("bound");
        let registry = Self { address, kept: Arc::default(), secret: StaticSecret::from([42; 32]) };
        let router = Router::new()
            .route("/subscribe", post(subscribe))
            .route("/lookup", post(lookup))
            .with_state(registry.clone());
        tokio::spawn(listener::run(socket, router));
        registry
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn public_base64(&self) -> String {
        encode_base64(PublicKey::from(&self.secret).as_bytes())
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("not poisoned")
    }

    /// A text, encrypted for whoever holds the private half of this key.
    pub(crate) fn encrypt(&self, encr_public_key: &str, text: &str) -> String {
        let theirs = decode_base64(encr_public_key).expect("Base64");
        let theirs: [u8; 32] = theirs.try_into().expect("32 bytes");
        let shared = self.secret.diffie_hellman(&PublicKey::from(theirs));
        let cipher = Aes256::new(&Array::from(shared.to_bytes()));
        let padding = 16 - text.len() % 16;
        let mut bytes = text.as_bytes().to_vec();
        bytes.extend(std::iter::repeat_n(u8::try_from(padding).expect("small"), padding));
        for block in bytes.chunks_exact_mut(16) {
            cipher.encrypt_block(block.try_into().expect("a block"));
        }
        encode_base64(&bytes)
    }

    /// Challenges whoever posted this body; takes it up if the answer is right, and says whether it was.
    pub(crate) async fn challenge(&self, posted: &Value) -> bool {
        let secret = uuid::Uuid::new_v4().to_string();
        let key = posted["encr_public_key"].as_str().expect("text");
        let body = json!({
            "subscriber_id": posted["subscriber_id"],
            "challenge": self.encrypt(key, &secret),
        });
        let url = format!("{}/on_subscribe", posted["subscriber_url"].as_str().expect("text"));
        let client = builder(ANSWER_MS_MAX).build().expect("a client");
        let Ok(response) = client.post(url).body(body.to_string()).send().await else {
            return false;
        };
        let answer: Value =
            serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
        let is_right = answer == json!({ "answer": secret });
        if is_right {
            let mut entry = posted.clone();
            entry["status"] = "SUBSCRIBED".into();
            self.kept().entries.push(entry);
        }
        is_right
    }

    /// The public key that must have signed: a known one, or at the first time the one that is brought.
    fn signer(&self, header: &SignatureHeader, posted: &Value) -> Option<Value> {
        let kept = self.kept();
        let is_known =
            kept.entries.iter().any(|entry| entry["subscriber_id"] == posted["subscriber_id"]);
        let mut keys = kept.entries.iter().chain((!is_known).then_some(posted));
        let id = header.key_id.unique_key_id.as_deref();
        let found = keys.find(|entry| entry["unique_key_id"].as_str() == id)?;
        Some(found["signing_public_key"].clone())
    }
}

async fn subscribe(State(registry): State<Registry>, headers: HeaderMap, body: Bytes) -> Response {
    let header = headers.get("authorization").and_then(|text| text.to_str().ok());
    let header = SignatureHeader::parse(header.unwrap_or_default()).expect("a signature");
    let posted: Value = serde_json::from_slice(&body).expect("JSON");
    let now_s = time::now().unix_ms / 1000;
    let key = registry.signer(&header, &posted);
    let key = key.and_then(|key| key.as_str().and_then(|key| key.parse().ok()));
    if key.is_none_or(|key| verify(&header, &body, &key, now_s).is_err()) {
        return (StatusCode::UNAUTHORIZED, "who are you?").into_response();
    }
    let (says, waits) = {
        let mut kept = registry.kept();
        kept.asked.push(posted.clone());
        (kept.says.clone(), kept.waits)
    };
    if let Some((status, text)) = says {
        return (StatusCode::from_u16(status).expect("a status"), text).into_response();
    }
    // Before the answer: that is when a platform must know of what it asked for.
    let status = match (waits, !waits && registry.challenge(&posted).await) {
        (true, _) => "INITIATED",
        (false, true) => "SUBSCRIBED",
        (false, false) => "UNSUBSCRIBED",
    };
    Json(json!({ "status": status })).into_response()
}

async fn lookup(State(registry): State<Registry>, Json(asked): Json<Value>) -> Json<Vec<Value>> {
    let mut entries = registry.kept().entries.clone();
    entries.retain(|entry| entry["subscriber_id"] == asked["subscriber_id"]);
    Json(entries)
}
