//! A platform whose admin API is served, and tokens for it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tripline_backend::audit::Audit;
use tripline_backend::config::Config;
use tripline_backend::http;
use tripline_backend::http::admin::{self, AdminApp, AdminRules};
use tripline_backend::identity::authority::Authorities;
use tripline_backend::identity::live::Identity;
use tripline_backend::keys::pin::PinKey;
use tripline_backend::network::directory::Directory;
use tripline_backend::operate::token::{self, NewToken};
use tripline_backend::operate::{Actor, Role};
use tripline_backend::service::Platform;
use tripline_backend::store::Store;
use tripline_backend::time;
use tripline_protocol::signing::SecretKey;
use tripline_protocol::unit::Timestamp;

use crate::both::on_both;
use crate::schema::Document;

/// Somebody on the network.
const SUBSCRIBERS: &str = r#"[
    {"subscriber_id": "bap.example", "subscriber_url": "http://127.0.0.1:9/a", "type": "BAP",
     "signing_public_key": "5WIRhVM6ZMHS47lPLtm6N9xCeVTUBv5BHjNJnpcuVvQ=", "status": "SUBSCRIBED"},
    {"subscriber_id": "other.example", "subscriber_url": "http://127.0.0.1:9/b", "type": "BAP",
     "signing_public_key": "5WIRhVM6ZMHS47lPLtm6N9xCeVTUBv5BHjNJnpcuVvQ=", "status": "UNSUBSCRIBED"}
]"#;

pub(crate) struct World {
    pub(crate) platform: Arc<Platform>,
    pub(crate) address: SocketAddr,
    pub(crate) document: Document,
    client: reqwest::Client,
    _dir: TempDir,
    _tasks: JoinSet<()>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The word of a problem.
    pub(crate) fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let kind = self.body["type"].as_str().unwrap_or_default();
        kind.strip_prefix("urn:tripline:problem:").expect("one of ours")
    }

    /// The body of an answer that must be good.
    pub(crate) fn good(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.body
    }
}

/// A request to be sent.
pub(crate) struct Ask<'a> {
    world: &'a World,
    method: Method,
    path: String,
    secret: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Ask<'_> {
    pub(crate) fn with(mut self, secret: &str) -> Self {
        self.secret = Some(secret.to_owned());
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    pub(crate) fn raw(mut self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", media)
    }

    /// The answer, which is what the document says.
    pub(crate) async fn send(self) -> Answer {
        let (world, method, path) = (self.world, self.method, self.path);
        let url = format!("http://{}{path}", world.address);
        let mut request = world.client.request(method.clone(), url);
        if let Some(secret) = self.secret {
            request = request.bearer_auth(secret);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let response = request.body(self.body).send().await.expect("answered");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let media = headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
        world.document.check(method.as_str(), &path, status, media.unwrap_or_default(), &body);
        Answer { status, headers, body }
    }
}

impl World {
    /// A platform over this store, on an address that is or is not taken for loopback.
    pub(crate) async fn of(store: Store, open_metrics: bool) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().expect("a folder");
        let (ca, file) = (dir.path().join("ca"), dir.path().join("subscribers.json"));
        Authorities::create(&ca, time::now()).expect("made");
        std::fs::write(&file, SUBSCRIBERS).expect("written");
        let identity = Identity::load(ca, vec!["localhost".into()], time::now()).expect("loads");
        let directory = Directory::of_file(&file).expect("a directory");
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpp.sample.toml");
        let settings = Config::load(&sample).expect("valid").settings();
        let (audit, _) = Audit::new();
        let platform = Platform::new(store, settings, SecretKey::from_seed(&[1; 32]), audit);
        let pins = PinKey::new(&SecretKey::from_seed(&[2; 32]));
        let platform = Arc::new(platform.with_pin_key(pins));
        platform.refresh_fleet(tripline_backend::time::now()).await.expect("looked at");
        let rules = AdminRules {
            proxies: vec!["127.0.0.1/32".parse().expect("a network")],
            open_metrics,
            enrol_url: "https://enrol.example:8884".into(),
        };
        let app =
            AdminApp::new(Arc::clone(&platform), Arc::new(directory), Arc::new(identity), rules);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut tasks = JoinSet::new();
        tasks.spawn(http::listener::run(listener, admin::router(app)));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let document = Document::new();
        Self { platform, address, document, client, _dir: dir, _tasks: tasks }
    }

    /// A token that was made now.
    pub(crate) async fn token(&self, name: &str, role: Role) -> String {
        self.token_at(name, role, None, time::now()).await
    }

    /// A token that was made then, for so many days.
    pub(crate) async fn token_at(
        &self,
        name: &str,
        role: Role,
        expires_days: Option<u32>,
        now: Timestamp,
    ) -> String {
        let new = NewToken { name: name.into(), role, expires_days };
        let mut tx = self.platform.store.write().await.expect("begins");
        let made = token::add(&mut tx, &Actor::cli(), &new, now).await.expect("made");
        tx.commit().await.expect("commits");
        made.secret
    }

    pub(crate) fn ask(&self, method: &str, path: impl Into<String>) -> Ask<'_> {
        let method = method.parse().expect("a method");
        let (secret, headers, body) = (None, Vec::new(), Vec::new());
        Ask { world: self, method, path: path.into(), secret, headers, body }
    }

    pub(crate) async fn get(&self, secret: &str, path: impl Into<String>) -> Answer {
        self.ask("GET", path).with(secret).send().await
    }

    pub(crate) async fn post(&self, secret: &str, path: &str, body: &Value) -> Answer {
        self.ask("POST", path).with(secret).json(body).send().await
    }
}

/// Runs a test against the API over each database.
pub(crate) async fn on_each<T>(test: impl Fn(World) -> T)
where
    T: Future<Output = ()>,
{
    let test = &test;
    on_both(|store| async move { test(World::of(store, true).await).await }).await;
}
