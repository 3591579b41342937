//! Whole rides through real parts: serial line, agent, MQTT, platform, signed HTTP. Each test breaks
//! something in mid-ride and then looks at the evidence: what the rider's platform was told, what the
//! vehicle's journal holds, what the store has.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tripline_backend::domain::order::CancelledBy;
use tripline_protocol::trip::TripEvent;
use tripline_tests::bap::Behavior;
use tripline_tests::truth::Truth;
use tripline_tests::world::{
    Booking, METRES, Plan, TestDatabase, WHOLE_RIDE, World, committed_truth,
};

const MIDNIGHT_UNIX_MS: i64 = 1_581_033_600_000;

/// Every state once in effect and in order, no committed fix missing, both fares equal, the distance
/// that of the ground truth.
async fn nothing_is_amiss(world: &World, booking: &Booking) -> Result<()> {
    let told = world.wait_for_final_fare(booking).await?;
    let states = world.bap.fulfillment_states(&booking.order_id);
    ensure!(states == WHOLE_RIDE, "the rider's platform was told {states:?}");
    let invalid = world.bap.ledger().iter().filter(|entry| !entry.signature_valid).count();
    ensure!(invalid == 0, "{invalid} callbacks with a bad signature");

    let evidence = world.evidence();
    let committed = evidence.everything_is_committed_once().await?;
    ensure!(committed > 0, "no fix was committed");
    let order = evidence.order(&booking.order_id).await?;
    ensure!(order.cases.is_empty(), "cases for the operator: {:?}", order.cases);
    let settlement = order.settlement.context("no final fare")?;
    let journal = evidence.journal()?;
    let vehicle = journal.fare_paise().context("the vehicle computed no fare")?;
    ensure!(settlement.difference.0 == 0, "the fares differ by {}", settlement.difference);
    ensure!(settlement.charged.total().0 == vehicle, "charged another fare than the vehicle's");
    let total = told.pointer("/message/order/quote/price/value").and_then(Value::as_str);
    ensure!(total == Some(&settlement.charged.total().to_string()), "told {total:?}");

    let truth = Truth::load(&committed_truth(), MIDNIGHT_UNIX_MS)?;
    let mut truth_m = 0.0;
    for (from, to) in journal.driven_stretches()? {
        let shift_ms = world.playing.shift_ms;
        truth_m += truth.distance_m(from - shift_ms, to - shift_ms)?;
    }
    let billed_m = f64::from(u32::try_from(settlement.charged.usage.distance_m)?);
    // One metre of grace: the billed distance is in whole metres, and the ride is short.
    let error_m = (billed_m - truth_m).abs();
    ensure!(error_m <= truth_m / 100.0 + 1.0, "billed {billed_m} m, in truth {truth_m:.1} m");
    Ok(())
}

/// States are told with the time they began in the vehicle, however late the news came.
fn told_times_are_the_vehicle_s(world: &World) -> Result<()> {
    let ledger = world.bap.accepted();
    for (event, at) in world.evidence().journal()?.trip_events() {
        let code = match event {
            TripEvent::Start => "RIDE_STARTED",
            TripEvent::Stop => "RIDE_ENDED",
            TripEvent::Depart
            | TripEvent::Arrive
            | TripEvent::ArriveOutside
            | TripEvent::Pause
            | TripEvent::Resume
            | TripEvent::Cancel
            | TripEvent::NoShow => continue,
        };
        let told = ledger
            .iter()
            .filter(|entry| entry.action == "on_status")
            .find(|entry| entry.state_code() == Some(code))
            .context(code)?;
        let told = told.body.pointer("/message/order/fulfillment/state/updated_at");
        let happened = jiff::Timestamp::from_millisecond(at.at.unix_ms)?.to_string();
        ensure!(
            told.and_then(Value::as_str) == Some(&happened),
            "{code}: {told:?}, not {happened}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_whole_ride_is_told_kept_measured_and_charged() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    let booking = world.start_ride().await?;
    let tracked = world.bap.track(&booking.order_id).await?;
    let tracking = tracked.pointer("/message/tracking").context("a tracking object")?;
    ensure!(tracking["status"] == "active", "{tracking}");
    ensure!(tracking.pointer("/location/gps").is_some(), "no live position in {tracking}");
    let link = tracking["url"].as_str().context("a link")?.to_owned();
    let shown: Value = serde_json::from_str(&reqwest::get(&link).await?.text().await?)?;
    ensure!(shown.pointer("/location/gps").is_some(), "the link shows {shown}");

    world.finish_ride().await?;
    nothing_is_amiss(&world, &booking).await?;
    let status = world.bap.status(&booking.order_id).await?;
    let state = status.pointer("/message/order/fulfillment/state/descriptor/code");
    ensure!(state.and_then(Value::as_str) == Some("RIDE_ENDED"), "{status}");
    the_receipt_is_shown(&world, &booking, &status).await?;
    let tracked = world.bap.track(&booking.order_id).await?;
    let tracking = tracked.pointer("/message/tracking").context("a tracking object")?;
    ensure!(tracking["status"] == "inactive" && tracking.get("location").is_none(), "{tracking}");
    ensure!(reqwest::get(&link).await?.status() == 410, "the link outlives the ride");
    world.drive(&["collected"]).await?;
    world.check_no_errors()?;
    world.stop().await
}

/// The order's documents are its receipt in both forms, to whoever has the link, and the command line has the
/// same and why.
async fn the_receipt_is_shown(world: &World, booking: &Booking, status: &Value) -> Result<()> {
    let link = |at: usize| {
        let url = status.pointer(&format!("/message/order/documents/{at}/url"));
        Ok::<_, anyhow::Error>(url.and_then(Value::as_str).context("a document")?.to_owned())
    };
    let (pdf, text) = (reqwest::get(link(0)?).await?, reqwest::get(link(1)?).await?);
    ensure!(pdf.headers()["content-type"] == "application/pdf", "{pdf:?}");
    ensure!(pdf.bytes().await?.starts_with(b"%PDF-"), "no PDF");
    for header in ["cache-control", "content-security-policy", "x-content-type-options"] {
        ensure!(text.headers().contains_key(header), "no {header}: {text:?}");
    }
    let text = text.text().await?;
    let order = world.evidence().order(&booking.order_id).await?;
    let total = order.fare().total().to_string();
    ensure!(text.lines().any(|line| line.starts_with("TOTAL") && line.ends_with(&total)), "{text}");
    let phone = order.rider.context("a rider")?.phone;
    ensure!(!text.contains(&phone), "the rider's phone is on it: {text}");
    let own = link(1)?;
    let (folder, token) = own.rsplit_once('/').context("a link")?;
    let other: String = token.trim_end_matches(".txt").chars().rev().collect();
    let guessed = format!("{folder}/{other}.txt");
    ensure!(reqwest::get(guessed).await?.status() == 404, "a link is guessed");

    let explained = world.bpp_command(&["trip", "explain", &booking.order_id]).await?;
    let explained = explained.first().context("an explanation")?;
    ensure!(
        explained["equal"] == true && explained["order"] == booking.order_id.as_str(),
        "{explained}"
    );
    let verdict = explained.pointer("/audit/verdict").context("an audit")?;
    ensure!(verdict == "agrees" || verdict == "incomplete", "{explained}");
    Ok(())
}

#[tokio::test]
async fn a_ride_on_postgresql() -> Result<()> {
    let Some(database) = TestDatabase::create().await? else { return Ok(()) };
    let plan = Plan { store_url: Some(database.url), ..Plan::default() };
    let mut world = World::start(plan).await?;
    let booking = world.start_ride().await?;
    world.kill_bpp().await?;
    world.start_bpp().await?;
    world.finish_ride().await?;
    nothing_is_amiss(&world, &booking).await?;
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn the_agent_is_killed_in_mid_trip_and_started_again() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    let booking = world.start_ride().await?;
    let before = world.drive_on(METRES).await?;
    world.kill_agent().await?;
    world.start_agent().await?;
    let after = world.trip(&["show"]).await?;
    ensure!(after.state() == Some("started"), "after the restart: {}", after.body);
    let rider = after.body.pointer("/trip/rider_name").and_then(Value::as_str);
    ensure!(rider == Some("Asha Rao"), "the rider after the restart: {rider:?}");
    ensure!(after.distance_m() + 100 >= before.distance_m(), "the meter was lost");
    world.drive_on(METRES).await?;
    world.drive(&["pause"]).await?;
    world.kill_agent().await?;
    world.start_agent().await?;
    ensure!(world.trip(&["show"]).await?.state() == Some("paused"), "the pause was forgotten");
    world.wait_for_fixes(2_000).await?;
    world.drive(&["resume"]).await?;
    world.drive_on(METRES).await?;
    world.drive(&["stop"]).await?;
    world.kill_agent().await?;
    world.start_agent().await?;
    nothing_is_amiss(&world, &booking).await?;
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn the_backend_is_killed_at_every_step_and_started_again() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    let booking = world.book().await?;
    world.kill_bpp().await?;
    world.start_bpp().await?;
    world.drive_to_pickup().await?;
    let otp = world.otp(&booking).await?;
    world.kill_bpp().await?;
    world.drive(&["start", "--otp", &otp]).await?;
    world.drive_on(METRES).await?;
    world.start_bpp().await?;
    world.drive(&["pause"]).await?;
    world.kill_bpp().await?;
    world.start_bpp().await?;
    world.wait_for_fixes(2_000).await?;
    world.drive(&["resume"]).await?;
    world.drive_on(METRES).await?;
    world.drive(&["stop"]).await?;
    world.kill_bpp().await?;
    world.start_bpp().await?;
    nothing_is_amiss(&world, &booking).await?;
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn no_network_from_before_the_start_until_after_the_stop() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    let booking = world.book().await?;
    world.drive_to_pickup().await?;
    let otp = world.otp(&booking).await?;
    world.proxy.cut();
    let wrong = if otp == "0000" { "0001" } else { "0000" };
    let refused = world.trip(&["start", "--otp", wrong]).await?;
    ensure!(refused.code == 9, "a wrong OTP passes without a network: {}", refused.body);
    world.drive(&["start", "--otp", &otp]).await?;
    world.finish_ride().await?;
    let ended = world.trip(&["show"]).await?;
    ensure!(ended.state() == Some("ended") && ended.fare_paise() > 0, "{}", ended.body);
    let told = world.bap.fulfillment_states(&booking.order_id);
    ensure!(!told.iter().any(|state| state == "RIDE_STARTED"), "through a cut network: {told:?}");
    world.proxy.restore();
    nothing_is_amiss(&world, &booking).await?;
    told_times_are_the_vehicle_s(&world)?;
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn the_rider_s_platform_is_down_for_the_whole_ride_and_comes_back() -> Result<()> {
    for behavior in [Behavior::Error500, Behavior::Unreachable] {
        let mut world = World::start(Plan::default()).await?;
        let booking = world.book().await?;
        world.drive_to_pickup().await?;
        let otp = world.otp(&booking).await?;
        world.bap.set_behavior(behavior);
        world.drive(&["start", "--otp", &otp]).await?;
        world.finish_ride().await?;
        world.bap.set_behavior(Behavior::Ack);
        nothing_is_amiss(&world, &booking).await?;
        world.check_no_errors()?;
        world.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_otp_starts_nothing_and_the_right_one_does() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    let booking = world.book().await?;
    world.drive_to_pickup().await?;
    let otp = world.otp(&booking).await?;
    let wrong = if otp == "1234" { "4321" } else { "1234" };
    for verb in [&["start", "--otp", wrong][..], &["start"], &["start", "--otp", "not digits"]] {
        let answer = world.trip(verb).await?;
        ensure!(answer.code == 9, "{verb:?} gave {}", answer.code);
        let error = answer.body["error"].as_str().context("a reason")?;
        ensure!(error.contains("OTP"), "{error}");
        ensure!(answer.state() == Some("at-pickup"), "{}", answer.body);
    }
    world.drive(&["start", "--otp", &otp]).await?;
    world.finish_ride().await?;
    nothing_is_amiss(&world, &booking).await?;
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn garbage_on_the_serial_line_and_an_unplugged_receiver_cost_only_fixes() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    world.lever("corrupt 5").await?;
    let booking = world.start_ride().await?;
    world.drive_on(METRES).await?;
    world.lever("garbage on").await?;
    let lost = |answer: &Value| answer.pointer("/sentences/lost").and_then(Value::as_u64);
    let before = lost(&world.trip(&["show"]).await?.body);
    world.wait_for_trip("garbage to be heard", |answer| lost(&answer.body) > before).await?;
    world.lever("garbage off").await?;
    world.drive_on(METRES).await?;
    world.lever("unplug").await?;
    let open = |answer: &Value| answer["receiver_open"].as_bool();
    world.wait_for_trip("the unplugging", |answer| open(&answer.body) == Some(false)).await?;
    world.drive(&["pause"]).await?;
    world.lever("plug").await?;
    world.wait_for_trip("the receiver", |answer| open(&answer.body) == Some(true)).await?;
    world.wait_for_fixes(2_000).await?;
    world.drive(&["resume"]).await?;
    world.drive_on(METRES).await?;
    world.drive(&["stop"]).await?;
    world.wait_for_final_fare(&booking).await?;
    let states = world.bap.fulfillment_states(&booking.order_id);
    ensure!(states == WHOLE_RIDE, "the rider's platform was told {states:?}");
    world.evidence().everything_is_committed_once().await?;
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn a_driver_who_declines_or_stays_silent_leaves_the_rider_with_one_clear_answer() -> Result<()>
{
    let plan = Plan { offer_s: 2, search_s: 4, ..Plan::default() };
    let mut world = World::start(plan).await?;
    let declined = world.book().await?;
    world.wait_for_offer().await?;
    world.drive(&["reject", "--reason", "too far"]).await?;
    let error = world.bap.on_confirm(&declined.confirm).await.expect_err("no driver").to_string();
    ensure!(error.contains("40006"), "{error}");
    let silent = world.book().await?;
    world.wait_for_offer().await?;
    let error = world.bap.on_confirm(&silent.confirm).await.expect_err("no driver").to_string();
    ensure!(error.contains("40006"), "{error}");
    // Freed again, the vehicle takes the next order.
    world.book().await?;
    world.drive_to_pickup().await?;
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn a_trip_called_off_by_the_driver_is_told_and_the_vehicle_is_free() -> Result<()> {
    // There is no other vehicle to take the ride over.
    let mut world = World::start(Plan { search_s: 4, ..Plan::default() }).await?;
    for (verb, by, reason) in [
        (&["cancel", "--reason", "flat tyre"][..], CancelledBy::Rule, "no other driver was found"),
        (&["no-show"], CancelledBy::Driver, "the rider did not come"),
    ] {
        let booking = world.book().await?;
        world.drive_to_pickup().await?;
        world.drive(verb).await?;
        let order_id = booking.order_id.clone();
        world
            .bap
            .wait_for("on_cancel", tripline_tests::world::PATIENCE, move |entries| {
                entries
                    .iter()
                    .find(|e| e.action == "on_cancel" && e.order_id.as_deref() == Some(&order_id))
                    .map(|_| ())
            })
            .await?;
        let states = world.bap.fulfillment_states(&booking.order_id);
        ensure!(states.last().map(String::as_str) == Some("RIDE_CANCELLED"), "{states:?}");
        let order = world.evidence().order(&booking.order_id).await?;
        let cancelled = order.cancelled.as_ref().map(|it| (it.by, it.reason.as_str()));
        ensure!(cancelled == Some((by, reason)), "{cancelled:?}");
    }
    world.check_no_errors()?;
    world.stop().await
}
