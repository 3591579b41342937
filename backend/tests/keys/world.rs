//! A platform that answers challenges, beside a registry that sends them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tripline_backend::audit::Audit;
use tripline_backend::config::{Config, SAMPLE};
use tripline_backend::http::on_subscribe::{self, ChallengeDesk, Unanswered};
use tripline_backend::http::{Gate, listener};
use tripline_backend::keys::live::LiveKeys;
use tripline_backend::keys::ring::{KeyRing, KeyState, NetworkKey, RingError};
use tripline_backend::keys::rotation::Rotation;
use tripline_backend::network::directory::Directory;
use tripline_backend::network::http::builder;
use tripline_backend::network::registration::{Registrar, RegistrationError, SubscriptionStatus};
use tripline_backend::service::Platform;
use tripline_backend::store::Store;
use tripline_backend::time;
use tripline_protocol::signing::SecretKey;
use tripline_protocol::unit::Timestamp;

use crate::registry::Registry;

/// Longest wait for something that happens within seconds.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Who we are in the sample.
pub(crate) const US: &str = "bpp.example";

/// A platform that answers challenges, beside a registry that sends them.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) registry: Registry,
    pub(crate) registrar: Registrar,
    pub(crate) desk: ChallengeDesk,
    pub(crate) url: String,
    /// Where the store is, if nobody else keeps it.
    _store: Option<TempDir>,
}

impl World {
    pub(crate) async fn start(store: Store) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (dir, registry) = (tempfile::tempdir().expect("a folder"), Registry::start().await);
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/beckn", socket.local_addr().expect("bound"));
        let config = configuration(dir.path(), &registry, &url);
        let ring = KeyRing::make("k1", time::now()).expect("a ring");
        std::fs::create_dir(&config.data_dir).expect("a folder");
        ring.save(&config.keys_file()).expect("saved");
        let identity = config.settings().identity;
        let registrar = Registrar::new(&config.registry, identity).expect("all is set");
        let key = SecretKey::from_seed(&[7; 32]);
        let platform = Arc::new(Platform::new(store, config.settings(), key, Audit::new().0));
        let desk = || ChallengeDesk {
            platform: Arc::clone(&platform),
            keys: Arc::new(LiveKeys::new(US.into(), ring.clone())),
            registry: config.registry_key().expect("a key"),
        };
        let (desk, served) = (desk(), desk());
        let served = ChallengeDesk { keys: Arc::clone(&desk.keys), ..served };
        let gate = Arc::new(Gate::new(config.request_rules()));
        tokio::spawn(listener::run(socket, on_subscribe::router(served, gate, "/beckn")));
        Self { dir, registry, registrar, desk, url, _store: None }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("data/keys.json")
    }

    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        self.desk.keys.current()
    }

    pub(crate) async fn note(&self, unique_key_id: &str, at: Timestamp) {
        let mut tx = self.desk.platform.store.write().await.expect("begins");
        tx.note_registration(unique_key_id, at).await.expect("noted");
        tx.commit().await.expect("commits");
    }

    /// A challenge for the key that signs.
    pub(crate) fn challenge(&self, text: &str) -> String {
        self.registry.encrypt(&self.ring().signing().encryption.public_base64(), text)
    }

    /// What is answered to a challenge, and nothing else posted with it, at this time.
    pub(crate) async fn answer(
        &self,
        challenge: &str,
        now: Timestamp,
    ) -> Result<String, Unanswered> {
        self.desk.answer(json!({ "challenge": challenge }).to_string().as_bytes(), now).await
    }

    /// Status and body of what is answered over HTTP.
    pub(crate) async fn post(&self, body: impl Into<Vec<u8>>) -> (u16, String) {
        let client = builder(20_000).build().expect("a client");
        let url = format!("{}/on_subscribe", self.url);
        let response = client.post(url).body(body.into()).send().await.expect("answered");
        (response.status().as_u16(), response.text().await.expect("text"))
    }

    /// Registers the key that this picks.
    pub(crate) async fn register(&self, id: &str) -> Result<SubscriptionStatus, RegistrationError> {
        let (ring, store) = (self.ring(), &self.desk.platform.store);
        let key = ring.key(id).expect("a key");
        self.registrar.register(store, &ring, key, time::now()).await
    }

    /// The rotation as it sees what the registry shows at this moment.
    pub(crate) fn rotation(&self) -> Rotation {
        let shown = self.dir.path().join("shown.json");
        let entries = Value::from(self.registry.kept().entries.clone());
        std::fs::write(&shown, entries.to_string()).expect("written");
        Rotation {
            keys: Arc::clone(&self.desk.keys),
            path: self.path(),
            directory: Arc::new(Directory::of_file(&shown).expect("entries")),
            url: self.url.clone(),
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut KeyRing) -> Result<(), RingError>) {
        KeyRing::change(&self.path(), change).expect("changed");
        assert!(self.desk.keys.refresh(&self.path()).expect("read"), "it is another ring");
    }
}

/// The sample with a registry in place of the file of subscribers.
pub(crate) fn configuration(dir: &Path, registry: &Registry, url: &str) -> Config {
    let file = dir.join("bpp.toml");
    std::fs::write(&file, with_registry(SAMPLE, registry, url)).expect("written");
    Config::load(&file).expect("a configuration")
}

pub(crate) fn with_registry(sample: &str, registry: &Registry, url: &str) -> String {
    let uncommented = ["url = \"https://registry.example\"", "domain", "country", "city"];
    let mut text = sample.replace("subscribers_file", "# subscribers_file");
    for key in uncommented {
        text = text.replace(&format!("# {key}"), key);
    }
    text.replace("https://registry.example", &registry.url())
        .replace("http://127.0.0.1:8080/beckn", url)
        .replace("private_networks = []", "private_networks = [\"127.0.0.0/8\"]")
        .replace(
            "# encryption_public_key = \"...\"",
            &format!("encryption_public_key = \"{}\"", registry.public_base64()),
        )
}

pub(crate) fn next(id: &str) -> NetworkKey {
    NetworkKey::make(id, KeyState::Next, time::now()).expect("a key")
}

impl World {
    /// One on SQLite alone, for what the database has no part in.
    pub(crate) async fn on_sqlite() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        let world = Self::start(Store::open(&url).await.expect("SQLite opens")).await;
        Self { _store: Some(dir), ..world }
    }
}
