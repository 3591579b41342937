//! Where the receiver is: the configured ports in their order, by name or by pattern, and after an
//! unplugging the same USB device under whatever name it has now.

use std::fs;
use std::path::{Component, Path, PathBuf};

use mio_serial::{ClearBuffer, SerialPort as _, SerialPortBuilderExt as _, SerialStream};
use tripline_protocol::unit::Timestamp;

use crate::config::{self, Baud};
use crate::error::AgentError;

use super::baud::AUTO_RATES;
use super::replay::Recording;
use super::usb::{SYS_TTY, UsbId};

/// Finds and opens the port.
#[derive(Debug)]
pub struct Finder {
    config: config::Receiver,
    /// Dates before this are week rollovers.
    floor: Timestamp,
    /// The rate at which it was last understood.
    good_baud: Option<u32>,
    usb: Option<UsbId>,
    /// How many candidates to pass over: nothing was heard there.
    passed_over: usize,
}

/// Why something cannot be opened that is there and is no serial line.
pub const NO_LINE: &str = "it is no serial device; set [receiver] port to one";

/// Where bytes come from.
#[derive(Debug)]
pub enum Source {
    /// A serial port.
    Port(Port),
    /// A recording.
    Replay(Recording),
}

/// An open port.
#[derive(Debug)]
pub struct Port {
    /// By which name it was opened.
    pub path: PathBuf,
    /// At which rate.
    pub baud: u32,
    pub(super) stream: SerialStream,
}

impl Finder {
    /// For this configuration. Dates before `floor` are what week rollover made of later ones.
    pub const fn new(config: config::Receiver, floor: Timestamp) -> Self {
        Self { config, floor, good_baud: None, usb: None, passed_over: 0 }
    }

    /// Opens the first candidate that can be opened.
    pub fn open(&mut self) -> Result<Source, AgentError> {
        if let Some(path) = &self.config.replay {
            return Recording::open(path, &self.config).map(Source::Replay);
        }
        let mut candidates = self.candidates();
        let missing = || AgentError::NoReceiver { path: self.config.port.to_string().into() };
        let mut refused = missing();
        if !candidates.is_empty() {
            let begin = self.passed_over % candidates.len();
            candidates.rotate_left(begin);
        }
        for path in candidates {
            match self.open_port(path) {
                Ok(port) => return Ok(Source::Port(port)),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// The ports there are, each once.
    fn candidates(&self) -> Vec<PathBuf> {
        let again = self.usb.as_ref().and_then(|usb| usb.find(Path::new(SYS_TTY)));
        let configured = self.config.port.patterns().iter().flat_map(|pattern| matches(pattern));
        let mut candidates = Vec::new();
        for path in again.into_iter().chain(configured) {
            if !candidates.contains(&path) {
                candidates.push(path);
            }
        }
        candidates
    }

    fn open_port(&self, path: PathBuf) -> Result<Port, AgentError> {
        let baud = self.first_baud();
        // It must never wait: it is read when there is time, on the thread that does everything else. The
        // blocking port will not do, whose wait for bytes may see some that are gone when it reads.
        let builder = mio_serial::new(path.to_string_lossy(), baud);
        match builder.open_native_async() {
            Ok(stream) => {
                // What came before anybody listened is old, and may have come at another rate.
                let _ = stream.clear(ClearBuffer::Input);
                Ok(Port { path, baud, stream })
            }
            Err(error) => {
                let is_line = !matches!(&*error.description, "Not a typewriter" | "Is a directory");
                let reason = if is_line { error.description } else { NO_LINE.into() };
                Err(AgentError::ReceiverRefused { path, reason })
            }
        }
    }

    fn first_baud(&self) -> u32 {
        match self.config.baud {
            Baud::Fixed(baud) => baud,
            Baud::Auto => self.good_baud.unwrap_or(AUTO_RATES[0]),
        }
    }

    /// Whether there is more than one port to listen at.
    pub fn has_choice(&self) -> bool {
        self.candidates().len() > 1
    }

    /// The receiver speaks here, at this rate.
    pub(super) fn remember(&mut self, path: &Path, baud: u32) {
        self.good_baud = Some(baud);
        self.usb = UsbId::of(Path::new(SYS_TTY), path);
        self.passed_over = 0;
    }

    /// Nothing was heard at the candidate that was opened last: next time another one.
    pub(super) fn pass_over(&mut self) {
        self.passed_over += 1;
        self.usb = None;
    }

    pub(super) const fn floor(&self) -> Timestamp {
        self.floor
    }

    pub(super) const fn config(&self) -> &config::Receiver {
        &self.config
    }

    pub(super) const fn good_baud(&self) -> Option<u32> {
        self.good_baud
    }
}

/// The paths that match a pattern, sorted. `*` stands for any part of a name, `?` for one character; a
/// pattern without either is its own only match, if it exists.
fn matches(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        found = found.iter().flat_map(|folder| below(folder, component)).collect();
    }
    found.retain(|path| path.exists());
    found
}

fn below(folder: &Path, component: Component<'_>) -> Vec<PathBuf> {
    let text = component.as_os_str().to_string_lossy();
    if !text.contains(['*', '?']) {
        return vec![folder.join(component)];
    }
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(listed).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name())
        .filter(|name| fits(text.as_bytes(), name.to_string_lossy().as_bytes()))
        .collect();
    names.sort_unstable();
    names.into_iter().map(|name| folder.join(name)).collect()
}

/// Whether a name fits a pattern of `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) if fits(rest, name) => true,
        (Some((b'*', _)), Some((_, name))) => fits(pattern, name),
        (Some((b'?', rest)), Some((_, name))) => fits(rest, name),
        (Some((wanted, rest)), Some((found, name))) => wanted == found && fits(rest, name),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_a_shell_would() {
        for (pattern, name, fitting) in [
            ("ttyUSB*", "ttyUSB0", true),
            ("ttyUSB*", "ttyUSB", true),
            ("ttyUSB?", "ttyUSB", false),
            ("tty*0", "ttyUSB10", true),
            ("tty*0", "ttyUSB1", false),
            ("*u-blox*if0?", "usb-u-blox_AG-if00", true),
            ("gnss", "gnss1", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), fitting, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_gives_what_exists_in_order_also_in_folders() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["b/gnss2", "b/gnss1", "a/gnss9", "a/other"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, "").expect("written");
        }
        let names = |pattern: &str| -> Vec<_> {
            matches(&dir.path().join(pattern))
                .iter()
                .map(|path| path.strip_prefix(dir.path()).expect("below").to_owned())
                .collect()
        };
        assert_eq!(
            names("*/gnss?"),
            [Path::new("a/gnss9"), "b/gnss1".as_ref(), "b/gnss2".as_ref()]
        );
        assert_eq!(names("a/other"), [Path::new("a/other")]);
        assert!(names("a/missing").is_empty() && names("c/*").is_empty());
    }
}
