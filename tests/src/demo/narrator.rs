//! Tells on standard error what happens, by whom, and how long after the start.

use std::time::Instant;

/// The narrator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Narrator {
    started: Instant,
}

impl Narrator {
    pub(super) fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// One line: who, and what.
    pub(super) fn say(&self, who: &str, what: &str) {
        eprintln!("{:7.1} s  {who:<9} {what}", self.started.elapsed().as_secs_f64());
    }
}
