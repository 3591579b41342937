//! A platform that serves over HTTP from a file of subscribers, a BAP's requests, and what is stored of them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tripline_backend::audit::Audit;
use tripline_backend::config::Config;
use tripline_backend::domain::order::Vehicle;
use tripline_backend::http::{self, App, Rules};
use tripline_backend::network::directory::{Counts, Directory};
use tripline_backend::network::guard::Guard;
use tripline_backend::service::intake::{self, Intake};
use tripline_backend::service::{Platform, Settings};
use tripline_backend::store::{Store, Tx};
use tripline_backend::time;
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::up::Live;
use tripline_protocol::signing::{KeyId, SecretKey, sign};
use tripline_protocol::unit::{Position, Timestamp};

use crate::both::postgres;
use crate::offer;
use crate::published::held;
use crate::registry::StubRegistry;

pub(crate) const DOMAIN: &str = "nic2004:60221";
pub(crate) const BAP: &str = "bap.example";
pub(crate) const OTHER_BAP: &str = "other.example";
pub(crate) const GATEWAY: &str = "gateway.example";
pub(crate) const BPP: &str = "bpp.example";
pub(crate) const BPP_URI: &str = "http://127.0.0.1:8080/beckn";
pub(crate) const PICKUP: &str = "12.9345671,77.6123459";
pub(crate) const DROP: &str = "12.9245672,77.6023458";

/// The key of a subscriber.
pub(crate) fn key_of(subscriber: &str) -> SecretKey {
    let seed = subscriber.bytes().fold(0_u8, u8::wrapping_add);
    SecretKey::from_seed(&[seed; 32])
}

pub(crate) fn key_id(subscriber: &str) -> KeyId {
    KeyId { subscriber_id: subscriber.into(), unique_key_id: Some("k1".into()) }
}

pub(crate) fn uri_of(subscriber: &str) -> String {
    format!("http://127.0.0.1:9/{subscriber}")
}

pub(crate) fn entry(subscriber: &str, role: &str, domain: Option<&str>) -> Value {
    json!({
        "subscriber_id": subscriber, "subscriber_url": uri_of(subscriber), "type": role,
        "domain": domain, "signing_public_key": key_of(subscriber).public().to_string(),
        "unique_key_id": "k1", "status": "SUBSCRIBED",
    })
}

/// Everybody on the network. The file is where the directory is made, so that only this knows how.
fn directory(dir: &Path) -> Directory {
    let mut gone = entry("gone.example", "BAP", None);
    gone["status"] = json!("UNSUBSCRIBED");
    // One subscriber in two domains, with a key for each, and none of them named.
    let mut here = entry("two.example", "BAP", Some(DOMAIN));
    let mut there = entry("two.example", "BAP", Some("nic2008:49213"));
    here.as_object_mut().expect("an object").remove("unique_key_id");
    there.as_object_mut().expect("an object").remove("unique_key_id");
    there["signing_public_key"] = json!(key_of("two.example/there").public().to_string());
    let file = dir.join("subscribers.json");
    let all = json!([
        entry(BAP, "BAP", Some(DOMAIN)),
        entry(OTHER_BAP, "bap", None),
        entry(GATEWAY, "BG", None),
        entry("gateway.elsewhere", "BG", Some("nic2008:49213")),
        entry("provider.example", "BPP", None),
        gone,
        there,
        here,
    ]);
    std::fs::write(&file, all.to_string()).expect("written");
    Directory::of_file(&file).expect("a directory")
}

/// The sample's configuration.
pub(crate) fn sample() -> Config {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpp.sample.toml");
    Config::load(&sample).expect("the sample is valid")
}

/// Rates that no test reaches.
pub(crate) fn generous() -> Rules {
    Rules {
        proxies: Vec::new(),
        per_address_per_s: 100_000,
        per_subscriber_per_s: 100_000,
        refuse_stale: true,
    }
}

/// URLs of a fresh store of each kind, and the folder that one of them is in.
pub(crate) async fn stores() -> (TempDir, Vec<String>) {
    let dir = tempfile::tempdir().expect("a folder");
    let mut urls = vec![format!("sqlite:{}", dir.path().join("test.db").display())];
    urls.extend(postgres().await);
    (dir, urls)
}

pub(crate) struct World {
    pub(crate) platform: Arc<Platform>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) intake: Intake,
    pub(crate) address: SocketAddr,
    /// What is served there.
    pub(crate) router: Router,
    url: String,
    dir: TempDir,
    client: reqwest::Client,
    tasks: JoinSet<()>,
}

impl World {
    /// A platform over a store of its own.
    pub(crate) async fn fresh() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        Self::with(dir, url, generous()).await
    }

    pub(crate) async fn with_rules(rules: Rules) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        Self::with(dir, url, rules).await
    }

    /// A platform over this store, with one free vehicle at the pickup.
    pub(crate) async fn over(url: &str) -> Self {
        Self::with(tempfile::tempdir().expect("a folder"), url.into(), generous()).await
    }

    /// A platform that is set up so.
    pub(crate) async fn with_settings(settings: Settings) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        Self::set_up(dir, url, settings).await
    }

    /// The same over this store, with what else it needs in a folder.
    pub(crate) async fn set_up(dir: TempDir, url: String, settings: Settings) -> Self {
        let store = Store::open(&url).await.expect("opens");
        let directory = directory(dir.path());
        Self::of(dir, url, store, settings, directory, generous()).await
    }

    /// A platform that has its subscribers from a registry.
    pub(crate) async fn of_registry(registry: &StubRegistry) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        let store = Store::open(&url).await.expect("opens");
        let mut config = sample();
        config.beckn.subscribers_file = None;
        config.registry.url = Some(registry.url());
        // Longer than a test takes: nobody gives up in it.
        config.registry.timeout_ms = 60_000;
        let directory = Directory::open(&config, store.clone(), Counts::default());
        let directory = directory.expect("it opens");
        Self::of(dir, url, store, config.settings(), directory, generous()).await
    }

    async fn with(dir: TempDir, url: String, rules: Rules) -> Self {
        let store = Store::open(&url).await.expect("opens");
        let directory = directory(dir.path());
        Self::of(dir, url, store, sample().settings(), directory, rules).await
    }

    async fn of(
        dir: TempDir,
        url: String,
        store: Store,
        settings: Settings,
        directory: Directory,
        rules: Rules,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (audit, _) = Audit::new();
        let key = SecretKey::from_seed(&[1; 32]);
        let platform = Arc::new(Platform::new(store, settings, key, audit));
        let guard = Guard::new(vec!["127.0.0.0/8".parse().expect("a network")]);
        let (intake, waiting) = Intake::new();
        let directory = Arc::new(directory);
        let (of_app, heard) = (Arc::clone(&platform), Arc::clone(&directory));
        let app = App::new(of_app, heard, guard, intake.clone(), rules);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut tasks = JoinSet::new();
        tasks.spawn(intake::run(Arc::clone(&platform), waiting));
        let router = http::router(Arc::new(app), "/beckn");
        tasks.spawn(http::listener::run(listener, router.clone()));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let world = Self { platform, directory, intake, address, router, url, dir, client, tasks };
        world.add_vehicle().await;
        world
    }

    async fn add_vehicle(&self) {
        let device: DeviceId = "d1".parse().expect("valid");
        let vehicle = Vehicle {
            device: device.clone(),
            registration: "KA 1".into(),
            category: "AUTO_RICKSHAW".into(),
            make: None,
            model: None,
            color: None,
            driver: None,
            driver_name: "Raghav".into(),
            driver_phone: "+91-98".into(),
            driver_rating_centistars: None,
        };
        let mut tx = self.platform.store.write().await.expect("begins");
        tx.add_vehicle(vehicle, time::now()).await.expect("added, or there");
        offer::take_in(&mut tx, time::now()).await;
        tx.commit().await.expect("commits");
        self.platform.refresh_fleet(tripline_backend::time::now()).await.expect("looked at");
        let position = Position::new(129_345_671, 776_123_459).expect("on the globe");
        let live = Live { at: time::now(), position, speed_mmps: None, course_cdeg: None };
        self.platform.handle_live(&device, live);
    }

    /// Stops it and starts another over the same store.
    pub(crate) async fn restarted(mut self) -> Self {
        self.tasks.shutdown().await;
        self.platform.store.close().await;
        Self::with(self.dir, self.url, generous()).await
    }

    pub(crate) fn item_id() -> String {
        "auto".into()
    }

    /// Signs and sends.
    pub(crate) async fn send(&self, ask: &Ask) -> Answer {
        let (signed, authorization) = ask.signed();
        let url = format!("http://{}/beckn/{}", self.address, ask.action);
        let mut request = self.client.post(url).header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = (ask.header)(authorization) {
            request = request.header(AUTHORIZATION, authorization);
        }
        for (name, value) in &ask.more {
            request = request.header(*name, value);
        }
        let body = ask.wire.clone().unwrap_or(signed);
        let response = request.body(body).send().await.expect("answered");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.expect("a body");
        let body = serde_json::from_slice(&body).expect("every answer is JSON");
        Answer { status, headers, body }
    }

    /// How many rows there are: requests, callbacks, orders.
    pub(crate) async fn counts(&self) -> [i64; 3] {
        let count = |sql| async move {
            let rows: Vec<(i64,)> = self.rows(sql).await;
            rows.first().map_or(0, |(count,)| *count)
        };
        [
            count("SELECT COUNT(*) FROM inbox").await,
            count("SELECT COUNT(*) FROM callback").await,
            count("SELECT COUNT(*) FROM ride_order").await,
        ]
    }

    pub(crate) async fn rows<T>(&self, sql: &'static str) -> Vec<T>
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>
            + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>
            + Send
            + Unpin,
    {
        let mut tx = self.platform.store.read().await.expect("begins");
        let rows = match &mut tx {
            Tx::Sqlite(tx) => sqlx::query_as(sql).fetch_all(&mut **tx).await,
            Tx::Postgres(tx) | Tx::PostgresWriting(tx) => {
                sqlx::query_as(sql).fetch_all(&mut **tx).await
            }
        };
        rows.expect("answers")
    }

    /// The bodies of the callbacks of an action, oldest first, each with how long it is tried, in ms.
    pub(crate) async fn callbacks(&self, action: &str) -> Vec<(Value, i64)> {
        const SQL: &str = "SELECT action, body, expires_at - created_at FROM callback \
             ORDER BY created_at, order_key, sequence";
        let rows: Vec<(String, Vec<u8>, i64)> = self.rows(SQL).await;
        let rows = rows.into_iter().filter(|(named, _, _)| named == action);
        rows.map(|(action, body, ms)| (held(&action, &body), ms)).collect()
    }
}

/// A request to be sent, and what is unusual about it.
pub(crate) struct Ask {
    pub(crate) action: &'static str,
    pub(crate) body: Value,
    /// The bytes that are signed, if not those of `body`.
    pub(crate) raw: Option<Vec<u8>>,
    /// The bytes that are sent, if not those that are signed.
    pub(crate) wire: Option<Vec<u8>>,
    pub(crate) key: SecretKey,
    pub(crate) key_id: KeyId,
    /// When it was signed, in Unix s; if not now.
    pub(crate) at_s: Option<i64>,
    /// So many s after that, and for how long.
    pub(crate) created_s: i64,
    pub(crate) life_s: i64,
    /// What becomes of the signature header.
    pub(crate) header: fn(String) -> Option<String>,
    /// Further headers.
    pub(crate) more: Vec<(&'static str, String)>,
}

impl Ask {
    pub(crate) fn new(action: &'static str, message_id: &str, message: &Value) -> Self {
        let mut context = json!({
            "domain": DOMAIN, "country": "IND", "city": "std:080", "action": action,
            "core_version": "0.9.4", "bap_id": BAP, "bap_uri": uri_of(BAP),
            "transaction_id": "t-1", "message_id": message_id, "timestamp": at(0), "ttl": "PT30S",
        });
        if action != "search" {
            context["bpp_id"] = json!(BPP);
            context["bpp_uri"] = json!(BPP_URI);
        }
        Self {
            action,
            body: json!({ "context": context, "message": message }),
            raw: None,
            wire: None,
            key: key_of(BAP),
            key_id: key_id(BAP),
            at_s: None,
            created_s: 0,
            life_s: 60,
            header: Some,
            more: Vec::new(),
        }
    }

    pub(crate) fn search(message_id: &str) -> Self {
        Self::new("search", message_id, &json!({ "intent": { "fulfillment": route() } }))
    }

    pub(crate) fn select(message_id: &str, item_id: &str) -> Self {
        let order = json!({ "items": [{ "id": item_id }], "fulfillment": route() });
        Self::new("select", message_id, &json!({ "order": order }))
    }

    /// The same request by another subscriber.
    pub(crate) fn by(mut self, subscriber: &str) -> Self {
        self.body["context"]["bap_id"] = json!(subscriber);
        self.body["context"]["bap_uri"] = json!(uri_of(subscriber));
        (self.key, self.key_id) = (key_of(subscriber), key_id(subscriber));
        self
    }

    /// The bytes that are signed.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.raw.clone().unwrap_or_else(|| self.body.to_string().into_bytes())
    }

    /// The bytes, and their signature header.
    pub(crate) fn signed(&self) -> (Vec<u8>, String) {
        let bytes = self.bytes();
        let at_s = self.at_s.unwrap_or_else(|| time::now().unix_ms.div_euclid(1000));
        let created_s = at_s + self.created_s;
        let header = sign(&bytes, &self.key, &self.key_id, created_s, created_s + self.life_s);
        (bytes, header)
    }
}

pub(crate) fn route() -> Value {
    json!({ "start": { "location": { "gps": PICKUP } }, "end": { "location": { "gps": DROP } } })
}

/// The time in so many seconds, as a BAP writes it.
pub(crate) fn at(in_s: i64) -> String {
    let at: Timestamp = time::now().plus_ms(in_s * 1000);
    jiff::Timestamp::from_millisecond(at.unix_ms).expect("in range").to_string()
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn is_ack(&self) -> bool {
        let ack = self.body["message"]["ack"]["status"] == "ACK";
        assert_eq!(ack, !self.is_nack(), "either: {}", self.body);
        ack && self.status == 200
    }

    pub(crate) fn is_nack(&self) -> bool {
        self.body["message"]["ack"]["status"] == "NACK"
    }

    /// The path of the field that is wrong, or the error's code where there is none.
    pub(crate) fn named(&self) -> &str {
        let error = &self.body["error"];
        error["path"].as_str().or(error["code"].as_str()).unwrap_or_default()
    }
}
