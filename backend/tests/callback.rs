//! Callbacks from the outbox to peers that answer, refuse, fail, or say nothing.

#[expect(dead_code, reason = "the tests of the store need more of it")]
mod both;
#[expect(dead_code, reason = "the tests of the guard need more of it")]
mod outbox;

use std::collections::BTreeMap;
use std::future::Future;

use tripline_backend::network::standing::Standing;
use tripline_backend::store::Store;
use tripline_backend::store::callback::{Delivery, KeptCallback};
use tripline_protocol::signing::{SignatureHeader, verify};

use both::postgres;
use outbox::{ACK, Got, Peer, Treatment, World, eventually, secret};

/// Attempts after which a breaker would be open, were they failures.
const FAILED_AND_MORE: u64 = 6;

/// How long callbacks are tried that must not expire within a test, in ms.
const TRIED_MS: i64 = 3_600_000;

const LOOPBACK: &[&str] = &["127.0.0.0/8"];

const NACK: Treatment = Treatment::Answer(
    200,
    "",
    r#"{"message":{"ack":{"status":"NACK"}},"error":{"type":"CORE-ERROR","code":"40001","message":"why"}}"#,
);

const BUSY: Treatment = Treatment::Answer(503, "", "");

/// Runs a test over a store of each kind.
async fn on_each<F, T>(test: F)
where
    F: Fn(World) -> T,
    T: Future<Output = ()>,
{
    test(World::on_sqlite().await).await;
    if let Some(url) = postgres().await {
        let dir = tempfile::tempdir().expect("a folder");
        test(World::new(dir, Store::open(&url).await.expect("it opens"))).await;
    }
}

fn all(rows: &[KeptCallback], subscriber: &str, state: Delivery) -> bool {
    rows.iter().filter(|row| row.subscriber_id == subscriber).all(|row| row.state == state)
}

/// What must become of a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Delivered,
    TriedAgain,
    GivenUp,
}

#[tokio::test]
async fn the_answer_decides_whether_a_callback_is_delivered_tried_again_or_given_up() {
    use Fate::{Delivered, GivenUp, TriedAgain};
    let answer = |status, body| Treatment::Answer(status, "", body);
    let cases = [
        (ACK, Delivered),
        (answer(200, ""), Delivered),
        (answer(200, "  \n"), Delivered),
        (answer(200, "{}"), Delivered),
        (answer(202, r#"{"message":{"ack":{"status":"ACK"}}}"#), Delivered),
        (answer(200, r#"{"message":{"status":"ACK"}}"#), Delivered),
        (answer(204, ""), Delivered),
        (NACK, GivenUp),
        (answer(200, r#"{"message":{"status":"NACK"}}"#), GivenUp),
        (answer(200, "<html>an answer of something before the peer</html>"), TriedAgain),
        (answer(200, r#"{"message":{}}"#), TriedAgain),
        (answer(401, ""), TriedAgain),
        (answer(408, ""), TriedAgain),
        (answer(425, ""), TriedAgain),
        (answer(429, ""), TriedAgain),
        (Treatment::Answer(429, "retry-after: 86400\r\n", ""), TriedAgain),
        (Treatment::Answer(503, "retry-after: soon\r\n", ""), TriedAgain),
        (answer(500, ""), TriedAgain),
        (answer(502, r#"{"message":{"ack":{"status":"NACK"}}}"#), TriedAgain),
        (answer(504, ""), TriedAgain),
        (answer(300, ""), GivenUp),
        (Treatment::Answer(302, "location: /elsewhere\r\n", ""), GivenUp),
        (answer(304, ""), GivenUp),
        (answer(400, r#"{"message":{"ack":{"status":"NACK"}},"error":{"code":30000}}"#), GivenUp),
        (answer(403, ""), GivenUp),
        (answer(404, ""), GivenUp),
        (answer(409, ""), GivenUp),
        (Treatment::Padded(60 * 1024), Delivered),
        (Treatment::Padded(70 * 1024), TriedAgain),
        (Treatment::Endless, TriedAgain),
        (Treatment::Dripping, TriedAgain),
        (Treatment::HugeHeader, TriedAgain),
        (Treatment::Silence, TriedAgain),
    ];
    let first: Vec<Treatment> = cases.iter().map(|(treatment, _)| treatment.clone()).collect();
    let peer = Peer::start(move |got: &Got| {
        let case = got.path.split('/').nth(1).and_then(|case| case.parse::<usize>().ok());
        // A request that comes twice because of a 401 is one attempt.
        let tries = if case.is_some_and(|case| matches!(first[case], Treatment::Answer(401, ..))) {
            2
        } else {
            1
        };
        match case {
            Some(case) if got.before < tries => first[case].clone(),
            _ => ACK,
        }
    })
    .await;
    let world = World::on_sqlite().await;
    let names: Vec<(String, String)> =
        (0..cases.len()).map(|n| (format!("bap-{n}"), peer.url(&n.to_string()))).collect();
    let subscribers: Vec<_> = names.iter().map(|(id, url)| (&**id, &**url)).collect();
    for (id, url) in &names {
        world.add(id, (id, 1), &format!("{url}/on_status"), TRIED_MS).await;
    }
    let _working = world.work(world.poster(&subscribers, LOOPBACK));
    let rows = world.settled().await;
    for (n, (treatment, expected)) in cases.iter().enumerate() {
        let row = rows.iter().find(|row| row.order_key == format!("bap-{n}")).expect("there");
        let fate = match (row.state, row.attempts) {
            (Delivery::Delivered, 1) => Delivered,
            (Delivery::Delivered, _) => TriedAgain,
            (Delivery::Dead | Delivery::Pending, _) => GivenUp,
        };
        assert_eq!(fate, *expected, "{treatment:?}: {:?}", row.last_error);
        assert!(row.finished_at.is_some());
        assert_eq!(row.last_error.is_some(), fate == GivenUp, "{:?}", row.last_error);
    }
    let nack = rows.iter().find(|row| row.order_key == "bap-7").expect("there");
    assert_eq!(nack.last_error.as_deref(), Some("answered NACK CORE-ERROR 40001: why"));
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_bound_and_no_further() {
    let peer = Peer::start(|_| Treatment::Padded(70 * 1024)).await;
    let world = World::on_sqlite().await;
    world.add("bap", ("a", 1), &peer.url("x/on_status"), TRIED_MS).await;
    let _working = world.work(world.poster(&[("bap", &peer.url("x"))], LOOPBACK));
    let tried = |rows: &[KeptCallback]| rows.iter().all(|row| row.attempts >= 2);
    let rows = world.until("it is tried again", tried).await;
    assert_eq!(rows[0].state, Delivery::Pending);
    assert_eq!(rows[0].last_error.as_deref(), Some("answered more than 65536 bytes"));
}

#[tokio::test]
async fn one_that_drips_its_answers_is_only_probed() {
    let peer = Peer::start(|_| Treatment::Dripping).await;
    let world = World::on_sqlite().await;
    for n in 0..40 {
        world.add("bap", (&format!("{n:02}"), 1), &peer.url("x/on_status"), TRIED_MS).await;
    }
    let _working = world.work(world.poster(&[("bap", &peer.url("x"))], LOOPBACK));
    let breakers = &world.platform.metrics.breakers_open;
    eventually("the breaker opens", || breakers.get() == 1).await;
    assert!(peer.got().len() <= 8, "{} attempts before it opened", peer.got().len());
}

#[tokio::test]
async fn every_attempt_has_the_same_body_and_a_signature_of_its_own() {
    let peer = Peer::start(|got: &Got| if got.before < 2 { BUSY } else { ACK }).await;
    let world = World::on_sqlite().await;
    world.add("bap", ("a", 1), &peer.url("bap/on_status"), TRIED_MS).await;
    let _working = world.work(world.poster(&[("bap", &peer.url("bap"))], LOOPBACK));
    world.settled().await;
    let got = peer.got();
    assert_eq!(got.len(), 3);
    for got in &got {
        assert_eq!(got.body, r#"{"order":"a","sequence":1}"#);
        let header = SignatureHeader::parse(&got.authorization).expect("a signature");
        let now_s = header.created_s;
        verify(&header, got.body.as_bytes(), &secret("new").public(), now_s).expect("it holds");
    }
}

#[tokio::test]
async fn a_peer_that_knows_only_the_other_key_is_told_at_once_under_that_one() {
    // Whoever knows `old` alone answers 401 to `new`.
    let knows_old = |got: &Got| {
        let header = SignatureHeader::parse(&got.authorization).expect("a signature");
        let holds = verify(&header, got.body.as_bytes(), &secret("old").public(), header.created_s);
        match (header.key_id.unique_key_id.as_deref(), holds) {
            (Some("old"), Ok(())) => ACK,
            _ => Treatment::Answer(401, "", ""),
        }
    };
    let peer = Peer::start(knows_old).await;
    let world = World::on_sqlite().await;
    for sequence in 1..=5 {
        world.add("bap", ("a", sequence), &peer.url("bap/on_status"), TRIED_MS).await;
    }
    let _working = world.work(world.poster(&[("bap", &peer.url("bap"))], LOOPBACK));
    for row in world.settled().await {
        assert_eq!((row.state, row.attempts), (Delivery::Delivered, 1), "{:?}", row.last_error);
    }
    assert_eq!(peer.got().len(), 10, "twice each");
}

#[tokio::test]
async fn callbacks_of_an_order_arrive_in_order_through_failures_and_others_do_not_wait() {
    on_each(|world| async move {
        let orders = 6;
        let peer = Peer::start(|got: &Got| match (got.body.len() + got.before) % 5 {
            0 | 1 => BUSY,
            2 if got.before % 7 == 2 => NACK,
            _ => ACK,
        })
        .await;
        for sequence in 1..=8 {
            for order in 0..orders {
                let key = format!("order-{order}");
                world.add("bap", (&key, sequence), &peer.url("bap/on_status"), TRIED_MS).await;
            }
        }
        let _working = world.work(world.poster(&[("bap", &peer.url("bap"))], LOOPBACK));
        let rows = world.settled().await;
        assert_eq!(rows.len(), 48);
        let mut arrived: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for got in peer.got() {
            let body: serde_json::Value = serde_json::from_str(&got.body).expect("JSON");
            let order = body["order"].as_str().expect("text").to_owned();
            arrived.entry(order).or_default().push(body["sequence"].as_u64().expect("a number"));
        }
        for (order, mut sequences) in arrived {
            assert!(sequences.is_sorted(), "{order}: {sequences:?}");
            sequences.dedup();
            assert_eq!(sequences, (1..=8).collect::<Vec<_>>(), "{order}");
        }
        let attempts: u64 = rows.iter().map(|row| row.attempts).sum();
        assert_eq!(attempts, peer.got().len() as u64, "every attempt is counted");
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_that_never_answers_holds_nobody_up() {
    on_each(|world| async move {
        let silent = Peer::start(|_| Treatment::Silence).await;
        let healthy = Peer::start(|_| ACK).await;
        let text = |n: usize| format!("{n:04}");
        for n in 0..300 {
            world
                .add("hole", (&format!("h{}", text(n)), 1), &silent.url("x/on_status"), TRIED_MS)
                .await;
        }
        for n in 0..300 {
            world
                .add("bap", (&format!("b{}", text(n)), 1), &healthy.url("x/on_status"), TRIED_MS)
                .await;
        }
        let (hole, bap) = (silent.url("x"), healthy.url("x"));
        let _working = world.work(world.poster(&[("hole", &hole), ("bap", &bap)], LOOPBACK));
        let healthy_is_told = |rows: &[KeptCallback]| all(rows, "bap", Delivery::Delivered);
        let rows = world.until("the healthy one is told", healthy_is_told).await;
        assert!(all(&rows, "hole", Delivery::Pending));
        assert_eq!(healthy.got().len(), 300, "once each");
        assert!(silent.take_open_max() <= 4, "no more than a stranger is given");
    })
    .await;
}

#[tokio::test]
async fn one_that_does_not_answer_is_only_probed_until_it_does_and_then_told_everything() {
    on_each(|world| async move {
        let peer = Peer::start(|_| Treatment::Silence).await;
        for n in 0..60 {
            world.add("bap", (&format!("{n:02}"), 1), &peer.url("x/on_status"), TRIED_MS).await;
        }
        let _working = world.work(world.poster(&[("bap", &peer.url("x"))], LOOPBACK));
        let breakers = &world.platform.metrics.breakers_open;
        eventually("the breaker opens", || breakers.get() == 1).await;
        let before = peer.got().len();
        assert!(before <= 8, "{before} attempts before it opened");
        peer.take_open_max();
        eventually("it is probed", || peer.got().len() >= before + 3).await;
        assert!(peer.take_open_max() <= 1, "one probe at a time");
        let tried = world.callbacks().await.iter().map(|row| row.attempts).sum::<u64>();
        assert!(tried <= peer.got().len() as u64 + 1, "what is not attempted is not counted");

        peer.treat(|_| ACK);
        let rows = world.settled().await;
        assert!(all(&rows, "bap", Delivery::Delivered));
        eventually("the breaker closes", || breakers.get() == 0).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_not_delivered_in_its_time_is_given_up_attempted_or_not() {
    on_each(|world| async move {
        let peer = Peer::start(|_| Treatment::Silence).await;
        for n in 0..40 {
            world.add("bap", (&format!("{n:02}"), 1), &peer.url("x/on_status"), 1_500).await;
        }
        let _working = world.work(world.poster(&[("bap", &peer.url("x"))], LOOPBACK));
        let rows = world.settled().await;
        assert!(all(&rows, "bap", Delivery::Dead));
        let untried = rows.iter().filter(|row| row.attempts == 0);
        let mut count = 0;
        for row in untried {
            count += 1;
            assert_eq!(row.last_error.as_deref(), Some("not delivered in its time"));
        }
        assert!(count > 0, "most were never attempted");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_attempted_while_the_registry_does_not_know_us() {
    let peer = Peer::start(|_| ACK).await;
    let world = World::on_sqlite().await;
    world.platform.standing.send_replace(Standing::Unregistered);
    world.add("bap", ("a", 1), &peer.url("x/on_status"), TRIED_MS).await;
    world.add("bap", ("b", 1), &peer.url("x/on_status"), 200).await;
    let _working = world.work(world.poster(&[("bap", &peer.url("x"))], LOOPBACK));
    let expired = |rows: &[KeptCallback]| rows.iter().any(|row| row.state == Delivery::Dead);
    let rows = world.until("one expires", expired).await;
    assert!(rows.iter().all(|row| row.attempts == 0));
    assert_eq!(peer.connections(), 0);
    world.platform.standing.send_replace(Standing::Good);
    let rows = world.settled().await;
    assert_eq!(rows.iter().filter(|row| row.state == Delivery::Delivered).count(), 1);
}

#[tokio::test]
async fn what_was_under_way_when_a_platform_was_killed_is_delivered_by_the_next() {
    let peer = Peer::start(|_| Treatment::Silence).await;
    let world = World::on_sqlite().await;
    world.add("bap", ("a", 1), &peer.url("x/on_status"), TRIED_MS).await;
    world.add("bap", ("a", 2), &peer.url("x/on_status"), TRIED_MS).await;
    let poster = world.poster(&[("bap", &peer.url("x"))], LOOPBACK);
    let working = world.work(poster.clone());
    eventually("an attempt", || !peer.got().is_empty()).await;
    drop(working);
    peer.treat(|_| ACK);
    let _working = world.work(poster);
    let rows = world.settled().await;
    assert!(all(&rows, "bap", Delivery::Delivered));
}

#[tokio::test]
async fn two_backends_deliver_each_callback_once() {
    let Some(url) = postgres().await else { return };
    let peer = Peer::start(|_| ACK).await;
    let worlds = [0, 1].map(|_| tempfile::tempdir().expect("a folder"));
    let [one, other] = worlds;
    let one = World::new(one, Store::open(&url).await.expect("it opens"));
    let other = World::new(other, Store::open(&url).await.expect("it opens"));
    let subscribers = [("bap", &*peer.url("x"))];
    let posters = (one.poster(&subscribers, LOOPBACK), other.poster(&subscribers, LOOPBACK));
    let _working = (one.work(posters.0), other.work(posters.1));
    for sequence in 1..=10 {
        for order in 0..20 {
            let key = format!("{order:02}");
            one.add("bap", (&key, sequence), &peer.url("x/on_status"), TRIED_MS).await;
            other.platform.outbox.notify_one();
        }
    }
    let rows = one.settled().await;
    assert!(all(&rows, "bap", Delivery::Delivered));
    assert_eq!(peer.got().len(), 200);
    assert!(rows.iter().all(|row| row.attempts == 1));
}

#[tokio::test]
async fn a_subscriber_that_is_not_registered_there_is_told_when_it_is() {
    let peer = Peer::start(|_| ACK).await;
    let world = World::on_sqlite().await;
    for (n, (id, path)) in
        [("bap", "other/on_status"), ("stranger", "x/on_status"), ("bap", "x2/on_status")]
            .into_iter()
            .enumerate()
    {
        world.add(id, (&n.to_string(), 1), &peer.url(path), TRIED_MS).await;
    }
    let working = world.work(world.poster(&[("bap", &peer.url("x"))], LOOPBACK));
    world.add("stranger", ("late", 1), &peer.url("x/on_search"), 1_000).await;
    let reason = "the subscriber is not registered at this address now";
    let late = |row: &KeptCallback| row.order_key == "late";
    let waits = |row: &KeptCallback| {
        row.state == Delivery::Pending
            && row.attempts >= FAILED_AND_MORE
            && row.last_error.as_deref() == Some(reason)
    };
    let met = |rows: &[KeptCallback]| {
        rows.iter().all(|row| if late(row) { row.state == Delivery::Dead } else { waits(row) })
    };
    let rows = world.until("all wait, but for the one whose time is over", met).await;
    let error = rows.iter().find(|row| late(row)).and_then(|row| row.last_error.as_deref());
    assert!(error.is_some_and(|error| error.contains(reason)), "{error:?}");
    assert_eq!(peer.connections(), 0, "nothing is sent meanwhile");
    assert_eq!(world.platform.metrics.breakers_open.get(), 0, "nobody failed");

    drop(working);
    let (x, x2, other) = (peer.url("x"), peer.url("x2"), peer.url("other"));
    let entries = [("bap", &*x), ("bap", &*x2), ("bap", &*other), ("stranger", &*x)];
    let _working = world.work(world.poster(&entries, LOOPBACK));
    let rows = world.settled().await;
    let told = |row: &&KeptCallback| row.state == Delivery::Delivered;
    assert_eq!(rows.iter().filter(told).count(), 3, "{rows:?}");
}

#[tokio::test]
async fn a_subscriber_for_whom_too_much_waits_is_full_until_it_does_not() {
    on_each(|world| async move {
        let peer = Peer::start(|_| ACK).await;
        world.platform.standing.send_replace(Standing::Unregistered);
        let url = peer.url("x/on_search");
        world.add_many("bap", 10_001, &url, 4_000).await;
        world.add_many("other", 10_000, &url, TRIED_MS).await;
        let _working = world.work(world.poster(&[("bap", &peer.url("x"))], LOOPBACK));
        eventually("it is full", || world.platform.outbox_is_full("bap")).await;
        assert!(!world.platform.outbox_is_full("other"), "one less");
        eventually("its callbacks expire", || !world.platform.outbox_is_full("bap")).await;
    })
    .await;
}

#[tokio::test]
async fn metrics_count_attempts_by_what_came_of_them() {
    let peer = Peer::start(|got: &Got| match got.path.as_str() {
        "/x/busy" if got.before == 0 => BUSY,
        "/x/no" => NACK,
        _ => ACK,
    })
    .await;
    let world = World::on_sqlite().await;
    for path in ["busy", "no", "yes"] {
        world.add("bap", (path, 1), &peer.url(&format!("x/{path}")), TRIED_MS).await;
    }
    world.add("bap", ("far", 1), "http://192.0.2.1/on_status", TRIED_MS).await;
    let _working = world.work(world.poster(&[("bap", &peer.url("x"))], LOOPBACK));
    world.settled().await;
    let text = world.platform.metrics.text();
    for (outcome, count) in [("delivered", 2), ("refused", 1), ("forbidden", 1), ("put-off", 1)] {
        let line = format!(
            "tripline_callbacks_total{{action=\"on_status\",outcome=\"{outcome}\"}} {count}"
        );
        assert!(text.contains(&line), "{line} is not in {text}");
    }
    assert!(text.contains("tripline_callback_seconds_count 5"), "{text}");
}

/// Runs a command of the platform in a folder; gives its exit code and its standard output.
fn bpp(dir: &std::path::Path, arguments: &[&str]) -> (i32, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tripline-bpp"))
        .args(arguments)
        .env("TRIPLINE_CONFIG", dir.join("bpp.toml"))
        .output()
        .expect("runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (output.status.code().expect("ends"), text)
}

#[tokio::test]
async fn what_was_given_up_is_listed_shown_and_replayed_at_the_command_line_and_then_delivered() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().to_owned();
    assert_eq!(bpp(&folder, &["init", "--dir", folder.to_str().expect("UTF-8")]).0, 0);
    let url = format!("sqlite:{}", folder.join("data/tripline.db").display());
    let world = World::new(dir, Store::open(&url).await.expect("it opens"));
    let peer = Peer::start(|_| NACK).await;
    for (order, sequence) in [("a", 1), ("a", 2), ("b", 1)] {
        world.add("bap", (order, sequence), &peer.url("x/on_status"), TRIED_MS).await;
    }
    let _working = world.work(world.poster(&[("bap", &peer.url("x"))], LOOPBACK));
    assert!(all(&world.settled().await, "bap", Delivery::Dead));

    let (_, listed) = bpp(&folder, &["callback", "list", "--state", "dead", "--json"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(listed.contains(r#""last_error":"answered NACK CORE-ERROR 40001: why""#), "{listed}");
    assert_eq!(bpp(&folder, &["callback", "list", "--order", "a"]).1.lines().count(), 2);
    assert_eq!(bpp(&folder, &["callback", "list", "--subscriber", "x"]).1, "");
    let (_, shown) = bpp(&folder, &["callback", "show", "a", "2"]);
    assert!(shown.contains("answered NACK") && !shown.contains("\"order\""), "{shown}");
    let (_, shown) = bpp(&folder, &["callback", "show", "a", "2", "--body"]);
    assert!(shown.ends_with("{\"order\":\"a\",\"sequence\":2}\n"), "{shown}");
    assert_eq!(bpp(&folder, &["callback", "show", "a", "9"]).0, 9);

    let (_, dry) = bpp(&folder, &["callback", "replay", "--all", "--dry-run"]);
    assert_eq!(dry, "3 callbacks would be tried once more.\n");
    for wrong in [&["callback", "replay"][..], &["callback", "replay", "a"]] {
        assert_eq!(bpp(&folder, wrong).0, 2, "{wrong:?}");
    }
    assert_eq!(bpp(&folder, &["callback", "replay", "--all", "--subscriber", "bap"]).0, 2);
    assert_eq!(bpp(&folder, &["callback", "replay", "a", "9"]).0, 9);
    peer.treat(|_| ACK);
    let (_, one) = bpp(&folder, &["callback", "replay", "a", "2", "--json"]);
    assert!(one.contains("\"replayed\":1"), "{one}");
    let (_, rest) = bpp(&folder, &["callback", "replay", "--subscriber", "bap"]);
    assert_eq!(rest, "2 callbacks will be tried once more.\n");
    let delivered = |rows: &[KeptCallback]| all(rows, "bap", Delivery::Delivered);
    world.until("the platform that serves takes them up", delivered).await;
    assert_eq!(bpp(&folder, &["callback", "list"]).1, "");
}
