//! Too much, too slow, too large: nobody's manners cost the others anything.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::Body;
use hyper::header::AUTHORIZATION;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tripline_backend::http::listener::Peer;
use tripline_backend::http::{BODY_LEN_MAX, BODY_MS_MAX, Rules};
use tripline_backend::network::standing::Standing;
use tripline_backend::time;

use crate::registry::StubRegistry;
use crate::world::{Answer, Ask, BAP, World, entry, generous, key_of};

/// Longest wait for what has a deadline of its own.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends until one is refused for coming too often.
async fn until_refused(world: &World, more: &[(&'static str, String)]) -> Answer {
    let deadline = Instant::now() + PATIENCE;
    for n in 0.. {
        let mut ask = Ask::search(&format!("m-{n}"));
        ask.more = more.to_vec();
        let answer = world.send(&ask).await;
        if answer.is_nack() {
            return answer;
        }
        assert!(Instant::now() < deadline, "everything is taken");
    }
    unreachable!("it goes on until it returns")
}

#[tokio::test]
async fn an_address_that_sends_too_much_is_told_so_and_no_other_is() {
    let proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let world = World::with_rules(Rules { per_address_per_s: 1, proxies, ..generous() }).await;
    let of = |address: &str| vec![("x-forwarded-for", address.to_owned())];
    let refused = until_refused(&world, &of("198.51.100.1")).await;
    assert_eq!((refused.status, refused.named()), (429, "40000"), "{refused:?}");
    assert_eq!(refused.headers["retry-after"], "1");
    // Not even a signature is looked at.
    let mut ask = Ask::search("m");
    (ask.header, ask.more) = (|_| None, of("198.51.100.1, 198.51.100.1"));
    let statuses: Vec<_> =
        [world.send(&ask).await, world.send(&ask).await].map(|a| a.status).into();
    assert!(statuses.contains(&429), "{statuses:?}");
    let mut ask = Ask::search("other");
    ask.more = of("198.51.100.1, 198.51.100.2");
    assert!(world.send(&ask).await.is_ack());
}

#[tokio::test]
async fn a_subscriber_that_sends_too_much_is_told_so_and_no_other_is() {
    let world = World::with_rules(Rules { per_subscriber_per_s: 1, ..generous() }).await;
    let refused = until_refused(&world, &[]).await;
    assert_eq!((refused.status, refused.named()), (429, "40000"), "{refused:?}");
    assert!(world.send(&Ask::search("m").by("other.example")).await.is_ack());
    // Whoever is not the subscriber cannot use its rate up.
    let mut forged = Ask::search("m").by("other.example");
    forged.header = |header| Some(header.replace("created=\"1", "created=\"2"));
    for _ in 0..20 {
        assert_eq!(world.send(&forged).await.status, 401);
    }
    assert!(world.send(&Ask::search("m-2").by("other.example")).await.is_ack());
}

/// Hands a request to the platform past the connections, whose number is limited, as if it came from this
/// address; gives its status.
async fn hand_in(world: &World, ask: &Ask, address: [u8; 4]) -> u16 {
    let (body, authorization) = ask.signed();
    let request = hyper::Request::post(format!("/beckn/{}", ask.action))
        .header(AUTHORIZATION, authorization)
        .body(Body::from(body))
        .expect("a request");
    let router = world.router.clone().layer(Extension(Peer(address.into())));
    let answer = TowerToHyperService::new(router).call(request).await;
    answer.map(|answer| answer.status().as_u16()).expect("answered")
}

#[tokio::test]
async fn strangers_of_whom_the_registry_says_nothing_take_nobodys_place() {
    let registry = StubRegistry::start(vec![entry(BAP, "BAP", None)]).await;
    let world = Arc::new(World::of_registry(&registry).await);
    assert!(world.send(&Ask::search("m-0")).await.is_ack());
    registry.hold();
    let mut waiting = JoinSet::new();
    // One who never met anybody comes from everywhere, and many come beside him.
    for n in 0..1_200_u16 {
        let name = if n % 2 == 0 { String::new() } else { format!("-{n}") };
        let ask = Ask::search("m").by(&format!("stranger{name}.example"));
        let (world, [high, low]) = (Arc::clone(&world), n.to_be_bytes());
        waiting.spawn(async move { hand_in(&world, &ask, [198, 18, high, low]).await });
    }
    let deadline = Instant::now() + PATIENCE;
    while registry.count("stranger.example") == 0 {
        assert!(Instant::now() < deadline, "the registry is not asked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for n in 1..20 {
        let answer = world.send(&Ask::search(&format!("m-{n}"))).await;
        assert!(answer.is_ack(), "{answer:?}");
    }
    registry.let_go();
    while let Some(status) = waiting.join_next().await {
        assert!([401, 503].contains(&status.expect("no panic")));
    }
}

#[tokio::test]
async fn an_address_whose_requests_show_no_sender_is_told_so_before_anybody_is_asked() {
    let registry = StubRegistry::start(vec![entry(BAP, "BAP", None)]).await;
    let world = World::of_registry(&registry).await;
    let (bad, good) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    let mut forged = Ask::search("m");
    forged.key = key_of("other.example");
    let deadline = Instant::now() + PATIENCE;
    while hand_in(&world, &forged, bad).await != 429 {
        assert!(Instant::now() < deadline, "it may go on for ever");
    }
    let asked = registry.questions().len();
    let mut statuses = Vec::new();
    for n in 0..20 {
        statuses.push(hand_in(&world, &Ask::search("m").by(&format!("{n}.example")), bad).await);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    assert!(registry.questions().len() < asked + 20, "not each is asked about");
    assert_eq!(hand_in(&world, &Ask::search("m"), good).await, 200);
}

#[tokio::test]
async fn whoever_sends_a_captured_request_again_uses_up_nobodys_rate() {
    let world = World::with_rules(Rules { per_subscriber_per_s: 1, ..generous() }).await;
    let (captor, bap) = ([198, 51, 100, 1], [192, 0, 2, 1]);
    let mut captured = Ask::search("m");
    captured.at_s = Some(time::now().unix_ms.div_euclid(1000));
    let mut statuses = BTreeSet::new();
    let deadline = Instant::now() + PATIENCE;
    while !statuses.contains(&429) {
        statuses.insert(hand_in(&world, &captured, captor).await);
        assert!(Instant::now() < deadline, "it may be sent for ever");
    }
    assert_eq!(statuses, BTreeSet::from([200, 429]));
    assert_eq!(hand_in(&world, &Ask::search("m-2"), bap).await, 200);
    assert_eq!(hand_in(&world, &captured, bap).await, 200, "a BAP may repeat");
    assert_eq!(world.counts().await, [2, 2, 0]);
}

#[tokio::test]
async fn a_riders_link_counts_for_its_address_too() {
    let proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let world = World::with_rules(Rules { per_address_per_s: 1, proxies, ..generous() }).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let get = async |address: &str| {
        let url = format!("http://{}/track/no-such-token", world.address);
        let answer = client.get(url).header("x-forwarded-for", address).send().await;
        answer.expect("answered").status().as_u16()
    };
    let deadline = Instant::now() + PATIENCE;
    while get("198.51.100.1").await != 429 {
        assert!(Instant::now() < deadline, "links may be guessed for ever");
    }
    assert_eq!(get("198.51.100.2").await, 404);
}

#[tokio::test]
async fn what_is_no_post_of_an_action_is_no_request() {
    let world = World::fresh().await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    for (path, status) in [("/beckn/search", 405), ("/beckn/a/b", 404), ("/beckn", 404)] {
        let answer = client.get(format!("http://{}{path}", world.address)).send().await;
        assert_eq!(answer.expect("answered").status().as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn nothing_is_taken_while_the_registry_does_not_know_us_as_we_are() {
    let world = World::fresh().await;
    world.platform.standing.send_replace(Standing::Unregistered);
    let answer = world.send(&Ask::search("m")).await;
    assert_eq!((answer.status, answer.named()), (503, "40000"), "{answer:?}");
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(world.counts().await, [0, 0, 0]);
    world.platform.standing.send_replace(Standing::Good);
    assert!(world.send(&Ask::search("m")).await.is_ack());
}

/// Sends a head and what follows of a body; gives the connection.
async fn begin(world: &World, head: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(world.address).await.expect("connects");
    let head = format!("POST /beckn/search HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    // It may be refused before it has sent everything.
    let _ = stream.write_all(body).await;
    stream
}

/// What the other end says until it closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_body_longer_than_any_is_refused_whatever_its_head_says() {
    let world = World::fresh().await;
    let announced = rest(begin(&world, "content-length: 99999999", b"{").await).await;
    let chunk = vec![b' '; BODY_LEN_MAX + 1];
    let chunked = [format!("{:x}\r\n", chunk.len()).as_bytes(), &chunk].concat();
    let dripped = rest(begin(&world, "transfer-encoding: chunked", &chunked).await).await;
    for answer in [announced, dripped] {
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("connection: close") && answer.contains("NACK"), "{answer}");
    }
    assert!(world.send(&Ask::search("m")).await.is_ack());
}

#[tokio::test]
async fn slow_clients_hold_nobody_up_and_are_sent_away() {
    let world = World::fresh().await;
    let mut slow = Vec::new();
    // Some send no head, some no body, some a byte now and then.
    for n in 0..300 {
        slow.push(match n % 3 {
            0 => TcpStream::connect(world.address).await.expect("connects"),
            1 => begin(&world, "content-length: 100", b"").await,
            _ => begin(&world, "content-length: 100000", b"{").await,
        });
    }
    for n in 0..40 {
        let ask = Ask::search(&format!("m-{n}"));
        // Who has to wait for slow ones waits for as long as they may take.
        let answer =
            tokio::time::timeout(Duration::from_millis(BODY_MS_MAX), world.send(&ask)).await;
        assert!(answer.expect("at once").is_ack());
        for stream in slow.iter_mut().skip(2).step_by(30) {
            let _ = stream.write_all(b" ").await;
        }
    }
    // A byte that comes now and then buys no time.
    let dripping = slow.swap_remove(2);
    let answer = rest(dripping).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close") && answer.contains("NACK"), "{answer}");
}

#[tokio::test]
async fn what_becomes_of_requests_is_counted() {
    let world = World::fresh().await;
    for _ in 0..2 {
        assert!(world.send(&Ask::search("m")).await.is_ack());
    }
    let mut ask = Ask::search("m");
    ask.life_s = 0;
    world.send(&ask).await;
    let mut ask = Ask::search("m");
    ask.action = "get_return_reasons";
    world.send(&ask).await;
    let text = world.platform.metrics.text();
    for line in [
        "tripline_beckn_requests_total{action=\"search\",outcome=\"taken\"} 1",
        "tripline_beckn_requests_total{action=\"search\",outcome=\"repeated\"} 1",
        "tripline_beckn_requests_total{action=\"search\",outcome=\"unsigned\"} 1",
        "tripline_beckn_requests_total{action=\"other\",outcome=\"unknown-action\"} 1",
        "tripline_beckn_signatures_refused_total{reason=\"lifetime\"} 1",
        "tripline_beckn_request_seconds_count 2",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}
