//! The document of the public listener: it is what is served, no more and no less.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tripline_backend::beckn::Action;
use tripline_backend::http::on_subscribe::{self, ChallengeDesk};
use tripline_backend::http::{self, App, Gate, listener};
use tripline_backend::keys::live::LiveKeys;
use tripline_backend::keys::ring::KeyRing;
use tripline_backend::network::guard::Guard;
use tripline_backend::time;

use crate::http::{Ask, BPP, World, generous};
use crate::town::{Town, token};
use crate::unit::Unit;

/// All that the public listener serves, as `serve` puts it together.
struct Listener {
    world: World,
    address: SocketAddr,
    client: reqwest::Client,
    _tasks: JoinSet<()>,
}

impl Listener {
    async fn start(base: &str) -> Self {
        let world = World::fresh().await;
        let (platform, directory) = (Arc::clone(&world.platform), Arc::clone(&world.directory));
        let ring = KeyRing::make("k1", time::now()).expect("a ring");
        let keys = Arc::new(LiveKeys::new(BPP.into(), ring));
        let desk = ChallengeDesk { platform: Arc::clone(&platform), keys, registry: None };
        let challenges = on_subscribe::routes(desk, Arc::new(Gate::new(generous())), base);
        let intake = world.intake.clone();
        let app = App::new(platform, directory, Guard::default(), intake, generous());
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("bound");
        let mut tasks = JoinSet::new();
        tasks.spawn(listener::run(socket, http::whole(Arc::new(app), challenges, base)));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { world, address, client, _tasks: tasks }
    }

    async fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let method = method.parse().expect("a method");
        let url = format!("http://{}{path}", self.address);
        let answer = self.client.request(method, url).send().await.expect("answered");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    }

    async fn document(&self) -> Value {
        let (status, text) = self.ask("GET", "/openapi.json").await;
        assert_eq!(status, 200);
        serde_json::from_str(&text).expect("JSON")
    }
}

/// Every operation: path, method, and what is told of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of = |(path, item): (&String, &Value)| {
        let item = item.as_object().expect("a path").clone();
        let path = path.clone();
        item.into_iter().map(move |(method, told)| (path.clone(), method.to_uppercase(), told))
    };
    paths.iter().flat_map(of).collect()
}

/// Every `$ref` in a value.
fn refs(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let target = fields.get("$ref").and_then(Value::as_str);
            found.extend(target.map(str::to_owned));
            for value in fields.values() {
                refs(value, found);
            }
        }
        Value::Array(values) => {
            for value in values {
                refs(value, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// That an answer has the schema that the document gives it.
fn check(document: &Value, told: &Value, status: u16, media: &str, body: &Value) {
    let content = &told["responses"][status.to_string()]["content"][media];
    assert!(content.is_object(), "{status} {media} is not in {told}");
    let schema = json!({ "allOf": [content["schema"]], "components": document["components"] });
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(body).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?} in {body:#}");
}

#[tokio::test]
async fn the_document_has_every_route_and_is_whole() {
    let document = Listener::start("/beckn").await.document().await;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let operations = operations(&document);
    let described: BTreeSet<(String, String)> =
        operations.iter().map(|(path, method, _)| (method.clone(), path.clone())).collect();
    let actions = Action::ALL.map(|action| ("POST", format!("/beckn/{}", action.code())));
    let besides = [
        ("POST", "/beckn/on_subscribe"),
        ("GET", "/track/{token}"),
        ("GET", "/track/{token}/events"),
        ("GET", "/receipt/{file}"),
        ("GET", "/form/{token}"),
        ("POST", "/form/{token}"),
        ("GET", "/health"),
        ("GET", "/openapi.json"),
    ];
    let besides = besides.map(|(method, path)| (method, path.to_owned()));
    let expected: BTreeSet<(String, String)> = actions
        .into_iter()
        .chain(besides)
        .map(|(method, path)| (method.to_owned(), path))
        .collect();
    assert_eq!(described, expected);
    let mut ids = BTreeSet::new();
    for (path, method, told) in &operations {
        let id = told["operationId"].as_str().unwrap_or_default();
        assert!(id.contains('.') && ids.insert(id), "{path}: {id} is none, or twice");
        for field in ["summary", "tags", "responses"] {
            assert!(!told[field].is_null(), "{id} has no {field}");
        }
        assert_eq!(told["requestBody"].is_null(), method == "GET", "{id}");
        let parameters = told["parameters"].as_array().cloned().unwrap_or_default();
        let named: Vec<&str> = parameters
            .iter()
            .filter(|one| one["in"] == "path")
            .filter_map(|one| one["name"].as_str())
            .collect();
        let places: Vec<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(named, places, "{id}");
        for response in told["responses"].as_object().expect("responses").values() {
            assert!(response["description"].as_str().is_some_and(|it| !it.is_empty()), "{id}");
            for content in response["content"].as_object().into_iter().flat_map(|it| it.values()) {
                let schema =
                    json!({ "allOf": [content["schema"]], "components": document["components"] });
                jsonschema::validator_for(&schema).expect("a schema");
            }
        }
    }
    let mut found = BTreeSet::new();
    refs(&document, &mut found);
    assert!(!found.is_empty());
    for target in found {
        let pointer = target.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
    }
}

#[tokio::test]
async fn what_is_served_is_what_the_document_says() {
    // A base that is no path of its own: nothing hides behind the actions.
    for base in ["/beckn", ""] {
        let listener = Listener::start(base).await;
        let document = listener.document().await;
        let operations = operations(&document);
        for (path, _, _) in &operations {
            let example = path.replace("{token}", "1").replace("{file}", "1.txt");
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                let (status, body) = listener.ask(method, &example).await;
                // What is not routed has no body.
                let is_served = status != 405 && !(status == 404 && body.is_empty());
                let is_told = operations.iter().any(|(p, m, _)| p == path && m == method);
                // Below an empty base everything of one part may be an action.
                let may_be_action = base.is_empty() && method == "POST";
                assert!(is_served == is_told || may_be_action, "{method} {path}: {status} {body}");
            }
        }
    }
}

#[tokio::test]
async fn every_action_is_served_and_answers_as_it_is_told() {
    let listener = Listener::start("/beckn").await;
    let document = listener.document().await;
    for action in Action::ALL {
        let told = &document["paths"][format!("/beckn/{}", action.code())]["post"];
        let signed = listener.world.send(&Ask::new(action.code(), "m-1", &json!({}))).await;
        assert_ne!(signed.status, 404, "{}: {:?}", action.code(), signed.body);
        check(&document, told, signed.status, "application/json", &signed.body);
        let mut unsigned = Ask::new(action.code(), "m-2", &json!({}));
        unsigned.header = |_| None;
        let answer = listener.world.send(&unsigned).await;
        assert_eq!(answer.status, 401);
        check(&document, told, 401, "application/json", &answer.body);
    }
    let strange = listener.world.send(&Ask::new("nonsense", "m-3", &json!({}))).await;
    assert_eq!(strange.status, 404, "{:?}", strange.body);
}

#[tokio::test]
async fn every_status_that_the_documentation_gives_a_request_is_in_the_document() {
    let document = Listener::start("/beckn").await.document().await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/beckn.md");
    let text = std::fs::read_to_string(file).expect("read");
    let (_, section) = text.split_once("### What is checked").expect("the table");
    let (section, _) = section.split_once("\n### ").expect("its end");
    let rows = section.lines().filter_map(|line| line.split('|').nth(3)?.trim().parse().ok());
    let written: BTreeSet<u16> = rows.collect();
    assert!(written.len() > 5, "the table is still where it was: {written:?}");
    for action in Action::ALL {
        let path = format!("/beckn/{}", action.code());
        let told = document["paths"][&path]["post"]["responses"].as_object().expect("responses");
        let told: BTreeSet<u16> = told.keys().filter_map(|status| status.parse().ok()).collect();
        assert_eq!(told, written, "{path}");
    }
}

#[tokio::test]
async fn the_links_answers_are_what_the_document_says() {
    let town = Town::new(1).await;
    let mut unit = Unit::new(1);
    let ride = town.accepted(1, &mut unit, 1).await;
    town.seen(&unit, (9_000, 0));
    let url = format!("http://{}/openapi.json", town.http.address);
    let document = town.get(&url, "*/*").await.json();
    let told = &document["paths"]["/track/{token}"]["get"];
    let under_way = town.get(&town.link(1), "*/*").await;
    check(&document, told, 200, "application/json", &under_way.json());
    for media in ["text/html", "text/event-stream"] {
        assert!(told["responses"]["200"]["content"][media].is_object(), "{told}");
    }
    let refused = town.get(&town.link(1), "image/png").await;
    check(&document, told, 406, "application/json", &refused.json());
    town.step(&mut unit, ride, tripline_protocol::trip::TripStep::Arrive).await;
    town.step(&mut unit, ride, crate::unit::start(crate::world::OTP)).await;
    town.stop(&mut unit, ride).await;
    check(&document, told, 410, "application/json", &town.get(&town.link(1), "*/*").await.json());
    let unknown = format!("http://{}/track/{}", town.http.address, token(9));
    check(&document, told, 404, "application/json", &town.get(&unknown, "*/*").await.json());
}

/// A route that came in by another way than its description would be in no document.
#[test]
fn no_endpoint_is_routed_without_its_description() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let mut folders = vec![folder.clone()];
    while let Some(inside) = folders.pop() {
        for file in std::fs::read_dir(inside).expect("there") {
            let path = file.expect("there").path();
            if path.is_dir() {
                folders.extend((!path.ends_with("admin")).then_some(path));
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let product = text.split("#[cfg(test)]").next().unwrap_or_default();
            let expected = usize::from(path == folder.join("mod.rs"));
            let routed = product.matches(".route(").count();
            assert_eq!(routed, expected, "{}: the actions and nothing else", path.display());
        }
    }
}
