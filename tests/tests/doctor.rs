//! `tripline-agent doctor` names what is wrong, whatever was broken on purpose, and nothing else.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tripline_tests::world::{PATIENCE, Plan, TripAnswer, World};

const WELL: i32 = 0;
const UNWELL: i32 = 10;

/// What doctor looks at, and finds something about.
const CHECKS: [&str; 8] =
    ["configuration", "identity", "agent", "clock", "disk", "receiver", "antenna", "backend"];

/// What doctor found.
#[derive(Debug)]
struct Diagnosis {
    code: i32,
    findings: Vec<Value>,
}

impl Diagnosis {
    fn read(code: i32, output: &str) -> Result<Self> {
        let report: Value = serde_json::from_str(output).with_context(|| output.to_owned())?;
        let findings = report["findings"].as_array().context("findings")?.clone();
        Ok(Self { code, findings })
    }

    fn of(&self, level: &str) -> Vec<&Value> {
        self.findings.iter().filter(|finding| finding["level"] == level).collect()
    }

    /// No fault, and something good or worth knowing of everything.
    fn is_well(&self) -> Result<()> {
        ensure!(self.code == WELL && self.of("fault").is_empty(), "{self:?}");
        for check in CHECKS {
            ensure!(self.findings.iter().any(|f| f["check"] == check), "{check}: {self:?}");
        }
        Ok(())
    }

    /// One fault, of this check, whose finding says these words; and a way out.
    fn has_only(&self, check: &str, words: &[&str]) -> Result<()> {
        let faults = self.of("fault");
        ensure!(self.code == UNWELL && faults.len() == 1, "not one fault: {self:?}");
        let fault = faults.first().context("a fault")?;
        let found = fault["found"].as_str().context("what was found")?;
        ensure!(fault["check"] == check, "not {check}: {fault}");
        for word in words {
            ensure!(found.contains(word), "{word:?} is not in: {found}");
        }
        ensure!(fault["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{fault}");
        Ok(())
    }
}

/// Doctor on the world's configuration with changes of its own.
async fn doctor(world: &World, changes: &[(&str, &str)]) -> Result<Diagnosis> {
    let config = changed(world, changes)?;
    let arguments = ["doctor", "--json", "--config", &config];
    let (code, output) = world.binaries().run("tripline-agent", &arguments).await?;
    Diagnosis::read(code, &output)
}

fn changed(world: &World, changes: &[(&str, &str)]) -> Result<String> {
    let mut text = std::fs::read_to_string(world.folder().join("agent.toml"))?;
    for (from, to) in changes {
        ensure!(text.contains(from), "{from} is not in the configuration");
        text = text.replace(from, to);
    }
    let path = world.folder().join("examined.toml");
    std::fs::write(&path, text)?;
    Ok(path.to_str().context("UTF-8")?.to_owned())
}

/// The line of the configuration that begins so.
fn line(world: &World, key: &str) -> Result<String> {
    let text = std::fs::read_to_string(world.folder().join("agent.toml"))?;
    let found = text.lines().find(|line| line.starts_with(key));
    Ok(found.with_context(|| format!("{key} in the configuration"))?.to_owned())
}

async fn connected(world: &World) -> Result<()> {
    world.wait_for_position().await?;
    let connected = |answer: &TripAnswer| answer.body["connected"] == true;
    world.wait_for_trip("the connection", connected).await.map(drop)
}

#[tokio::test]
async fn where_nothing_is_wrong_no_fault_is_found_with_the_agent_running_and_without() -> Result<()>
{
    let mut world = World::start(Plan::default()).await?;
    connected(&world).await?;
    let running = doctor(&world, &[]).await?;
    running.is_well()?;
    let said = |check: &str| running.findings.iter().find(|f| f["check"] == check).cloned();
    let backend = said("backend").context("the backend")?;
    ensure!(backend["found"].as_str().is_some_and(|f| f.contains("running agent")), "{backend}");
    world.kill_agent().await?;
    doctor(&world, &[]).await?.is_well()?;
    world.start_agent().await?;
    world.stop().await
}

#[tokio::test]
async fn a_missing_port_and_a_wrong_baud_rate_are_named() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    connected(&world).await?;
    world.kill_agent().await?;
    let found = doctor(&world, &[("/gnss\"", "/no-such-port\"")]).await?;
    found.has_only("receiver", &["missing", "/no-such-port"])?;
    let found = doctor(&world, &[("baud = 115200", "baud = 9600")]).await?;
    found.has_only("receiver", &["wrong baud rate", "115200", "9600"])?;
    world.lever("silence on").await?;
    doctor(&world, &[]).await?.has_only("receiver", &["silent"])?;
    world.start_agent().await?;
    world.stop().await
}

#[tokio::test]
async fn a_blind_antenna_is_told_from_a_tunnel_with_the_agent_running_and_without() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    connected(&world).await?;
    world.lever("antenna off").await?;
    let until = tokio::time::Instant::now() + PATIENCE;
    // The last position has to grow old first.
    let found = loop {
        let found = doctor(&world, &[]).await?;
        if found.code == UNWELL || tokio::time::Instant::now() >= until {
            break found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    };
    found.has_only("antenna", &["blind", "0 in view"])?;
    world.kill_agent().await?;
    doctor(&world, &[]).await?.has_only("antenna", &["blind", "0 in view"])?;
    world.lever("antenna on").await?;
    world.lever("fix off").await?;
    doctor(&world, &[]).await?.has_only("antenna", &["no position yet", "in view"])?;
    world.lever("fix on").await?;
    doctor(&world, &[]).await?.is_well()?;
    world.start_agent().await?;
    world.stop().await
}

/// Whether this user may mount a file system where nobody else sees it.
fn may_mount() -> bool {
    let may = Command::new("unshare")
        .args(["-rm", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !may {
        eprintln!("\n*** SKIPPED: no file system can be mounted here (`unshare -rm`) ***\n");
    }
    may
}

/// Doctor where the data folder is a file system of its own that `prepare` has spoilt; `$0` is the
/// folder.
async fn doctor_on(world: &World, folder: &Path, prepare: &str) -> Result<Diagnosis> {
    std::fs::create_dir_all(folder)?;
    let folder = folder.to_str().context("UTF-8")?;
    let own = line(world, "data_dir =")?;
    let config = changed(world, &[(&own, &format!("data_dir = \"{folder}\""))])?;
    let script = format!(
        "set -e; mount -t tmpfs -o size=4m none \"$0\"; cp -a \"$3\" \"$0\"; {prepare}; \
         exec \"$1\" doctor --json --config \"$2\""
    );
    let agent = world.binaries().path("tripline-agent");
    let mut command = tokio::process::Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script, folder]).arg(agent).arg(config);
    command.arg(world.folder().join("agent/identity"));
    let output = command.output().await?;
    let code = output.status.code().context("killed by a signal")?;
    let said = String::from_utf8(output.stdout)?;
    Diagnosis::read(code, &said)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_full_disk_and_a_read_only_one_are_named() -> Result<()> {
    if !may_mount() {
        return Ok(());
    }
    let mut world = World::start(Plan::default()).await?;
    connected(&world).await?;
    world.kill_agent().await?;
    let folder = world.folder().join("examined");
    let full =
        doctor_on(&world, &folder, "head -c 10000000 /dev/zero > \"$0/filler\" 2>&- || true")
            .await?;
    full.has_only("disk", &["cannot be written", "No space left"])?;
    let read_only = doctor_on(&world, &folder, "mount -o remount,ro none \"$0\"").await?;
    read_only.has_only("disk", &["cannot be written", "Read-only"])?;
    doctor_on(&world, &folder, "true").await?.is_well()?;
    world.start_agent().await?;
    world.stop().await
}

#[tokio::test]
async fn a_backend_that_is_not_there_or_does_not_know_the_device_is_named() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    connected(&world).await?;
    world.kill_agent().await?;
    let free = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let elsewhere = |key: &str| format!("[backend]\n{key}");
    let port = elsewhere(&format!("port = {free}"));
    let found = doctor(&world, &[("[backend]", &port)]).await?;
    found.has_only("backend", &["unreachable", &free.to_string()])?;
    let host = elsewhere("host = \"backend.invalid\"");
    let found = doctor(&world, &[("[backend]", &host)]).await?;
    found.has_only("backend", &["unreachable", "backend.invalid"])?;

    // Something listens there, and there is no platform behind it.
    world.proxy.cut();
    doctor(&world, &[]).await?.has_only("backend", &["can be reached, but"])?;
    world.proxy.restore();

    // The running agent knows that it is not connected.
    world.start_agent().await?;
    world.kill_bpp().await?;
    let lost = |answer: &TripAnswer| answer.body["connected"] == false;
    world.wait_for_trip("the loss", lost).await?;
    world.wait_for_position().await?;
    doctor(&world, &[]).await?.has_only("backend", &["running agent is not connected"])?;
    world.start_bpp().await?;
    world.stop().await
}

#[tokio::test]
async fn a_device_that_is_not_enrolled_or_was_revoked_is_told_so() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    connected(&world).await?;
    world.kill_agent().await?;
    let found = doctor(&world, &[("/agent\"", "/empty\"")]).await?;
    let said = found.findings.iter().find(|f| f["check"] == "identity").context("the identity")?;
    ensure!(said["level"] == "fault" && found.code == UNWELL, "{found:?}");
    let config = world.folder().join("bpp/bpp.toml");
    let config = config.to_str().context("UTF-8")?;
    let revoke = ["vehicle", "revoke", world.device(), "--reason", "a test", "--json"];
    world.binaries().bpp(&[&revoke[..], &["--config", config]].concat())?;
    doctor(&world, &[]).await?.has_only("backend", &["does not accept", "revoked"])?;
    world.stop().await
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_the_only_thing_told() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    let found = doctor(&world, &[("baud =", "bawd =")]).await?;
    found.has_only("configuration", &["bawd", "examined.toml"])?;
    ensure!(found.findings.len() == 1, "{found:?}");
    world.stop().await
}
