//! One simulated receiver from start to end: load, plug in, play, tidy up.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::control::{ControlError, ControlSocket, REQUESTS_MAX, Request};
use crate::line::{LineError, SerialLine};
use crate::playback::{Playback, next_whole_second_ms};
use crate::player::{Player, Receiver};
use crate::report::{Event, Reporter};
use crate::trace::{LoadError, Trace};
use crate::ublox::Ublox;
use crate::utc::civil;

/// What to play, and where.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The symbolic link to make.
    pub pty: PathBuf,
    /// The recording.
    pub trace: PathBuf,
    /// Seconds into the recording to begin at.
    pub from_s: u32,
    /// Seconds of the recording to play; all if `None`.
    pub seconds: Option<u32>,
    /// Whether the drive happens today or keeps the bytes it was recorded with.
    pub time: TimeMode,
    /// The rate of the receiver.
    pub baud: u32,
    /// The protocol version if it is a u-blox receiver that takes UBX commands.
    pub ubx: Option<u8>,
    /// Whether to start over at the end.
    pub looped: bool,
    /// Where the levers are reached, if at all.
    pub control: Option<PathBuf>,
    /// Whether events go to standard output.
    pub json: bool,
}

/// Which time the sentences carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TimeMode {
    /// The drive happens now: the first epoch played is the next whole second.
    Now,
    /// Every byte as it was recorded.
    Original,
}

/// Why a receiver did not come to life.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// The trace cannot be played.
    #[error(transparent)]
    Trace(#[from] LoadError),
    /// The port cannot be made.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The control socket cannot be made.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The runtime cannot be set up.
    #[error(
        "cannot wait for signals and timers ({0}); are there file descriptors left (ulimit -n)?"
    )]
    Runtime(#[from] io::Error),
}

/// Plays until a signal (SIGINT, SIGTERM, SIGHUP). The link and the socket are gone when it returns.
pub async fn run(settings: Settings) -> Result<(), ReceiverError> {
    let trace = load(&settings)?;
    let reporter = Reporter { json: settings.json };
    let mut signals = Signals::listen()?;
    let control = settings.control.as_deref().map(ControlSocket::bind).transpose()?;

    let schedule = Schedule::of(&trace, settings.time);
    let shift_ms = (settings.time == TimeMode::Now).then_some(schedule.shift_ms);
    let playback = Playback::new(trace, shift_ms, settings.looped);
    let receiver = Receiver { baud: settings.baud, ublox: settings.ubx.map(Ublox::new) };
    let player =
        Player::plug_in(settings.pty.clone(), receiver, playback, schedule.start, reporter)?;
    announce(&settings, &schedule, &player, reporter);

    // The sender here keeps the way open, socket or not.
    let (requests, received) = mpsc::channel(REQUESTS_MAX);
    tokio::select! {
        () = player.play(received) => {}
        () = serve(control, requests.clone()) => {}
        () = signals.any() => reporter.say("ended by a signal"),
    }
    Ok(())
}

fn load(settings: &Settings) -> Result<Trace, LoadError> {
    let path = &settings.trace;
    let selected = Trace::load(path)?.select(settings.from_s, settings.seconds);
    selected.map_err(|problem| LoadError { path: path.clone(), problem })
}

/// When the first epoch is sent, and by how much its time is moved.
struct Schedule {
    start: Instant,
    shift_ms: i64,
}

impl Schedule {
    /// The first epoch is sent at the very second it speaks of; from then on the monotonic clock counts.
    fn of(trace: &Trace, time: TimeMode) -> Self {
        let (now, now_unix_us) = (Instant::now(), Timestamp::now().as_microsecond());
        match time {
            TimeMode::Original => Self { start: now, shift_ms: 0 },
            TimeMode::Now => {
                let start_unix_ms = next_whole_second_ms(now_unix_us);
                let wait_us = u64::try_from(start_unix_ms * 1000 - now_unix_us).unwrap_or(0);
                let shift_ms = start_unix_ms - trace.first_unix_ms();
                Self { start: now + Duration::from_micros(wait_us), shift_ms }
            }
        }
    }
}

fn announce(settings: &Settings, schedule: &Schedule, player: &Player, reporter: Reporter) {
    let trace = player.trace();
    let device = player.line().map_or(settings.pty.as_path(), SerialLine::device);
    let first_unix_ms = trace.first_unix_ms();
    reporter.say(&format!(
        "playing {} epochs of {}, seconds {} to {}, on {} ({}) at {} baud; {} UTC is sent as {} UTC",
        trace.epoch_count(),
        settings.trace.display(),
        trace.position_ms(first_unix_ms) / 1000,
        trace.position_ms(trace.last_unix_ms()) / 1000,
        settings.pty.display(),
        device.display(),
        settings.baud,
        civil(first_unix_ms),
        civil(first_unix_ms + schedule.shift_ms),
    ));
    reporter.event(Event::Ready {
        pty: &settings.pty.to_string_lossy(),
        device: &device.to_string_lossy(),
        trace_start_unix_ms: first_unix_ms,
        shift_ms: schedule.shift_ms,
        epochs: trace.epoch_count(),
    });
}

async fn serve(control: Option<ControlSocket>, requests: mpsc::Sender<Request>) {
    match control {
        Some(control) => control.serve(requests).await,
        None => std::future::pending().await,
    }
}

/// The signals that end a simulator.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
