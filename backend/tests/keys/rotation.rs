//! A whole rotation, and the commands for it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tripline_backend::keys::live;
use tripline_backend::keys::ring::{KeyRing, NetworkKey, PREVIOUS_MS};
use tripline_backend::keys::rotation::Step;
use tripline_backend::network::registration::SubscriptionStatus;
use tripline_backend::store::Store;
use tripline_backend::time;
use tripline_protocol::signing::{SecretKey, SignatureHeader, sign, verify};

use crate::both::on_both;
use crate::world::{PATIENCE, US, World, next, with_registry};

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
    let world = World::on_sqlite().await;
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
