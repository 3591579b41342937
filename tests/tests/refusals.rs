//! Bad input: each gives one clear sentence with what to do, a distinct exit code or a NACK, and
//! nothing is lost.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tripline_tests::world::{PATIENCE, Plan, TripAnswer, World, drop_near};

/// Runs a command that must fail with `code` and say everything in `words` in one line.
async fn fails(
    world: &World,
    name: &str,
    arguments: &[&str],
    code: i32,
    words: &[&str],
) -> Result<()> {
    let (found, error) = world.binaries().fail(name, arguments).await?;
    let said = error.lines().filter(|line| line.starts_with(name)).collect::<Vec<_>>();
    ensure!(found == code, "{name} {arguments:?}: exit code {found}, not {code}: {error}");
    ensure!(said.len() == 1, "not one clear sentence: {error}");
    for word in words {
        ensure!(said[0].contains(word), "{word:?} is not in: {}", said[0]);
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            std::fs::copy(from, to)?;
        }
    }
    Ok(())
}

fn edited(file: &Path, name: &str, from: &str, to: &str) -> Result<String> {
    let text = std::fs::read_to_string(file)?;
    ensure!(text.contains(from), "{from} is not in {}", file.display());
    let path = file.with_file_name(name);
    std::fs::write(&path, text.replace(from, to))?;
    Ok(path.to_str().context("UTF-8")?.to_owned())
}

#[tokio::test]
async fn mistakes_of_an_installer_are_named_with_a_way_out() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    let agent = world.folder().join("agent.toml");
    let bpp = world.folder().join("bpp/bpp.toml");
    let text = |path: &Path| path.to_str().map(str::to_owned).context("UTF-8");
    let own_folder = ("/agent\"", "/agent-two\"");

    let config = edited(&agent, "key.toml", "baud =", "bawd =")?;
    fails(&world, "tripline-agent", &["run", "--config", &config], 3, &["bawd", "key.toml"])
        .await?;
    let config = edited(&bpp, "key.toml", "radius_m =", "radius =")?;
    fails(&world, "tripline-bpp", &["serve", "--config", &config], 3, &["radius", "key.toml"])
        .await?;
    fails(&world, "tripline-agent", &["run", "--config", "/nowhere"], 3, &["/nowhere", "sample"])
        .await?;

    let taken_bpp = text(&bpp)?;
    let words = ["another tripline-bpp serves from this folder"];
    fails(&world, "tripline-bpp", &["serve", "--config", &taken_bpp], 4, &words).await?;
    let config = edited(&bpp, "two.toml", "data_dir = \"data\"", "data_dir = \"data-two\"")?;
    copy_folder(&world.folder().join("bpp/data"), &world.folder().join("bpp/data-two"))?;
    let words = ["cannot listen on 127.0.0.1:", "[beckn] listen"];
    fails(&world, "tripline-bpp", &["serve", "--config", &config], 7, &words).await?;
    let taken = text(&agent)?;
    fails(&world, "tripline-agent", &["run", "--config", &taken], 7, &["another agent"]).await?;

    let config = edited(&agent, "gone.toml", "/gnss\"", "/no-such-port\"")?;
    let config = edited(Path::new(&config), "gone.toml", own_folder.0, own_folder.1)?;
    fails(&world, "tripline-agent", &["run", "--config", &config], 11, &["not enrolled"]).await?;
    let (identity, second) = (world.folder().join("agent/identity"), "agent-two/identity");
    copy_folder(&identity, &world.folder().join(second))?;
    let words = ["/no-such-port", "plug the receiver in", "--wait-for-receiver"];
    fails(&world, "tripline-agent", &["run", "--config", &config], 4, &words).await?;

    let added = world.binaries().bpp(&[
        "vehicle",
        "add",
        "--json",
        "--config",
        &taken_bpp,
        "--registration",
        "KA 02",
        "--driver-name",
        "Asha",
        "--driver-phone",
        "+91-9800000002",
    ])?;
    world.kill_agent().await?;
    let (url, code) = (world.enrol_url(), added["code"].as_str().context("a code")?);
    let enrol = ["enrol", "--backend", &url, "--code", code, "--config", &taken];
    let words = ["holds the journal of device ka01ab1234", "ka02"];
    fails(&world, "tripline-agent", &enrol, 9, &words).await?;
    world.lever("garbage on").await?;
    let config = edited(&agent, "garbage.toml", own_folder.0, own_folder.1)?;
    let words = ["not one valid NMEA sentence at 115200 baud", "baud"];
    fails(&world, "tripline-agent", &["run", "--config", &config], 5, &words).await?;
    world.lever("garbage off").await?;

    let socket = text(&world.folder().join("agent/agent.sock"))?;
    let show = ["trip", "--socket", &socket, "show"];
    fails(&world, "tripline-agent", &show, 8, &["no agent answers", "tripline-agent run"]).await?;
    world.start_agent().await?;
    let start = ["trip", "--socket", &socket, "start"];
    fails(&world, "tripline-agent", &start, 9, &["there is no trip", "accept an offer"]).await?;
    world.stop().await
}

#[tokio::test]
async fn a_disk_that_takes_nothing_stops_no_trip_and_is_caught_up_with_when_it_does() -> Result<()>
{
    let mut world = World::start(Plan::default()).await?;
    world.kill_agent().await?;
    world.start_agent_with_full_disk_to_come().await?;
    let booking = world.book().await?;
    world.drive_to_pickup().await?;
    let otp = world.otp(&booking).await?;
    world.drive(&["start", "--otp", &otp]).await?;
    world.drive_on(40).await?;

    world.fill_disk(true)?;
    let paused = world.trip(&["pause"]).await?;
    ensure!(paused.code == 0 && paused.state() == Some("paused"), "{}", paused.body);
    let journal = |answer: &Value| answer["journal"]["health"].as_str().map(str::to_owned);
    ensure!(journal(&paused.body).as_deref() == Some("in-memory"), "{}", paused.body);
    let advice = paused.body["journal"]["advice"].as_str().context("advice")?;
    ensure!(advice.contains("full") && advice.contains("free some space"), "{advice}");
    world.drive(&["resume"]).await?;
    let tracked = world.bap.track(&booking.order_id).await?;
    ensure!(tracked.pointer("/message/tracking/location/gps").is_some(), "live stopped: {tracked}");

    world.fill_disk(false)?;
    let sound = |answer: &TripAnswer| journal(&answer.body).as_deref() == Some("sound");
    world.wait_for_trip("the journal to be on the disk again", sound).await?;
    world.drive(&["pause"]).await?;
    world.kill_agent().await?;
    world.start_agent().await?;
    ensure!(world.trip(&["show"]).await?.state() == Some("paused"), "a confirmed pause was lost");
    world.drive(&["stop"]).await?;
    world.wait_for_final_fare(&booking).await?;
    // What was sent from memory and committed was never on the disk, so the two cannot be compared.
    let order = world.evidence().order(&booking.order_id).await?;
    ensure!(order.cases.is_empty(), "cases for the operator: {:?}", order.cases);
    let sent = |answer: &TripAnswer| answer.body["backlog"]["events"] == 0;
    world.wait_for_trip("all events to be committed", sent).await?;
    world.stop().await
}

fn code(body: &Value) -> Option<&str> {
    body.pointer("/error/code").and_then(Value::as_str)
}

#[tokio::test]
async fn requests_that_are_not_the_signer_s_own_words_are_not_taken() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    let pickup = world.wait_for_position().await?;
    let drop = drop_near(&pickup)?;
    world.search_until_found(&pickup, &drop).await?;
    let message = json!({ "intent": { "fulfillment": {
        "start": { "location": { "gps": pickup } }, "end": { "location": { "gps": drop } } } } });
    let body = |change: &dyn Fn(&mut Value)| {
        let mut body = json!({ "context": world.bap.context("search", "m-1"), "message": message });
        change(&mut body);
        body.to_string().into_bytes()
    };
    let good = body(&|_| {});
    let signature = world.bap.sign(&good);

    // Without a signature, with another body's, with a changed one.
    let other = world.bap.sign(b"something else");
    for authorization in [None, Some(other), Some(signature.replace("created=\"1", "created=\"2"))]
    {
        let answer = world.bap.request_raw("search", good.clone(), authorization).await?;
        ensure!(answer.http_status == 401 && !answer.ack, "{answer:?}");
        ensure!(
            answer.challenge.is_some_and(|c| c.starts_with("Signature realm=")),
            "no challenge"
        );
    }

    // Signed, but wrong in a field, which the answer names.
    for (pointer, value, path) in [
        ("/context/bap_id", json!("someone.else"), "context.bap_id"),
        ("/context/bap_uri", json!("http://127.0.0.1:9/x"), "context.bap_uri"),
        ("/context/bpp_id", json!("another.bpp"), "context.bpp_id"),
        ("/context/action", json!("confirm"), "context.action"),
        ("/context/core_version", json!("1.1.0"), "context.core_version"),
        ("/context/message_id", json!(7), "context.message_id"),
        ("/message", json!("text"), "message"),
        (
            "/message/intent/fulfillment/start/location/gps",
            json!("here"),
            "message.intent.fulfillment.start.location.gps",
        ),
    ] {
        let bytes = body(&|body| {
            let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
            body.pointer_mut(parent).expect("an object")[field] = value.clone();
        });
        let authorization = Some(world.bap.sign(&bytes));
        let answer = world.bap.request_raw("search", bytes, authorization).await?;
        let named = answer.body.pointer("/error/path").and_then(Value::as_str);
        ensure!(!answer.ack && named == Some(path), "{pointer}: {answer:?}");
    }

    // Not JSON, too large, not served.
    let text = b"{".to_vec();
    let answer = world.bap.request_raw("search", text.clone(), Some(world.bap.sign(&text))).await?;
    ensure!(answer.http_status == 400 && !answer.ack, "{answer:?}");
    let large = vec![b' '; 300 * 1024];
    let answer =
        world.bap.request_raw("search", large.clone(), Some(world.bap.sign(&large))).await?;
    ensure!(answer.http_status == 413 && !answer.ack, "{answer:?}");
    let answer = world.bap.request("get_return_reasons", json!({})).await?;
    ensure!(!answer.ack && code(&answer.body) == Some("40001"), "{answer:?}");
    world.stop().await
}

#[tokio::test]
async fn the_same_request_twice_has_one_effect_also_after_a_restart() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    let booking = world.book().await?;
    world.drive_to_pickup().await?;
    world.otp(&booking).await?;
    let init = |note: &str| {
        json!({
            "context": world.bap.context("init", "again"),
            "message": { "order": { "id": booking.order_id, "note": note } },
        })
        .to_string()
        .into_bytes()
    };
    let first = init("a");
    let second = init("b");
    let post = |bytes: Vec<u8>| {
        let authorization = Some(world.bap.sign(&bytes));
        world.bap.request_raw("init", bytes, authorization)
    };
    ensure!(post(first.clone()).await?.ack, "the first is taken");
    ensure!(post(first.clone()).await?.ack, "the same is acknowledged again");
    let other = post(second.clone()).await?;
    let path = other.body.pointer("/error/path").and_then(Value::as_str);
    ensure!(!other.ack && path == Some("context.message_id"), "{other:?}");
    world.kill_bpp().await?;
    world.start_bpp().await?;
    let post = |bytes: Vec<u8>| {
        let authorization = Some(world.bap.sign(&bytes));
        world.bap.request_raw("init", bytes, authorization)
    };
    ensure!(post(first).await?.ack, "the same is acknowledged after a restart");
    ensure!(!post(second).await?.ack, "the other is refused after a restart");

    // A second confirm books nothing: the order is active, and stays with its driver.
    let again =
        world.bap.request("confirm", json!({ "order": { "id": booking.order_id } })).await?;
    ensure!(again.ack, "a well-formed request: {again:?}");
    let error = world.bap.on_confirm(&again.message_id).await.expect_err("refused").to_string();
    ensure!(error.contains("40000"), "{error}");
    let order = world.evidence().order(&booking.order_id).await?;
    ensure!(order.offers.len() == 1, "{} offers", order.offers.len());
    world
        .bap
        .wait_for("the answer to init", PATIENCE, |entries| {
            entries.iter().find(|entry| entry.message_id == "again").map(|_| ())
        })
        .await?;
    let answers = world.bap.ledger();
    // A delivery that the kill cut off is made again, with the same bytes; a second effect has others.
    let answers: std::collections::BTreeSet<String> = answers
        .iter()
        .filter(|entry| entry.message_id == "again")
        .map(|entry| entry.body.to_string())
        .collect();
    ensure!(answers.len() == 1, "init was answered with {answers:#?}");
    world.stop().await
}
