//! A platform whose forms are served, and whoever fills them in.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tripline_backend::audit::Audit;
use tripline_backend::config::Config;
use tripline_backend::domain::form::FormState;
use tripline_backend::http::{self, App, Rules};
use tripline_backend::network::directory::Directory;
use tripline_backend::network::guard::Guard;
use tripline_backend::operate::Actor;
use tripline_backend::operate::import::{Source, import};
use tripline_backend::service::Platform;
use tripline_backend::service::intake::Intake;
use tripline_backend::store::Store;
use tripline_backend::time;
use tripline_protocol::signing::{KeyId, SecretKey, sign};
use tripline_protocol::unit::Timestamp;

use crate::both::on_both;

pub(crate) const BAP: &str = "bap.example";
pub(crate) const OTHER: &str = "other.example";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A form that is required with a field of every kind, one that is not, and an item without any.
pub(crate) const FLEET: &str = r#"
[[provider]]
id = "city"
name = "City Cabs"

[[tariff]]
code = "flat"
version = 1
base_paise = 3000

[[form]]
id = "traveller"
title = "Who <i>travels</i>?"
required = "true"
fields = [
    { id = "name", label = "Name of <script>alert(1)</script> \"whoever\" travels", length_max = 40 },
    { id = "phone", label = "Phone", kind = "phone" },
    { id = "note", label = "Anything else", kind = "long-text", required = "false", length_max = 200 },
    { id = "bags", label = "Bags", kind = "number", required = false },
    { id = "day", label = "Day", kind = "date", required = false },
    { id = "mail", label = "Mail", kind = "email", required = false },
    { id = "seat", label = "Seat", kind = "choice", required = false, options = ["Front", "Back & left"] },
]

[[form]]
id = "survey"
title = "What do you like?"
required = "false"
fields = [{ id = "likes", label = "Likes" }]

[[item]]
id = "auto"
provider = "city"
name = "Auto"
vehicle_category = "AUTO"
tariff = "flat"
form = "traveller"

[[item]]
id = "shared"
provider = "city"
name = "Shared"
vehicle_category = "AUTO"
tariff = "flat"
form = "survey"

[[item]]
id = "plain"
provider = "city"
name = "Plain"
vehicle_category = "AUTO"
tariff = "flat"
"#;

/// The key of a subscriber.
pub(crate) fn key_of(subscriber: &str) -> SecretKey {
    let seed = subscriber.bytes().fold(0_u8, u8::wrapping_add);
    SecretKey::from_seed(&[seed; 32])
}

fn entry(subscriber: &str) -> Value {
    json!({
        "subscriber_id": subscriber, "subscriber_url": format!("http://127.0.0.1:9/{subscriber}"),
        "type": "BAP", "signing_public_key": key_of(subscriber).public().to_string(),
        "unique_key_id": "k1", "status": "SUBSCRIBED",
    })
}

/// The header with which a subscriber signs these bytes, with the key of another perhaps.
pub(crate) fn signed(bytes: &[u8], subscriber: &str, key: &SecretKey) -> String {
    let key_id = KeyId { subscriber_id: subscriber.into(), unique_key_id: Some("k1".into()) };
    let at_s = time::now().unix_ms.div_euclid(1000);
    sign(bytes, key, &key_id, at_s, at_s + 60)
}

pub(crate) struct World {
    pub(crate) platform: Arc<Platform>,
    pub(crate) client: reqwest::Client,
    _dir: TempDir,
    _tasks: JoinSet<()>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// The submission's id, of an answer that must be good.
    pub(crate) fn taken(&self) -> String {
        let body = self.json();
        assert_eq!((self.status, &body["status"]), (200, &json!(true)), "{self:?}");
        assert_eq!(body["errors"], json!([]));
        body["submission_id"].as_str().expect("text").to_owned()
    }

    /// The paths of what is wrong, of an answer that must say so.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let body = self.json();
        assert_eq!((self.status, &body["status"]), (200, &json!(false)), "{self:?}");
        assert!(body["submission_id"].is_null(), "{body}");
        let errors = body["errors"].as_array().expect("a list");
        let path = |error: &Value| {
            assert!(error["code"].is_string() && error["message"].is_string(), "{error}");
            error["path"].as_str().expect("text").to_owned()
        };
        errors.iter().map(path).collect()
    }

    /// The nonce of a page.
    pub(crate) fn nonce(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"nonce\" value=\"").expect("a nonce");
        rest.split('"').next().expect("its end").to_owned()
    }
}

impl World {
    pub(crate) async fn over(store: Store) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("subscribers.json");
        std::fs::write(&file, json!([entry(BAP), entry(OTHER)]).to_string()).expect("written");
        let directory = Arc::new(Directory::of_file(&file).expect("a directory"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = listener.local_addr().expect("bound");
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpp.sample.toml");
        let mut settings = Config::load(&sample).expect("valid").settings();
        settings.form_url = format!("http://{address}/form");
        let (audit, _) = Audit::new();
        let platform =
            Arc::new(Platform::new(store, settings, SecretKey::from_seed(&[1; 32]), audit));
        let (intake, _) = Intake::new();
        let rules = Rules {
            proxies: Vec::new(),
            per_address_per_s: 100_000,
            per_subscriber_per_s: 100_000,
            refuse_stale: true,
        };
        let guard = Guard::new(vec!["127.0.0.0/8".parse().expect("a network")]);
        let app = App::new(Arc::clone(&platform), directory, guard, intake, rules);
        let mut tasks = JoinSet::new();
        tasks.spawn(http::listener::run(listener, http::router(Arc::new(app), "/beckn")));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let world = Self { platform, client, _dir: dir, _tasks: tasks };
        world.import(FLEET).await.expect("taken in");
        world
    }

    /// Takes a file of the fleet in.
    pub(crate) async fn import(&self, text: &str) -> Result<(), String> {
        let source = Source { name: "fleet.toml".into(), rows: None, text: text.into() };
        let no_files = |name: &str| Err(format!("{name} is not there"));
        let mut tx = self.platform.store.write().await.expect("begins");
        let done = import(&mut tx, &Actor::cli(), &[source], &no_files, time::now()).await;
        done.map_err(|error| error.to_string())?;
        tx.commit().await.expect("commits");
        self.platform.refresh_fleet(time::now()).await.expect("looked at");
        Ok(())
    }

    /// The address of an item's form, if it has one.
    pub(crate) async fn link(&self, subscriber: &str, transaction: &str, item: &str) -> String {
        self.link_at(subscriber, transaction, item, time::now()).await.expect("it has a form").0
    }

    /// The same as it is asked for then; and whether it is required.
    pub(crate) async fn link_at(
        &self,
        subscriber: &str,
        transaction: &str,
        item: &str,
        now: Timestamp,
    ) -> Option<(String, bool)> {
        let catalog = self.platform.catalog();
        let item = catalog.item(item).expect("it is offered");
        let mut tx = self.platform.store.write().await.expect("begins");
        let link = self.platform.form_link(&mut tx, subscriber, transaction, item, now).await;
        tx.commit().await.expect("commits");
        link.expect("made").map(|link| (link.url, link.required))
    }

    /// Whether an item's form is in.
    pub(crate) async fn state(
        &self,
        subscriber: &str,
        transaction: &str,
        item: &str,
        submission: Option<&str>,
    ) -> FormState {
        let mut tx = self.platform.store.read().await.expect("begins");
        let state = self.platform.form_is_in(&mut tx, subscriber, transaction, item, submission);
        state.await.expect("answers")
    }

    pub(crate) async fn get(&self, url: &str) -> Answer {
        answer(self.client.get(url)).await
    }

    /// Sends a form as a program does, unsigned.
    pub(crate) async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let body = encoded(fields);
        answer(self.client.post(url).header(CONTENT_TYPE, FORM).body(body)).await
    }

    /// Sends a form as a browser does.
    pub(crate) async fn browse(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.client.post(url).header(CONTENT_TYPE, FORM);
        let request = request.header(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8");
        // What a proxy of the operator's may ask a browser for is no signature.
        let request = request.header(AUTHORIZATION, "Basic YTpi");
        answer(request.body(encoded(fields))).await
    }

    /// Sends bytes with a signature header.
    pub(crate) async fn post_signed(&self, url: &str, body: &str, authorization: &str) -> Answer {
        let request = self.client.post(url).header(CONTENT_TYPE, FORM);
        // A rider's platform may well pass on what its browser accepts.
        let request = request.header(ACCEPT, "text/html, application/json");
        answer(request.header(AUTHORIZATION, authorization).body(body.to_owned())).await
    }

    /// A fresh nonce of a page.
    pub(crate) async fn nonce(&self, url: &str) -> String {
        let page = self.get(url).await;
        assert_eq!(page.status, 200, "{page:?}");
        page.nonce()
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("answered");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.expect("a body") }
}

/// Fields as a browser encodes them.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Runs a test against a platform over each database.
pub(crate) async fn on_each<T>(test: impl Fn(World) -> T)
where
    T: Future<Output = ()>,
{
    let test = &test;
    on_both(|store| async move { test(World::over(store).await).await }).await;
}
