//! The world: the real binaries on free ports in a temporary folder, among a stub BAP or several and, where
//! the plan says so, a stub registry.
//!
//! A test says what happens to whom; the world starts, kills and restarts processes, pulls levers and
//! cuts the network. Whatever is still running when it is dropped is stopped.

mod address;
mod binaries;
mod booking;
mod evidence;
mod files;
mod network;
mod panel;
mod postgres;
mod process;
mod proxy;
mod ride;
mod rows;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tripline_firmware_sim::control::ControlClient;
use tripline_protocol::signing::PublicKey;

pub use binaries::{Binaries, build as build_binaries};
pub use booking::{Booking, WHOLE_RIDE, drop_near};
pub use evidence::{CommittedEvidence, Evidence, JournalEvidence};
pub use network::{BAP_ID, BPP_ID, Subscribers};
pub use panel::Hands;
pub use postgres::TestDatabase;
pub use process::Process;
pub use proxy::Proxy;
pub use ride::METRES;
pub use rows::RowCounts;

use address::free_address;
use files::Addresses;
use network::Network;

use crate::bap::Bap;

/// Longest wait for a process to be ready, and for anything a test waits for.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// How often a condition that cannot wake anybody is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What a world is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The trace the receiver plays.
    pub trace: PathBuf,
    /// Where in the trace it begins, in seconds.
    pub from_s: f64,
    /// How much of it is played, in seconds; to its end if not set.
    pub seconds: Option<f64>,
    /// Whether sentences are dated anew, to now.
    pub redate: bool,
    /// The store's URL; SQLite in the world's folder if not set.
    pub store_url: Option<String>,
    /// Seconds a driver has to answer.
    pub offer_s: u32,
    /// Seconds a driver is looked for.
    pub search_s: u32,
    /// Whether a ride starts only with the rider's OTP.
    pub otp: bool,
    /// Whether the vehicle has a panel, on simulated pins.
    pub panel: bool,
    /// What the agent's configuration says at its end, tables and all.
    pub agent: String,
    /// What the platform's configuration says at the end of `[device]`.
    pub device_keys: String,
    /// What it says at the end of `[dispatch]`.
    pub dispatch_keys: String,
    /// What it says at its end, tables and all.
    pub platform: String,
    /// What its tariff says at its end.
    pub tariff_keys: String,
    /// Who says who is on the network.
    pub subscribers: Subscribers,
    /// A recording that the agent replays as fast as it can, in place of the receiver and without a
    /// network until that is restored.
    pub replay: Option<PathBuf>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            trace: committed_trace(),
            from_s: 10.0,
            seconds: Some(120.0),
            redate: true,
            store_url: None,
            offer_s: 30,
            search_s: 60,
            otp: true,
            panel: false,
            agent: String::new(),
            device_keys: String::new(),
            dispatch_keys: String::new(),
            platform: String::new(),
            tariff_keys: String::new(),
            subscribers: Subscribers::File,
            replay: None,
        }
    }
}

impl Plan {
    /// With a registry, which is asked so often that a test need not wait for it, and not waited for for
    /// long.
    pub fn with_registry() -> Self {
        let keys = "cache_s = 1\ntimeout_ms = 1000".into();
        Self { subscribers: Subscribers::Registry { keys }, ..Self::default() }
    }
}

/// The recorded drive that comes with the code; see `tests/data/mtv-local1/README.md`.
pub fn committed_trace() -> PathBuf {
    data_dir().join("drive.nmea")
}

/// Its ground truth.
pub fn committed_truth() -> PathBuf {
    data_dir().join("truth.gga")
}

fn data_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mtv-local1")
}

/// What the driver's command line answered.
#[derive(Debug, Clone)]
pub struct TripAnswer {
    /// Exit code of `tripline-agent trip`.
    pub code: i32,
    /// Its JSON.
    pub body: Value,
}

impl TripAnswer {
    /// The trip's state, as the driver sees it.
    pub fn state(&self) -> Option<&str> {
        self.body.pointer("/trip/state").and_then(Value::as_str)
    }

    /// Billed metres so far.
    pub fn distance_m(&self) -> u64 {
        self.body.pointer("/trip/distance_m").and_then(Value::as_u64).unwrap_or(0)
    }

    /// Fare so far, in paise.
    pub fn fare_paise(&self) -> i64 {
        self.body.pointer("/trip/fare_paise").and_then(Value::as_i64).unwrap_or(0)
    }
}

/// What the simulated receiver said when it was ready.
#[derive(Debug, Clone, Copy)]
pub struct Playing {
    /// The trace's own time of the first epoch, Unix ms.
    pub trace_start_unix_ms: i64,
    /// What is added to the trace's times.
    pub shift_ms: i64,
}

/// One operator, one vehicle, one rider's platform.
#[derive(Debug)]
pub struct World {
    /// The rider's platform.
    pub bap: Bap,
    /// The network between vehicle and backend.
    pub proxy: Proxy,
    /// How the receiver plays.
    pub playing: Playing,
    plan: Plan,
    binaries: Binaries,
    addresses: Addresses,
    network: Network,
    device: String,
    store_url: String,
    bpp: Option<Process>,
    agent: Option<Process>,
    receiver: Option<Process>,
    pins: Option<Process>,
    ended_well: bool,
    dir: TempDir,
}

impl World {
    /// Makes the folder, adds the vehicle, starts everything.
    pub async fn start(plan: Plan) -> Result<Self> {
        // The stub BAP's HTTP client needs one; a second install is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let binaries = Binaries::find()?;
        let dir = tempfile::Builder::new().prefix("tripline-").tempdir()?;
        let endpoint = free_address()?;
        let proxy = Proxy::start(endpoint).await?;
        let addresses = Addresses {
            beckn: free_address()?,
            device: endpoint,
            enrol: free_address()?,
            admin: free_address()?,
            device_port: proxy.address().port(),
        };
        files::write_fleet(dir.path(), &plan)?;
        let made = binaries.bpp(&["init", "--dir", path(&dir.path().join("bpp"))?, "--json"])?;
        let network = Network::start(&plan.subscribers, addresses.beckn, &made).await?;
        let bap = network.start_bap(BAP_ID).await?;
        let store_url = plan.store_url.clone().unwrap_or_else(|| {
            format!("sqlite:{}", dir.path().join("bpp/data/tripline.db").display())
        });
        files::write_bpp(dir.path(), &plan, addresses, &store_url, &network.configuration())?;
        if plan.store_url.is_some() {
            // The tables there.
            binaries.bpp(&["init", "--dir", path(&dir.path().join("bpp"))?, "--json"])?;
        }
        network.admit(dir.path(), &bap)?;
        files::write_agent(dir.path(), &plan)?;
        let config = dir.path().join("bpp/bpp.toml");
        let added = binaries.bpp(&[
            "vehicle",
            "add",
            "--json",
            "--config",
            path(&config)?,
            "--registration",
            "KA 01 AB 1234",
            "--driver-name",
            "Raghav",
            "--driver-phone",
            "+91-9800000001",
        ])?;
        if plan.replay.is_some() {
            proxy.cut();
        }
        let mut world = Self {
            bap,
            proxy,
            playing: Playing { trace_start_unix_ms: 0, shift_ms: 0 },
            plan,
            binaries,
            addresses,
            network,
            device: text(&added, "device")?,
            store_url,
            bpp: None,
            agent: None,
            receiver: None,
            pins: None,
            ended_well: false,
            dir,
        };
        world.start_bpp().await?;
        world.enrol(&text(&added, "code")?)?;
        world.start_receiver().await?;
        if world.plan.panel {
            world.start_pins().await?;
        }
        world.start_agent().await?;
        Ok(world)
    }

    /// The world's folder.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Where the platform takes requests.
    pub fn beckn_uri(&self) -> String {
        format!("http://{}/beckn", self.addresses.beckn)
    }

    /// The device's id.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The public key that the platform signs with at first.
    pub const fn key_of_bpp(&self) -> &PublicKey {
        self.network.key_of_bpp()
    }

    /// Starts the platform and waits until it listens.
    pub async fn start_bpp(&mut self) -> Result<()> {
        let config = self.dir.path().join("bpp/bpp.toml");
        let mut process = self.binaries.spawn(
            "tripline-bpp",
            &["serve", "--json", "--config", path(&config)?],
            &self.dir.path().join("bpp.log"),
        )?;
        process.line().await.context("the platform did not start")?;
        self.bpp = Some(process);
        Ok(())
    }

    /// Enrols the vehicle's device.
    pub fn enrol(&self, code: &str) -> Result<()> {
        let (url, config) = (self.enrol_url(), self.dir.path().join("agent.toml"));
        let arguments =
            ["enrol", "--json", "--backend", &url, "--code", code, "--config", path(&config)?];
        self.binaries.json("tripline-agent", &arguments).map(drop)
    }

    /// Where devices enrol.
    pub fn enrol_url(&self) -> String {
        format!("https://{}", self.addresses.enrol)
    }

    /// What operators read.
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.addresses.admin)
    }

    /// Kills the platform, as a power cut would.
    pub async fn kill_bpp(&mut self) -> Result<()> {
        kill(&mut self.bpp, "the platform").await
    }

    /// Starts the agent and waits until it answers the driver.
    pub async fn start_agent(&mut self) -> Result<()> {
        let config = self.dir.path().join("agent.toml");
        let log = self.dir.path().join("agent.log");
        let arguments = ["run", "--config", path(&config)?];
        self.agent = Some(self.binaries.spawn("tripline-agent", &arguments, &log)?);
        self.wait_for_trip("the agent to answer", |answer| answer.code == 0).await?;
        Ok(())
    }

    /// Starts the agent so that [`World::fill_disk`] can be used on it.
    pub async fn start_agent_with_full_disk_to_come(&mut self) -> Result<()> {
        let config = self.dir.path().join("agent.toml");
        let agent = self.binaries.path("tripline-agent");
        // Beyond a file size limit the kernel sends SIGXFSZ; ignored, the write fails instead, as it
        // does on a full disk.
        let arguments =
            ["-c", "trap '' XFSZ; exec \"$0\" run --config \"$1\"", path(&agent)?, path(&config)?];
        let log = self.dir.path().join("agent.log");
        self.agent = Some(Process::spawn(Path::new("/bin/sh"), &arguments, &log)?);
        self.wait_for_trip("the agent to answer", |answer| answer.code == 0).await?;
        Ok(())
    }

    /// Lets the agent write no more, not even into space it has reserved, or lets it write again.
    pub fn fill_disk(&self, full: bool) -> Result<()> {
        let limit = full.then_some(0);
        self.agent.as_ref().context("the agent is not running")?.limit_files(limit)
    }

    /// The binaries, for commands that a test gives itself.
    pub const fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Kills the agent, as a power cut would.
    pub async fn kill_agent(&mut self) -> Result<()> {
        kill(&mut self.agent, "the agent").await
    }

    /// Kills the agent after `life`, whatever the world is doing then. [`World::kill_agent`] after it
    /// makes sure.
    pub fn kill_agent_after(&self, life: Duration) -> Result<JoinHandle<Result<()>>> {
        let agent = self.agent.as_ref().context("the agent is not running")?.executioner()?;
        Ok(tokio::spawn(async move {
            tokio::time::sleep(life).await;
            agent()
        }))
    }

    /// Writes the agent's configuration anew, for its next start.
    pub fn configure_agent(&self, change: impl Fn(&str) -> String) -> Result<()> {
        let path = self.dir.path().join("agent.toml");
        let text = std::fs::read_to_string(&path)?;
        let changed = change(&text);
        anyhow::ensure!(changed != text, "nothing is changed in the agent's configuration");
        Ok(std::fs::write(path, changed)?)
    }

    async fn start_receiver(&mut self) -> Result<()> {
        let from_s = self.plan.from_s.to_string();
        let seconds = self.plan.seconds.map(|seconds| seconds.to_string());
        let (pty, control) = (self.dir.path().join("gnss"), self.dir.path().join("sim.sock"));
        let mut arguments = vec![
            "receiver",
            "--json",
            "--pty",
            path(&pty)?,
            "--control",
            path(&control)?,
            "--trace",
            path(&self.plan.trace)?,
            "--from",
            &from_s,
            "--time",
            if self.plan.redate { "now" } else { "original" },
        ];
        if let Some(seconds) = &seconds {
            arguments.extend(["--seconds", seconds]);
        }
        let log = self.dir.path().join("sim.log");
        let mut process = self.binaries.spawn("tripline-sim", &arguments, &log)?;
        let line = process.line().await.context("the receiver did not start")?;
        let ready: Value = serde_json::from_str(&line).context("the receiver's first line")?;
        let number = |key| ready.get(key).and_then(Value::as_i64).context("the receiver's times");
        self.playing = Playing {
            trace_start_unix_ms: number("trace_start_unix_ms")?,
            shift_ms: number("shift_ms")?,
        };
        self.receiver = Some(process);
        Ok(())
    }

    /// Pulls levers of the receiver, `fix off` for instance.
    pub async fn lever(&self, lever: &str) -> Result<()> {
        let socket = self.dir.path().join("sim.sock");
        let lever = lever.to_owned();
        tokio::task::spawn_blocking(move || {
            let mut client = ControlClient::connect(&socket)?;
            client.pull(&lever).map(drop)
        })
        .await?
        .map_err(|error| anyhow::anyhow!("lever: {error}"))
    }

    /// What the driver does: `tripline-agent trip --json VERB...`, whatever it answers.
    pub async fn trip(&self, verb: &[&str]) -> Result<TripAnswer> {
        let socket = self.dir.path().join("agent/agent.sock");
        let mut arguments = vec!["trip", "--json", "--socket", path(&socket)?];
        arguments.extend(verb);
        let (code, output) = self.binaries.run("tripline-agent", &arguments).await?;
        let body = serde_json::from_str(&output).unwrap_or(Value::Null);
        Ok(TripAnswer { code, body })
    }

    /// What the driver does, and must succeed in.
    pub async fn drive(&self, verb: &[&str]) -> Result<TripAnswer> {
        let answer = self.trip(verb).await?;
        if answer.code != 0 {
            bail!("`trip {}` failed with {}: {}", verb.join(" "), answer.code, answer.body);
        }
        Ok(answer)
    }

    /// Waits until the driver sees something.
    pub async fn wait_for_trip(
        &self,
        what: &str,
        seen: impl Fn(&TripAnswer) -> bool,
    ) -> Result<TripAnswer> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.trip(&["show"]).await?;
            if seen(&answer) {
                return Ok(answer);
            }
            if tokio::time::Instant::now() >= until {
                bail!("waited in vain for {what}; the driver sees {}", answer.body);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Looks into store and journal.
    pub fn evidence(&self) -> Evidence<'_> {
        Evidence::new(self)
    }

    /// Stops everything in good order. Whatever happened in this world, its fares must explain themselves.
    pub async fn stop(&mut self) -> Result<()> {
        for process in [&mut self.agent, &mut self.bpp, &mut self.receiver, &mut self.pins] {
            if let Some(process) = process.take() {
                process.terminate().await?;
            }
        }
        self.evidence().every_fare_explains_itself().await?;
        self.ended_well = true;
        Ok(())
    }

    /// The lines at ERROR in the logs; a good test has none that it did not cause.
    pub fn error_lines(&self) -> Vec<String> {
        ["bpp.log", "agent.log"]
            .iter()
            .filter_map(|log| std::fs::read_to_string(self.dir.path().join(log)).ok())
            .flat_map(|log| log.lines().map(str::to_owned).collect::<Vec<_>>())
            .filter(|line| line.contains(" ERROR "))
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !self.ended_well {
            for log in ["bpp.log", "agent.log", "sim.log"] {
                let text = std::fs::read_to_string(self.dir.path().join(log)).unwrap_or_default();
                let lines: Vec<_> = text.lines().collect();
                eprintln!("--- {log}, last lines");
                lines.iter().skip(lines.len().saturating_sub(60)).for_each(|l| eprintln!("{l}"));
            }
        }
    }
}

async fn kill(process: &mut Option<Process>, name: &str) -> Result<()> {
    process.take().with_context(|| format!("{name} is not running"))?.kill().await
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is no UTF-8", path.display()))
}

fn text(value: &Value, key: &str) -> Result<String> {
    let found = value.get(key).and_then(Value::as_str);
    Ok(found.with_context(|| format!("{key} is missing in {value}"))?.to_owned())
}
