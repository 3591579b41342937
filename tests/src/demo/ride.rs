//! The ride of the demo: rider's app, driver and vehicle, in turn.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tripline_protocol::unit::Paise;

use super::narrator::Narrator;
use crate::world::{BAP_ID, PATIENCE, TripAnswer, World, drop_near};

/// Seconds of the trace in front of the start of the ride at most, and after its stop at least.
const MARGIN_S: f64 = 15.0;

/// Longest ride, in seconds: about a minute of driving.
const RIDE_S_MAX: f64 = 60.0;

/// Seconds of the pause.
const PAUSE_S: i64 = 5;

/// Between two looks at the moving vehicle.
const LOOK_EVERY: Duration = Duration::from_secs(4);

/// Plays the ride; gives the order's id.
pub(super) async fn play(world: &World, narrator: &Narrator, seconds: f64) -> Result<String> {
    let teller = tokio::spawn(tell_callbacks(world.bap.clone(), *narrator));
    let result = play_steps(world, narrator, seconds).await;
    teller.abort();
    result
}

async fn play_steps(world: &World, narrator: &Narrator, seconds: f64) -> Result<String> {
    let pickup = world.wait_for_position().await?;
    narrator.say("vehicle", &format!("has a fix at {pickup}"));
    let drop = drop_near(&pickup)?;

    let (order_id, confirm) = book(world, narrator, &pickup, &drop).await?;
    let otp = drive_to_pickup(world, narrator, &confirm).await?;
    let begin = driver(world, narrator, &["start", "--otp", &otp]).await?;

    #[expect(clippy::cast_possible_truncation, reason = "seconds of a trace")]
    let ride_s = (seconds - 2.0 * MARGIN_S).clamp(10.0, RIDE_S_MAX) as i64;
    let begin_ms = fix_ms(&begin)?;
    let pause_at = begin_ms + ride_s * 1000 / 2;
    watch(world, narrator, &order_id, pause_at).await?;
    let paused = driver(world, narrator, &["pause"]).await?;
    watch(world, narrator, &order_id, fix_ms(&paused)? + PAUSE_S * 1000).await?;
    driver(world, narrator, &["resume"]).await?;
    watch(world, narrator, &order_id, begin_ms + (ride_s + PAUSE_S) * 1000).await?;
    let ended = driver(world, narrator, &["stop"]).await?;
    narrator.say(
        "driver",
        &format!("is to collect Rs {} for {} m", Paise(ended.fare_paise()), ended.distance_m()),
    );
    driver(world, narrator, &["collected"]).await?;
    let wanted = order_id.clone();
    world
        .bap
        .wait_for("the news that the fare was paid", PATIENCE, move |entries| {
            entries
                .iter()
                .filter(|entry| entry.order_id.as_deref() == Some(&wanted))
                .find(|entry| {
                    let status = entry.body.pointer("/message/order/payment/status");
                    entry.action == "on_update" && status.and_then(Value::as_str) == Some("PAID")
                })
                .map(|_| ())
        })
        .await?;
    let tracking = world.bap.track(&order_id).await?;
    let status = tracking.pointer("/message/tracking/status").and_then(Value::as_str);
    narrator.say("rider", &format!("the tracking link is {}", status.unwrap_or("?")));
    Ok(order_id)
}

/// Searches, selects, initializes and confirms; gives the order's id and the confirm's message id.
async fn book(
    world: &World,
    narrator: &Narrator,
    pickup: &str,
    drop: &str,
) -> Result<(String, String)> {
    narrator.say("rider", &format!("search: from {pickup} to {drop}"));
    let found = world.search_until_found(pickup, drop).await?;
    ensure!(world.registry().lookups_of(BAP_ID) > 0, "a signature was believed without its key");
    narrator.say("platform", "asked the registry for the rider's app; its key fits the signature");
    let item = text(&found, "/message/catalog/bpp~1providers/0/items/0/id")?;
    let price = text(&found, "/message/catalog/bpp~1providers/0/items/0/price/value")?;
    narrator.say("rider", &format!("on_search: item {item}, about Rs {price}; select"));
    let quoted = world.bap.select(&item, pickup, drop).await?;
    let price = text(&quoted, "/message/order/quote/price/value")?;
    narrator.say("rider", &format!("on_select: quoted Rs {price}; init"));
    let terms = world.bap.init(&quoted, "Asha Rao", "+91-9800000000").await?;
    let order_id = text(&terms, "/message/order/id")?;
    narrator.say("rider", &format!("on_init: order {order_id}; confirm"));
    Ok((order_id, world.bap.confirm(&terms).await?))
}

/// Accepts, departs and arrives; gives the OTP that the rider was told.
async fn drive_to_pickup(world: &World, narrator: &Narrator, confirm: &str) -> Result<String> {
    let offer = world.wait_for_offer().await?;
    let about = offer.body.pointer("/offer/estimated_fare_paise").and_then(Value::as_i64);
    narrator.say("driver", &format!("sees an offer, about Rs {}", Paise(about.unwrap_or(0))));
    driver(world, narrator, &["accept"]).await?;
    let confirmed = world.bap.on_confirm(confirm).await?;
    let otp = text(&confirmed, "/message/order/fulfillment/start/authorization/token")?;
    narrator.say("rider", &format!("on_confirm: the driver comes; the OTP is {otp}"));
    driver(world, narrator, &["depart"]).await?;
    driver(world, narrator, &["arrive"]).await?;
    Ok(otp)
}

async fn driver(world: &World, narrator: &Narrator, verb: &[&str]) -> Result<TripAnswer> {
    let answer = world.drive(verb).await?;
    let state = answer.state().unwrap_or("no trip");
    narrator.say("driver", &format!("{} -> {state}, on the vehicle's disk", verb.join(" ")));
    Ok(answer)
}

/// Watches the vehicle, by the rider's `track` and by its meter, until the time of its fix.
async fn watch(world: &World, narrator: &Narrator, order_id: &str, until_ms: i64) -> Result<()> {
    let give_up = tokio::time::Instant::now() + 2 * PATIENCE;
    let mut look_at = tokio::time::Instant::now();
    loop {
        let meter = world.trip(&["show"]).await?;
        if fix_ms(&meter)? >= until_ms {
            return Ok(());
        }
        let now = tokio::time::Instant::now();
        ensure!(now < give_up, "the vehicle's fixes ended before the ride did");
        if now >= look_at {
            look_at = now + LOOK_EVERY;
            let tracked = world.bap.track(order_id).await?;
            let position = text(&tracked, "/message/tracking/location/gps")?;
            narrator.say(
                "rider",
                &format!(
                    "on_track: {position}; meter {:4} m, Rs {}",
                    meter.distance_m(),
                    Paise(meter.fare_paise())
                ),
            );
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Says each state that the rider's app is told, as it comes.
async fn tell_callbacks(bap: crate::bap::Bap, narrator: Narrator) {
    let mut told = 0;
    loop {
        for entry in bap.ledger().iter().skip(told) {
            told += 1;
            let state = entry.body.pointer("/message/order/fulfillment/state/descriptor/code");
            if let Some(state) = state.and_then(Value::as_str)
                && matches!(entry.action.as_str(), "on_status" | "on_update" | "on_cancel")
            {
                let total = entry.body.pointer("/message/order/quote/price/value");
                let total = total.and_then(Value::as_str).unwrap_or("?");
                narrator.say("rider", &format!("{}: {state}, fare Rs {total}", entry.action));
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn fix_ms(answer: &TripAnswer) -> Result<i64> {
    let at = answer.body.pointer("/fix/at_unix_ms").and_then(Value::as_i64);
    at.context("the vehicle has no fix")
}

fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    Ok(found.with_context(|| format!("no {pointer} in {value}"))?.to_owned())
}
