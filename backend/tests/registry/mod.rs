//! A registry of version 0.9 in the test's process, which can be told to misbehave.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hyper::body::Frame;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tripline_protocol::signing::{PublicKey, SecretKey};

/// How a registry answers.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    /// With the entries that were asked for.
    Right,
    /// With this, whatever was asked.
    Text(u16, String),
    /// With a redirect to a path of its own that answers as it should.
    Redirect,
    /// Never.
    Silent,
    /// With a head, and a body that goes on without end.
    Endless,
    /// With a head, and a body that never goes on.
    Dripping,
}

#[derive(Debug)]
struct Desk {
    manner: Manner,
    entries: Vec<Value>,
    questions: Vec<Value>,
}

/// A running registry.
#[derive(Debug)]
pub(crate) struct StubRegistry {
    pub(crate) address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    open: watch::Sender<bool>,
    serving: Option<JoinSet<()>>,
}

#[derive(Debug, Clone)]
struct Shared {
    desk: Arc<Mutex<Desk>>,
    open: watch::Sender<bool>,
}

/// The public key that [`entry`] gives a subscriber for a number.
pub(crate) fn public(seed: u8) -> PublicKey {
    SecretKey::from_seed(&[seed; 32]).public()
}

/// An entry of a subscriber that lives at `https://{id}/beckn`, with key `k{seed}`.
pub(crate) fn entry(id: &str, role: &str, seed: u8) -> Value {
    json!({
        "subscriber_id": id, "subscriber_url": format!("https://{id}/beckn"), "type": role,
        "domain": "mobility", "signing_public_key": public(seed).to_string(),
        "unique_key_id": format!("k{seed}"), "status": "SUBSCRIBED",
        "valid_from": "2021-04-29T09:19:48.072Z", "valid_until": "2121-05-01T09:19:48.072Z",
    })
}

impl StubRegistry {
    /// One that knows these.
    pub(crate) async fn start(entries: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let desk = Desk { manner: Manner::Right, entries, questions: Vec::new() };
        let mut stub = Self {
            address,
            desk: Arc::new(Mutex::new(desk)),
            open: watch::Sender::new(true),
            serving: None,
        };
        stub.serve(listener);
        stub
    }

    fn serve(&mut self, listener: TcpListener) {
        let shared = Shared { desk: Arc::clone(&self.desk), open: self.open.clone() };
        let router = Router::new()
            .route("/lookup", post(look_up))
            .route("/moved/lookup", post(look_up_right))
            .with_state(shared);
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, router));
        self.serving = Some(serving);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it: nobody answers at its address any more.
    pub(crate) async fn stop(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            serving.shutdown().await;
        }
    }

    /// Starts it again at its address.
    pub(crate) async fn restart(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("its port");
        self.serve(listener);
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.desk.lock().expect("whole").manner = manner;
    }

    /// Knows these from here on.
    pub(crate) fn know(&self, entries: Vec<Value>) {
        self.desk.lock().expect("whole").entries = entries;
    }

    /// What it was asked so far.
    pub(crate) fn questions(&self) -> Vec<Value> {
        self.desk.lock().expect("whole").questions.clone()
    }

    /// How often it was asked of somebody.
    pub(crate) fn count(&self, id: &str) -> usize {
        self.questions().iter().filter(|question| question["subscriber_id"] == id).count()
    }

    /// Answers nobody until [`StubRegistry::let_go`].
    pub(crate) fn hold(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn let_go(&self) {
        self.open.send_replace(true);
    }
}

async fn accept(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        let service = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // How a connection ends is the client's affair.
            let _ = served.await;
        });
    }
}

async fn look_up(State(shared): State<Shared>, body: Bytes) -> Response {
    let manner = note(&shared, &body);
    let _ = shared.open.subscribe().wait_for(|open| *open).await;
    match manner {
        Manner::Right => right(&shared, &body),
        Manner::Text(status, text) => {
            let status = StatusCode::from_u16(status).expect("a status");
            (status, text).into_response()
        }
        Manner::Redirect => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/moved/lookup")]).into_response()
        }
        Manner::Silent => std::future::pending().await,
        Manner::Endless => {
            Body::new(Pieces { piece: "[{},", endless: true, sent: false }).into_response()
        }
        Manner::Dripping => {
            Body::new(Pieces { piece: "[", endless: false, sent: false }).into_response()
        }
    }
}

async fn look_up_right(State(shared): State<Shared>, body: Bytes) -> Response {
    note(&shared, &body);
    right(&shared, &body)
}

fn note(shared: &Shared, body: &Bytes) -> Manner {
    let question = serde_json::from_slice(body).expect("JSON");
    let mut desk = shared.desk.lock().expect("whole");
    desk.questions.push(question);
    desk.manner.clone()
}

fn right(shared: &Shared, body: &Bytes) -> Response {
    let question: Value = serde_json::from_slice(body).expect("JSON");
    let desk = shared.desk.lock().expect("whole");
    let role = question["type"].as_str().expect("a role").to_ascii_uppercase();
    let is_asked_for = |entry: &&Value| {
        entry["subscriber_id"] == question["subscriber_id"] && entry["type"] == role
    };
    let found: Vec<_> = desk.entries.iter().filter(is_asked_for).cloned().collect();
    axum::Json(found).into_response()
}

/// A body of one piece again and again, or of one piece and then nothing for ever.
struct Pieces {
    piece: &'static str,
    endless: bool,
    sent: bool,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.sent && !self.endless {
            return Poll::Pending;
        }
        self.sent = true;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.piece.as_bytes())))))
    }
}
