//! Who is on the network: a registry that is down, slow or lying, one that changes its mind, and a file in
//! its place.

#[expect(dead_code, reason = "other tests use the rest of it")]
mod both;
mod registry;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use both::{both, on_both};
use registry::{Manner, StubRegistry, entry, public};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tripline_backend::config::{Config, SAMPLE};
use tripline_backend::error::BppError;
use tripline_backend::keys::live::LiveKeys;
use tripline_backend::keys::ring::KeyRing;
use tripline_backend::metrics::Metrics;
use tripline_backend::network::directory::{Counts, Directory, DirectoryError, Look};
use tripline_backend::network::self_check::SelfCheck;
use tripline_backend::network::standing::Standing;
use tripline_backend::network::subscriber::{Role, Subscriber};
use tripline_backend::store::Store;
use tripline_backend::store::subscriber::{AHEAD_MS_MAX, SubscriberRow};
use tripline_backend::time;
use tripline_protocol::signing::PublicKey;
use tripline_protocol::unit::Timestamp;

/// Longest wait for something that happens within seconds.
const PATIENCE: Duration = Duration::from_secs(30);

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
const CACHE_MS: i64 = 300_000;
const OUTAGE_MS: i64 = 86_400_000;
const TIMEOUT_MS: u64 = 300;
const BAP: &str = "bap.example";
const BPP: &str = "bpp.example";

/// What a directory says.
type Found = Result<Arc<[Subscriber]>, DirectoryError>;

/// The sample's configuration with this registry in place of the file.
fn config(stub: &StubRegistry) -> Config {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("bpp.toml");
    let text = SAMPLE
        .replace("subscribers_file =", "# subscribers_file =")
        .replace("# url = \"https://registry.example\"", &format!("url = \"{}\"", stub.url()))
        .replace("# domain = \"nic2004:60221\"", "domain = \"mobility\"")
        .replace("timeout_ms = 5000", &format!("timeout_ms = {TIMEOUT_MS}"));
    std::fs::write(&path, text).expect("written");
    let _ = rustls::crypto::ring::default_provider().install_default();
    Config::load(&path).expect("it loads")
}

/// A directory over a store and a registry, with what was written down before.
async fn open(stub: &StubRegistry, store: &Store, now: Timestamp) -> Arc<Directory> {
    let directory = Directory::open(&config(stub), store.clone(), Counts::default());
    let directory = directory.expect("it opens");
    directory.load(now).await.expect("it loads");
    Arc::new(directory)
}

/// A registry, a directory over it, and the folder of its store.
async fn world(entries: Vec<Value>) -> (StubRegistry, Arc<Directory>, TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", dir.path().join("test.db").display());
    let store = Store::open(&url).await.expect("it opens");
    let stub = StubRegistry::start(entries).await;
    let directory = open(&stub, &store, NOW).await;
    (stub, directory, dir)
}

async fn keys_of(
    directory: &Directory,
    look: Look,
    now: Timestamp,
) -> Result<Vec<PublicKey>, DirectoryError> {
    let found = directory.find(BAP, Role::Bap, look, now).await?;
    Ok(found.iter().map(|entry: &Subscriber| entry.key).collect())
}

/// Waits until it is true.
async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_lookup_is_a_flat_question_and_its_answer_is_used_until_it_is_asked_for_again() {
    let (stub, directory, _dir) = world(vec![entry(BAP, "BAP", 1), entry(BAP, "BG", 9)]).await;
    for id in [BAP, "https://BAP.example/"] {
        let found = directory.find(id, Role::Bap, Look::Cached, NOW).await.expect("known");
        assert_eq!((found.len(), found[0].key), (1, public(1)));
        assert_eq!(found[0].url, "https://bap.example/beckn");
    }
    let question = json!({ "subscriber_id": BAP, "type": "bap", "domain": "mobility" });
    assert_eq!(stub.questions(), [question]);
    stub.know(vec![entry(BAP, "BAP", 2)]);
    let stale = NOW.plus_ms(CACHE_MS);
    assert_eq!(keys_of(&directory, Look::Cached, stale).await, Ok(vec![public(1)]));
    // It was given at once, and is asked for meanwhile.
    until("the new key", async || {
        keys_of(&directory, Look::Cached, stale).await == Ok(vec![public(2)])
    })
    .await;
    assert_eq!(stub.count(BAP), 2);
    stub.know(Vec::new());
    let old = stale.plus_ms(2 * CACHE_MS);
    assert_eq!(keys_of(&directory, Look::Cached, old).await, Ok(vec![]), "revoked");
    for long in [format!("{}.example", "x".repeat(600)), String::new()] {
        let found = directory.find(&long, Role::Bap, Look::Anew, NOW).await.expect("nobody");
        assert!(found.is_empty());
    }
    assert_eq!(stub.questions().len(), 3);
}

#[tokio::test]
async fn many_who_ask_at_once_cause_one_lookup_and_those_who_leave_spoil_it_for_nobody() {
    let (stub, directory, _dir) = world(vec![entry(BAP, "BAP", 1)]).await;
    stub.hold();
    let ask = |directory: &Arc<Directory>| {
        let directory = Arc::clone(directory);
        tokio::spawn(async move { keys_of(&directory, Look::Cached, NOW).await })
    };
    let first = ask(&directory);
    until("the first question", async || stub.count(BAP) == 1).await;
    // One place is taken until it is seen that the first has left.
    let others: Vec<_> = (0..7).map(|_| ask(&directory)).collect();
    first.abort();
    stub.let_go();
    for other in others {
        assert_eq!(other.await.expect("ends"), Ok(vec![public(1)]));
    }
    assert_eq!(stub.count(BAP), 1);
}

/// A directory whose lookups nobody gives up in the time of a test.
async fn patient(entries: Vec<Value>) -> (StubRegistry, Arc<Directory>, TempDir) {
    let (dir, stores) = both().await;
    let stub = StubRegistry::start(entries).await;
    let mut config = config(&stub);
    config.registry.timeout_ms = 60_000;
    let directory = Directory::open(&config, stores[0].clone(), Counts::default());
    (stub, Arc::new(directory.expect("it opens")), dir)
}

/// Asks so often at once, while the registry is held; waits until only so many wait, and gives what the
/// others were told, and those who wait.
async fn crowd(
    directory: &Arc<Directory>,
    ids: impl Iterator<Item = String>,
    look: Look,
    waiting: usize,
) -> (Vec<Found>, Vec<JoinHandle<Found>>) {
    let ask = |id: String| {
        let directory = Arc::clone(directory);
        tokio::spawn(async move { directory.find(&id, Role::Bap, look, NOW).await })
    };
    let mut asked: Vec<_> = ids.map(ask).collect();
    let is_over = |one: &JoinHandle<Found>| one.is_finished();
    until("those who are not to wait", async || {
        asked.iter().filter(|one| !is_over(one)).count() == waiting
    })
    .await;
    let mut told = Vec::new();
    while let Some(at) = asked.iter().position(is_over) {
        told.push(asked.swap_remove(at).await.expect("ends"));
    }
    (told, asked)
}

#[tokio::test]
async fn of_those_who_ask_for_strangers_at_a_silent_registry_a_few_wait_and_the_rest_are_told_at_once()
 {
    let (stub, directory, _dir) = patient(vec![entry("one.example", "BAP", 1)]).await;
    stub.hold();
    let one = std::iter::repeat_n("one.example".to_owned(), 500);
    let (told, waiting) = crowd(&directory, one, Look::Cached, 8).await;
    assert_eq!(told.len(), 492);
    assert!(told.iter().all(Result::is_err), "{told:?}");
    let many = (0..40).flat_map(|n| std::iter::repeat_n(format!("{n}.example"), 5));
    let (told, others) = crowd(&directory, many, Look::Cached, 56).await;
    assert!(told.iter().all(Result::is_err) && told.len() == 144, "64 wait in all: {told:?}");
    stub.let_go();
    for one in waiting {
        assert_eq!(one.await.expect("ends").expect("found").len(), 1);
    }
    for other in others {
        assert!(other.await.expect("ends").expect("answered").is_empty());
    }
    assert_eq!(stub.count("one.example"), 1);
}

#[tokio::test]
async fn forged_signatures_of_somebody_known_do_not_wait_for_a_silent_registry_but_for_a_few() {
    let (stub, directory, _dir) = patient(vec![entry(BAP, "BAP", 1)]).await;
    assert_eq!(keys_of(&directory, Look::Cached, NOW).await, Ok(vec![public(1)]));
    stub.hold();
    let flood = std::iter::repeat_n(BAP.to_owned(), 500);
    let (told, waiting) = crowd(&directory, flood, Look::Anew, 8).await;
    let is_cached = |found: &Found| found.as_ref().is_ok_and(|entries| entries.len() == 1);
    assert!(told.iter().all(is_cached) && told.len() == 492, "{told:?}");
    assert_eq!(keys_of(&directory, Look::Cached, NOW).await, Ok(vec![public(1)]), "served on");
    stub.let_go();
    for one in waiting {
        assert!(is_cached(&one.await.expect("ends")));
    }
    assert_eq!(stub.count(BAP), 2);
}

/// What a registry may do in place of answering.
fn faults() -> Vec<Manner> {
    let text = |status, text: &str| Manner::Text(status, text.into());
    vec![
        Manner::Silent,
        Manner::Endless,
        Manner::Dripping,
        Manner::Redirect,
        text(200, ""),
        text(200, "{}"),
        text(200, "<html>maintenance</html>"),
        text(200, r#"{"message":{"ack":{"status":"NACK"}}}"#),
        text(204, ""),
        text(301, "[]"),
        text(400, "[]"),
        text(404, "[]"),
        text(500, "[]"),
        text(200, &format!("[{}]", " ".repeat(1024 * 1024))),
    ]
}

#[tokio::test]
async fn a_registry_that_cannot_be_asked_lets_in_no_stranger_and_shuts_out_nobody_known() {
    for manner in faults() {
        let (stub, directory, _dir) = world(vec![entry(BAP, "BAP", 1)]).await;
        assert_eq!(keys_of(&directory, Look::Cached, NOW).await, Ok(vec![public(1)]));
        stub.behave(manner.clone());
        let stranger = directory.find("stranger.example", Role::Bap, Look::Cached, NOW).await;
        assert!(matches!(stranger, Err(DirectoryError::Unavailable(_))), "{manner:?}");
        let old = NOW.plus_ms(2 * CACHE_MS);
        assert_eq!(keys_of(&directory, Look::Cached, old).await, Ok(vec![public(1)]), "{manner:?}");
        let anew = directory.refresh(BAP, Role::Bap, old).await;
        assert!(anew.is_err(), "{manner:?}");
        let over = NOW.plus_ms(OUTAGE_MS + 1);
        let late = keys_of(&directory, Look::Cached, over).await;
        assert!(late.is_err(), "{manner:?}: fail closed");
        stub.behave(Manner::Right);
        let up = over.plus_ms(60_000);
        assert_eq!(keys_of(&directory, Look::Cached, up).await, Ok(vec![public(1)]), "{manner:?}");
        assert!(!stub.questions().is_empty());
    }
}

#[tokio::test]
async fn lies_are_left_out_and_hide_no_truth() {
    let other = |field: &str, value: &str| {
        let mut entry = entry(BAP, "BAP", 66);
        entry[field] = value.into();
        entry
    };
    for lie in [
        entry("evil.example", "BAP", 66),
        entry(BAP, "BG", 66),
        other("domain", "retail"),
        other("signing_public_key", "AAAA"),
        other("signing_public_key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        other("subscriber_url", "javascript:alert(1)"),
        other("subscriber_url", "https://user@evil.example"),
        json!({ "type": "LREG" }),
        json!(7),
    ] {
        let (stub, directory, _dir) = world(Vec::new()).await;
        let answer = json!([lie, entry(BAP, "BAP", 1), lie]);
        stub.behave(Manner::Text(200, answer.to_string()));
        assert_eq!(keys_of(&directory, Look::Cached, NOW).await, Ok(vec![public(1)]), "{lie}");
        let evil = directory.find("evil.example", Role::Bap, Look::Anew, NOW.plus_ms(10_000)).await;
        let evil = evil.expect("it can be asked");
        assert!(evil.iter().all(|entry| entry.id == "evil.example"), "{lie}");
    }
}

#[tokio::test]
async fn a_key_that_a_peer_changed_to_is_found_when_it_is_needed_and_forged_ones_ask_seldom() {
    let (stub, directory, _dir) = world(vec![entry(BAP, "BAP", 1)]).await;
    assert_eq!(keys_of(&directory, Look::Cached, NOW).await, Ok(vec![public(1)]));
    stub.know(vec![entry(BAP, "BAP", 1), entry(BAP, "BAP", 2)]);
    assert_eq!(keys_of(&directory, Look::Cached, NOW).await, Ok(vec![public(1)]));
    let both = Ok(vec![public(1), public(2)]);
    assert_eq!(keys_of(&directory, Look::Anew, NOW).await, both);
    assert_eq!(keys_of(&directory, Look::Cached, NOW).await, both);
    assert_eq!(stub.count(BAP), 2);
    for after_ms in 0..10_000 {
        let now = NOW.plus_ms(after_ms);
        assert_eq!(keys_of(&directory, Look::Anew, now).await, both);
    }
    assert_eq!(stub.count(BAP), 3, "one in five seconds");
}

#[tokio::test]
async fn a_flood_of_strangers_reaches_the_registry_as_a_trickle_and_holds_up_nobody_known() {
    let (stub, directory, _dir) = world(vec![entry(BAP, "BAP", 1)]).await;
    assert_eq!(keys_of(&directory, Look::Cached, NOW).await, Ok(vec![public(1)]));
    let flood: Vec<_> = (0..2_000)
        .map(|n| {
            let directory = Arc::clone(&directory);
            tokio::spawn(async move {
                let id = format!("stranger-{n}.example");
                directory.find(&id, Role::Bap, Look::Cached, NOW).await.is_ok()
            })
        })
        .collect();
    assert_eq!(keys_of(&directory, Look::Anew, NOW).await, Ok(vec![public(1)]));
    let mut answered = 0;
    for one in flood {
        answered += usize::from(one.await.expect("ends"));
    }
    assert!(answered <= 50, "{answered}");
    assert!(stub.questions().len() <= 52, "{}", stub.questions().len());
}

#[tokio::test]
async fn strangers_whom_a_slow_registry_does_not_answer_for_take_no_place_of_who_is_known() {
    let (stub, directory, _dir) = patient(vec![entry(BAP, "BAP", 1)]).await;
    assert_eq!(keys_of(&directory, Look::Cached, NOW).await, Ok(vec![public(1)]));
    stub.hold();
    let strangers: Vec<_> = (0..40)
        .map(|n| {
            let (directory, id) = (Arc::clone(&directory), format!("stranger-{n}.example"));
            tokio::spawn(async move { directory.find(&id, Role::Bap, Look::Cached, NOW).await })
        })
        .collect();
    until("the first strangers", async || stub.questions().len() > 1).await;
    let known = Arc::clone(&directory);
    let known = tokio::spawn(async move { keys_of(&known, Look::Anew, NOW).await });
    until("a question after who is known", async || stub.count(BAP) == 2).await;
    assert!(strangers.iter().all(|stranger| !stranger.is_finished()), "they wait still");
    stub.let_go();
    assert_eq!(known.await.expect("ends"), Ok(vec![public(1)]));
    for stranger in strangers {
        assert!(stranger.await.expect("ends").expect("answered").is_empty());
    }
}

#[tokio::test]
async fn what_the_registry_said_outlives_a_restart_during_its_outage_up_to_its_limit() {
    on_both(async |store| {
        let mut stub = StubRegistry::start(vec![entry(BAP, "BAP", 1)]).await;
        let first = open(&stub, &store, NOW).await;
        assert_eq!(keys_of(&first, Look::Cached, NOW).await, Ok(vec![public(1)]));
        first.find("stranger.example", Role::Bap, Look::Cached, NOW).await.expect("nobody");
        first.flush().await.expect("written");
        drop(first);
        stub.stop().await;

        let last = NOW.plus_ms(OUTAGE_MS);
        for now in [NOW.plus_ms(1), NOW.plus_ms(3 * CACHE_MS), last] {
            let again = open(&stub, &store, now).await;
            assert_eq!(keys_of(&again, Look::Cached, now).await, Ok(vec![public(1)]));
            let stranger = again.find("stranger.example", Role::Bap, Look::Cached, now).await;
            assert!(stranger.is_err(), "who is not known is not written down");
        }
        let over = last.plus_ms(1);
        let late = open(&stub, &store, over).await;
        assert!(keys_of(&late, Look::Cached, over).await.is_err(), "fail closed");
        stub.restart().await;
        let up = over.plus_ms(10_000);
        assert_eq!(keys_of(&late, Look::Cached, up).await, Ok(vec![public(1)]));

        let other = StubRegistry::start(Vec::new()).await;
        let elsewhere = open(&other, &store, NOW).await;
        assert_eq!(keys_of(&elsewhere, Look::Cached, NOW).await, Ok(vec![]), "another registry");
    })
    .await;
}

#[tokio::test]
async fn what_another_process_looked_up_is_taken_up_and_so_is_that_somebody_is_gone() {
    on_both(async |store| {
        let stub = StubRegistry::start(vec![entry(BAP, "BAP", 1)]).await;
        // What is read back is read by the system's clock.
        let mut now = time::now();
        let (serving, command) = (open(&stub, &store, now).await, open(&stub, &store, now).await);
        let running = tokio::spawn(Arc::clone(&serving).run());
        assert_eq!(keys_of(&serving, Look::Cached, now).await, Ok(vec![public(1)]));
        for (entries, keys) in [
            (vec![entry(BAP, "BAP", 2)], vec![public(2)]),
            (Vec::new(), Vec::new()),
            (vec![entry(BAP, "BAP", 3)], vec![public(3)]),
        ] {
            now = now.plus_ms(1);
            stub.know(entries);
            command.refresh(BAP, Role::Bap, now).await.expect("asked");
            command.flush().await.expect("written");
            until("what the other one wrote", async || {
                keys_of(&serving, Look::Cached, now).await.as_ref() == Ok(&keys)
            })
            .await;
        }
        assert_eq!(stub.count(BAP), 4, "the one that serves asked once");
        running.abort();
    })
    .await;
}

#[tokio::test]
async fn a_row_gives_way_to_one_fetched_later_and_to_any_if_its_clock_was_wrong() {
    on_both(async |store| {
        let put = async |text: &str, fetched_at: Timestamp| {
            let row = SubscriberRow {
                subscriber_id: BAP.into(),
                role: Role::Gateway,
                entries: text.into(),
                fetched_at,
            };
            let mut tx = store.write().await.expect("begins");
            tx.put_subscriber(row).await.expect("written");
            tx.commit().await.expect("commits");
            let mut tx = store.read().await.expect("begins");
            tx.subscribers().await.expect("read").remove(0).entries
        };
        assert_eq!(put("first", NOW).await, "first");
        assert_eq!(put("older", NOW.plus_ms(-1)).await, "first");
        assert_eq!(put("again", NOW).await, "again");
        assert_eq!(put("newer", NOW.plus_ms(AHEAD_MS_MAX)).await, "newer");
        assert_eq!(put("older", NOW).await, "newer");
        assert_eq!(
            put("after the clock was set", NOW.plus_ms(-1)).await,
            "after the clock was set"
        );
    })
    .await;
}

#[tokio::test]
async fn rows_that_nobody_fetched_for_long_are_deleted() {
    let (dir, stores) = both().await;
    for store in stores {
        let stub = StubRegistry::start(vec![entry(BAP, "BAP", 1)]).await;
        let directory = open(&stub, &store, NOW).await;
        // By the clock of the task that prunes, which is the system's.
        let long_ago = Timestamp::from_unix_ms(1_000);
        assert_eq!(keys_of(&directory, Look::Cached, long_ago).await, Ok(vec![public(1)]));
        directory.flush().await.expect("written");
        assert_eq!(directory.listed(NOW).await.expect("read").len(), 1);
        let running = tokio::spawn(Arc::clone(&directory).run());
        until("an empty table", async || directory.listed(NOW).await.expect("read").is_empty())
            .await;
        running.abort();
    }
    drop(dir);
}

fn write(path: &Path, entries: &Value) {
    // At once, as an operator's editor does.
    let new = path.with_extension("new");
    std::fs::write(&new, entries.to_string()).expect("written");
    std::fs::rename(&new, path).expect("renamed");
}

#[tokio::test]
async fn a_file_is_followed_and_a_fault_in_the_first_one_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("subscribers.json");
    let missing = Directory::of_file(&path).expect_err("no file");
    assert!(missing.contains("cannot be read"), "{missing}");
    let mut bad = entry(BAP, "BAP", 1);
    bad["signing_public_key"] = "?".into();
    write(&path, &json!([entry("other.example", "BAP", 2), bad]));
    let refused = Directory::of_file(&path).expect_err("refused");
    for word in ["entry 2", BAP, "signing_public_key"] {
        assert!(refused.contains(word), "{word} is not in: {refused}");
    }
    write(&path, &json!([entry(BAP, "BAP", 1)]));
    let directory = Arc::new(Directory::of_file(&path).expect("it can be used"));
    let running = tokio::spawn(Arc::clone(&directory).run());
    assert_eq!(keys_of(&directory, Look::Cached, NOW).await, Ok(vec![public(1)]));
    std::fs::write(&path, "[").expect("written");
    write(&path, &json!([entry(BAP, "BAP", 2), entry(BAP, "BAP", 3)]));
    until("the new file", async || {
        let keys = keys_of(&directory, Look::Cached, NOW).await.expect("a file can be asked");
        assert!(!keys.is_empty(), "never without it");
        keys == [public(2), public(3)]
    })
    .await;
    running.abort();
}

/// A self-check of us at this address, and what it sets.
fn self_check(
    directory: &Arc<Directory>,
    uri: &str,
) -> (SelfCheck, watch::Receiver<Standing>, Metrics) {
    let ring = KeyRing::make("k7", NOW).expect("made");
    let keys = Arc::new(LiveKeys::new(BPP.into(), ring));
    let (standing, metrics) = (watch::Sender::new(Standing::Good), Metrics::default());
    let seen = standing.subscribe();
    let served = metrics.network_served.clone();
    let check = SelfCheck::new(Arc::clone(directory), keys, uri.into(), standing, served);
    (check, seen, metrics)
}

#[tokio::test]
async fn a_platform_that_the_registry_has_elsewhere_is_not_served_until_its_entry_is_right() {
    let (mut stub, directory, _dir) = world(Vec::new()).await;
    let (check, standing, metrics) = self_check(&directory, "https://bpp.example/beckn");
    let standing = || standing.borrow().clone();
    let served = || metrics.text().contains("\ntripline_network_served 1\n");
    assert!(served());
    assert!(!check.start(NOW).await.expect("a first registration needs a platform that serves"));
    assert_eq!((standing(), served()), (Standing::Unregistered, false));
    assert!(standing().refusal().is_some());

    let mut moved = entry(BPP, "BPP", 7);
    moved["subscriber_url"] = "https://old.example/beckn".into();
    stub.know(vec![moved.clone()]);
    let error = check.start(NOW).await.expect_err("refused");
    assert_eq!(error.exit_code(), 8);
    let registered = "https://old.example/beckn";
    assert!(matches!(&error, BppError::Moved { registered: r, .. } if r == registered), "{error}");
    assert_eq!(standing(), Standing::Moved { registered: registered.into() });

    stub.behave(Manner::Text(500, String::new()));
    assert!(!check.check(NOW).await);
    assert_eq!(standing(), Standing::Moved { registered: registered.into() }, "as it was");
    stub.behave(Manner::Right);
    stub.know(vec![moved, entry(BPP, "BPP", 7)]);
    check.check(NOW).await;
    assert_eq!((standing(), served()), (Standing::Good, true), "one good entry is enough");

    stub.stop().await;
    assert!(!check.start(NOW).await.expect("a registry that is down is no hindrance"));
    assert_eq!(standing(), Standing::Good);
    stub.restart().await;
    let mut expired = entry(BPP, "BPP", 7);
    expired["valid_until"] = "2022-01-01T00:00:00Z".into();
    stub.know(vec![expired]);
    check.check(NOW).await;
    assert_eq!(standing(), Standing::Unregistered);
}
