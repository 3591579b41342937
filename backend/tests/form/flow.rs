//! A form from its address to its submission, and what counts as submitted.

use tripline_backend::domain::form::FormState;
use tripline_backend::service::form::{NONCES_OPEN_MAX, PAGE_MS, SUBMISSIONS_PER_PAGE_MAX};
use tripline_backend::time;

use crate::both::execute;
use crate::world::{Answer, BAP, OTHER, World, answer, encoded, key_of, on_each, signed};

const GOOD: [(&str, &str); 2] = [("name", "Asha K"), ("phone", "+91 98000 00000")];

fn with(nonce: &str) -> Vec<(&str, &str)> {
    [&[("nonce", nonce)], &GOOD[..]].concat()
}

#[tokio::test]
async fn a_form_is_shown_filled_in_and_then_it_is_in() {
    on_each(|world| async move {
        let missing = FormState::Missing("traveller".parse().expect("an id"));
        assert_eq!(world.state(BAP, "t-1", "auto", None).await, missing);
        let url = world.link(BAP, "t-1", "auto").await;
        let page = world.get(&url).await;
        assert_eq!(page.status, 200);
        assert_eq!(world.state(BAP, "t-1", "auto", None).await, missing, "shown is not sent");
        let id = world.post(&url, &with(&page.nonce())).await.taken();
        let is_in = FormState::In(id.parse().expect("a UUID"));
        assert_eq!(world.state(BAP, "t-1", "auto", None).await, is_in);
        assert_eq!(world.state(BAP, "t-1", "auto", Some(&id)).await, is_in);
        assert_eq!(
            world.state(BAP, "t-2", "auto", Some(&id)).await,
            is_in,
            "conversations change it"
        );

        // Not without its name elsewhere, and for nobody and nothing else.
        assert_eq!(world.state(BAP, "t-2", "auto", None).await, missing);
        assert_eq!(world.state(OTHER, "t-1", "auto", None).await, missing);
        let unknown = |id: &str| FormState::Unknown(id.to_owned());
        assert_eq!(world.state(OTHER, "t-1", "auto", Some(&id)).await, unknown(&id));
        for named in ["", "x", "00000000-0000-4000-8000-000000000000"] {
            assert_eq!(world.state(BAP, "t-1", "auto", Some(named)).await, unknown(named));
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_required_keeps_nobody_from_booking() {
    on_each(|world| async move {
        for item in ["plain", "shared", "nothing-like-it", "no id"] {
            for named in [None, Some("x")] {
                let state = world.state(BAP, "t-1", item, named).await;
                assert_eq!(state, FormState::NotAsked, "{item}");
            }
        }
        assert_eq!(world.link_at(BAP, "t-1", "plain", time::now()).await, None);
        let (url, required) =
            world.link_at(BAP, "t-1", "shared", time::now()).await.expect("it has one");
        assert!(!required);
        let nonce = world.nonce(&url).await;
        let id = world.post(&url, &[("likes", "tea"), ("nonce", &nonce)]).await.taken();
        let is_in = FormState::In(id.parse().expect("a UUID"));
        assert_eq!(world.state(BAP, "t-1", "shared", Some(&id)).await, is_in);
        assert_eq!(world.state(BAP, "t-1", "shared", None).await, is_in);
        // It is another item's.
        let unknown = FormState::Unknown(id.clone());
        assert_eq!(world.state(BAP, "t-1", "auto", Some(&id)).await, unknown);
    })
    .await;
}

#[tokio::test]
async fn the_same_conversation_gets_the_same_page_while_it_lasts_long_enough() {
    on_each(|world| async move {
        let first = world.link(BAP, "t-1", "auto").await;
        assert_eq!(world.link(BAP, "t-1", "auto").await, first);
        assert_ne!(world.link(BAP, "t-2", "auto").await, first);
        assert_ne!(world.link(OTHER, "t-1", "auto").await, first);
        assert_ne!(world.link(BAP, "t-1", "shared").await, first);
        let late = time::now().plus_ms(PAGE_MS / 2 + 60_000);
        let (later, _) = world.link_at(BAP, "t-1", "auto", late).await.expect("it has one");
        assert_ne!(later, first);
        assert_eq!(world.get(&first).await.status, 200, "whoever has it open goes on");
    })
    .await;
}

#[tokio::test]
async fn a_nonce_is_the_pages_own_and_good_for_one_answer() {
    on_each(|world| async move {
        let (url, foreign) =
            (world.link(BAP, "t-1", "auto").await, world.link(BAP, "t-2", "auto").await);
        let nonce = world.nonce(&url).await;
        assert_ne!(world.nonce(&url).await, nonce, "fresh each time");
        assert_eq!(world.post(&url, &GOOD).await.wrong(), ["nonce"]);
        for bad in ["", "x", "00000000-0000-4000-8000-000000000000", &world.nonce(&foreign).await] {
            assert_eq!(world.post(&url, &with(bad)).await.wrong(), ["nonce"], "{bad:?}");
        }
        // Answers that will not do leave it open.
        let wrong = world.post(&url, &[("nonce", &nonce), ("name", "Asha")]).await.wrong();
        assert_eq!(wrong, ["phone"]);
        let id = world.post(&url, &with(&nonce)).await.taken();
        assert_eq!(world.post(&url, &with(&nonce)).await.taken(), id, "sent again");
        let other = [("nonce", nonce.as_str()), ("name", "Ravi"), ("phone", "+91 98000 00000")];
        assert_eq!(world.post(&url, &other).await.wrong(), ["nonce"]);
        let no_answers = world.post(&url, &[("nonce", &nonce)]).await.wrong();
        assert_eq!(no_answers, ["nonce"], "it was used: nothing else is looked at");
        // One that was opened long before is closed: so many stay open.
        let old = world.nonce(&url).await;
        for _ in 0..=NONCES_OPEN_MAX {
            world.nonce(&url).await;
        }
        assert_eq!(world.post(&url, &with(&old)).await.wrong(), ["nonce"]);
        assert_eq!(world.post(&url, &with(&nonce)).await.taken(), id, "what was used is known");
    })
    .await;
}

#[tokio::test]
async fn a_page_that_is_too_old_says_so_and_one_that_there_is_not_too() {
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let nonce = world.nonce(&url).await;
        let mut tx = world.platform.store.write().await.expect("begins");
        execute(&mut tx, "UPDATE form_page SET expires_at = 1").await.expect("aged");
        tx.commit().await.expect("commits");
        assert_eq!(world.get(&url).await.status, 410);
        let late = world.post(&url, &with(&nonce)).await;
        assert_eq!((late.status, &late.json()["status"]), (410, &false.into()));
        assert_eq!(world.browse(&url, &with(&nonce)).await.status, 410);
        let token = &url[url.len() - 64..];
        for unknown in ["x", &"0".repeat(64), &"\u{e9}".repeat(32), "%FF", &token[1..]] {
            let gone = url.replace(token, unknown);
            assert!([404, 400].contains(&world.get(&gone).await.status), "{unknown}");
        }
        let gone = url.replace(token, &"0".repeat(64));
        let answer = world.post(&gone, &with(&nonce)).await;
        assert_eq!((answer.status, &answer.json()["status"]), (404, &false.into()));
    })
    .await;
}

#[tokio::test]
async fn two_that_come_at_once_are_one_submission_or_one_of_them_is_refused() {
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let nonce = world.nonce(&url).await;
        let fields = with(&nonce);
        let same: Vec<_> = (0..6).map(|_| world.post(&url, &fields)).collect();
        let mut ids = Vec::new();
        for answer in join_all(same).await {
            ids.push(answer.taken());
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
        let nonce = world.nonce(&url).await;
        let names: Vec<String> = (0..6).map(|n| format!("Rider {n}")).collect();
        let different: Vec<Vec<_>> = names
            .iter()
            .map(|name| vec![("nonce", nonce.as_str()), ("name", name), ("phone", "98000 00000")])
            .collect();
        let different = different.iter().map(|fields| world.post(&url, fields)).collect();
        let answers = join_all(different).await;
        let taken = answers.iter().filter(|answer| answer.json()["status"] == true).count();
        assert_eq!(taken, 1, "{answers:?}");
    })
    .await;
}

/// Waits for all of them at once.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    use std::pin::pin;
    use std::task::Poll;
    let mut pending: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = pending.iter().map(|_| None).collect();
    let all = std::future::poll_fn(|context| {
        for (future, done) in pending.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(output) = pin!(future).poll(context)
            {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    });
    all.await;
    done.into_iter().map(|output| output.expect("ready")).collect()
}

#[tokio::test]
async fn a_page_takes_so_many_submissions_and_no_more() {
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let mut last = String::new();
        for _ in 0..SUBMISSIONS_PER_PAGE_MAX {
            let nonce = world.nonce(&url).await;
            last = world.post(&url, &with(&nonce)).await.taken();
        }
        let nonce = world.nonce(&url).await;
        let answer = world.post(&url, &with(&nonce)).await;
        assert_eq!(answer.wrong(), [""]);
        assert_eq!(answer.json()["errors"][0]["code"], "40000");
        let newest = FormState::In(last.parse().expect("a UUID"));
        assert_eq!(world.state(BAP, "t-1", "auto", None).await, newest, "the newest counts");
    })
    .await;
}

async fn signed_by(world: &World, url: &str, subscriber: &str, key: &str) -> Answer {
    let nonce = world.nonce(url).await;
    let body = encoded(&with(&nonce));
    let header = signed(body.as_bytes(), subscriber, &key_of(key));
    world.post_signed(url, &body, &header).await
}

#[tokio::test]
async fn a_signature_that_is_there_must_hold_and_be_that_of_the_pages_subscriber() {
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let id = signed_by(&world, &url, BAP, BAP).await.taken();
        assert!(!id.is_empty());
        let challenged = |answer: &Answer, said: &str| {
            assert_eq!(answer.status, 401, "{answer:?}");
            let challenge = answer.header("www-authenticate");
            assert!(challenge.starts_with("Signature realm="), "{answer:?}");
            let body = answer.json();
            assert_eq!(body["status"], false);
            let message = body["errors"][0]["message"].as_str().expect("text");
            assert!(message.contains(said), "{message}");
        };
        challenged(&signed_by(&world, &url, BAP, OTHER).await, "does not");
        challenged(&signed_by(&world, &url, OTHER, OTHER).await, "another subscriber");
        challenged(&signed_by(&world, &url, "nobody.example", BAP).await, "");
        let nonce = world.nonce(&url).await;
        let body = encoded(&with(&nonce));
        let header = signed(b"something else", BAP, &key_of(BAP));
        challenged(&world.post_signed(&url, &body, &header).await, "does not");
        challenged(&world.post_signed(&url, &body, "Signature x").await, "");
        // None of them used the nonce, and nobody else's page tells anything of its owner.
        assert!(!world.post(&url, &with(&nonce)).await.taken().is_empty());
        let gone = url.replace(&url[url.len() - 64..], &"0".repeat(64));
        let header = signed(body.as_bytes(), OTHER, &key_of(OTHER));
        assert_eq!(world.post_signed(&gone, &body, &header).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_form_in_json_is_as_good() {
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let nonce = world.nonce(&url).await;
        let body = serde_json::json!({ "nonce": nonce, "name": "Asha", "phone": "98000 00000",
            "bags": 2, "note": null });
        let send = |body: String| {
            let request = world.client.post(&url).header("content-type", "application/json");
            answer(request.body(body))
        };
        let id = send(body.to_string()).await.taken();
        let again =
            [("nonce", nonce.as_str()), ("name", "Asha"), ("phone", "98000 00000"), ("bags", "2")];
        assert_eq!(world.post(&url, &again).await.taken(), id, "they are the same answers");
    })
    .await;
}
