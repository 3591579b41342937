//! How far documents are on their way, for whoever looks at a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::network::gateway::client::Progress;

/// Shortest request of which it is told, in bytes: others are gone before it can be read.
const TOLD_FROM: u64 = 256 * 1024;

/// What a terminal was told last, in percent and one more; 0 for nothing.
#[derive(Debug)]
pub(super) struct Upload {
    is_terminal: bool,
    told: AtomicU64,
}

impl Upload {
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), told: AtomicU64::new(0) }
    }

    /// Tells a terminal of it, once a percent.
    pub(super) fn hear(&self, progress: Progress) {
        if !self.is_terminal {
            return;
        }
        if let Some(line) = self.line(progress) {
            let mut out = io::stderr().lock();
            // A terminal that is gone stops nothing.
            let _ = write!(out, "\r{line}").and_then(|()| out.flush());
        }
    }

    fn line(&self, Progress { sent, of }: Progress) -> Option<String> {
        if of < TOLD_FROM {
            return None;
        }
        let percent = sent.saturating_mul(100) / of;
        let is_new = self.told.fetch_max(percent + 1, Ordering::Relaxed) < percent + 1;
        is_new.then(|| format!("sending: {percent:>3} % of {} kB", of / 1000))
    }

    /// Ends the line, if there is one.
    pub(super) fn end(&self) {
        if self.is_terminal && self.told.load(Ordering::Relaxed) > 0 {
            eprintln!();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_request_is_told_once_a_percent_and_a_short_one_not_at_all() {
        let upload = Upload { is_terminal: false, told: AtomicU64::new(0) };
        let of = 1_000_000;
        let told: Vec<_> =
            (0..=of / 1000).filter_map(|n| upload.line(Progress { sent: n * 1000, of })).collect();
        assert_eq!(told.len(), 101);
        assert_eq!(told.last().map(String::as_str), Some("sending: 100 % of 1000 kB"));
        assert_eq!(upload.line(Progress { sent: of, of }), None);
        let short = Upload { is_terminal: false, told: AtomicU64::new(0) };
        assert_eq!(short.line(Progress { sent: 1_000, of: 2_000 }), None);
    }
}
