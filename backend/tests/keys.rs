//! Our keys on the network: the ring and its file, registration with a registry and its challenge, and a
//! whole rotation, on both databases.

#[expect(dead_code, reason = "other tests need more of it")]
mod both;
mod challenger;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tripline_backend::audit::Audit;
use tripline_backend::config::{Config, SAMPLE};
use tripline_backend::http::listener;
use tripline_backend::http::on_subscribe::{self, BODY_LEN_MAX, ChallengeDesk, Unanswered};
use tripline_backend::keys::live::{self, LiveKeys};
use tripline_backend::keys::ring::{KeyRing, KeyState, NetworkKey, PREVIOUS_MS, RingError};
use tripline_backend::keys::rotation::{Rotation, Step};
use tripline_backend::network::directory::Directory;
use tripline_backend::network::http::builder;
use tripline_backend::network::registration::{Registrar, RegistrationError, SubscriptionStatus};
use tripline_backend::service::Platform;
use tripline_backend::store::Store;
use tripline_backend::store::registration::{ANSWERS_MAX, REGISTRATION_MS};
use tripline_backend::time;
use tripline_protocol::signing::{SecretKey, SignatureHeader, decode_base64, sign, verify};
use tripline_protocol::unit::Timestamp;

use both::on_both;
use challenger::Registry;

/// Longest wait for something that happens within seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who we are in the sample.
const US: &str = "bpp.example";

/// A platform that answers challenges, beside a registry that sends them.
struct World {
    dir: TempDir,
    registry: Registry,
    registrar: Registrar,
    desk: ChallengeDesk,
    url: String,
}

impl World {
    async fn start(store: Store) -> Self {
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
        tokio::spawn(listener::run(socket, on_subscribe::router(served, "/beckn")));
        Self { dir, registry, registrar, desk, url }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("data/keys.json")
    }

    fn ring(&self) -> Arc<KeyRing> {
        self.desk.keys.current()
    }

    async fn note(&self, unique_key_id: &str, at: Timestamp) {
        let mut tx = self.desk.platform.store.write().await.expect("begins");
        tx.note_registration(unique_key_id, at).await.expect("noted");
        tx.commit().await.expect("commits");
    }

    /// A challenge for the key that signs.
    fn challenge(&self, text: &str) -> String {
        self.registry.encrypt(&self.ring().signing().encryption.public_base64(), text)
    }

    /// What is answered to a challenge, and nothing else posted with it, at this time.
    async fn answer(&self, challenge: &str, now: Timestamp) -> Result<String, Unanswered> {
        self.desk.answer(json!({ "challenge": challenge }).to_string().as_bytes(), now).await
    }

    /// Status and body of what is answered over HTTP.
    async fn post(&self, body: impl Into<Vec<u8>>) -> (u16, String) {
        let client = builder(20_000).build().expect("a client");
        let url = format!("{}/on_subscribe", self.url);
        let response = client.post(url).body(body.into()).send().await.expect("answered");
        (response.status().as_u16(), response.text().await.expect("text"))
    }

    /// Registers the key that this picks.
    async fn register(&self, id: &str) -> Result<SubscriptionStatus, RegistrationError> {
        let (ring, store) = (self.ring(), &self.desk.platform.store);
        let key = ring.key(id).expect("a key");
        self.registrar.register(store, &ring, key, time::now()).await
    }

    /// The rotation as it sees what the registry shows at this moment.
    fn rotation(&self) -> Rotation {
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

    fn change(&self, change: impl FnOnce(&mut KeyRing) -> Result<(), RingError>) {
        KeyRing::change(&self.path(), change).expect("changed");
        assert!(self.desk.keys.refresh(&self.path()).expect("read"), "it is another ring");
    }
}

/// The sample with a registry in place of the file of subscribers.
fn configuration(dir: &Path, registry: &Registry, url: &str) -> Config {
    let file = dir.join("bpp.toml");
    std::fs::write(&file, with_registry(SAMPLE, registry, url)).expect("written");
    Config::load(&file).expect("a configuration")
}

fn with_registry(sample: &str, registry: &Registry, url: &str) -> String {
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

fn next(id: &str) -> NetworkKey {
    NetworkKey::make(id, KeyState::Next, time::now()).expect("a key")
}

#[tokio::test]
async fn a_challenge_is_answered_while_a_registration_is_pending_and_only_then() {
    on_both(|store| async {
        let (world, now) = (World::start(store).await, time::now());
        let challenge = world.challenge("read me");
        let none = world.answer(&challenge, now).await;
        assert!(matches!(none, Err(Unanswered::NotPending)), "{none:?}");
        world.note("another", now).await;
        let none = world.answer(&challenge, now).await;
        assert!(matches!(none, Err(Unanswered::NotPending)), "{none:?}");

        world.note("k1", now).await;
        assert_eq!(world.answer(&challenge, now).await.expect("answered"), "read me");
        let last = now.plus_ms(REGISTRATION_MS - 1);
        assert_eq!(world.answer(&challenge, last).await.expect("answered"), "read me");
        for at in [now.plus_ms(REGISTRATION_MS), now.plus_ms(-REGISTRATION_MS)] {
            let none = world.answer(&challenge, at).await;
            assert!(matches!(none, Err(Unanswered::NotPending)), "too late: {none:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_registration_has_so_many_answers_and_garbage_uses_none_of_them() {
    on_both(|store| async {
        let (world, now) = (World::start(store).await, time::now());
        world.note("k1", now).await;
        let challenge = world.challenge("read me");
        for n in 0..ANSWERS_MAX {
            let garbage =
                [n.to_string(), world.registry.encrypt(&world.registry.public_base64(), "x")];
            for garbage in garbage {
                let none = world.answer(&garbage, now).await;
                assert!(matches!(none, Err(Unanswered::Unreadable(_))), "{none:?}");
            }
            assert_eq!(world.answer(&challenge, now).await.expect("answered"), "read me");
        }
        let none = world.answer(&challenge, now).await;
        assert!(matches!(none, Err(Unanswered::NotPending)), "too often: {none:?}");
        world.note("k1", now.plus_ms(1)).await;
        assert_eq!(world.answer(&challenge, now).await.expect("asked again"), "read me");
    })
    .await;
}

#[tokio::test]
async fn a_challenge_is_read_with_the_key_it_was_made_for_and_for_us_alone() {
    on_both(|store| async {
        let (world, now) = (World::start(store).await, time::now());
        world.change(|ring| ring.add_next(next("k2"), time::now()));
        let ring = world.ring();
        let public = ring.next().expect("a next key").encryption.public_base64();
        let challenge = world.registry.encrypt(&public, "for the next");
        world.note("k1", now).await;
        let none = world.answer(&challenge, now).await;
        assert!(matches!(none, Err(Unanswered::Unreadable(_))), "k2 is not pending: {none:?}");
        world.note("k2", now).await;
        for id in [json!(null), json!(""), json!(US), json!(format!("https://{US}/"))] {
            let body = json!({ "subscriber_id": id, "status": "x", "challenge": challenge });
            let answer = world.desk.answer(body.to_string().as_bytes(), now).await;
            assert_eq!(answer.expect("answered"), "for the next", "{id}");
        }
        let other = json!({ "subscriber_id": "other.example", "challenge": challenge });
        let none = world.desk.answer(other.to_string().as_bytes(), now).await;
        assert!(matches!(none, Err(Unanswered::Other)), "{none:?}");
        let desk = ChallengeDesk {
            platform: Arc::clone(&world.desk.platform),
            keys: Arc::clone(&world.desk.keys),
            registry: None,
        };
        let none = desk.answer(json!({ "challenge": challenge }).to_string().as_bytes(), now).await;
        assert!(matches!(none, Err(Unanswered::NoRegistry)), "{none:?}");
    })
    .await;
}

/// Bodies that strangers may post, each with a text that nobody may get back or have signed.
fn posted_by_strangers(world: &World) -> Vec<String> {
    let body = br#"{"context":{"action":"confirm"}}"#;
    let key = world.ring();
    let header = sign(body, &key.signing().signing, &key.signing().key_id(US), 1, 2);
    let lines = "(created): 1\n(expires): 2\ndigest: BLAKE-512=b6lf6lRgOweajukcvcLsag==";
    let challenges = [lines, "confirm", "", &header, "e30=", &"A".repeat(2_000)];
    let mut bodies: Vec<String> =
        challenges.iter().map(|text| json!({ "challenge": text }).to_string()).collect();
    let own = world.ring().signing().encryption.public_base64();
    for text in [lines, "a secret of ours", &"x".repeat(600)] {
        let challenge = world.registry.encrypt(&own, text);
        bodies.push(json!({ "challenge": challenge, "subscriber_id": US }).to_string());
    }
    bodies
}

/// Whether some word of a text is the Base64 of a signature's 64 bytes.
fn has_signature(text: &str) -> bool {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let mut words = text.split(|c| !is_base64(c));
    words.any(|word| decode_base64(word).is_some_and(|bytes| bytes.len() >= 64))
}

#[tokio::test]
async fn whatever_is_posted_nothing_is_signed_and_strangers_learn_nothing() {
    on_both(|store| async {
        let world = World::start(store).await;
        let bodies = posted_by_strangers(&world);
        let refused = r#"{"error":{"message":"this challenge is not answered"}}"#;
        for body in &bodies {
            assert_eq!(world.post(body.as_str()).await, (403, refused.into()), "{body}");
        }
        world.note("k1", time::now()).await;
        let mut answered = 0;
        for body in &bodies {
            let (status, text) = world.post(body.as_str()).await;
            assert!(!has_signature(&text), "{text}");
            if status == 200 {
                // By the registry, for a registration of ours: the one thing that is answered.
                assert_eq!(text, r#"{"answer":"a secret of ours"}"#);
                answered += 1;
            } else {
                assert_eq!((status, text.as_str()), (403, refused), "{body}");
            }
        }
        assert_eq!(answered, 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_challenge_at_all_is_refused_with_a_clear_word_and_counted() {
    let (_dir, stores) = both::both().await;
    let world = World::start(stores.into_iter().next().expect("SQLite")).await;
    for body in [
        "",
        "challenge",
        "[]",
        "{}",
        r#"{"challenge":1}"#,
        r#"{"challenge":null}"#,
        r#"{"challenge":"a","challenge":"b"}"#,
        r#"{"challenge":"a","subscriber_id":7}"#,
        r#"{"challenge":"a"} {"#,
        "\u{0}",
    ] {
        let (status, text) = world.post(body).await;
        assert_eq!(status, 400, "{body}: {text}");
        assert!(text.contains("must be JSON with a challenge"), "{text}");
    }
    let long = json!({ "challenge": "A".repeat(BODY_LEN_MAX) }).to_string();
    let (status, text) = world.post(long).await;
    assert_eq!((status, text.contains("4096 bytes")), (413, true), "{text}");
    world.post(r#"{"challenge":"AAAA"}"#).await;
    let counted = world.desk.platform.metrics.text();
    for line in [
        "tripline_registry_challenges_total{reason=\"malformed\"} 10",
        "tripline_registry_challenges_total{reason=\"too-large\"} 1",
        "tripline_registry_challenges_total{reason=\"not-pending\"} 1",
    ] {
        assert!(counted.contains(line), "{line} is not in {counted}");
    }
}

#[tokio::test]
async fn a_key_is_registered_and_its_challenge_may_come_before_the_answer() {
    on_both(|store| async {
        let world = World::start(store).await;
        let status = world.register("k1").await.expect("registered");
        assert_eq!(status, SubscriptionStatus::Subscribed);
        let asked = world.registry.kept().asked.clone();
        let (body, ring) = (&asked[0], world.ring());
        let expected = json!({
            "subscriber_id": US, "subscriber_url": world.url, "type": "BPP",
            "domain": "nic2004:60221", "country": "IND", "city": "std:080",
            "unique_key_id": "k1",
            "signing_public_key": ring.signing().signing.public().to_string(),
            "encr_public_key": ring.signing().encryption.public_base64(),
            "valid_from": body["valid_from"], "valid_until": body["valid_until"],
            "nonce": body["nonce"],
        });
        assert_eq!(*body, expected);
        let [from, until] = ["valid_from", "valid_until"].map(|key| {
            let text = body[key].as_str().expect("text");
            text.parse::<jiff::Timestamp>().expect("a time").as_millisecond()
        });
        let made_ms = ring.signing().made_at.unix_ms;
        assert_eq!(from, made_ms - 60_000, "also by clocks that are behind");
        assert!(until - made_ms >= 365 * 86_400_000, "a year");

        assert_eq!(world.register("k1").await.expect("again"), SubscriptionStatus::Subscribed);
        let asked = world.registry.kept().asked.clone();
        assert_ne!(asked[0]["nonce"], asked[1]["nonce"], "unique to every request");
    })
    .await;
}

#[tokio::test]
async fn what_a_registry_says_beside_a_status_is_an_error_with_its_words() {
    let (_dir, stores) = both::both().await;
    let world = World::start(stores.into_iter().next().expect("SQLite")).await;
    let says = |status, text: &str| {
        world.registry.kept().says = Some((status, text.into()));
    };
    for (status, text) in [
        (500, "no database"),
        (200, "no database"),
        (200, r#"{"message":{"ack":{"status":"ACK"}}}"#),
        (200, r#"{"status":"WHO KNOWS"}"#),
        (400, r#"{"status":"SUBSCRIBED"}"#),
        (302, ""),
    ] {
        says(status, text);
        let error = world.register("k1").await.expect_err(text).to_string();
        assert!(error.starts_with(&format!("the registry answered {status} ")), "{error}");
        assert!(error.contains(&format!("{text:?}")), "{error}");
    }
    says(200, &"x".repeat(20_000));
    let error = world.register("k1").await.expect_err("endless").to_string();
    assert!(error.contains("more than 16384 bytes"), "{error}");
    for status in SubscriptionStatus::ALL {
        says(201, &json!({ "status": status.code(), "more": 1 }).to_string());
        assert_eq!(world.register("k1").await.expect("a status"), status);
    }
}

#[tokio::test]
async fn without_what_a_registry_wants_to_know_nothing_is_asked_and_the_key_is_named() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (dir, registry) = (tempfile::tempdir().expect("a folder"), Registry::start().await);
    let config = configuration(dir.path(), &registry, "http://127.0.0.1:1/beckn");
    for key in ["url", "domain", "country", "city", "encryption_public_key"] {
        let mut lacking = config.registry.clone();
        let field = match key {
            "url" => &mut lacking.url,
            "domain" => &mut lacking.domain,
            "country" => &mut lacking.country,
            "city" => &mut lacking.city,
            _ => &mut lacking.encryption_public_key,
        };
        *field = None;
        let error = Registrar::new(&lacking, config.settings().identity).expect_err(key);
        assert!(error.to_string().starts_with(&format!("[registry] {key} is not set")), "{error}");
    }
}

/// Whether a peer that looks us up takes what this key signs.
fn is_taken_by_peers(world: &World, key: &NetworkKey) -> bool {
    let (body, now_s) = (b"{}", time::now().unix_ms / 1000);
    let header = sign(body, &key.signing, &key.key_id(US), now_s, now_s + 60);
    let header = SignatureHeader::parse(&header).expect("a header");
    world.registry.kept().entries.iter().any(|entry| {
        let public = entry["signing_public_key"].as_str().and_then(|key| key.parse().ok());
        entry["unique_key_id"].as_str() == header.key_id.unique_key_id.as_deref()
            && public.is_some_and(|public| verify(&header, body, &public, now_s).is_ok())
    })
}

#[tokio::test]
async fn a_rotation_ends_with_the_new_key_and_at_no_time_signs_what_peers_cannot_know() {
    on_both(|store| async {
        let (world, now) = (World::start(store).await, time::now());
        world.register("k1").await.expect("registered");
        assert_eq!(world.rotation().step(now).await.expect("nothing to do"), None);

        world.registry.kept().waits = true;
        world.change(|ring| ring.add_next(next("k2"), now));
        let status = world.register("k2").await.expect("asked, with the signature of k1");
        assert_eq!(status, SubscriptionStatus::Initiated);
        assert_eq!(world.rotation().step(now).await.expect("looked"), None, "not shown yet");
        assert!(is_taken_by_peers(&world, world.ring().signing()));

        let posted = world.registry.kept().asked.last().cloned().expect("asked");
        assert!(world.registry.challenge(&posted).await, "the right answer");
        let step = world.rotation().step(now).await.expect("looked");
        assert_eq!(step, Some(Step::Switched("k2".into())));
        let ring = world.ring();
        let ids: Vec<_> = ring.keys().map(|key| key.unique_key_id.as_str()).collect();
        assert_eq!(ids, ["k2", "k1"], "both hold");
        assert!(ring.keys().all(|key| is_taken_by_peers(&world, key)));

        let early = now.plus_ms(PREVIOUS_MS - 1);
        assert_eq!(world.rotation().step(early).await.expect("looked"), None);
        let late = now.plus_ms(PREVIOUS_MS);
        let step = world.rotation().step(late).await.expect("looked");
        assert_eq!(step, Some(Step::Retired("k1".into())));
        let read = KeyRing::load(&world.path()).expect("read");
        assert!(read.keys().count() == 1 && read.is_same_as(&world.ring()));
    })
    .await;
}

#[tokio::test]
async fn signing_does_not_switch_to_a_key_that_is_shown_in_another_way() {
    let (_dir, stores) = both::both().await;
    let world = World::start(stores.into_iter().next().expect("SQLite")).await;
    world.change(|ring| ring.add_next(next("k2"), time::now()));
    let public = world.ring().next().expect("a next key").signing.public().to_string();
    let right = json!({
        "subscriber_id": US, "subscriber_url": format!("{}/", world.url), "type": "BPP",
        "signing_public_key": public, "unique_key_id": "k2", "status": "SUBSCRIBED",
    });
    let other = SecretKey::from_seed(&[9; 32]).public().to_string();
    for (field, value) in [
        ("subscriber_id", json!("other.example")),
        ("subscriber_url", json!("http://127.0.0.1:1/beckn")),
        ("type", json!("BAP")),
        ("signing_public_key", json!(other)),
        ("unique_key_id", json!("k1")),
        ("status", json!("INITIATED")),
        ("valid_until", json!("2020-01-01T00:00:00Z")),
        ("valid_from", json!("2100-01-01T00:00:00Z")),
    ] {
        let mut wrong = right.clone();
        wrong[field] = value;
        world.registry.kept().entries = vec![wrong];
        let step = world.rotation().step(time::now()).await.expect("looked");
        assert_eq!(step, None, "{field}");
    }
    let mut without_id = right.clone();
    without_id["unique_key_id"] = Value::Null;
    world.registry.kept().entries = vec![without_id];
    let step = world.rotation().step(time::now()).await.expect("looked");
    assert_eq!(step, Some(Step::Switched("k2".into())), "a registry that names no keys");
}

#[tokio::test]
async fn a_running_platform_follows_the_file_and_keeps_its_ring_while_that_cannot_be_used() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("keys.json");
    let ring = KeyRing::make("k1", time::now()).expect("a ring");
    ring.save(&path).expect("saved");
    let keys = Arc::new(LiveKeys::new(US.into(), ring));
    assert!(!keys.refresh(&path).expect("read"), "the same");
    let text = std::fs::read_to_string(&path).expect("read");
    for broken in ["", "[]", "nonsense"] {
        std::fs::write(&path, broken).expect("written");
        keys.refresh(&path).expect_err(broken);
        assert_eq!(keys.current().signing().unique_key_id, "k1");
    }
    std::fs::write(&path, text).expect("written");
    tokio::spawn(live::run(Arc::clone(&keys), path.clone()));
    let now = time::now();
    KeyRing::change(&path, |ring| ring.add_next(next("k2"), now)).expect("added");
    KeyRing::change(&path, |ring| ring.switch(now)).expect("switched");
    let deadline = Instant::now() + PATIENCE;
    while keys.current().signing().unique_key_id != "k2" {
        assert!(Instant::now() < deadline, "the switch is not noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(keys.current().previous().expect("kept").unique_key_id, "k1");
}

#[test]
fn a_ring_turns_one_key_at_a_time() {
    let now = time::now();
    let mut ring = KeyRing::make("k1", now).expect("a ring");
    assert_eq!(ring.switch(now), Err(RingError::NoNext));
    assert_eq!(ring.retire(), Err(RingError::NoPrevious));
    assert_eq!(ring.add_next(next("k1"), now), Err(RingError::IdTaken("k1".into())));
    ring.add_next(next("k2"), now).expect("added");
    assert_eq!(ring.signing().unique_key_id, "k1");
    assert_eq!(ring.add_next(next("k3"), now), Err(RingError::NextWaits("k2".into())));
    ring.switch(now).expect("switched");
    let early = now.plus_ms(PREVIOUS_MS - 1);
    assert_eq!(ring.add_next(next("k3"), early), Err(RingError::PreviousHolds("k1".into())));
    ring.add_next(next("k3"), now.plus_ms(PREVIOUS_MS)).expect("k1 is old and goes by itself");
    assert_eq!((ring.previous().is_none(), ring.keys().count()), (true, 2));
    ring.switch(now).expect("switched");
    assert_eq!(ring.retire(), Ok("k2".into()));
    ring.rename("k3", "portal-7").expect("renamed");
    assert_eq!(ring.signing().unique_key_id, "portal-7");
    assert_eq!(ring.rename("k3", "k4"), Err(RingError::UnknownId("k3".into())));
    for bad in ["", "a|b", "a\"b", "a b", "ä", "a\\b", "a\nb", &"x".repeat(129)] {
        assert!(NetworkKey::make(bad, KeyState::Next, now).is_err(), "{bad}");
        assert!(matches!(ring.rename("portal-7", bad), Err(RingError::BadId(_))), "{bad}");
    }
}

#[test]
fn a_file_that_is_no_ring_is_refused_by_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("keys.json");
    let mut ring = KeyRing::make("k1", time::now()).expect("a ring");
    ring.add_next(next("k2"), time::now()).expect("added");
    ring.save(&path).expect("saved");
    let good: Value = serde_json::from_slice(&std::fs::read(&path).expect("read")).expect("JSON");
    let refused = |text: &str, words: &str| {
        std::fs::write(&path, text).expect("written");
        let error = KeyRing::load(&path).expect_err(words).to_string();
        assert!(error.contains(words) && error.contains("keys.json"), "{error}");
        let secret = good[0]["signing_key"].as_str().expect("text");
        assert!(!error.contains(secret), "no secret in {error}");
    };
    let with = |index: usize, key: &str, value: Value| {
        let mut ring = good.clone();
        ring[index][key] = value;
        ring.to_string()
    };
    refused("{}", "no ring of keys");
    refused("[]", "exactly one must be \"signing\"; 0 are");
    refused(&with(1, "state", json!("signing")), "exactly one must be \"signing\"; 2 are");
    refused(&with(0, "state", json!("retired")), "retired");
    refused(&with(0, "note", json!("mine")), "unknown field `note`");
    refused(&with(1, "unique_key_id", json!("k1")), "two keys have the id k1");
    refused(&with(1, "unique_key_id", json!("a|b")), "the id \"a|b\" is none");
    refused(&with(1, "signing_key", json!("AAAA")), "key k2: a private signing key");
    refused(&with(1, "encryption_key", json!("AAAA")), "key k2: a private encryption key");
    let mut three = good.clone();
    let third = json!({ "unique_key_id": "k3" });
    three.as_array_mut().expect("keys").push(good[1].clone());
    three[2]["unique_key_id"] = third["unique_key_id"].clone();
    refused(&three.to_string(), "there are 3 keys");
    std::fs::write(&path, good.to_string()).expect("written");
    KeyRing::load(&path).expect("as it was");
    for mode in [0o640, 0o604, 0o644] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&path, permissions).expect("set");
        let error = KeyRing::load(&path).expect_err("refused").to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}

#[test]
fn of_many_who_change_the_ring_at_once_each_sees_what_the_one_before_it_did() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("keys.json");
    KeyRing::make("k1", time::now()).expect("a ring").save(&path).expect("saved");
    let add = |n: usize| {
        let (path, key) = (path.clone(), next(&format!("next-{n}")));
        std::thread::spawn(move || {
            KeyRing::change(&path, |ring| ring.add_next(key, time::now())).is_ok()
        })
    };
    let threads: Vec<_> = (0..16).map(add).collect();
    let added = threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|ok| *ok);
    assert_eq!(added.count(), 1, "one key waits, and the others were told so");
    let mode = std::fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Runs a command; gives its exit code, standard output and standard error.
async fn bpp(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline-bpp"));
    command.args(arguments).env("TRIPLINE_CONFIG", dir.join("bpp.toml"));
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.expect("no panic").expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("ends"), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn an_operator_registers_and_rotates_from_the_command_line() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().to_str().expect("UTF-8");
    assert_eq!(bpp(dir.path(), &["init", "--dir", folder, "--unique-key-id", "k1"]).await.0, 0);
    let url = format!("sqlite:{folder}/data/tripline.db");
    let mut world = World::start(Store::open(&url).await.expect("opens")).await;
    let file = dir.path().join("bpp.toml");
    let text = std::fs::read_to_string(&file).expect("read");
    let text = with_registry(&text, &world.registry, &world.url);
    std::fs::write(&file, &text).expect("written");
    // What serves follows the ring of the folder from here on.
    let path = dir.path().join("data/keys.json");
    world.desk.keys.refresh(&path).expect("read");
    world.dir = dir;
    let dir = world.dir.path();

    let (code, said, error) = bpp(dir, &["key", "register"]).await;
    assert_eq!(code, 0, "{error}");
    assert!(said.contains("of key k1: SUBSCRIBED."), "{said}");

    world.registry.kept().waits = true;
    tokio::spawn(live::run(Arc::clone(&world.desk.keys), path));
    let (code, said, error) = bpp(dir, &["key", "rotate", "--unique-key-id", "k2"]).await;
    assert_eq!(code, 0, "{error}");
    for words in
        ["Key k2 is made and waits; k1 goes on", "INITIATED", "/beckn/on_subscribe", "by itself"]
    {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    let deadline = Instant::now() + PATIENCE;
    while world.ring().next().is_none() {
        assert!(Instant::now() < deadline, "the next key is not noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let posted = world.registry.kept().asked.last().cloned().expect("asked");
    assert!(world.registry.challenge(&posted).await, "the right answer");
    let step = world.rotation().step(time::now()).await.expect("looked");
    assert_eq!(step, Some(Step::Switched("k2".into())));

    let (code, _, error) = bpp(dir, &["key", "rotate"]).await;
    assert!(code == 9 && error.contains("key k1 signed before and still holds"), "{error}");
    let (code, said, _) = bpp(dir, &["key", "rotate", "--retire", "--json"]).await;
    assert_eq!((code, said.trim()), (0, r#"{"retired":"k1"}"#));

    world.registry.kept().says = Some((503, "closed on Sundays".into()));
    let (code, _, error) = bpp(dir, &["key", "rotate", "--unique-key-id", "k3"]).await;
    assert_eq!(code, 9, "{error}");
    for words in ["key k3 is made and waits", "closed on Sundays", "register --unique-key-id k3"] {
        assert!(error.contains(words), "{words:?} is not in {error}");
    }
    world.registry.kept().says = None;
    let again = ["key", "register", "--unique-key-id", "k3", "--json"];
    let (code, said, error) = bpp(dir, &again).await;
    assert_eq!(code, 0, "{error}");
    assert_eq!(said.trim(), r#"{"status":"INITIATED","unique_key_id":"k3"}"#);
}
