//! The loop that plays a drive on the line, at its pace, while the levers are moved.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::chance::Chance;
use crate::control::Request;
use crate::faults::{fit, spoil};
use crate::lever::{Lever, Levers};
use crate::line::{LineError, SerialLine};
use crate::playback::{Burst, Playback};
use crate::report::{Event, Reporter, Status};
use crate::trace::Trace;
use crate::ublox::Ublox;

/// How much is written at once: short against an epoch, so that a reader sees bytes trickle in as from
/// a UART, long against the timer's millisecond.
const CHUNK_MS: usize = 10;

/// How often the agent's own writes are read.
const LISTEN_EVERY: Duration = Duration::from_millis(50);

/// Faults repeat from run to run.
const FAULT_SEED: u64 = 1;

/// Start bit, eight data bits, stop bit.
const BITS_PER_BYTE: u64 = 10;

/// What kind of receiver it is.
#[derive(Debug)]
pub struct Receiver {
    /// Its rate in baud.
    pub baud: u32,
    /// What takes its commands; `None` for one that takes none.
    pub ublox: Option<Ublox>,
}

/// A receiver that plays.
#[derive(Debug)]
pub struct Player {
    link: PathBuf,
    baud: u32,
    ublox: Option<Ublox>,
    /// `None` while unplugged.
    line: Option<SerialLine>,
    playback: Playback,
    start: Instant,
    upcoming: Option<Burst>,
    sending: Option<Sending>,
    levers: Levers,
    chance: Chance,
    counts: Counts,
    reporter: Reporter,
}

/// The bytes of one epoch on their way.
#[derive(Debug)]
struct Sending {
    began: Instant,
    bytes: Vec<u8>,
    sent: usize,
}

#[derive(Debug, Default)]
struct Counts {
    position_ms: i64,
    epochs: u64,
    sentences: u64,
    bytes_dropped: u64,
}

impl Player {
    /// A receiver plugged in at `link`, silent until [`Player::play`]; the first epoch is sent at `start`.
    pub fn plug_in(
        link: PathBuf,
        receiver: Receiver,
        mut playback: Playback,
        start: Instant,
        reporter: Reporter,
    ) -> Result<Self, LineError> {
        let Receiver { baud, ublox } = receiver;
        let line = SerialLine::open(&link, baud)?;
        let upcoming = playback.next();
        Ok(Self {
            link,
            baud,
            ublox,
            line: Some(line),
            playback,
            start,
            upcoming,
            sending: None,
            levers: Levers::default(),
            chance: Chance::seeded(FAULT_SEED),
            counts: Counts::default(),
            reporter,
        })
    }

    /// What is played.
    pub fn trace(&self) -> &Trace {
        self.playback.trace()
    }

    /// The line, if plugged in.
    pub fn line(&self) -> Option<&SerialLine> {
        self.line.as_ref()
    }

    /// Plays, and goes on answering after the end: a receiver does not vanish. Never returns; dropping
    /// it unplugs.
    pub async fn play(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut listening = interval(LISTEN_EVERY);
        listening.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.due();
            // Priorities: 1. a lever, which must act on the very next byte; 2. the line; 3. the agent's writes.
            tokio::select! {
                biased;
                Some(request) = requests.recv() => {
                    let answer = self.pull(request.lever);
                    // A client that did not wait for its answer has still moved the lever.
                    let _ = request.answer.send(answer);
                }
                () = sleep_until(due.unwrap_or(self.start)), if due.is_some() => self.advance(),
                _ = listening.tick() => self.listen(),
            }
        }
    }

    /// When there is something to do. An epoch under way is finished first: it was cut to fit before
    /// the next one.
    fn due(&self) -> Option<Instant> {
        match (&self.sending, &self.upcoming) {
            (Some(sending), _) => Some(sending.began + line_time(sending.sent, self.baud)),
            (None, Some(burst)) => Some(self.start + millis(burst.after_ms)),
            (None, None) => None,
        }
    }

    fn advance(&mut self) {
        if let Some(mut sending) = self.sending.take() {
            let chunk = sending.next_chunk(self.baud);
            self.deliver(chunk);
            if sending.sent < sending.bytes.len() {
                self.sending = Some(sending);
            } else if self.upcoming.is_none() {
                self.reporter.say("the trace is at its end; the port stays open and silent");
                self.reporter.event(Event::End);
            }
        } else if let Some(burst) = self.upcoming.take() {
            self.begin(burst);
            self.upcoming = self.playback.next();
        }
    }

    fn begin(&mut self, burst: Burst) {
        self.counts.position_ms = burst.position_ms;
        let mut lines = burst.lines;
        if let Some(ublox) = &self.ublox {
            let frames = ublox.frames(&lines);
            lines.extend(frames);
        }
        let spoilt = spoil(lines, &self.levers, &mut self.chance);
        let (lines, dropped_bytes) = fit(spoilt, burst.until_next_ms, self.baud);
        if self.line.is_some() && !self.levers.silence {
            self.counts.epochs += 1;
            self.counts.sentences += count(lines.len());
            self.counts.bytes_dropped += count(dropped_bytes);
        }
        let began = self.start + millis(burst.after_ms);
        self.sending = Some(Sending { began, bytes: lines.concat(), sent: 0 });
    }

    fn deliver(&mut self, mut chunk: Vec<u8>) {
        let Some(line) = self.line.as_mut().filter(|_| !self.levers.silence) else { return };
        if self.levers.garbage {
            chunk = self.chance.bytes(chunk.len());
        }
        let sent = line.send(&chunk);
        self.counts.bytes_dropped += count(sent.dropped_bytes);
        if sent.port_baud_changed {
            self.say_port_baud(sent.port_baud);
        }
    }

    fn say_port_baud(&self, port_baud: u32) {
        let verdict = if port_baud == self.baud {
            "as is the receiver".to_owned()
        } else {
            format!("the receiver at {}: its reader gets garbage", self.baud)
        };
        self.reporter.say(&format!("the port is at {port_baud} baud, {verdict}"));
    }

    /// Reads what the agent wrote, and answers if it is meant to.
    fn listen(&mut self) {
        let Some(written) = self.line.as_ref().map(SerialLine::receive) else { return };
        let Some(ublox) = &mut self.ublox else { return };
        let answers = ublox.receive(&written);
        match &mut self.sending {
            // Never in the middle of a sentence.
            Some(sending) => sending.bytes.extend(answers),
            None if answers.is_empty() => {}
            None => self.deliver(answers),
        }
    }

    /// Moves a lever; the answer is one line.
    fn pull(&mut self, lever: Lever) -> String {
        match lever {
            Lever::Fix(on) => self.levers.fix = on,
            Lever::Antenna(on) => self.levers.antenna = on,
            Lever::Corrupt(percent) => self.levers.corrupt_percent = percent,
            Lever::Garbage(on) => self.levers.garbage = on,
            Lever::Silence(on) => self.levers.silence = on,
            Lever::Unplug => {
                self.line = None;
                self.ublox.iter_mut().for_each(Ublox::forget);
            }
            Lever::Plug => match self.plug() {
                Ok(()) => {}
                Err(error) => return format!("error: {error}"),
            },
            Lever::Status => return self.status(),
        }
        self.reporter.say(&format!("lever: {lever}"));
        "ok".to_owned()
    }

    fn plug(&mut self) -> Result<(), LineError> {
        if self.line.is_none() {
            self.line = Some(SerialLine::open(&self.link, self.baud)?);
        }
        Ok(())
    }

    fn status(&self) -> String {
        let status = Status {
            position_s: seconds(self.counts.position_ms),
            epochs_sent: self.counts.epochs,
            sentences_sent: self.counts.sentences,
            bytes_dropped: self.counts.bytes_dropped,
            plugged: self.line.is_some(),
            port_baud: self.line.as_ref().map(SerialLine::port_baud),
            ended: self.sending.is_none() && self.upcoming.is_none(),
            ublox: self.ublox.as_ref().map(Ublox::settings),
            levers: self.levers,
        };
        serde_json::to_string(&status).unwrap_or_else(|error| format!("error: {error}"))
    }
}

impl Sending {
    fn next_chunk(&mut self, baud: u32) -> Vec<u8> {
        let chunk_bytes = (baud as usize * CHUNK_MS / 10_000).max(1);
        let end = self.bytes.len().min(self.sent + chunk_bytes);
        let chunk = self.bytes[self.sent..end].to_vec();
        self.sent = end;
        chunk
    }
}

/// How long so many bytes take on the wire.
fn line_time(bytes: usize, baud: u32) -> Duration {
    Duration::from_micros(count(bytes) * BITS_PER_BYTE * 1_000_000 / u64::from(baud))
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a drive of 285,000 years would be the first inexact one"
)]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
