//! Enrolment, renewal, revocation and settings from afar, by the real binaries: what an installer and an
//! operator do, and what goes wrong meanwhile.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tripline_tests::world::{PATIENCE, Plan, TripAnswer, World};

/// A revoked device is out within so long: a deadline of the product.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);

const ENROLMENT_FAILED: i32 = 12;

fn connected(answer: &TripAnswer) -> bool {
    answer.body["connected"] == true
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("UTF-8")
}

/// A command of the operator on the world's platform; its JSON.
fn operator(world: &World, arguments: &[&str]) -> Result<Value> {
    let config = world.folder().join("bpp/bpp.toml");
    let mut all = arguments.to_vec();
    all.extend(["--json", "--config", text(&config)?]);
    world.binaries().bpp(&all)
}

/// A code for a vehicle of its own.
fn code_for(world: &World, registration: &str) -> Result<String> {
    let added = operator(
        world,
        &[
            "vehicle",
            "add",
            "--registration",
            registration,
            "--driver-name",
            "Asha",
            "--driver-phone",
            "+91-9800000002",
        ],
    )?;
    Ok(added["code"].as_str().context("a code")?.to_owned())
}

/// Enrols a device whose data is in this folder; gives the exit code and what was said.
async fn enrol(world: &World, data_dir: &Path, code: &str) -> Result<(i32, String)> {
    let url = world.enrol_url();
    let arguments = ["enrol", "--backend", &url, "--code", code, "--data-dir", text(data_dir)?];
    world.binaries().fail("tripline-agent", &arguments).await
}

fn identity(data_dir: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(data_dir.join("identity/identity.json"))?;
    Ok(serde_json::from_str(&text)?)
}

/// The audit entries of a kind.
async fn audited(world: &World, kind: &str) -> Result<usize> {
    let config = world.folder().join("bpp/bpp.toml");
    let arguments = ["audit", "--json", "--kind", kind, "--config", text(&config)?];
    let (code, output) = world.binaries().run("tripline-bpp", &arguments).await?;
    ensure!(code == 0, "audit ended with {code}");
    Ok(output.lines().count())
}

async fn wait_until<F, Fut>(what: &str, limit: Duration, mut seen: F) -> Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<bool>>,
{
    let until = tokio::time::Instant::now() + limit;
    while !seen().await? {
        ensure!(tokio::time::Instant::now() < until, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_code_works_once_and_whoever_comes_second_with_it_raises_the_alarm() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    let code = code_for(&world, "KA 02")?;
    let (first, second) = (world.folder().join("first"), world.folder().join("second"));
    let (exit, said) = enrol(&world, &first, &code).await?;
    ensure!(exit == 0, "{said}");
    let enrolled = identity(&first)?;

    let (exit, said) = enrol(&world, &first, &code).await?;
    ensure!(exit == 0, "the same device again: {said}");
    ensure!(identity(&first)? == enrolled, "it got another certificate");

    let (exit, said) = enrol(&world, &second, &code).await?;
    ensure!(exit == ENROLMENT_FAILED && said.contains("code"), "{exit}: {said}");
    ensure!(!second.join("identity/identity.json").exists(), "the second device is enrolled");
    let alarmed = || async { Ok(audited(&world, "code-reused").await? == 1) };
    wait_until("the alarm in the audit trail", PATIENCE, alarmed).await?;
    let alarmed = |line: &String| line.contains("code");
    ensure!(world.error_lines().iter().any(alarmed), "no alarm in the log");
    ensure!(audited(&world, "enrolled").await? == 2, "two devices enrolled");
    world.stop().await
}

#[tokio::test]
async fn a_power_cut_at_any_moment_of_enrolment_costs_only_typing_it_again() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    let binary = world.binaries().path("tripline-agent");
    for n in 0_u64..24 {
        let code = code_for(&world, &format!("KA 1{n}"))?;
        let data_dir = world.folder().join(format!("cut-{n}"));
        let url = world.enrol_url();
        let mut child = tokio::process::Command::new(&binary)
            .args(["enrol", "--backend", &url, "--code", &code, "--data-dir", text(&data_dir)?])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        // Wherever it is by then; some are through, some have not begun.
        tokio::time::sleep(Duration::from_millis(n * 4)).await;
        let _ = child.kill().await;
        let cut = identity(&data_dir).ok();
        let (exit, said) = enrol(&world, &data_dir, &code).await?;
        ensure!(exit == 0, "after a cut at {} ms: {said}", n * 4);
        let after = identity(&data_dir)?;
        ensure!(cut.is_none_or(|cut| cut == after), "another certificate after {} ms", n * 4);
    }
    ensure!(audited(&world, "code-reused").await? == 0, "a power cut raised an alarm");
    world.stop().await
}

#[tokio::test]
async fn a_certificate_is_renewed_by_itself_and_the_device_comes_in_with_the_new_one() -> Result<()>
{
    let plan = Plan { device_keys: "certificate_s = 15".into(), ..Plan::default() };
    let mut world = World::start(plan).await?;
    world.wait_for_trip("the connection", connected).await?;
    let data_dir = world.folder().join("agent");
    let first = identity(&data_dir)?;
    let renewed = || async { Ok(identity(&data_dir)? != first) };
    wait_until("the renewal", PATIENCE, renewed).await?;
    ensure!(audited(&world, "renewed").await? > 0, "the renewal is not audited");
    world.proxy.cut();
    world.wait_for_trip("the cut", |answer| !connected(answer)).await?;
    world.proxy.restore();
    world.wait_for_trip("the connection with the new certificate", connected).await?;
    world.stop().await
}

#[tokio::test]
async fn a_device_that_slept_through_the_end_of_its_certificate_renews_it_when_it_wakes()
-> Result<()> {
    let plan = Plan { device_keys: "certificate_s = 10".into(), ..Plan::default() };
    let mut world = World::start(plan).await?;
    world.kill_agent().await?;
    let data_dir = world.folder().join("agent");
    let enrolled = identity(&data_dir)?;
    let expires_at = enrolled["enrolled"]["expires_at_unix_ms"].as_i64().context("its end")?;
    let expired = || async { Ok(jiff::Timestamp::now().as_millisecond() > expires_at) };
    wait_until("the certificate's end", PATIENCE, expired).await?;
    world.start_agent().await?;
    world.wait_for_trip("the connection", connected).await?;
    ensure!(identity(&data_dir)? != enrolled, "it came in with an expired certificate");
    world.stop().await
}

#[tokio::test]
async fn a_revoked_device_is_out_within_five_seconds_and_comes_back_with_a_new_code() -> Result<()>
{
    let mut world = World::start(Plan::default()).await?;
    world.wait_for_trip("the connection", connected).await?;
    let device = world.device().to_owned();
    operator(&world, &["vehicle", "revoke", &device, "--reason", "stolen"])?;
    let out = || async { Ok(!connected(&world.trip(&["show"]).await?)) };
    wait_until("the end of the connection", REVOKED_WITHIN, out).await?;
    // It goes on trying, and stays out.
    wait_until("a second refusal", PATIENCE, || async {
        Ok(audited(&world, "connect-refused").await? > 0)
    })
    .await?;
    ensure!(!connected(&world.trip(&["show"]).await?), "a revoked device came in");
    ensure!(audited(&world, "revoked").await? == 1, "the revocation is not audited");

    let rekeyed = operator(&world, &["vehicle", "rekey", &device])?;
    world.kill_agent().await?;
    world.enrol(rekeyed["code"].as_str().context("a code")?)?;
    world.start_agent().await?;
    world.wait_for_trip("the connection", connected).await?;
    world.book().await?;
    world.wait_for_offer().await?;
    world.drive(&["accept"]).await?;
    world.stop().await
}

/// Whether the device says that it runs with fences of this radius.
fn runs(world: &World, radius_m: u64) -> impl Future<Output = Result<bool>> {
    let shown = operator(world, &["vehicle", "show", world.device()]);
    std::future::ready(
        shown.map(|shown| shown["settings_running"]["settings"]["fence"]["radius_m"] == radius_m),
    )
}

#[tokio::test]
async fn settings_from_afar_take_effect_outlive_a_power_cut_and_are_reported() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    world.wait_for_trip("the connection", connected).await?;
    let device = world.device().to_owned();
    let wanted = ["vehicle", "configure", &device, "--set", "fence.radius_m=77"];
    operator(&world, &wanted)?;
    wait_until("the report", PATIENCE, || runs(&world, 77)).await?;
    world.kill_agent().await?;
    world.start_agent().await?;
    world.wait_for_trip("the connection", connected).await?;
    let shown = operator(&world, &["vehicle", "show", &device])?;
    ensure!(shown["settings_wanted"]["outcome"] == "applied", "{shown}");
    ensure!(shown["settings_running"]["settings"]["fence"]["radius_m"] == 77, "{shown}");
    // What is taken back leaves the device to its own configuration.
    operator(&world, &["vehicle", "configure", &device, "--clear"])?;
    wait_until("the report of its own", PATIENCE, || runs(&world, 100)).await?;
    world.stop().await
}
