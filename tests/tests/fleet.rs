//! `tripline-sim fleet` against the real platform: it enrols by itself, and nothing is lost.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tripline_backend::store::Store;
use tripline_protocol::link::up::Stream;
use tripline_tests::world::{Binaries, PATIENCE, Process};

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A platform at a loopback address of this process's own, so that its ports stay free while it is down.
struct Platform {
    binaries: Binaries,
    dir: TempDir,
}

impl Platform {
    fn init() -> Result<Self> {
        let (binaries, dir) =
            (Binaries::find()?, tempfile::Builder::new().prefix("tripline-fleet-").tempdir()?);
        binaries.bpp(&["init", "--json", "--dir", utf8(dir.path())?])?;
        let platform = Self { binaries, dir };
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let text = std::fs::read_to_string(platform.config())?;
        let own = format!("127.77.{high}.{low}");
        std::fs::write(platform.config(), text.replace("127.0.0.1", &own))?;
        Ok(platform)
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("bpp.toml")
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn serve(&self) -> Result<Process> {
        let config = self.config();
        let arguments = ["serve", "--json", "--config", utf8(&config)?];
        let mut process = self.binaries.spawn("tripline-bpp", &arguments, &self.log("bpp.log"))?;
        process.line().await.context("the platform did not start")?;
        Ok(process)
    }

    fn fleet(&self, log: &str, more: &[&str]) -> Result<Process> {
        let (config, state) = (self.config(), self.dir.path().join("fleet"));
        let mut arguments = vec!["fleet", "--json", "--vehicles", "20"];
        arguments.extend(["--bpp-config", utf8(&config)?, "--state", utf8(&state)?]);
        arguments.extend(more);
        self.binaries.spawn("tripline-sim", &arguments, &self.log(log))
    }

    /// Waits until a line of a log is as wanted.
    async fn wait_for(&self, log: &str, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let text = std::fs::read_to_string(self.log(log)).unwrap_or_default();
            if text.lines().any(&wanted) {
                return Ok(());
            }
            ensure!(tokio::time::Instant::now() < until, "waited in vain; {log} says:\n{text}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str().context("a path in UTF-8")
}

async fn summary(fleet: &mut Process) -> Result<Value> {
    Ok(serde_json::from_str(&fleet.line().await?)?)
}

/// How many trail batches had their PubAck, by a line of progress.
fn acknowledged(line: &str) -> Option<u64> {
    line.split_once("  acknowledged ")?.1.split_whitespace().next()?.parse().ok()
}

#[tokio::test]
async fn a_fleet_enrols_by_itself_and_loses_nothing_when_the_platform_is_killed_in_mid_drive()
-> Result<()> {
    let platform = Platform::init()?;
    let bpp = platform.serve().await?;
    let load = ["--seconds", "20", "--batch-s", "2", "--live-ms", "1000"];
    let mut fleet = platform.fleet("fleet.log", &load)?;
    let drives = |line: &str| acknowledged(line).is_some_and(|batches| batches > 0);
    platform.wait_for("fleet.log", drives).await?;
    bpp.kill().await?;
    let bpp = platform.serve().await?;

    let first = summary(&mut fleet).await?;
    for (key, expected) in [
        ("/enrolled", 20),
        ("/fixes_generated", 400),
        ("/fixes_acknowledged", 400),
        ("/fixes_lost", 0),
        ("/messages_ignored", 0),
    ] {
        ensure!(first.pointer(key) == Some(&expected.into()), "{key}: {first}");
    }
    let reconnects = first["reconnects"].as_u64();
    ensure!(reconnects.is_some_and(|reconnects| reconnects >= 20), "{first}");

    // The identities are there, so the next run of the same fleet needs no codes.
    let mut fleet = platform.fleet("again.log", &["--seconds", "2", "--batch-s", "1"])?;
    let second = summary(&mut fleet).await?;
    ensure!(second["enrolled"] == 0 && second["fixes_acknowledged"] == 40, "{second}");
    bpp.terminate().await?;

    let url = format!("sqlite:{}", platform.dir.path().join("data/tripline.db").display());
    let store = Store::open(&url).await?;
    let mut tx = store.read().await?;
    let mut committed: u64 = 0;
    for number in 1..=20 {
        let device = format!("sim{number:06}").parse()?;
        for (epoch, _) in tx.cursors(&device, Stream::Trail).await? {
            let kept = tx.trail_batches(&device, epoch).await?;
            committed += kept.iter().map(|batch| batch.records - batch.skip).sum::<u64>();
        }
    }
    ensure!(committed == 440, "{committed} fixes are in the store, each once");
    Ok(())
}
