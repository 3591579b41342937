//! The load: `tripline-sim fleet`, in a process of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::platform::Platform;
use crate::running::Running;

/// Connections begun a second: what two cores shake hands with, on both sides.
const CONNECTS_PER_S: u64 = 250;

/// Where it goes.
pub(super) enum Target {
    /// The platform; the vehicles' identities are kept in this folder.
    Platform { state: PathBuf },
    /// A broker on this machine.
    Broker { port: u16, ca: PathBuf },
}

/// A fleet that can be sent out.
pub(super) struct Fleet {
    /// `tripline-sim`.
    pub(super) program: PathBuf,
    pub(super) vehicles: u64,
    pub(super) target: Target,
}

/// Quantiles of a time, in ms.
#[derive(Deserialize)]
pub(super) struct Quantiles {
    #[serde(rename = "p50_ms")]
    half: f64,
    #[serde(rename = "p99_ms")]
    nearly_all: f64,
    #[serde(rename = "max_ms")]
    all: f64,
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { half, nearly_all, all } = self;
        write!(f, "p50 {half:.1} ms, p99 {nearly_all:.1} ms, longest {all:.0} ms")
    }
}

/// What a run came to, of what `tripline-sim fleet --json` prints.
#[derive(Deserialize)]
pub(super) struct Summary {
    pub(super) connected: u64,
    pub(super) reconnects: u64,
    pub(super) fixes_generated: u64,
    pub(super) trail_batches_acknowledged: u64,
    pub(super) trail_batches_acknowledged_per_s: f64,
    pub(super) publish_to_puback: Quantiles,
    errors: BTreeMap<String, u64>,
}

/// A fleet that is out.
pub(super) struct Out(Running);

impl Fleet {
    /// Enrols what is not enrolled, connects, and holds the connections for so many seconds.
    pub(super) fn hold(&self, platform: &Platform, seconds: u64) -> Result<Out> {
        self.send_out(Some(platform), seconds, &["--idle"])
    }

    /// Drives for so many seconds.
    pub(super) fn drive(&self, platform: &Platform, seconds: u64) -> Result<Out> {
        self.send_out(Some(platform), seconds, &[])
    }

    /// Drives for so many seconds, with a broker.
    pub(super) fn load(&self, seconds: u64) -> Result<Out> {
        self.send_out(None, seconds, &[])
    }

    fn send_out(&self, platform: Option<&Platform>, seconds: u64, more: &[&str]) -> Result<Out> {
        let mut command = Command::new(&self.program);
        command.args(["fleet", "--json", "--batch-s", "5"]).args(more);
        for (flag, number) in [
            ("--vehicles", self.vehicles),
            ("--seconds", seconds),
            ("--connects-per-s", CONNECTS_PER_S),
        ] {
            command.arg(flag).arg(number.to_string());
        }
        match &self.target {
            Target::Platform { state } => command.arg("--state").arg(state),
            Target::Broker { port, ca } => {
                command.arg("--mqtt").arg(format!("127.0.0.1:{port}")).arg("--ca").arg(ca)
            }
        };
        if let Some(platform) = platform {
            command.arg("--bpp-config").arg(&platform.config).envs(platform.env.iter().cloned());
        }
        Ok(Out(Running::spawn(command.stdout(Stdio::piped()))?))
    }
}

impl Out {
    /// Waits until it is back.
    pub(super) fn finish(mut self) -> Result<Summary> {
        let mut printed = String::new();
        let stdout = self.0.child().stdout.as_mut().context("standard output")?;
        stdout.read_to_string(&mut printed)?;
        let status = self.0.child().wait()?;
        let summary: Summary = serde_json::from_str(&printed)
            .with_context(|| format!("tripline-sim fleet, {status}: {printed}"))?;
        if !summary.errors.is_empty() {
            eprintln!("fleet: {status}, {:?}", summary.errors);
        }
        Ok(summary)
    }
}
