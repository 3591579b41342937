//! What was acknowledged is told: through a platform that is killed, through a rider's platform that is away,
//! and after it was given up.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tripline_tests::bap::{Bap, Behavior, Entry, Sent, order_said_anew};
use tripline_tests::world::{Booking, PATIENCE, Plan, RowCounts, TestDatabase, World, drop_near};

const ROUNDS: usize = 10;

/// Longest life of the platform in a round: a dozen requests or so.
const LIFE_MS_MAX: u64 = 150;

fn random_life() -> Result<Duration> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(Duration::from_millis(u64::from_le_bytes(bytes) % LIFE_MS_MAX))
}

/// Asks for an order's status and begins further orders, in turn, until the platform is gone; gives the
/// request that was not answered.
async fn ask_until_it_is_gone(bap: &Bap, order_id: &str, anew: &Value) -> Result<Sent> {
    for n in 0.. {
        let (action, message) = match n % 2 {
            0 => ("status", json!({ "order_id": order_id })),
            _ => ("init", anew.clone()),
        };
        match bap.request(action, message).await {
            Ok(answer) => ensure!(answer.ack, "{action} was refused: {answer:?}"),
            Err(_) => break,
        }
    }
    bap.sent().pop().context("it sent something")
}

/// Waits until everything that was acknowledged is answered by its callback.
async fn wait_for_answers(bap: &Bap, asked: &[Sent]) -> Result<()> {
    for sent in asked {
        let (what, id) = (format!("on_{}", sent.action), sent.message_id.clone());
        bap.wait_for(&what, PATIENCE, |accepted| {
            let answers = |of: &&Entry| of.message_id == id && of.action == what;
            accepted.iter().find(answers).map(drop)
        })
        .await?;
    }
    Ok(())
}

async fn killed_again_and_again(plan: Plan) -> Result<()> {
    let mut world = World::start(plan).await?;
    let pickup = world.wait_for_position().await?;
    let drop = drop_near(&pickup)?;
    let bap = world.bap.clone();
    world.search_until_found(&pickup, &drop).await?;
    let quoted = bap.select("auto", &pickup, &drop).await?;
    let terms = bap.init(&quoted, "Asha Rao", "+91-9800000000").await?;
    let order_id = terms.pointer("/message/order/id").and_then(Value::as_str).context("an id")?;
    let anew = order_said_anew("auto", &pickup, &drop);

    let begun = bap.sent().len();
    for round in 0..ROUNDS {
        // In every other round nothing can be told before the kill: it comes between ACK and callback.
        let away = round % 2 == 0;
        if away {
            bap.stop().await;
        }
        let killer = world.kill_bpp_after(random_life()?)?;
        let unanswered = ask_until_it_is_gone(&bap, order_id, &anew).await?;
        killer.await??;
        world.kill_bpp().await?;
        if away {
            bap.start_again().await?;
        }
        world.start_bpp().await?;
        // As a platform does that had no answer. Whether it was stored before the kill is not known.
        let answer = bap.send_again(&unanswered).await?;
        ensure!(answer.ack, "round {round}: {answer:?}");
    }
    let sent = bap.sent().split_off(begun);
    wait_for_answers(&bap, &sent).await?;
    let RowCounts { orders, .. } = world.wait_until_all_is_told().await?;
    let inits = sent.iter().filter(|sent| sent.action == "init").count();
    ensure!(orders == i64::try_from(inits)? + 1, "{orders} orders of {inits} inits and one");

    let confirm = bap.confirm(&terms).await?;
    world.kill_bpp().await?;
    world.start_bpp().await?;
    let booking = Booking { order_id: order_id.into(), confirm };
    world.drive_to_pickup().await?;
    let otp = world.otp(&booking).await?;
    world.drive(&["start", "--otp", &otp]).await?;
    world.finish_ride().await?;
    world.wait_for_final_fare(&booking).await?;
    let order = world.evidence().order(order_id).await?;
    ensure!(order.cases.is_empty() && order.settlement.is_some(), "{order:?}");
    let faults = bap.faults_of_attempts();
    ensure!(faults.is_empty(), "{faults:#?}");
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn a_platform_killed_between_ack_and_callback_loses_neither() -> Result<()> {
    killed_again_and_again(Plan::default()).await
}

#[tokio::test]
async fn a_platform_killed_between_ack_and_callback_loses_neither_on_postgresql() -> Result<()> {
    let Some(database) = TestDatabase::create().await? else { return Ok(()) };
    killed_again_and_again(Plan { store_url: Some(database.url), ..Plan::default() }).await
}

async fn away_for_a_while(plan: Plan) -> Result<()> {
    let mut world = World::start(plan).await?;
    let booking = world.book().await?;
    world.drive_to_pickup().await?;
    let otp = world.otp(&booking).await?;
    world.wait_until_all_is_told().await?;

    world.bap.set_behavior(Behavior::Error500);
    world.drive(&["start", "--otp", &otp]).await?;
    world
        .bap
        .wait_for_arrival("three attempts of the start", PATIENCE, |entries| {
            let started = |e: &&Entry| e.state_code() == Some("RIDE_STARTED");
            (entries.iter().filter(started).count() >= 3).then_some(())
        })
        .await?;
    world.bap.stop().await;
    world.finish_ride().await?;
    let rows = world.evidence().rows().await?;
    ensure!(rows.pending > 0, "told while nobody listened: {rows:?}");
    world.bap.start_again().await?;
    let more = world.bap.ledger().len() + 2;
    world
        .bap
        .wait_for_arrival("further attempts", PATIENCE, |all| (all.len() >= more).then_some(()))
        .await?;
    world.bap.set_behavior(Behavior::Ack);

    world.check_told(&booking).await?;
    world.wait_until_all_is_told().await?;
    let ledger = world.bap.ledger();
    let acknowledged = ledger.iter().filter(|entry| entry.answered == Behavior::Ack).count();
    let accepted = world.bap.accepted().len();
    ensure!(acknowledged == accepted, "{acknowledged} taken, {accepted} of them once");
    ensure!(ledger.len() >= accepted + 5, "nothing was tried again");
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn a_riders_platform_that_was_away_is_told_all_of_it_once_and_in_order() -> Result<()> {
    away_for_a_while(Plan::default()).await
}

#[tokio::test]
async fn a_riders_platform_that_was_away_is_told_all_of_it_on_postgresql_too() -> Result<()> {
    let Some(database) = TestDatabase::create().await? else { return Ok(()) };
    away_for_a_while(Plan { store_url: Some(database.url), ..Plan::default() }).await
}

#[tokio::test]
async fn a_riders_platform_that_hears_nothing_of_the_whole_ride_is_told_it_all_after() -> Result<()>
{
    // It knows no OTP before it is told: the driver asks for none.
    let mut world = World::start(Plan { otp: false, ..Plan::default() }).await?;
    let pickup = world.wait_for_position().await?;
    let drop = drop_near(&pickup)?;
    world.search_until_found(&pickup, &drop).await?;
    let quoted = world.bap.select("auto", &pickup, &drop).await?;
    let terms = world.bap.init(&quoted, "Asha Rao", "+91-9800000000").await?;
    let order_id = terms.pointer("/message/order/id").and_then(Value::as_str).context("an id")?;

    let heard = world.bap.ledger().len();
    world.bap.stop().await;
    let confirm = world.bap.confirm(&terms).await?;
    let booking = Booking { order_id: order_id.into(), confirm };
    world.drive_to_pickup().await?;
    world.drive(&["start"]).await?;
    world.finish_ride().await?;
    ensure!(world.bap.ledger().len() == heard, "it was away");
    world.bap.start_again().await?;

    world.check_told(&booking).await?;
    world.wait_until_all_is_told().await?;
    let dead = world.bpp_command(&["callback", "list", "--state", "dead"]).await?;
    ensure!(dead.is_empty(), "{dead:?}");
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn what_was_refused_is_a_dead_letter_that_can_be_sent_again() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    let booking = world.book().await?;
    world.drive_to_pickup().await?;
    let otp = world.otp(&booking).await?;
    world.wait_until_all_is_told().await?;
    world.bap.set_behavior(Behavior::Nack);
    world.drive(&["start", "--otp", &otp]).await?;
    world
        .bap
        .wait_for_arrival("the start, to be refused", PATIENCE, |all| {
            all.iter().find(|entry| entry.state_code() == Some("RIDE_STARTED")).map(drop)
        })
        .await?;
    world.wait_until_all_is_told().await?;
    world.bap.set_behavior(Behavior::Ack);
    // After a dead letter the next goes.
    world.finish_ride().await?;
    world.wait_for_final_fare(&booking).await?;
    let told = world.bap.fulfillment_states(&booking.order_id);
    ensure!(!told.iter().any(|state| state == "RIDE_STARTED"), "{told:?}");

    let dead = world.bpp_command(&["callback", "list", "--state", "dead"]).await?;
    let [letter] = dead.as_slice() else { anyhow::bail!("one dead letter, not {dead:?}") };
    ensure!(letter["order"] == booking.order_id.as_str() && letter["action"] == "on_status");
    ensure!(letter["last_error"].as_str().is_some_and(|error| error.contains("NACK")), "{letter}");
    let sequence = letter["sequence"].to_string();
    let shown = world.bpp_command(&["callback", "show", &booking.order_id, &sequence]).await?;
    ensure!(shown[0]["state"] == "dead" && shown[0].get("body").is_none(), "{shown:?}");

    let replayed = world.bpp_command(&["callback", "replay", &booking.order_id, &sequence]).await?;
    ensure!(replayed[0]["replayed"] == 1, "{replayed:?}");
    world
        .bap
        .wait_for("the dead letter", PATIENCE, |accepted| {
            accepted.iter().find(|entry| entry.state_code() == Some("RIDE_STARTED")).map(drop)
        })
        .await?;
    let rows = world.wait_until_all_is_told().await?;
    let dead = world.bpp_command(&["callback", "list", "--state", "dead"]).await?;
    ensure!(dead.is_empty(), "{dead:?} of {rows:?}");
    let faults = world.bap.faults_of_attempts();
    ensure!(faults.is_empty(), "{faults:#?}");
    world.stop().await
}
