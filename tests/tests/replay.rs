//! The same request again: whoever repeats one, on purpose or not, gets the same answer and no second effect.

use anyhow::{Result, ensure};
use tripline_tests::bap::Sent;
use tripline_tests::world::{Plan, RowCounts, TestDatabase, World};

const TIMES: usize = 3;

/// The requests of the ride that were taken. One that was refused left nothing behind, so that it may be
/// taken another time.
fn taken(world: &World) -> Vec<Sent> {
    world.bap.sent().into_iter().filter(|sent| sent.acknowledged).collect()
}

/// Sends all of it again, and one with a fresh signature. Nothing more may be in the store, and nothing more
/// be told.
async fn repeat_without_effect(world: &World, what: &str) -> Result<()> {
    let before = world.wait_until_all_is_told().await?;
    let told = world.bap.ledger().len();
    let taken = taken(world);
    for time in 0..TIMES {
        for sent in &taken {
            let answer = world.bap.send_again(sent).await?;
            ensure!(answer.ack, "{what}, time {time}: {} is refused: {answer:?}", sent.action);
        }
    }
    for sent in &taken {
        let authorization = world.bap.sign(&sent.body);
        let body = sent.body.clone();
        let answer = world.bap.request_raw(&sent.action, body, Some(authorization)).await?;
        ensure!(answer.ack, "{what}, signed anew: {} is refused: {answer:?}", sent.action);
    }
    let after = world.wait_until_all_is_told().await?;
    ensure!(after == before, "{what}: {before:?} became {after:?}");
    // Told after all of it, so that whatever it had set off would have been told before.
    let order_id = taken.iter().find_map(order_id).expect("a ride has an order");
    world.bap.status(&order_id).await?;
    let ledger = world.bap.ledger();
    ensure!(ledger.len() == told + 1, "{what}: {:?} came", ledger.get(told..));
    Ok(())
}

fn order_id(sent: &Sent) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&sent.body).ok()?;
    let order_id = body.pointer("/message/order_id").or_else(|| body.pointer("/message/order/id"));
    Some(order_id?.as_str()?.to_owned())
}

async fn a_ride_is_repeated(plan: Plan) -> Result<()> {
    let mut world = World::start(plan).await?;
    let booking = world.start_ride().await?;
    world.bap.status(&booking.order_id).await?;
    world.bap.track(&booking.order_id).await?;
    repeat_without_effect(&world, "in mid-ride").await?;
    world.kill_bpp().await?;
    world.start_bpp().await?;
    repeat_without_effect(&world, "in mid-ride, after a restart").await?;

    world.finish_ride().await?;
    world.check_told(&booking).await?;
    repeat_without_effect(&world, "after the ride").await?;
    world.kill_bpp().await?;
    world.start_bpp().await?;
    repeat_without_effect(&world, "after the ride and a restart").await?;

    let RowCounts { orders, assignments, .. } = world.evidence().rows().await?;
    ensure!((orders, assignments) == (1, 1), "{orders} orders, {assignments} assignments");
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn every_request_of_a_ride_has_one_effect_however_often_it_comes() -> Result<()> {
    a_ride_is_repeated(Plan::default()).await
}

#[tokio::test]
async fn every_request_of_a_ride_has_one_effect_on_postgresql() -> Result<()> {
    let Some(database) = TestDatabase::create().await? else { return Ok(()) };
    a_ride_is_repeated(Plan { store_url: Some(database.url), ..Plan::default() }).await
}
