//! What the receiver says of itself: sentences for people on standard error, objects for programs on
//! standard output.

use std::io::{self, Write};

use serde::Serialize;

use crate::lever::Levers;
use crate::ublox;

/// One line of JSON on standard output.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// The port exists and the levers are reachable; the first epoch follows.
    Ready {
        /// The path that was asked for.
        pty: &'a str,
        /// The real device behind it.
        device: &'a str,
        /// The trace's own time of the first epoch played.
        trace_start_unix_ms: i64,
        /// What is added to the trace's times; 0 with `--time original`.
        shift_ms: i64,
        /// How many epochs one pass has.
        epochs: usize,
    },
    /// A chip's lines can be read and set, and its levers are reachable.
    PinsReady {
        /// Where its lines are.
        socket: &'a str,
    },
    /// The last byte of the last epoch has been sent.
    End,
}

/// The answer to the lever `status`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Status {
    /// How far into the trace the drive is, in seconds since its first epoch.
    pub position_s: f64,
    /// Epochs of which at least a part was put on the line.
    pub epochs_sent: u64,
    /// Sentences and UBX frames put on the line.
    pub sentences_sent: u64,
    /// Bytes that did not fit: the line was too slow for the trace, or nobody read.
    pub bytes_dropped: u64,
    /// Whether the receiver is plugged in.
    pub plugged: bool,
    /// The rate the reader's side is set to, in baud; none while unplugged.
    pub port_baud: Option<u32>,
    /// Whether the trace is at its end.
    pub ended: bool,
    /// How a u-blox receiver is set; none for one that takes no commands.
    pub ublox: Option<ublox::Settings>,
    /// How the levers stand.
    pub levers: Levers,
}

/// Where reports go.
#[derive(Debug, Clone, Copy)]
pub struct Reporter {
    /// Whether events go to standard output too.
    pub json: bool,
}

impl Reporter {
    /// A sentence for people.
    pub fn say(self, text: &str) {
        // Whoever closed our standard error or output does not want to know; the drive goes on.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// An event for programs, flushed at once.
    pub fn event(self, event: Event<'_>) {
        if self.json {
            let mut stdout = io::stdout().lock();
            let _ = serde_json::to_writer(&mut stdout, &event);
            let _ = stdout.write_all(b"\n").and_then(|()| stdout.flush());
        }
    }
}
