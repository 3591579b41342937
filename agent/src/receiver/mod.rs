//! The receiver task: owns the serial port, opens it again when it vanishes, finds its baud rate, sets
//! the receiver up where it takes commands, and hands on its bytes.
//!
//! It reads along only to know whether the line makes sense; what the bytes mean is the engine's.

mod baud;
mod finder;
mod link;
mod replay;
mod usb;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};
use tripline_agent_core::observation::Observation;
use tripline_agent_core::stream::Decoder;
use tripline_agent_core::ubx::{Identity, Item, Outcome};
use tripline_protocol::unit::Uptime;

pub use baud::AUTO_RATES;
pub use finder::{Finder, NO_LINE, Source};

use crate::time::Stopwatch;
use link::{End, Link};

/// Observations waiting for the engine: over half a minute, and six seconds at 10 Hz.
pub const INPUTS_MAX: usize = 64;

/// Wait between two attempts to open the port, in ms.
const REOPEN_MS: u64 = 1_000;

/// What the receiver task tells the engine.
#[derive(Debug)]
pub enum Input {
    /// What the receiver said of one instant, and when it was heard.
    Observation(Observation, Uptime),
    /// The port was opened, for the first time or again.
    Opened,
    /// The port is gone.
    Closed,
}

/// How the receiver stands, for whoever asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The port that is open, or the recording that is replayed.
    pub port: Option<PathBuf>,
    /// The rate at which it is understood, in baud; `None` until it is.
    pub baud: Option<u32>,
    /// How often every rate was tried in vain since the port was opened.
    pub rounds: u32,
    /// What the receiver says it is; `None` where it does not answer.
    pub identity: Option<Version>,
    /// Whether it was set up.
    pub setup: SetupStatus,
    /// What was heard of it since the agent started.
    pub hearing: Hearing,
}

impl Status {
    /// The port was opened, or is gone: what was heard before stays counted.
    fn turn_to(&mut self, port: Option<PathBuf>) {
        let Hearing { valid, lost, bytes, .. } = self.hearing;
        let hearing = Hearing { valid, lost, bytes, sky: SkyStatus::default() };
        *self = Self { port, hearing, ..Self::default() };
    }
}

/// What was heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hearing {
    /// Sentences and frames with a valid checksum.
    pub valid: u64,
    /// Damaged or cut off.
    pub lost: u64,
    /// Bytes, whatever they were.
    pub bytes: u64,
    /// What the receiver says of the sky.
    pub sky: SkyStatus,
}

impl Hearing {
    const fn add(&mut self, valid: u64, lost: u64, bytes: u64) {
        self.valid += valid;
        self.lost += lost;
        self.bytes += bytes;
    }

    /// Everything that one decoder heard from its beginning, the last `bytes` among it.
    fn take(&mut self, decoder: &Decoder, bytes: u64) {
        (self.valid, self.lost) = (decoder.counts().valid(), decoder.faults().lost());
        self.bytes += bytes;
        self.sky = SkyStatus::of(decoder);
    }
}

/// What the receiver says of the sky.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkyStatus {
    /// Whether the receiver says anything of it: one that sends UBX alone does not.
    pub told: bool,
    /// Satellites in view.
    pub in_view: u16,
    /// The best carrier to noise density of any of them, in dB-Hz.
    pub cn0_max: Option<u8>,
    /// Whether the receiver vouches for a position.
    pub has_fix: bool,
}

impl SkyStatus {
    /// What a decoder has heard.
    fn of(decoder: &Decoder) -> Self {
        let sky = decoder.sky();
        Self {
            told: sky.is_told(),
            in_view: sky.in_view(),
            cn0_max: sky.cn0_max(),
            has_fix: sky.has_fix(),
        }
    }
}

/// What a u-blox receiver says it is (UBX-MON-VER).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The module, where it says so.
    pub model: Option<String>,
    /// Protocol version, `18.0` for instance.
    pub protocol: Option<String>,
    /// Software version.
    pub software: String,
    /// Hardware version.
    pub hardware: String,
}

impl From<&Identity> for Version {
    fn from(identity: &Identity) -> Self {
        Self {
            model: identity.model().map(Into::into),
            protocol: identity.protocol().map(|(major, minor)| format!("{major}.{minor}")),
            software: identity.software.clone(),
            hardware: identity.hardware.clone(),
        }
    }
}

/// Whether the receiver was set up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetupStatus {
    /// Not asked for, or not yet.
    #[default]
    Untouched,
    /// Under way.
    Pending,
    /// It took everything.
    Configured,
    /// It refused something.
    Partly,
    /// It takes no commands; its own output is used.
    NotTaken,
}

impl From<Outcome> for SetupStatus {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Configured => Self::Configured,
            Outcome::Refused(Item::Rate | Item::Pvt | Item::Dop) => Self::Partly,
            Outcome::Silent => Self::NotTaken,
        }
    }
}

/// Reads until the engine goes away. `source` is what was opened at start, if it was there.
pub async fn run(
    mut finder: Finder,
    mut source: Option<Source>,
    engine: mpsc::Sender<Input>,
    status: watch::Sender<Status>,
    stopwatch: Stopwatch,
) {
    let mut told_missing = false;
    let mut told_silent = false;
    loop {
        let opened = match source.take() {
            Some(opened) => Ok(opened),
            None => finder.open(),
        };
        match opened {
            Ok(Source::Replay(recording)) => {
                return recording.play(&engine, &status, stopwatch).await;
            }
            Ok(Source::Port(port)) => {
                info!(port = %port.path.display(), baud = port.baud, "receiver open");
                told_missing = false;
                status.send_modify(|status| status.turn_to(Some(port.path.clone())));
                if engine.send(Input::Opened).await.is_err() {
                    return;
                }
                let path = port.path.clone();
                let mut link =
                    Link::new(port, &mut finder, &engine, &status, stopwatch, told_silent);
                let end = link.serve().await;
                told_silent |= link.told_silent;
                match end {
                    End::EngineGone => return,
                    End::Failed(reason) => {
                        warn!(port = %path.display(), %reason, "receiver gone; trying again");
                    }
                    End::NothingHeard => {
                        info!(port = %path.display(), "no receiver heard here; trying the next port");
                        finder.pass_over();
                    }
                }
                status.send_modify(|status| status.turn_to(None));
                if engine.send(Input::Closed).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                if !told_missing {
                    warn!(%error, "receiver missing; trying again until it is back");
                    told_missing = true;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(REOPEN_MS)).await;
        if engine.is_closed() {
            return;
        }
    }
}
