//! `agent.toml`: commented TOML, every key overridable from the environment, unknown keys refused.

mod senses;

use std::fmt;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use serde::Deserialize;
use tripline_protocol::id::DeviceId;

use crate::error::AgentError;
use crate::journal::Limits;
pub use senses::{Fence, Gate, Keep, Live, Motion, Trail};

/// The configuration that `tripline-agent config sample` prints.
pub const SAMPLE: &str = include_str!("../../agent.sample.toml");

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
    /// Which fixes the trail keeps.
    #[serde(default)]
    pub trail: Trail,
    /// When the vehicle is parked or too fast.
    #[serde(default)]
    pub motion: Motion,
    /// The fences around pickup and drop.
    #[serde(default)]
    pub fence: Fence,
    /// What a fix must keep to.
    #[serde(default)]
    pub gate: Gate,
    /// Buttons and LEDs.
    #[serde(default)]
    pub panel: Panel,
}

/// `[receiver]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// Serial device: a path, a pattern, or a list of them in order of preference.
    #[serde(default)]
    pub port: Ports,
    /// Baud rate.
    #[serde(default)]
    pub baud: Baud,
    /// Positions a second, asked of a receiver that takes UBX commands.
    #[serde(default = "Receiver::default_rate_hz")]
    pub rate_hz: u8,
    /// Whether to set the receiver up where it takes UBX commands.
    #[serde(default = "Receiver::default_configure")]
    pub configure: bool,
    /// A recording to replay in place of a serial device.
    #[serde(default)]
    pub replay: Option<PathBuf>,
    /// How many times as fast as it was recorded; 0 as fast as it is taken in.
    #[serde(default = "Receiver::default_replay_speed")]
    pub replay_speed: u32,
}

impl Receiver {
    const fn default_rate_hz() -> u8 {
        1
    }

    const fn default_configure() -> bool {
        true
    }

    const fn default_replay_speed() -> u32 {
        1
    }
}

/// Where the receiver may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Ports(Vec<PathBuf>);

impl Ports {
    /// Paths and patterns, in order of preference.
    pub fn patterns(&self) -> &[PathBuf] {
        &self.0
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|path| path.display().to_string()).collect();
        f.write_str(&names.join(" or "))
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a port is a path, or a list of paths")]
enum OneOrMany {
    One(PathBuf),
    Many(Vec<PathBuf>),
}

impl From<OneOrMany> for Ports {
    fn from(ports: OneOrMany) -> Self {
        match ports {
            OneOrMany::One(path) => Self(vec![path]),
            OneOrMany::Many(paths) => Self(paths),
        }
    }
}

/// The baud rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "NumberOrWord")]
pub enum Baud {
    /// Found by trying.
    #[default]
    Auto,
    /// This one.
    Fixed(u32),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrWord {
    Number(u32),
    Word(String),
}

impl TryFrom<NumberOrWord> for Baud {
    type Error = String;

    fn try_from(value: NumberOrWord) -> Result<Self, String> {
        match value {
            NumberOrWord::Number(baud) => Ok(Self::Fixed(baud)),
            NumberOrWord::Word(word) if word == "auto" => Ok(Self::Auto),
            NumberOrWord::Word(word) => {
                Err(format!("the baud rate is a number or \"auto\", not \"{word}\""))
            }
        }
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
    /// What it needs to begin, in bytes: events in use and reserved, and one segment of the trail.
    pub const fn bytes_min(&self) -> u64 {
        (2 * self.event_segment_kb + self.trail_segment_kb) * 1024
    }

    /// The most it takes on the disk, in bytes: the trail's quota, and events in use and reserved.
    pub const fn bytes_max(&self) -> u64 {
        self.trail_quota_mb * 1024 * 1024 + 2 * self.event_segment_kb * 1024
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

/// `[panel]`; a pin that is not named is not wired.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Panel {
    /// The GPIO chip, `/dev/gpiochip0` for instance, or `unix:` and the socket of a simulated one. No
    /// panel if not set.
    pub chip: Option<String>,
    /// Button: take the offer or decline it.
    pub accept: Option<Line>,
    /// Button: one step on.
    pub start_pause: Option<Line>,
    /// Button: end the ride, then take the fare.
    pub stop: Option<Line>,
    /// Button: call for help.
    pub sos: Option<Line>,
    /// The ignition.
    pub ignition: Option<Line>,
    /// LED: the ride.
    pub status_led: Option<Line>,
    /// LED: what is wrong.
    pub trouble_led: Option<Line>,
}

/// A line of the GPIO chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its number on the chip.
    pub line: u32,
    /// Whether low means pressed, on or lit.
    #[serde(default)]
    pub active_low: bool,
}

impl Panel {
    /// What a simulated chip begins with.
    pub const SIMULATED: &str = "unix:";

    fn check(&self) -> Result<(), String> {
        let lines = [
            ("accept", self.accept),
            ("start_pause", self.start_pause),
            ("stop", self.stop),
            ("sos", self.sos),
            ("ignition", self.ignition),
            ("status_led", self.status_led),
            ("trouble_led", self.trouble_led),
        ];
        let wired: Vec<_> =
            lines.iter().filter_map(|(key, line)| Some((key, line.as_ref()?.line))).collect();
        if let (None, Some((key, _))) = (&self.chip, wired.first()) {
            return Err(format!("panel.{key} is set, but panel.chip is not"));
        }
        for (index, (key, line)) in wired.iter().enumerate() {
            if let Some((other, _)) = wired.iter().take(index).find(|(_, other)| other == line) {
                return Err(format!("panel.{other} and panel.{key} are both on line {line}"));
            }
        }
        Ok(())
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
            // The library names its own profile in front of each key.
            .map_err(|error| {
                config(error.to_string().replace("`default.", "`").replace("\"default.", "\""))
            })?;
        loaded.check().map_err(config)?;
        Ok(loaded)
    }

    /// Where the control socket is.
    pub fn socket(&self) -> PathBuf {
        self.control.socket.clone().unwrap_or_else(|| self.data_dir.join("agent.sock"))
    }

    fn check(&self) -> Result<(), String> {
        if self.backend.host.is_empty() || self.backend.port == 0 {
            return Err("backend.host or backend.port is empty: name the device endpoint".into());
        }
        if self.backend.token.expose().is_empty() {
            return Err(
                "backend.token is empty: paste what `tripline-bpp vehicle add` printed".into()
            );
        }
        if self.receiver.port.patterns().is_empty() && self.receiver.replay.is_none() {
            return Err("receiver.port is missing: name the serial device of the receiver".into());
        }
        let baud = match self.receiver.baud {
            Baud::Fixed(baud) => u64::from(baud),
            Baud::Auto => 9_600,
        };
        let ranges = [
            ("journal.sync_ms", self.journal.sync_ms, 100, 60_000),
            ("journal.event_segment_kb", self.journal.event_segment_kb, 128, 16_384),
            ("journal.trail_segment_kb", self.journal.trail_segment_kb, 128, 16_384),
            ("journal.trail_quota_mb", self.journal.trail_quota_mb, 1, 65_536),
            ("journal.retry_ms", self.journal.retry_ms, 100, 3_600_000),
            ("journal.segments_kept", self.journal.segments_kept, 1, 1_000),
            ("backend.trail_pause_ms", self.backend.trail_pause_ms, 0, 60_000),
            ("backend.reconnect_ms_max", self.backend.reconnect_ms_max, 100, 3_600_000),
            ("receiver.rate_hz", u64::from(self.receiver.rate_hz), 1, 10),
            ("receiver.replay_speed", u64::from(self.receiver.replay_speed), 0, 1_000),
            ("receiver.baud", baud, 1_200, 921_600),
        ];
        for (key, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                return Err(format!("{key} is {value}; it must be between {min} and {max}"));
            }
        }
        self.device_settings().check().map_err(|error| error.to_string())?;
        let (segment_kb, quota_mb) = (self.journal.trail_segment_kb, self.journal.trail_quota_mb);
        if quota_mb * 1024 < segment_kb * TRAIL_SEGMENTS_MIN {
            return Err(format!(
                "journal.trail_quota_mb is {quota_mb}; it must hold {TRAIL_SEGMENTS_MIN} segments of \
                 journal.trail_segment_kb, which is {segment_kb}"
            ));
        }
        self.panel.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripline_agent_core::engine::Settings;
    use tripline_agent_core::sampler::{Bounded, Policy};

    fn load(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("agent.toml");
        std::fs::write(&path, text).expect("written");
        Config::load(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn the_sample_is_a_configuration() {
        let config = load(SAMPLE).expect("the sample loads");
        assert_eq!(config.receiver.baud, Baud::Auto);
        assert_eq!(config.receiver.port.to_string(), "/dev/ttyS1");
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
        let error = load(&SAMPLE.replace("radius_m = 100", "radius_m = 5")).expect_err("refused");
        assert!(error.contains("fence.radius_m is 5; it must be between 10 and"), "{error}");
        let error = load(&SAMPLE.replace("\"full\"", "\"all\"")).expect_err("refused");
        assert!(error.contains("\"all\" is no policy; it must be \"full\""), "{error}");
    }

    #[test]
    fn the_sample_says_what_the_engine_does_by_default_and_a_policy_waits_for_no_longer_than_a_sync()
     {
        assert_eq!(load(SAMPLE).expect("the sample loads").settings(), Settings::default());
        let settings =
            load(&SAMPLE.replace("sync_ms = 5000", "sync_ms = 700")).map(|c| c.settings());
        let bounded = Bounded { error_mm: 10_000, delay_ms_max: 700 };
        assert_eq!(settings.expect("it loads").trail.moving, Policy::Bounded(bounded));
    }

    #[test]
    fn the_port_may_be_a_list_and_the_baud_rate_a_number_and_nothing_else() {
        let text = SAMPLE
            .replace("port = \"/dev/ttyS1\"", "port = [\"/dev/gnss\", \"/dev/ttyUSB*\"]")
            .replace("baud = \"auto\"", "baud = 4800");
        let receiver = load(&text).expect("it loads").receiver;
        assert_eq!(receiver.port.to_string(), "/dev/gnss or /dev/ttyUSB*");
        assert_eq!(receiver.baud, Baud::Fixed(4_800));
        for (baud, said) in [("\"fast\"", "not \"fast\""), ("100", "receiver.baud is 100")] {
            let text = SAMPLE.replace("baud = \"auto\"", &format!("baud = {baud}"));
            let error = load(&text).expect_err("refused");
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_receiver_without_a_port_needs_a_recording() {
        let without = SAMPLE.replace("port = \"/dev/ttyS1\"", "");
        let error = load(&without).expect_err("refused");
        assert!(error.contains("receiver.port is missing"), "{error}");
        let replay = SAMPLE.replace("port = \"/dev/ttyS1\"", "replay = \"drive.log\"");
        assert_eq!(load(&replay).expect("it loads").receiver.replay, Some("drive.log".into()));
    }

    #[test]
    fn a_panel_names_its_chip_and_no_line_twice() {
        let load = |panel: &str| load(&format!("{SAMPLE}\n[panel]\n{panel}"));
        let panel =
            load("chip = 'unix:/run/pins'\nsos = { line = 4, active_low = true }").map(|c| c.panel);
        let panel = panel.expect("usable");
        assert_eq!(panel.sos, Some(Line { line: 4, active_low: true }));
        assert_eq!(panel.accept, None);
        let error = load("stop = { line = 3 }").expect_err("no chip");
        assert!(error.contains("panel.stop is set, but panel.chip is not"), "{error}");
        let error = load("chip = 'x'\nstop = { line = 3 }\nstatus_led = { line = 3 }");
        let error = error.expect_err("twice");
        assert!(error.contains("panel.stop and panel.status_led are both on line 3"), "{error}");
    }

    #[test]
    fn a_token_does_not_print_itself() {
        let config = load(SAMPLE).expect("the sample loads");
        assert!(!format!("{config:?}").contains(config.backend.token.expose()));
    }
}
