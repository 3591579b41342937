//! The agent's main loop: the only owner of the engine and the journal.
//!
//! Whatever comes in becomes records, the records go to the journal, and only then does anything
//! change or anybody hear of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinHandle, block_in_place};
use tracing::{error, info, warn};
use tripline_agent_core::engine::{Cadence, Engine};
use tripline_agent_core::epoch::Assembler;
use tripline_agent_core::lanes::Lanes;
use tripline_agent_core::nmea::{Framer, Sentence};
use tripline_agent_core::record::Record;
use tripline_protocol::fix::Fix;
use tripline_protocol::id::{DeviceId, JournalEpoch};
use tripline_protocol::link::up::{Live, Stream};
use tripline_protocol::unit::Uptime;

use crate::config::Config;
use crate::control::message::{Backlog, Request, Response, Sentences, Status};
use crate::control::server::{Asked, ControlSocket};
use crate::error::AgentError;
use crate::journal::disk::Health;
use crate::journal::folder::Folder;
use crate::journal::{AppendError, Journal, OpenError, Opened};
use crate::receiver;
use crate::time::{FLOOR, Stopwatch, system};
use crate::uplink::{FROM_BACKEND_MAX, FromBackend, Progress, Uplink};

/// Version of the agent, as it tells the backend.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Requests from the control socket waiting for the engine.
const ASKED_MAX: usize = 16;

/// A port that has sent [`GARBAGE_BYTES_MIN`] bytes for so long without one valid sentence sends
/// garbage, in ms.
const GARBAGE_AFTER_MS: u64 = 10_000;

/// Fewer bytes than this may be line noise of a receiver that starts.
const GARBAGE_BYTES_MIN: u64 = 256;

/// Runs the agent until it is told to stop (SIGTERM or SIGINT).
pub async fn run(config: Config, wait_for_receiver: bool) -> Result<(), AgentError> {
    let new_epoch = getrandom::u64().map(JournalEpoch).map_err(|error| {
        AgentError::Internal(format!("the system gives no random numbers: {error}"))
    })?;
    let Opened { journal, memory, found } = open_journal(&config, new_epoch)?;
    let control = ControlSocket::bind(&config.socket())?;
    // An installer wants to hear at once that the port is wrong; a driver in mid-trip needs the
    // controls whatever the receiver does.
    let patient = wait_for_receiver || memory.is_busy();
    let port = match receiver::open(&config.receiver) {
        Ok(port) => Some(port),
        Err(_) if patient => None,
        Err(error) => return Err(error),
    };

    let stopwatch = Stopwatch::new();
    let lanes = Lanes::new(
        journal.spans(Stream::Event),
        journal.spans(Stream::Trail),
        config.backend.trail_pause_ms,
    );
    let cadence =
        Cadence { live_on_trip_ms: config.live.on_trip_ms, live_idle_ms: config.live.idle_ms };
    let engine = Engine::new(memory, cadence, system(), FLOOR, stopwatch.now());
    let (progress_tx, progress) = watch::channel(Progress::default());
    let (live_tx, live) = watch::channel(None);
    let (stop_tx, stop) = watch::channel(false);
    let (asked_tx, asked) = mpsc::channel(ASKED_MAX);
    let (backend_tx, backend) = mpsc::channel(FROM_BACKEND_MAX);
    let (receiver_tx, receiver) = mpsc::channel(receiver::CHUNKS_MAX);

    let reader = journal.reader();
    let reconnect = Arc::new(Notify::new());
    let uplink = Uplink {
        reconnect: Arc::clone(&reconnect),
        config: config.backend.clone(),
        device: config.device.clone(),
        agent_version: VERSION,
        reader,
        lanes,
        progress,
        live,
        engine: backend_tx,
        stopwatch,
        stop,
    };
    let mut agent = Agent {
        device: config.device.clone(),
        engine,
        journal,
        framer: Framer::default(),
        assembler: Assembler::default(),
        stopwatch,
        sync_ms: config.journal.sync_ms,
        dirty_since: None,
        progress: progress_tx,
        live: live_tx,
        connected: false,
        line: Line::default(),
        commands_wait: false,
        reconnect,
    };
    agent.boot(&config.data_dir)?;
    if found.damaged + found.unreadable > 0 {
        error!(?found, "the journal is damaged; lost records are declared to the backend");
    }
    let control = tokio::spawn(control.run(asked_tx));
    let receiver_task = tokio::spawn(receiver::run(config.receiver.clone(), port, receiver_tx));
    let mut uplink = tokio::spawn(uplink.run());

    let inputs = Inputs { asked, backend, receiver };
    let result = agent.work(&config, patient, inputs, &mut uplink).await;

    agent.sync();
    stop_tx.send_replace(true);
    if !uplink.is_finished() {
        let _ = uplink.await;
    }
    control.abort();
    let _ = control.await; // removes the socket
    receiver_task.abort();
    result
}

fn open_journal(config: &Config, epoch: JournalEpoch) -> Result<Opened, AgentError> {
    let disk = Arc::new(Folder::new(&config.data_dir));
    let path = config.data_dir.clone();
    let opened = Journal::open(disk, &config.device, epoch, config.journal.limits());
    let opened = opened.map_err(|error| match error {
        OpenError::Busy => AgentError::Busy { path },
        OpenError::Foreign { owner } => AgentError::Storage {
            path,
            reason: format!(
                "it belongs to device {owner}, and the configuration says {}; \
                 correct `device`, or give this device a data_dir of its own",
                config.device
            ),
        },
        OpenError::Folder(_) => AgentError::Storage { path, reason: error.to_string() },
    })?;
    info!(device = %config.device, %epoch, found = ?opened.found, "journal open");
    Ok(opened)
}

/// What comes in.
struct Inputs {
    asked: mpsc::Receiver<Asked>,
    backend: mpsc::Receiver<FromBackend>,
    receiver: mpsc::Receiver<receiver::Input>,
}

/// The serial line since it was opened.
#[derive(Debug, Default)]
struct Line {
    opened: Option<Uptime>,
    bytes: u64,
    /// The framer's count of valid sentences when last looked, and when it last grew.
    sentences: u64,
    heard: Option<Uptime>,
    told: bool,
}

struct Agent {
    device: DeviceId,
    engine: Engine,
    journal: Journal,
    framer: Framer,
    assembler: Assembler,
    stopwatch: Stopwatch,
    sync_ms: u64,
    dirty_since: Option<Uptime>,
    progress: watch::Sender<Progress>,
    live: watch::Sender<Option<Live>>,
    connected: bool,
    line: Line,
    commands_wait: bool,
    reconnect: Arc<Notify>,
}

impl Agent {
    /// Writes the record that says the agent is here again.
    fn boot(&mut self, dir: &Path) -> Result<(), AgentError> {
        let boot = self.engine.boot(VERSION, self.stopwatch.now());
        self.write_urgent(&boot)
            .map_err(|error| AgentError::Storage { path: dir.into(), reason: error.to_string() })
    }

    async fn work(
        &mut self,
        config: &Config,
        patient: bool,
        mut inputs: Inputs,
        uplink: &mut JoinHandle<()>,
    ) -> Result<(), AgentError> {
        let internal = |error: std::io::Error| AgentError::Internal(error.to_string());
        let mut terminate = signal(SignalKind::terminate()).map_err(internal)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(internal)?;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        info!(socket = %config.socket().display(), "ready");
        loop {
            tokio::select! {
                biased;
                // 1. The end.
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                // 2. The driver, who is waiting for an answer.
                Some(asked) = inputs.asked.recv() => self.answer(asked),
                // 3. The backend. Without its task nothing would ever be sent: better a restart.
                ended = &mut *uplink => {
                    let why = ended.err().map_or_else(|| "for no reason".into(), |e| e.to_string());
                    return Err(AgentError::Internal(format!("the uplink task ended: {why}")));
                }
                Some(message) = inputs.backend.recv() => self.take_in(message),
                // 4. Fixes that have waited long enough for their sync.
                () = self.sync_due() => self.sync(),
                // 5. The receiver.
                Some(input) = inputs.receiver.recv() => self.hear(input),
                // 6. Whether the line makes sense.
                _ = tick.tick() => self.check_line(config, patient)?,
            }
        }
        info!("stopping");
        Ok(())
    }

    fn answer(&mut self, Asked { request, answer }: Asked) {
        let now = self.stopwatch.now();
        let error = match request.clone().action() {
            None => None,
            Some(action) => match self.engine.handle_driver(action, now) {
                Err(error) => Some(error.to_string()),
                Ok(record) => self.write_urgent(&record).err().map(|error| error.to_string()),
            },
        };
        if request != Request::Show {
            info!(verb = request.verb(), refused = error.as_deref(), "driver");
        }
        // Whoever asked may have gone; what was done stays done.
        let _ = answer.send(Response { error, status: self.status() });
    }

    fn take_in(&mut self, message: FromBackend) {
        match message {
            FromBackend::Connected(connected) => {
                self.connected = connected;
                self.commands_wait = false;
            }
            FromBackend::CommitAck(commit_ack) => {
                block_in_place(|| self.journal.handle_commit_ack(commit_ack));
            }
            FromBackend::Command(command) => {
                let number = command.number;
                let now = self.stopwatch.now();
                if self.commands_wait {
                    return;
                }
                if let Some(record) = self.engine.handle_command(*command, now) {
                    match self.write_urgent(&record) {
                        Ok(()) => info!(%number, "command taken in"),
                        Err(error) => {
                            // A later one must not overtake it, or it would count as taken in: none is
                            // until a new connection brings all of them again.
                            error!(%number, %error, "command not taken in; connecting anew for it");
                            self.commands_wait = true;
                            self.reconnect.notify_one();
                        }
                    }
                }
            }
        }
    }

    fn hear(&mut self, input: receiver::Input) {
        match input {
            receiver::Input::Opened => {
                self.line = Line {
                    opened: Some(self.stopwatch.now()),
                    sentences: self.framer.sentences(),
                    ..Line::default()
                };
            }
            receiver::Input::Closed => self.line = Line::default(),
            receiver::Input::Bytes(bytes) => {
                self.line.bytes += bytes.len() as u64;
                let mut fixes = Vec::new();
                let assembler = &mut self.assembler;
                self.framer.push(&bytes, |text| {
                    fixes.extend(Sentence::parse(text).and_then(|s| assembler.push(s)));
                });
                for fix in fixes {
                    self.take_fix(fix);
                }
            }
        }
    }

    fn take_fix(&mut self, fix: Fix) {
        let (record, live) = self.engine.handle_fix(fix, self.stopwatch.now());
        if let Some(anchor) = self.engine.poll_anchor() {
            self.write(&anchor);
        }
        self.write(&record);
        if live.is_some() {
            self.live.send_replace(live);
        }
    }

    /// Takes in a record that may wait for its sync. One that is not taken in has no effect.
    fn write(&mut self, record: &Record) {
        match self.journal.append(record) {
            Ok(()) => {
                self.engine.apply(record);
                self.dirty_since.get_or_insert(self.stopwatch.now());
            }
            Err(error) => error!(%error, "a record is lost"),
        }
    }

    /// Takes in and syncs a record that somebody will be told of; an error says why it has no effect.
    fn write_urgent(&mut self, record: &Record) -> Result<(), AppendError> {
        self.journal.append(record)?;
        self.engine.apply(record);
        self.sync();
        Ok(())
    }

    async fn sync_due(&self) {
        match self.dirty_since {
            Some(since) => {
                let at = self.stopwatch.instant(since.plus_ms(self.sync_ms));
                tokio::time::sleep_until(at.into()).await;
            }
            None => std::future::pending().await,
        }
    }

    /// Syncs the journal and tells the uplink. What a failing disk leaves in memory is tried again.
    fn sync(&mut self) {
        let now = self.stopwatch.now();
        let sendable = block_in_place(|| self.journal.sync(now));
        let in_memory = matches!(self.journal.health(), Health::InMemory(_));
        self.dirty_since = (in_memory || self.journal.is_dirty()).then_some(now);
        let busy = self.engine.memory().is_busy();
        self.progress.send_replace(Progress { sendable, busy });
    }

    /// Says so when the line is silent or sends garbage; ends the agent over garbage at its start,
    /// when an installer is there to read it.
    fn check_line(&mut self, config: &Config, patient: bool) -> Result<(), AgentError> {
        let Some(opened) = self.line.opened else { return Ok(()) };
        let now = self.stopwatch.now();
        if self.framer.sentences() > self.line.sentences {
            if self.line.told {
                info!("the receiver is heard again");
            }
            self.line.sentences = self.framer.sentences();
            self.line.heard = Some(now);
            self.line.told = false;
            return Ok(());
        }
        let since = self.line.heard.unwrap_or(opened);
        if self.line.told || now.since_ms(since) < GARBAGE_AFTER_MS {
            return Ok(());
        }
        self.line.told = true;
        if self.line.heard.is_some() {
            warn!(
                port = %config.receiver.port.display(),
                "no valid sentence for 10 s: the odometer stands still until the receiver is heard again"
            );
            return Ok(());
        }
        let path = config.receiver.port.clone();
        let (bytes, baud) = (self.line.bytes, config.receiver.baud);
        if bytes < GARBAGE_BYTES_MIN {
            warn!(port = %path.display(), bytes, "the receiver is silent: check its power and wiring");
            return Ok(());
        }
        let garbage = AgentError::Garbage { path, bytes, baud };
        if patient || self.framer.sentences() > 0 || self.engine.memory().is_busy() {
            warn!("{garbage}");
            return Ok(());
        }
        Err(garbage)
    }

    fn status(&self) -> Status {
        let waiting = |stream| self.journal.waiting(stream);
        Status {
            device: self.device.to_string(),
            view: self.engine.view(self.stopwatch.now()),
            connected: self.connected,
            receiver_open: self.line.opened.is_some(),
            backlog: Backlog { events: waiting(Stream::Event), fixes: waiting(Stream::Trail) },
            journal: self.journal.health().into(),
            sentences: Sentences {
                valid: self.framer.sentences(),
                lost: self.framer.faults().sentences(),
            },
        }
    }
}
