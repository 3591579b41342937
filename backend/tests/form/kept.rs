//! How long answers are kept, who sees them, and how somebody is forgotten with them.

use tripline_backend::config::Retention;
use tripline_backend::domain::order::{Order, Rider};
use tripline_backend::operate::form;
use tripline_backend::retention::erase::{Erasing, erase_order, erase_rider};
use tripline_backend::retention::{FORM_PAGES_DAYS, SUBMISSIONS_UNUSED_DAYS, forget};
use tripline_backend::store::form::PageRow;
use tripline_backend::time;
use tripline_protocol::order::OrderState;
use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use crate::quoted;
use crate::world::{BAP, World, on_each};

const DAY_MS: i64 = 86_400_000;
const PHONE: &str = "+91 98000 00012";

fn days(days: u32) -> Timestamp {
    time::now().plus_ms(i64::from(days) * DAY_MS + 60_000)
}

/// Somebody's answers.
async fn submitted(world: &World, transaction: &str, phone: &str) -> Uuid {
    let url = world.link(BAP, transaction, "auto").await;
    let nonce = world.nonce(&url).await;
    let fields = [("nonce", nonce.as_str()), ("name", "Asha K"), ("phone", phone)];
    world.post(&url, &fields).await.taken().parse().expect("a UUID")
}

async fn is_kept(world: &World, id: Uuid) -> bool {
    let mut tx = world.platform.store.read().await.expect("begins");
    tx.submission(id).await.expect("reads").is_some()
}

/// An order that was made with a submission, in a state.
async fn ordered(world: &World, n: u8, submission: Uuid, state: OrderState) -> Order {
    let mut order = quoted::order(n, time::now());
    order.submission = Some(submission);
    order.rider = Some(Rider { name: "Asha K".into(), phone: PHONE.into() });
    order.state = state;
    let mut tx = world.platform.store.write().await.expect("begins");
    tx.add_order(&order).await.expect("added");
    tx.commit().await.expect("commits");
    order
}

#[tokio::test]
async fn answers_that_nothing_was_booked_with_go_soon_and_others_with_their_order() {
    on_each(|world| async move {
        let [unused, expired, booked] = [
            submitted(&world, "t-1", PHONE).await,
            submitted(&world, "t-2", PHONE).await,
            submitted(&world, "t-3", PHONE).await,
        ];
        ordered(&world, 1, expired, OrderState::Expired).await;
        let order = ordered(&world, 2, booked, OrderState::Completed).await;
        let store = &world.platform.store;
        let rules = Retention::default();
        forget(store, &rules, days(SUBMISSIONS_UNUSED_DAYS - 1)).await.expect("done");
        assert!(is_kept(&world, unused).await);
        forget(store, &rules, days(SUBMISSIONS_UNUSED_DAYS)).await.expect("done");
        let kept = [unused, expired, booked];
        let kept = [
            is_kept(&world, kept[0]).await,
            is_kept(&world, kept[1]).await,
            is_kept(&world, kept[2]).await,
        ];
        assert_eq!(kept, [false, false, true]);
        let url = world.link(BAP, "t-3", "auto").await;
        assert_eq!(world.get(&url).await.status, 200);
        forget(store, &rules, days(FORM_PAGES_DAYS + 1)).await.expect("done");
        assert_eq!(world.get(&url).await.status, 404, "its page is gone");

        let mut tx = store.read().await.expect("begins");
        let id = order.id.to_string();
        let shown = form::of_order(&mut tx, &id).await.expect("shown").expect("there");
        let answers: Vec<_> =
            shown.answers.iter().map(|it| (it.field.as_str(), it.value.as_str())).collect();
        assert_eq!(answers, [("name", "Asha K"), ("phone", PHONE)]);
        assert_eq!((shown.subscriber.as_str(), shown.form.as_str()), (BAP, "traveller"));
        drop(tx);
        forget(store, &rules, days(rules.personal_days)).await.expect("done");
        assert!(!is_kept(&world, booked).await, "with the rider");
        let mut tx = store.read().await.expect("begins");
        assert_eq!(form::of_order(&mut tx, &id).await.expect("answers"), None);
        assert!(tx.order(order.id).await.expect("reads").is_some(), "the order stays");
    })
    .await;
}

#[tokio::test]
async fn a_rider_is_forgotten_with_every_answer() {
    on_each(|world| async move {
        let [unused, booked, others, riding] = [
            submitted(&world, "t-1", "098000-00012").await,
            submitted(&world, "t-2", "97000 00000").await,
            submitted(&world, "t-3", "98000 00013").await,
            submitted(&world, "t-4", PHONE).await,
        ];
        let over = ordered(&world, 1, booked, OrderState::Cancelled).await;
        ordered(&world, 2, riding, OrderState::Initialized).await;
        let store = &world.platform.store;
        let now = time::now();
        let would = erase_rider(store, PHONE, Erasing::DryRun, now).await.expect("counted");
        assert!(is_kept(&world, unused).await && is_kept(&world, booked).await);
        let done = erase_rider(store, PHONE, Erasing::OnRequest, now).await.expect("done");
        assert_eq!(done, would);
        assert_eq!((done.orders, done.under_way, done.submissions), (1, 1, 2));
        for (id, kept) in [(unused, false), (booked, false), (others, true), (riding, true)] {
            assert_eq!(is_kept(&world, id).await, kept);
        }
        let mut tx = store.read().await.expect("begins");
        let stored = tx.order(over.id).await.expect("reads").expect("there");
        assert_eq!((stored.order.rider, stored.order.submission), (None, Some(booked)));
    })
    .await;
}

#[tokio::test]
async fn answers_of_two_orders_stay_until_both_are_forgotten() {
    on_each(|world| async move {
        let id = submitted(&world, "t-1", PHONE).await;
        let orders = [
            ordered(&world, 1, id, OrderState::Cancelled).await,
            ordered(&world, 2, id, OrderState::Completed).await,
        ];
        for (order, kept) in orders.iter().zip([true, false]) {
            let (store, order) = (&world.platform.store, order.id.to_string());
            let erased = erase_order(store, &order, Erasing::OnRequest, time::now());
            assert_eq!(erased.await.expect("done").submissions, u64::from(!kept));
            assert_eq!(is_kept(&world, id).await, kept);
        }
    })
    .await;
}

#[tokio::test]
async fn of_too_many_pages_of_a_subscriber_the_oldest_go_with_their_nonces() {
    on_each(|world| async move {
        let first = world.link(BAP, "t-0", "auto").await;
        let nonce = world.nonce(&first).await;
        assert!(!nonce.is_empty());
        let other = world.link("other.example", "t-0", "auto").await;
        let mut tx = world.platform.store.write().await.expect("begins");
        for n in 1..=5_u8 {
            let page = PageRow {
                token: format!("{n:064}"),
                subscriber_id: BAP.into(),
                transaction_id: format!("t-{n}"),
                item_id: "auto".into(),
                form: "traveller".parse().expect("an id"),
                version: 1,
                expires_at: days(1),
            };
            tx.add_form_page(&page, 3).await.expect("added");
        }
        tx.commit().await.expect("commits");
        let mut shown = Vec::new();
        for n in 1..=5 {
            let token = format!("{n:064}");
            let url = first.replace(&first[first.len() - 64..], &token);
            shown.push(world.get(&url).await.status);
        }
        assert_eq!(shown, [404, 404, 200, 200, 200]);
        assert_eq!(world.get(&first).await.status, 404);
        assert_eq!(world.get(&other).await.status, 200, "others keep theirs");
    })
    .await;
}
