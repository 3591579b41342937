//! The registry's challenge: answered while a registration of ours is pending, and to nobody else.

use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tracing::Level;
use tripline_backend::http::on_subscribe::{self, BODY_LEN_MAX, ChallengeDesk, Unanswered};
use tripline_backend::http::{Gate, Rules, listener};
use tripline_backend::store::registration::{ANSWERS_MAX, REGISTRATION_MS};
use tripline_backend::time;
use tripline_protocol::signing::{decode_base64, sign};

use crate::both::on_both;
use crate::log;
use crate::world::{PATIENCE, US, World, next};

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
    let world = World::on_sqlite().await;
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
async fn a_body_that_does_not_come_is_not_waited_for() {
    let world = World::on_sqlite().await;
    let address = world.url.strip_prefix("http://").and_then(|url| url.split('/').next());
    let mut slow = TcpStream::connect(address.expect("an address")).await.expect("connects");
    let head = "POST /beckn/on_subscribe HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = [0; 12];
    let read = tokio::time::timeout(PATIENCE, slow.read_exact(&mut answer)).await;
    read.expect("in time").expect("answered");
    assert_eq!(&answer, b"HTTP/1.1 408");
}

/// Where challenges come in that are let through by these rules; where they go is the world's.
async fn door(world: &World, rules: Rules) -> String {
    let desk = ChallengeDesk {
        platform: Arc::clone(&world.desk.platform),
        keys: Arc::clone(&world.desk.keys),
        registry: None,
    };
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/beckn", socket.local_addr().expect("bound"));
    let router = on_subscribe::router(desk, Arc::new(Gate::new(rules)), "/beckn");
    tokio::spawn(listener::run(socket, router));
    url
}

#[tokio::test]
async fn an_address_posts_challenges_as_seldom_as_requests() {
    let mut world = World::on_sqlite().await;
    let rules = Rules {
        proxies: Vec::new(),
        per_address_per_s: 1,
        per_subscriber_per_s: 1,
        refuse_stale: true,
    };
    world.url = door(&world, rules).await;
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(world.post(r#"{"challenge":"AAAA"}"#).await);
    }
    let refused: Vec<_> = answers.iter().filter(|(status, _)| *status == 429).collect();
    assert!(refused.len() >= 10, "{answers:?}");
    assert!(refused.iter().all(|(_, text)| text.contains("NACK")), "{refused:?}");
    assert_eq!(answers[0].0, 403);
    let counted = world.desk.platform.metrics.text();
    let line = "tripline_registry_challenges_total{reason=\"too-often\"}";
    assert!(counted.contains(line), "{counted}");
}

#[tokio::test]
async fn what_strangers_post_fills_no_log_and_is_not_in_it() {
    let (lines, writer) = log::lines(Level::DEBUG);
    let logging = tracing::subscriber::set_default(writer);
    let world = World::on_sqlite().await;
    for _ in 0..10 {
        let posted = json!({ "challenge": "AAAA", "subscriber_id": ["quote me"] });
        assert_eq!(world.post(posted.to_string()).await.0, 400);
        assert_eq!(world.post(r#"{"challenge":"quote me"}"#).await.0, 403);
    }
    drop(logging);
    let lines = lines.text();
    assert!(!lines.contains("quote me"), "{lines}");
    let told: Vec<_> =
        lines.lines().filter(|line| line.contains("challenge not answered")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("malformed") && told[0].contains("line 1, column"), "{told:?}");
    assert!(told[1].contains("not-pending"), "{told:?}");
}
