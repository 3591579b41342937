//! A registry in software, core 0.9: lookups and subscriptions over real HTTP.
//!
//! Its operators, the tests, enter subscribers; a subscriber adds further keys by itself. It shares no code
//! with the platform under test but the signing.

mod behavior;
mod book;
mod challenge;

mod lookup;
mod subscribe;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::Value;
use tokio::sync::watch;

pub use behavior::{Behavior, Lie};

use book::{Book, text};
use challenge::EncryptionKey;

use crate::server::{self, HangUp, Server};

/// Where lookups that follow a redirect end.
const TRUTH_PATH: &str = "/truth";

/// Longest wait for the answer to a challenge.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How long a silent registry keeps a connection: longer than anybody waits.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// What became of a request to subscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was not believed, and why.
    Refused(String),
    /// The challenge is under way.
    Initiated,
    /// The challenge was not answered, or not well, and why.
    Failed(String),
    /// The key is entered.
    Subscribed,
}

/// A request to subscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Whose; empty if it did not say.
    pub subscriber_id: String,
    /// The key that is to be entered.
    pub unique_key_id: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What handles and connections share.
#[derive(Debug)]
struct Desk {
    url: String,
    book: Mutex<Book>,
    encryption_key: EncryptionKey,
    behavior: watch::Sender<Behavior>,
    lookups: Mutex<Vec<String>>,
    redirected: Mutex<usize>,
    nonces: Mutex<HashSet<String>>,
    subscriptions: watch::Sender<Vec<Subscription>>,
    http: reqwest::Client,
}

/// A running registry. Clones are handles to the same one; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct Registry {
    desk: Arc<Desk>,
    server: Arc<Server>,
}

impl Registry {
    /// Starts to listen, honest and empty. A rustls provider must have been installed in the process.
    pub async fn start(listen: SocketAddr) -> Result<Self> {
        let (listener, address) = server::bind(listen).await?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        let desk = Arc::new(Desk {
            url: format!("http://{address}"),
            book: Mutex::default(),
            encryption_key: EncryptionKey::of_seed(seed),
            behavior: watch::Sender::new(Behavior::Honest),
            lookups: Mutex::default(),
            redirected: Mutex::default(),
            nonces: Mutex::default(),
            subscriptions: watch::Sender::new(Vec::new()),
            http: reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build()?,
        });
        let router = Router::new()
            .route("/lookup", post(lookup::handle))
            .route(TRUTH_PATH, post(lookup::handle_truth))
            .route("/subscribe", post(subscribe::handle))
            .with_state(Arc::clone(&desk));
        let server = Arc::new(Server::start(listener, address, router));
        Ok(Self { desk, server })
    }

    /// Stops listening: from here on connections are refused.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// Listens again at its address, and knows what it knew.
    pub async fn start_again(&self) -> Result<()> {
        self.server.start_again().await
    }

    /// Its address: `/lookup` and `/subscribe` are below it.
    pub fn url(&self) -> &str {
        &self.desk.url
    }

    /// The public half of the key it makes challenges with, as Base64 of 32 bytes.
    pub fn encryption_public_key(&self) -> String {
        self.desk.encryption_key.public_base64()
    }

    /// Sets how requests are treated that come from now on.
    pub fn set_behavior(&self, behavior: Behavior) {
        self.desk.behavior.send_replace(behavior);
    }

    /// Enters a subscriber's key, in place of what it has of the same subscriber, role and key id.
    pub fn enter(&self, entry: Value) {
        self.desk.book().enter(entry);
    }

    /// Changes every entry of a subscriber.
    pub fn change(&self, subscriber_id: &str, change: impl Fn(&mut Value)) {
        self.desk.book().change(subscriber_id, change);
    }

    /// Removes every entry of a subscriber.
    pub fn remove(&self, subscriber_id: &str) {
        self.desk.book().remove(subscriber_id, |_| true);
    }

    /// Removes one key of a subscriber.
    pub fn remove_key(&self, subscriber_id: &str, unique_key_id: &str) {
        let of_key = |entry: &Value| text(entry, "unique_key_id") == unique_key_id;
        self.desk.book().remove(subscriber_id, of_key);
    }

    /// Every entry of a subscriber.
    pub fn entries_of(&self, subscriber_id: &str) -> Vec<Value> {
        let book = self.desk.book();
        let of = |entry: &&Value| text(entry, "subscriber_id") == subscriber_id;
        book.entries().iter().filter(of).cloned().collect()
    }

    /// How many lookups came for a subscriber, however they were answered.
    pub fn lookups_of(&self, subscriber_id: &str) -> usize {
        lock(&self.desk.lookups).iter().filter(|asked| *asked == subscriber_id).count()
    }

    /// How many lookups followed a redirect. Nobody may.
    pub fn redirects_followed(&self) -> usize {
        *lock(&self.desk.redirected)
    }

    /// Every request to subscribe, in order, each with what became of it so far.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.desk.subscriptions.borrow().clone()
    }

    /// Waits until it is decided what becomes of a key.
    pub async fn wait_for_subscription(
        &self,
        unique_key_id: &str,
        deadline: Duration,
    ) -> Result<Outcome> {
        let mut changes = self.desk.subscriptions.subscribe();
        let decided = |all: &Vec<Subscription>| outcome(all, unique_key_id).is_some();
        let waited = tokio::time::timeout(deadline, changes.wait_for(decided)).await;
        let all =
            waited.with_context(|| format!("nothing became of the key {unique_key_id}"))??;
        outcome(&all, unique_key_id).cloned().context("it is decided")
    }
}

/// What was decided last on a key.
fn outcome<'s>(all: &'s [Subscription], unique_key_id: &str) -> Option<&'s Outcome> {
    let last = all.iter().rev().find(|asked| asked.unique_key_id == unique_key_id)?;
    (last.outcome != Outcome::Initiated).then_some(&last.outcome)
}

impl Desk {
    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    fn note_lookup(&self, asked: &Value) {
        lock(&self.lookups).push(text(asked, "subscriber_id").into());
    }

    fn note_redirected(&self) {
        *lock(&self.redirected) += 1;
    }

    fn is_new_nonce(&self, nonce: &str) -> bool {
        !nonce.is_empty() && lock(&self.nonces).insert(nonce.into())
    }

    /// Notes how a request to subscribe goes on; one that is under way is not a second one.
    fn note_subscription(&self, subscription: &Subscription) {
        self.subscriptions.send_modify(|all| {
            let under_way = all.iter_mut().find(|asked| {
                asked.outcome == Outcome::Initiated
                    && asked.unique_key_id == subscription.unique_key_id
            });
            match under_way {
                Some(asked) => *asked = subscription.clone(),
                None => all.push(subscription.clone()),
            }
        });
    }

    /// How the request that just came is to be treated; the answer itself, if it is not to be looked at.
    async fn treat(&self) -> Result<Behavior, Response> {
        let mut behavior = self.behavior.subscribe();
        let set = *behavior.borrow_and_update();
        match set {
            Behavior::Honest | Behavior::Lying(_) => Ok(set),
            Behavior::Slow(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(set)
            }
            Behavior::Error500 => Err(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
            Behavior::Silent => {
                let changed = behavior.wait_for(|set| *set != Behavior::Silent);
                let _ = tokio::time::timeout(SILENCE_MAX, changed).await;
                Err(HangUp.into_response())
            }
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
