//! A platform that runs while the registry changes what it has of it: what it takes, what it tells, and what
//! its log says.

mod log;
#[expect(dead_code, reason = "the tests of the guard need more of it")]
mod outbox;
#[expect(dead_code, reason = "the tests of the directory need more of it")]
mod registry;

use std::sync::Arc;
use std::time::Duration;

use outbox::{ACK, Got, Peer, World};
use registry::{StubRegistry, entry};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::Level;
use tripline_backend::config::{Config, SAMPLE};
use tripline_backend::http::{self, App, Rules};
use tripline_backend::keys::live::LiveKeys;
use tripline_backend::keys::ring::KeyRing;
use tripline_backend::network::directory::{Counts, Directory};
use tripline_backend::network::guard::Guard;
use tripline_backend::network::self_check::{Pauses, SelfCheck};
use tripline_backend::network::standing::Standing;
use tripline_backend::service::intake::Intake;
use tripline_backend::time;

const US: &str = "bpp.example";
const OUR_URI: &str = "https://bpp.example/beckn";
const ELSEWHERE: &str = "https://old.example/beckn";

/// Between two looks of the check, and of the test.
const SHORT: Duration = Duration::from_millis(20);

/// Longest wait for something that happens within seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long callbacks are tried, in ms: longer than the test takes.
const TRIED_MS: i64 = 3_600_000;

fn directory(world: &World, stub: &StubRegistry) -> Directory {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("bpp.toml");
    let text = SAMPLE
        .replace("subscribers_file =", "# subscribers_file =")
        .replace("# url = \"https://registry.example\"", &format!("url = \"{}\"", stub.url()));
    std::fs::write(&path, text).expect("written");
    let config = Config::load(&path).expect("it loads");
    let store = world.platform.store.clone();
    Directory::open(&config, store, Counts::default()).expect("it opens")
}

/// Our entry with the key that signs, at this address.
fn our_entry(ring: &KeyRing, url: &str) -> Value {
    let mut entry = entry(US, "BPP", 7);
    entry["subscriber_url"] = url.into();
    entry["signing_public_key"] = ring.signing().signing.public().to_string().into();
    entry
}

/// Where requests come in.
async fn door(world: &World, directory: Arc<Directory>, tasks: &mut JoinSet<()>) -> String {
    let rules = Rules {
        proxies: Vec::new(),
        per_address_per_s: 100_000,
        per_subscriber_per_s: 100_000,
        refuse_stale: true,
    };
    let (intake, _) = Intake::new();
    let platform = Arc::clone(&world.platform);
    let app = App::new(platform, directory, Guard::default(), intake, rules);
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/beckn/search", socket.local_addr().expect("bound"));
    tasks.spawn(http::listener::run(socket, http::router(Arc::new(app), "/beckn")));
    url
}

/// Waits until a request that nobody signed gets this status.
async fn until_answered(url: &str, status: u16) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answered = async {
        while client.post(url).body("{}").send().await.expect("answered").status() != status {
            tokio::time::sleep(SHORT).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, answered).await;
    waited.unwrap_or_else(|_| panic!("waited in vain for {status}"));
}

async fn until(what: &str, is: impl Fn() -> bool) {
    let so = async {
        while !is() {
            tokio::time::sleep(SHORT).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, so).await.is_ok(), "waited in vain for {what}");
}

#[tokio::test]
async fn a_restart_while_the_registry_is_down_forgives_nothing() {
    let (world, mut stub) = (World::on_sqlite().await, StubRegistry::start(Vec::new()).await);
    let ring = KeyRing::make("k7", time::now()).expect("made");
    stub.know(vec![our_entry(&ring, ELSEWHERE)]);
    let keys = Arc::new(LiveKeys::new(US.into(), ring));
    for is_down in [false, true] {
        if is_down {
            stub.stop().await;
        }
        let directory = Arc::new(directory(&world, &stub));
        directory.load(time::now()).await.expect("read");
        let standing = watch::Sender::new(Standing::Good);
        let served = world.platform.metrics.network_served.clone();
        let keys = Arc::clone(&keys);
        let check = SelfCheck::new(directory, keys, OUR_URI.into(), standing, served);
        let error = check.start(time::now()).await.expect_err("somebody else is meant");
        assert_eq!(error.exit_code(), 8, "{error}");
    }
}

#[tokio::test]
async fn what_the_registry_changes_about_us_while_we_run_stops_and_starts_requests_and_callbacks() {
    let (lines, writer) = log::lines(Level::DEBUG);
    let _logging = tracing::subscriber::set_default(writer);
    let (world, stub) = (World::on_sqlite().await, StubRegistry::start(Vec::new()).await);
    let ring = KeyRing::make("k7", time::now()).expect("made");
    let right = our_entry(&ring, OUR_URI);
    let moved = our_entry(&ring, ELSEWHERE);
    let keys = Arc::new(LiveKeys::new(US.into(), ring));
    let directory = Arc::new(directory(&world, &stub));
    let (platform, mut tasks) = (&world.platform, JoinSet::new());
    let (standing, served) = (platform.standing.clone(), platform.metrics.network_served.clone());
    let checked = Arc::clone(&directory);
    let check = SelfCheck::new(checked, keys, OUR_URI.into(), standing, served);
    assert!(!check.start(time::now()).await.expect("nobody is meant instead of us"));
    tasks.spawn(check.run(false, Pauses { well: SHORT, troubled: SHORT }));
    let url = door(&world, directory, &mut tasks).await;
    until_answered(&url, 503).await;

    let peer = Peer::start(|_: &Got| ACK).await;
    let poster = world.poster(&[("bap", &peer.url("bap"))], &["127.0.0.0/8"]);
    let _working = world.work(poster);
    stub.know(vec![right.clone()]);
    until_answered(&url, 401).await;
    world.add("bap", ("a", 1), &peer.url("bap/on_status"), TRIED_MS).await;
    world.settled().await;

    stub.know(vec![moved]);
    until_answered(&url, 503).await;
    world.add("bap", ("a", 2), &peer.url("bap/on_status"), TRIED_MS).await;
    let asked = stub.count(US);
    until("further looks", || stub.count(US) > asked + 5).await;
    assert_eq!(peer.got().len(), 1, "nothing is told in another's name");
    let told = lines.text();
    for words in ["the registry has another address for us", ELSEWHERE, OUR_URI] {
        assert!(told.contains(words), "{words} is not in {told}");
    }

    stub.know(vec![right]);
    until_answered(&url, 401).await;
    world.settled().await;
    assert_eq!(peer.got().len(), 2);
}
