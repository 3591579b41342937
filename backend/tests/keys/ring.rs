//! The ring of keys, its file, and a running platform that follows it.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tripline_backend::keys::live::{self, LiveKeys};
use tripline_backend::keys::ring::{KeyRing, KeyState, NetworkKey, PREVIOUS_MS, RingError};
use tripline_backend::time;

use crate::world::{PATIENCE, US, next};

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
    refused(&with(0, "state", json!("retired")), "wrong kind at line 1");
    refused(&with(0, "note", json!("mine")), "unknown field `note`");
    refused(&with(1, "unique_key_id", json!("k1")), "two keys have the same id");
    refused(&with(1, "unique_key_id", json!("a|b")), "key 2 of the file: unique_key_id is none");
    refused(
        &with(1, "signing_key", json!("AAAA")),
        "key 2 of the file: signing_key: a private signing key",
    );
    refused(
        &with(1, "encryption_key", json!("AAAA")),
        "key 2 of the file: encryption_key: a private",
    );
    // Values that stand in each other's place, which an editor can do: none of them is told.
    for (at, from) in [
        ("unique_key_id", "signing_key"),
        ("state", "signing_key"),
        ("since_unix_ms", "signing_key"),
    ] {
        let mut swapped = good.clone();
        let (one, other) = (good[0][at].clone(), good[0][from].clone());
        (swapped[0][at], swapped[0][from]) = (other, one);
        refused(&swapped.to_string(), "");
    }
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
