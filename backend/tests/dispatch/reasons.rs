//! Each decision is kept with its reasons, and what becomes of offers has a say in the next.

use tripline_backend::domain::dispatch::{Cause, DispatchRules, Exclusion, Weights};
use tripline_backend::operate::OperateError;
use tripline_backend::operate::dispatch::show;
use tripline_protocol::unit::Timestamp;

use crate::stores;
use crate::world::{Busy, World, device, order_id};

const RULES: DispatchRules =
    DispatchRules { offer_ms: 3_600_000, search_ms: 7_200_000, ..DispatchRules::DEFAULT };

#[tokio::test]
async fn every_decision_can_be_read_with_who_was_passed_over_and_why() {
    let (_dir, stores) = stores().await;
    for store in stores {
        let world = World::new(store, 2, RULES).await;
        world.book(1).await;
        world.book(2).await;
        world.book(3).await;
        for ms in [2_500, 5_000, 7_500] {
            world.look(0, ms).await;
        }
        let busy = world.busy().await;
        let Some(Busy::Asked(offer)) = busy.get(&device(0)).copied() else { panic!("{busy:?}") };
        world.answer(1, 0, offer, false).await;
        let mut tx = world.store.read().await.expect("begins");
        let first = tx.decisions(order_id(1)).await.expect("answers");
        let causes: Vec<_> = first.iter().map(|it| (it.cause, it.offered.clone())).collect();
        assert_eq!(
            causes,
            [(Cause::LookedAgain, vec![device(0)]), (Cause::NotTaken, vec![])],
            "the nearest, and when it declined nobody: the other is asked for another order"
        );
        assert_eq!(first[1].excluded, [(Exclusion::AskedBefore, 1), (Exclusion::Held, 1)].into());
        let third = tx.decisions(order_id(3)).await.expect("answers");
        let [third] = third.as_slice() else { panic!("what is decided alike is one: {third:?}") };
        assert_eq!((third.times, third.excluded.clone()), (3, [(Exclusion::Held, 2)].into()));
        let view = show(&mut tx, &order_id(1).to_string()).await.expect("is there");
        let told = &view.decisions[0].text;
        for words in ["2 vehicles within 5000 m", "no map", "asked d00", "70 x 1000 pickup"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        let nobody = show(&mut tx, "7751bd26-3fdc-47ca-9b64-e998dc5abe68").await;
        assert!(matches!(nobody, Err(OperateError::NotFound { .. })), "{nobody:?}");
    }
}

#[tokio::test]
async fn who_declined_is_asked_after_who_did_not_where_acceptance_counts() {
    let weights = Weights { pickup: 10, idle: 0, acceptance: 90, rating: 0 };
    let (_dir, stores) = stores().await;
    for store in stores {
        let world = World::new(store, 2, DispatchRules { weights, ..RULES }).await;
        world.book(1).await;
        world.look(0, 2_500).await;
        let busy = world.busy().await;
        let Some(Busy::Asked(offer)) = busy.get(&device(0)).copied() else { panic!("{busy:?}") };
        world.answer(0, 0, offer, false).await;
        let histories = world.store.read().await.expect("begins");
        let histories = { histories }.histories(Timestamp::from_unix_ms(0)).await.expect("answers");
        let [(declined, history)] = histories.as_slice() else { panic!("{histories:?}") };
        assert_eq!((declined, history.offers.rejected), (&device(0), 1_000));
        let busy = world.busy().await;
        let Some(Busy::Asked(offer)) = busy.get(&device(1)).copied() else { panic!("{busy:?}") };
        world.answer(0, 1, offer, true).await;
        // A later order: both platforms have heard of it by then.
        world.book(2).await;
        world.look(1, 9_000).await;
        let order = world.order(2).await;
        assert_eq!(order.offers.len(), 1, "the one that is free: {:?}", order.offers);
        let mut tx = world.store.read().await.expect("begins");
        let decisions = tx.decisions(order_id(2)).await.expect("answers");
        assert_eq!(decisions[0].ranked[0].parts.acceptance.value, 777);
    }
}
