//! A rider's platform (BAP) in software, Beckn core 0.9.4: it books over real HTTP, checks the
//! signature of every callback, and keeps a ledger of all that came.
//!
//! It knows the BPP by its address and key only; it shares no code with it but the signing. It never
//! repeats a request by itself: it keeps what it sent, and a test sends it again.

mod behavior;
mod keys;
mod ledger;

mod attempts;
mod callback;

mod booking;
mod request;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tripline_protocol::signing::{KeyId, PublicKey, SecretKey};
use uuid::Uuid;

pub use behavior::Behavior;
pub use ledger::Entry;
pub use request::{Answer, Sent};

use keys::Keys;
use ledger::{Ledger, Of};

use crate::server::{self, Server};

/// Network domain of a ride.
const DOMAIN: &str = "nic2004:60221";

/// Country of every request.
const COUNTRY: &str = "IND";

/// City of every request.
const CITY: &str = "std:080";

/// Version of every request.
const CORE_VERSION: &str = "0.9.4";

/// Path under which callbacks come.
const PATH: &str = "/bap";

/// Who the platform is and where it listens.
#[derive(Debug, Clone)]
pub struct BapSettings {
    /// Its subscriber id.
    pub subscriber_id: String,
    /// Id of its key.
    pub unique_key_id: String,
    /// Where callbacks come. Port 0 is one of the system's choice; another lets a platform that was
    /// stopped come back where the BPP knows it.
    pub listen: SocketAddr,
    /// Its key.
    pub key: SecretKey,
}

/// Where the BPP is and how it signs.
#[derive(Debug, Clone)]
pub struct BppAddress {
    /// Its address; an action follows after a slash.
    pub uri: String,
    /// Its subscriber id.
    pub subscriber_id: String,
    /// Id of its key.
    pub unique_key_id: String,
    /// Its public key.
    pub public_key: PublicKey,
}

fn key_id(subscriber_id: &str, unique_key_id: &str) -> KeyId {
    KeyId { subscriber_id: subscriber_id.into(), unique_key_id: Some(unique_key_id.into()) }
}

/// What handles and connections share.
#[derive(Debug)]
struct Desk {
    subscriber_id: String,
    keys: Keys,
    uri: String,
    /// One for the platform's lifetime: rides are told apart by their orders.
    transaction_id: String,
    bpp: BppAddress,
    behavior: watch::Sender<Behavior>,
    ledger: Ledger,
    sent: Mutex<Vec<Sent>>,
    http: reqwest::Client,
}

/// A running platform. Clones are handles to the same one; it ends with the last of them.
#[derive(Debug, Clone)]
pub struct Bap {
    desk: Arc<Desk>,
    server: Arc<Server>,
}

impl Bap {
    /// Starts to listen, ready to ACK. A rustls provider must have been installed in the process.
    pub async fn start(settings: BapSettings, bpp: BppAddress) -> anyhow::Result<Self> {
        let (listener, address) = server::bind(settings.listen).await?;
        let desk = Arc::new(Desk {
            subscriber_id: settings.subscriber_id,
            keys: Keys::new(settings.unique_key_id, settings.key, &bpp),
            uri: format!("http://{address}{PATH}"),
            transaction_id: Uuid::new_v4().to_string(),
            bpp,
            behavior: watch::Sender::new(Behavior::Ack),
            ledger: Ledger::new(),
            sent: Mutex::new(Vec::new()),
            http: request::client()?,
        });
        let server = Server::start(listener, address, callback::router(Arc::clone(&desk)));
        Ok(Self { desk, server: Arc::new(server) })
    }

    /// Stops listening: from here on connections are refused. The ledger stays readable, and requests can
    /// still be sent.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// Listens again at its address, with the ledger it had.
    pub async fn start_again(&self) -> anyhow::Result<()> {
        self.server.start_again().await
    }

    /// Its subscriber id.
    pub fn subscriber_id(&self) -> &str {
        &self.desk.subscriber_id
    }

    /// Signs with another key from here on.
    pub fn rotate_key(&self, unique_key_id: &str, key: SecretKey) {
        self.desk.keys.rotate(unique_key_id, key);
    }

    /// Believes callbacks that this key of the BPP signed, beside those it believes already.
    pub fn trust_key(&self, unique_key_id: &str, key: PublicKey) {
        self.desk.keys.trust(unique_key_id, key);
    }

    /// Believes this key of the BPP no more.
    pub fn distrust_key(&self, unique_key_id: &str) {
        self.desk.keys.distrust(unique_key_id);
    }

    /// Where callbacks are to be sent; an action follows after a slash.
    pub fn uri(&self) -> String {
        self.desk.uri.clone()
    }

    /// Its entry in a registry's lookup answer, core 0.9, with the key it signs with.
    pub fn lookup_entry(&self) -> Value {
        let (unique_key_id, key) = self.desk.keys.own();
        json!({
            "subscriber_id": self.desk.subscriber_id,
            "subscriber_url": self.desk.uri,
            "type": "BAP",
            "domain": DOMAIN,
            "city": CITY,
            "country": COUNTRY,
            "signing_public_key": key.public().to_string(),
            "unique_key_id": unique_key_id,
            "valid_from": "2020-01-01T00:00:00Z",
            "valid_until": "2100-01-01T00:00:00Z",
            "status": "SUBSCRIBED",
        })
    }

    /// Sets how callbacks are treated that come from now on.
    pub fn set_behavior(&self, behavior: Behavior) {
        self.desk.behavior.send_replace(behavior);
    }

    /// Every callback that came, in order, whatever was done with it.
    pub fn ledger(&self) -> Vec<Entry> {
        self.desk.ledger.entries(Of::Every).to_vec()
    }

    /// The callbacks answered with ACK, in order. One with the action and message id of an earlier one
    /// is a repetition and left out.
    pub fn accepted(&self) -> Vec<Entry> {
        self.desk.ledger.entries(Of::Accepted).to_vec()
    }

    /// The codes of the fulfillment states that an order's accepted `on_confirm`, `on_status` and
    /// `on_cancel` told, in order, each message once. Answers to [`Bap::status`] are among them.
    pub fn fulfillment_states(&self, order_id: &str) -> Vec<String> {
        self.desk.ledger.fulfillment_states(order_id)
    }

    /// Waits until `pick` finds what it looks for in [`Bap::accepted`]. The error names `what` and
    /// lists the callbacks seen.
    pub async fn wait_for<T>(
        &self,
        what: &str,
        deadline: Duration,
        pick: impl Fn(&[Entry]) -> Option<T>,
    ) -> anyhow::Result<T> {
        self.desk.ledger.wait_for(Of::Accepted, what, deadline, pick).await
    }

    /// As [`Bap::wait_for`], in [`Bap::ledger`]: for what is refused or repeated.
    pub async fn wait_for_arrival<T>(
        &self,
        what: &str,
        deadline: Duration,
        pick: impl Fn(&[Entry]) -> Option<T>,
    ) -> anyhow::Result<T> {
        self.desk.ledger.wait_for(Of::Every, what, deadline, pick).await
    }
}
