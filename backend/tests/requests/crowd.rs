//! Too much, too slow, too large: nobody's manners cost the others anything.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tripline_backend::http::{BODY_LEN_MAX, BODY_MS_MAX, Rules};
use tripline_backend::network::standing::Standing;

use crate::world::{Answer, Ask, World, generous};

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
    assert!(world.send(&Ask::search("m")).await.is_ack());
    let mut ask = Ask::search("m");
    ask.life_s = 0;
    world.send(&ask).await;
    let mut ask = Ask::search("m");
    ask.action = "rating";
    world.send(&ask).await;
    let text = world.platform.metrics.text();
    for line in [
        "tripline_beckn_requests_total{action=\"search\",outcome=\"taken\"} 1",
        "tripline_beckn_requests_total{action=\"search\",outcome=\"unsigned\"} 1",
        "tripline_beckn_requests_total{action=\"other\",outcome=\"unknown-action\"} 1",
        "tripline_beckn_signatures_refused_total{reason=\"lifetime\"} 1",
        "tripline_beckn_request_seconds_count 1",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}
