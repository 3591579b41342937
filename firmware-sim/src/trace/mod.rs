//! A recorded drive as epochs: what a receiver said, cut by the UTC second (or part of one) it spoke of.
//!
//! A trace that exists can be played: it has at least one epoch, and time only goes forward in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

mod nmea_log;

mod gpx;
mod track;
mod voice;

pub use gpx::GpxProblem;
pub use nmea_log::NmeaLogProblem;

/// A week of full output at 1 Hz fits. The limit keeps a wrong path (a disk image, `/dev/zero`) from
/// eating the memory.
pub const TRACE_BYTES_MAX: u64 = 1 << 30;

/// All that a receiver says of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// The UTC moment, in the trace's own time. Traces without a date count from 1970-01-01.
    pub unix_ms: i64,
    /// The lines in order, each with its terminator, damaged ones included.
    pub lines: Vec<Vec<u8>>,
}

/// A drive, or the part of one that was selected from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    first: Epoch,
    rest: Vec<Epoch>,
    /// The first epoch of the whole recording: positions count from here, also in a part.
    origin_unix_ms: i64,
}

/// A file that cannot be played.
#[derive(Debug, thiserror::Error)]
#[error("cannot play {}: {problem}", path.display())]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: TraceProblem,
}

/// Why a file, or the part of it that was asked for, cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum TraceProblem {
    /// The file system refused.
    #[error("the file cannot be read ({0}); check the path and its permissions")]
    Unreadable(#[source] io::Error),
    /// More than [`TRACE_BYTES_MAX`].
    #[error("it is larger than {} MiB; cut it to the part you need", TRACE_BYTES_MAX >> 20)]
    TooLarge,
    /// Not a usable NMEA log.
    #[error(transparent)]
    NmeaLog(#[from] NmeaLogProblem),
    /// Not a usable GPX track.
    #[error(transparent)]
    Gpx(#[from] GpxProblem),
    /// `--from` and `--seconds` leave nothing.
    #[error(
        "it has no epoch from second {from_s} {}; the trace is {} s long",
        seconds.map_or_else(|| "on".to_owned(), |s| format!("to {}", u64::from(*from_s) + u64::from(s))),
        length_ms / 1000
    )]
    NothingSelected {
        /// Seconds since the first epoch of the trace.
        from_s: u32,
        /// How many seconds were asked for; all to the end if `None`.
        seconds: Option<u32>,
        /// From the first epoch of the trace to its last.
        length_ms: i64,
    },
}

impl Trace {
    /// Reads a recording and tells an NMEA log from a GPX track by content.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let read = read_limited(path).and_then(|bytes| Self::parse(&bytes));
        read.map_err(|problem| LoadError { path: path.to_owned(), problem })
    }

    /// As [`Trace::load`], from bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, TraceProblem> {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        if text.starts_with(b"<?xml") || text.starts_with(b"<gpx") {
            Ok(gpx::parse(text)?)
        } else {
            Ok(nmea_log::parse(bytes)?)
        }
    }

    /// `None` without epochs. Callers see to it that time goes forward.
    fn from_epochs(epochs: Vec<Epoch>) -> Option<Self> {
        let mut epochs = epochs.into_iter();
        let first = epochs.next()?;
        Some(Self { origin_unix_ms: first.unix_ms, first, rest: epochs.collect() })
    }

    /// The part from `from_s` seconds after the first epoch, `seconds` long: the epoch at its very end
    /// is the first of the next part.
    pub fn select(self, from_s: u32, seconds: Option<u32>) -> Result<Self, TraceProblem> {
        let from_ms = i64::from(from_s) * 1000;
        let to_ms = seconds.map_or(i64::MAX, |seconds| from_ms + i64::from(seconds) * 1000);
        let length_ms = self.last_unix_ms() - self.origin_unix_ms;
        let origin_unix_ms = self.origin_unix_ms;

        let all = std::iter::once(self.first).chain(self.rest);
        let part = all.filter(|epoch| (from_ms..to_ms).contains(&(epoch.unix_ms - origin_unix_ms)));
        let part = Self::from_epochs(part.collect());
        part.map(|part| Self { origin_unix_ms, ..part }).ok_or(TraceProblem::NothingSelected {
            from_s,
            seconds,
            length_ms,
        })
    }

    /// Epoch `index`, in order of time.
    pub fn epoch(&self, index: usize) -> Option<&Epoch> {
        if index == 0 { Some(&self.first) } else { self.rest.get(index - 1) }
    }

    /// How many epochs there are, at least one.
    pub fn epoch_count(&self) -> usize {
        1 + self.rest.len()
    }

    /// The moment of the first epoch.
    pub fn first_unix_ms(&self) -> i64 {
        self.first.unix_ms
    }

    /// The moment of the last epoch.
    pub fn last_unix_ms(&self) -> i64 {
        self.rest.last().unwrap_or(&self.first).unix_ms
    }

    /// How far into the whole recording a moment is.
    pub fn position_ms(&self, unix_ms: i64) -> i64 {
        unix_ms - self.origin_unix_ms
    }
}

fn read_limited(path: &Path) -> Result<Vec<u8>, TraceProblem> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(TRACE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(TraceProblem::Unreadable)?;
    if bytes.len() as u64 > TRACE_BYTES_MAX { Err(TraceProblem::TooLarge) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace_with_epochs_at(seconds: &[i64]) -> Trace {
        let epoch = |s: &i64| Epoch { unix_ms: 50_000 + s * 1000, lines: vec![] };
        Trace::from_epochs(seconds.iter().map(epoch).collect()).expect("epochs")
    }

    #[test]
    fn a_part_is_cut_by_seconds_since_the_first_epoch_of_the_whole() {
        let part = trace_with_epochs_at(&[0, 1, 5, 6, 7, 8]).select(2, Some(5)).expect("a part");
        assert_eq!(part.epoch_count(), 2);
        assert_eq!(part.position_ms(part.first_unix_ms()), 5_000);
        assert_eq!(part.position_ms(part.last_unix_ms()), 6_000);
    }

    #[test]
    fn an_empty_part_says_how_long_the_trace_is() {
        let problem = trace_with_epochs_at(&[0, 1, 8]).select(9, None).expect_err("past the end");
        assert_eq!(problem.to_string(), "it has no epoch from second 9 on; the trace is 8 s long");
        let problem = trace_with_epochs_at(&[0, 1, 8]).select(2, Some(3)).expect_err("in a gap");
        assert_eq!(
            problem.to_string(),
            "it has no epoch from second 2 to 5; the trace is 8 s long"
        );
    }

    #[test]
    fn gpx_is_known_by_its_content() {
        for gpx in ["<gpx></gpx>", "\u{feff}<?xml version=\"1.0\"?><gpx/>", "\n <gpx/>"] {
            let problem = Trace::parse(gpx.as_bytes()).expect_err("no points");
            assert!(matches!(problem, TraceProblem::Gpx(GpxProblem::NoPoints)), "{gpx}: {problem}");
        }
        assert!(matches!(Trace::parse(b"$GPTXT"), Err(TraceProblem::NmeaLog(_))));
    }
}
