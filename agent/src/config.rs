//! `agent.toml`: commented TOML, every key overridable from the environment, unknown keys refused.

use std::fmt;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use serde::Deserialize;
use tripline_protocol::id::DeviceId;

use crate::error::AgentError;
use crate::journal::Limits;

/// The configuration that `tripline-agent config sample` prints.
pub const SAMPLE: &str = include_str!("../agent.sample.toml");

/// Prefix of the environment variables; `__` stands between table and key.
pub const ENV_PREFIX: &str = "TRIPLINE_AGENT_";

/// Fewer trail segments than this leave nothing to thin.
const TRAIL_SEGMENTS_MIN: u64 = 4;

/// The agent's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The device id, as `tripline-bpp vehicle add` printed it.
    pub device: DeviceId,
    /// Where the journal lives.
    pub data_dir: PathBuf,
    /// The GNSS receiver.
    pub receiver: Receiver,
    /// The backend.
    pub backend: Backend,
    /// Local control.
    #[serde(default)]
    pub control: Control,
    /// The journal.
    #[serde(default)]
    pub journal: Journal,
    /// The live lane.
    #[serde(default)]
    pub live: Live,
}

/// `[receiver]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// Serial device.
    pub port: PathBuf,
    /// Baud rate.
    #[serde(default = "Receiver::default_baud")]
    pub baud: u32,
}

impl Receiver {
    const fn default_baud() -> u32 {
        9600
    }
}

/// `[backend]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// Host of the device endpoint.
    pub host: String,
    /// Its port.
    #[serde(default = "Backend::default_port")]
    pub port: u16,
    /// The device's token.
    pub token: Token,
    /// Longest wait between two attempts to connect, in ms.
    #[serde(default = "Backend::default_reconnect_ms_max")]
    pub reconnect_ms_max: u64,
    /// Between two trail batches while a trip is under way, in ms at least.
    #[serde(default = "Backend::default_trail_pause_ms")]
    pub trail_pause_ms: u64,
}

impl Backend {
    const fn default_port() -> u16 {
        1883
    }

    const fn default_reconnect_ms_max() -> u64 {
        60_000
    }

    const fn default_trail_pause_ms() -> u64 {
        500
    }
}

/// A secret that does not print itself.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// The secret, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// `[control]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The socket; `agent.sock` in the data folder if not set.
    pub socket: Option<PathBuf>,
}

/// `[journal]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// Fixes are synced at least this often, in ms. Events are synced at once.
    pub sync_ms: u64,
    /// Length of an event segment, in KiB.
    pub event_segment_kb: u64,
    /// Length of a trail segment, in KiB.
    pub trail_segment_kb: u64,
    /// The most that trail segments take together, in MiB.
    pub trail_quota_mb: u64,
    /// Between two attempts to write to a disk that gave way, in ms.
    pub retry_ms: u64,
    /// Segments of each stream that are kept when everything is committed.
    pub segments_kept: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            sync_ms: 5_000,
            event_segment_kb: 256,
            trail_segment_kb: 1_024,
            trail_quota_mb: 64,
            retry_ms: 60_000,
            segments_kept: 1,
        }
    }
}

impl Journal {
    /// The journal's limits, in bytes.
    pub fn limits(&self) -> Limits {
        Limits {
            event_segment_len: self.event_segment_kb * 1024,
            trail_segment_len: self.trail_segment_kb * 1024,
            trail_quota_len: self.trail_quota_mb * 1024 * 1024,
            retry_ms: self.retry_ms,
            segments_kept: usize::try_from(self.segments_kept).unwrap_or(usize::MAX),
        }
    }
}

/// `[live]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Live {
    /// Between live positions on a trip, in ms.
    pub on_trip_ms: u64,
    /// Between live positions otherwise, in ms.
    pub idle_ms: u64,
}

impl Default for Live {
    fn default() -> Self {
        Self { on_trip_ms: 1_000, idle_ms: 5_000 }
    }
}

impl Config {
    /// Reads the file and the environment over it.
    pub fn load(path: &Path) -> Result<Self, AgentError> {
        let config = |reason| AgentError::Config { reason };
        if !path.is_file() {
            return Err(config(format!(
                "there is no file {}; `tripline-agent config sample` prints one to begin with",
                path.display()
            )));
        }
        let loaded: Self = Figment::from(Toml::file_exact(path))
            .merge(Env::prefixed(ENV_PREFIX).split("__"))
            .extract()
            .map_err(|error| config(error.to_string()))?;
        loaded.check().map_err(config)?;
        Ok(loaded)
    }

    /// Where the control socket is.
    pub fn socket(&self) -> PathBuf {
        self.control.socket.clone().unwrap_or_else(|| self.data_dir.join("agent.sock"))
    }

    fn check(&self) -> Result<(), String> {
        let ranges = [
            ("journal.sync_ms", self.journal.sync_ms, 100, 60_000),
            ("journal.event_segment_kb", self.journal.event_segment_kb, 128, 16_384),
            ("journal.trail_segment_kb", self.journal.trail_segment_kb, 128, 16_384),
            ("journal.trail_quota_mb", self.journal.trail_quota_mb, 1, 65_536),
            ("journal.retry_ms", self.journal.retry_ms, 100, 3_600_000),
            ("journal.segments_kept", self.journal.segments_kept, 1, 1_000),
            ("backend.trail_pause_ms", self.backend.trail_pause_ms, 0, 60_000),
            ("live.on_trip_ms", self.live.on_trip_ms, 500, 60_000),
            ("live.idle_ms", self.live.idle_ms, 500, 3_600_000),
            ("backend.reconnect_ms_max", self.backend.reconnect_ms_max, 100, 3_600_000),
            ("receiver.baud", u64::from(self.receiver.baud), 1_200, 921_600),
        ];
        for (key, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                return Err(format!("{key} is {value}; it must be between {min} and {max}"));
            }
        }
        let (segment_kb, quota_mb) = (self.journal.trail_segment_kb, self.journal.trail_quota_mb);
        if quota_mb * 1024 < segment_kb * TRAIL_SEGMENTS_MIN {
            return Err(format!(
                "journal.trail_quota_mb is {quota_mb}; it must hold {TRAIL_SEGMENTS_MIN} segments of \
                 journal.trail_segment_kb, which is {segment_kb}"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("agent.toml");
        std::fs::write(&path, text).expect("written");
        Config::load(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn the_sample_is_a_configuration() {
        let config = load(SAMPLE).expect("the sample loads");
        assert_eq!(config.receiver.baud, 9600);
        assert_eq!(config.socket(), Path::new("/run/tripline-agent/agent.sock"));
    }

    #[test]
    fn an_unknown_key_is_refused_by_name_with_its_file() {
        let text = SAMPLE.replace("baud =", "bawd =");
        let error = load(&text).expect_err("refused");
        assert!(error.contains("bawd") && error.contains("agent.toml"), "{error}");
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_its_range() {
        let error = load(&SAMPLE.replace("sync_ms = 5000", "sync_ms = 5")).expect_err("refused");
        assert!(error.contains("journal.sync_ms is 5; it must be between 100 and"), "{error}");
    }

    #[test]
    fn a_token_does_not_print_itself() {
        let config = load(SAMPLE).expect("the sample loads");
        assert!(!format!("{config:?}").contains(config.backend.token.expose()));
    }
}
