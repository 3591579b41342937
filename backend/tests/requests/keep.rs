//! What is kept of requests, together and alone, and what is forgotten.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::task::JoinSet;
use tripline_backend::beckn::{FaultKind, v0_9};
use tripline_backend::domain::order::Conversation;
use tripline_backend::http::Rules;
use tripline_backend::service::intake::{INBOX_KEPT_MS, Intake, REQUESTS_WAITING_MAX};
use tripline_backend::service::{Asked, RequestError, Taken};
use tripline_backend::store::Store;
use tripline_backend::store::inbox::{RequestKey, Seen};
use tripline_backend::time;
use tripline_protocol::unit::Timestamp;

use crate::world::{Ask, BAP, World, at, generous, stores};

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

fn asked(ask: &Ask) -> Asked {
    let received = v0_9::parse(ask.action, &ask.bytes()).expect("good");
    Asked { subscriber_id: BAP.into(), received, too_late: None }
}

fn kind(outcome: Result<Taken, RequestError>) -> Result<(), FaultKind> {
    outcome.map(drop).map_err(|error| match error {
        RequestError::Fault(fault) => fault.kind,
        RequestError::Service(error) => panic!("{error}"),
    })
}

/// Whether somebody who waits a moment is told something.
pub(crate) async fn is_told<T>(taking: &mut (impl Future<Output = T> + Unpin)) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *taking).poll(cx).is_ready())).await
}

/// One that no callback can be made for.
fn poison() -> Asked {
    let mut poison = asked(&Ask::search("m-poison"));
    poison.received.conversation = Conversation("none".into());
    poison
}

#[tokio::test]
async fn one_that_cannot_be_stored_takes_no_other_with_it() {
    let (_dir, urls) = stores().await;
    for url in urls {
        let world = World::over(&url).await;
        let mut tasks = JoinSet::new();
        for n in 0..60 {
            let one = match n % 20 {
                0 => poison(),
                1 => asked(&Ask::select(&format!("m-{n}"), "no such item")),
                _ => asked(&Ask::search(&format!("m-{n}"))),
            };
            let intake = world.intake.clone();
            tasks.spawn(async move { (n % 20, kind(intake.take_in(one).await)) });
        }
        for (which, outcome) in tasks.join_all().await {
            let expected = match which {
                0 => Err(FaultKind::Overload),
                1 => Err(FaultKind::UnknownItem),
                _ => Ok(()),
            };
            assert_eq!(outcome, expected, "{url}");
        }
        assert_eq!(world.counts().await, [54, 54, 0], "{url}");
    }
}

#[tokio::test]
async fn a_queue_that_is_full_says_so_at_once() {
    // Nobody takes anything out of it.
    let (intake, _waiting) = Intake::new();
    let mut handed_in = Vec::new();
    for n in 0..REQUESTS_WAITING_MAX {
        let mut taking = Box::pin(intake.take_in(asked(&Ask::search(&format!("m-{n}")))));
        assert!(!is_told(&mut taking).await);
        handed_in.push(taking);
    }
    let one_more = intake.take_in(asked(&Ask::search("m"))).await;
    assert_eq!(kind(one_more), Err(FaultKind::Overload));
}

#[tokio::test]
async fn a_stale_request_is_taken_where_that_is_configured() {
    let world = World::with_rules(Rules { refuse_stale: false, ..generous() }).await;
    let mut ask = Ask::search("m");
    ask.body["context"]["timestamp"] = at(-600).into();
    assert!(world.send(&ask).await.is_ack());
}

#[tokio::test]
async fn what_was_taken_in_time_gets_its_ack_again_however_late_it_is_repeated() {
    let world = World::fresh().await;
    let mut ask = Ask::search("m");
    assert!(world.send(&ask).await.is_ack());
    ask.body["context"]["timestamp"] = at(-600).into();
    assert!(world.send(&ask).await.is_ack());
    let mut late = Ask::search("another");
    late.body["context"]["timestamp"] = at(-600).into();
    assert_eq!(world.send(&late).await.named(), "context.timestamp");
    assert_eq!(world.callbacks("on_search").await.len(), 1);
}

fn key(message_id: &str, variant: &[u8]) -> RequestKey {
    RequestKey {
        subscriber_id: BAP.into(),
        action: "search".into(),
        message_id: message_id.into(),
        variant: variant.into(),
    }
}

#[tokio::test]
async fn a_part_of_a_transaction_is_undone_alone_and_variants_are_apart() {
    let (_dir, urls) = stores().await;
    for url in urls {
        let store = Store::open(&url).await.expect("opens");
        let mut tx = store.write().await.expect("begins");
        for (message_id, kept) in [("a", true), ("b", false), ("c", true), ("b", false)] {
            tx.begin_part().await.expect("begun");
            let seen = tx.note_request(&key(message_id, b""), b"1", NOW).await.expect("noted");
            assert_eq!(seen, Seen::New, "{message_id}");
            if kept { tx.keep_part().await } else { tx.undo_part().await }.expect("ended");
        }
        tx.commit().await.expect("commits");
        let mut tx = store.write().await.expect("begins");
        for (message_id, variant, digest, expected) in [
            ("a", "", "1", Seen::Same),
            ("a", "", "2", Seen::Other),
            ("a", "2", "2", Seen::New),
            ("a", "2", "2", Seen::Same),
            ("b", "", "2", Seen::New),
            ("c", "", "1", Seen::Same),
        ] {
            let key = key(message_id, variant.as_bytes());
            let seen = tx.note_request(&key, digest.as_bytes(), NOW).await.expect("noted");
            assert_eq!(seen, expected, "{message_id} {variant}");
        }
    }
}

#[tokio::test]
async fn requests_are_remembered_for_thirty_days_and_forgotten_in_steps() {
    let (_dir, urls) = stores().await;
    for url in urls {
        let world = World::over(&url).await;
        let now = time::now();
        let mut tx = world.platform.store.write().await.expect("begins");
        for n in 0..1_200 {
            let at = now.plus_ms(-INBOX_KEPT_MS - 1 - n);
            tx.note_request(&key(&n.to_string(), b""), b"1", at).await.expect("noted");
        }
        let at = now.plus_ms(-INBOX_KEPT_MS + 60_000);
        tx.note_request(&key("kept", b""), b"1", at).await.expect("noted");
        assert_eq!(tx.forget_requests(now.plus_ms(-INBOX_KEPT_MS), 100).await.expect("done"), 100);
        tx.commit().await.expect("commits");
        assert_eq!(world.platform.forget_requests(now).await.expect("done"), 1_100);
        assert_eq!(world.platform.forget_requests(now).await.expect("done"), 0);
        assert_eq!(world.counts().await, [1, 0, 0]);
    }
}
