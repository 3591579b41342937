//! The driver's panel: the real agent on simulated pins, and nobody at a keyboard.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tripline_firmware_sim::pins::lever::PinLever;
use tripline_firmware_sim::pins::panel::Button;
use tripline_tests::world::{Hands, PATIENCE, Plan, TripAnswer, WHOLE_RIDE, World};

const SHORT_MS: u64 = 150;
const LONG_MS: u64 = 2_000;
const SOS_MS: u64 = 3_500;

/// Metres driven before and after the pause.
const METRES: u64 = 20;

/// A world whose rides need no OTP and whose vehicle has a panel.
async fn with_a_panel(otp: bool) -> Result<(World, Hands)> {
    let world = World::start(Plan { otp, panel: true, ..Plan::default() }).await?;
    let hands = world.hands();
    Ok((world, hands))
}

/// Presses, and waits until the trip stands where that should bring it.
async fn press(world: &World, lever: PinLever, state: &str) -> Result<TripAnswer> {
    world.hands().pull(lever).await.with_context(|| lever.to_string())?;
    let what = format!("`{lever}` to lead to {state}");
    world.wait_for_trip(&what, |answer| answer.state() == Some(state)).await
}

/// Presses what means nothing, and waits for the flashes that say so. They are told from those of a
/// trouble by there being none.
async fn refused(hands: &Hands, lever: PinLever) -> Result<()> {
    let before = hands.look().await?.trouble_led.flashes;
    hands.pull(lever).await?;
    let seen =
        hands.wait_for("five flashes", |panel| panel.trouble_led.flashes >= before + 5).await;
    seen.with_context(|| lever.to_string()).map(drop)
}

/// Two seconds by the receiver's clock.
async fn flashes_in_two_seconds(world: &World, hands: &Hands) -> Result<u64> {
    let before = hands.look().await?.trouble_led.flashes;
    world.wait_for_fixes(2_000).await?;
    Ok(hands.look().await?.trouble_led.flashes - before)
}

#[tokio::test]
async fn a_ride_without_an_otp_is_driven_by_the_buttons_alone() -> Result<()> {
    let (mut world, hands) = with_a_panel(false).await?;
    world.wait_for_log("ignition on=false").await?;
    hands.pull(PinLever::Ignition(true)).await?;
    world.wait_for_log("ignition on=true").await?;
    let booking = world.book().await?;
    world.wait_for_offer().await?;
    hands.wait_for("no trouble", |panel| !panel.trouble_led.lit).await?;
    press(&world, PinLever::Press(Button::Accept, SHORT_MS), "assigned").await?;
    press(&world, PinLever::Bounce(Button::StartPause, SHORT_MS), "en-route-to-pickup").await?;
    press(&world, PinLever::Press(Button::StartPause, SHORT_MS), "at-pickup").await?;
    press(&world, PinLever::Press(Button::StartPause, SHORT_MS), "started").await?;
    world.drive_on(METRES).await?;

    refused(&hands, PinLever::Press(Button::Stop, SHORT_MS)).await?;
    refused(&hands, PinLever::Press(Button::StartPause, LONG_MS)).await?;
    press(&world, PinLever::Bounce(Button::StartPause, SHORT_MS), "paused").await?;
    world.wait_for_fixes(2_000).await?;

    // The chip goes away and comes back, as a board's expander does with a loose plug.
    world.kill_pins().await?;
    world.start_pins().await?;
    hands.wait_for("the light of a pause", |panel| panel.status_led.lit).await?;
    press(&world, PinLever::Press(Button::StartPause, SHORT_MS), "started").await?;
    world.drive_on(METRES).await?;
    press(&world, PinLever::Press(Button::Stop, LONG_MS), "ended").await?;

    world.wait_for_final_fare(&booking).await?;
    let states = world.bap.fulfillment_states(&booking.order_id);
    ensure!(states == WHOLE_RIDE, "the rider's platform was told {states:?}");
    hands.pull(PinLever::Press(Button::Stop, SHORT_MS)).await?;
    let fare =
        |answer: &TripAnswer| answer.body.pointer("/trip/collected_paise").and_then(Value::as_i64);
    let collected =
        world.wait_for_trip("the fare", |answer| fare(answer) == Some(answer.fare_paise())).await?;
    ensure!(collected.fare_paise() > 0, "{}", collected.body);
    let order = world.evidence().order(&booking.order_id).await?;
    ensure!(order.cases.is_empty() && order.otp.is_none(), "{order:?}");

    ensure!(world.agent_said("a pin fails") == 7, "each pin fails once in the log");
    ensure!(world.agent_said("the pin works again") == 7, "and comes back once");
    let errors = world.error_lines();
    ensure!(errors.is_empty(), "errors were logged: {errors:#?}");
    world.stop().await
}

#[tokio::test]
async fn buttons_decline_an_offer_call_for_help_and_start_no_ride_that_needs_an_otp() -> Result<()>
{
    let (mut world, hands) = with_a_panel(true).await?;
    let declined = world.book().await?;
    world.wait_for_offer().await?;
    hands.pull(PinLever::Press(Button::Accept, LONG_MS)).await?;
    world.wait_for_trip("the offer to go", |answer| answer.body["offer"].is_null()).await?;
    let order = world.evidence().order(&declined.order_id).await?;
    ensure!(order.trip.is_none(), "{order:?}");

    let booking = world.book().await?;
    world.wait_for_offer().await?;
    hands.wait_for("no trouble", |panel| !panel.trouble_led.lit).await?;
    press(&world, PinLever::Press(Button::Accept, SHORT_MS), "assigned").await?;
    press(&world, PinLever::Press(Button::StartPause, LONG_MS), "at-pickup").await?;
    refused(&hands, PinLever::Press(Button::StartPause, SHORT_MS)).await?;
    refused(&hands, PinLever::Press(Button::Sos, SHORT_MS)).await?;

    world.proxy.cut();
    hands.pull(PinLever::Press(Button::Sos, SOS_MS)).await?;
    world.wait_for_log("driver verb=\"sos\"").await?;
    // Five a second until the platform has it; no other trouble makes more than four in two.
    let flashes = flashes_in_two_seconds(&world, &hands).await?;
    ensure!(flashes > 5, "{flashes} flashes while the call waits");
    world.proxy.restore();
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let order = world.evidence().order(&booking.order_id).await?;
        if order.cases.iter().any(|case| case.what.contains("SOS")) {
            break;
        }
        ensure!(tokio::time::Instant::now() < until, "no case for the operator: {order:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    world.wait_for_fixes(2_000).await?;
    let flashes = flashes_in_two_seconds(&world, &hands).await?;
    ensure!(flashes == 0 && hands.look().await?.trouble_led.lit, "{flashes} flashes, not steady");
    let answer = world.trip(&["show"]).await?;
    ensure!(answer.state() == Some("at-pickup"), "{}", answer.body);
    world.stop().await
}
