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
use tripline_agent_core::engine::{Draft, Engine};
use tripline_agent_core::lanes::Lanes;
use tripline_agent_core::observation::Observation;
use tripline_agent_core::panel::{Indication, Sos};
use tripline_agent_link::Clock;
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::up::{Live, Stream, Trouble};
use tripline_protocol::unit::{Timestamp, Uptime};

use crate::book::Book;
use crate::config::{Baud, Config};
use crate::control::message::{Backlog, Request, Response, Sentences, Status};
use crate::control::server::{Asked, ControlSocket};
use crate::credentials::{self, Credentials};
use crate::error::AgentError;
use crate::journal::disk::Health;
use crate::journal::folder::Folder;
use crate::journal::{AppendError, Journal, OpenError, Opened};
use crate::panel::Panel;
use crate::receiver::{self, AUTO_RATES, Finder};
use crate::renewal::Renewal;
use crate::time::{FLOOR, Stopwatch, system};
use crate::trouble::Troubles;
use crate::uplink::{FROM_BACKEND_MAX, FromBackend, Progress, Seldom, Uplink};

/// Version of the agent, as it tells the backend.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Between two looks at what comes to pass though nothing comes in, in ms.
const LOOK_AROUND_MS: u64 = 5_000;

/// Requests from the control socket waiting for the engine.
const ASKED_MAX: usize = 16;

/// A port that has sent [`GARBAGE_BYTES_MIN`] bytes for so long without one valid sentence sends
/// garbage, in ms.
const GARBAGE_AFTER_MS: u64 = 10_000;

/// Fewer bytes than this may be line noise of a receiver that starts.
const GARBAGE_BYTES_MIN: u64 = 256;

/// A receiver that is heard and tells no position for so long is blind, in ms: a cold start takes half a
/// minute under open sky.
const BLIND_AFTER_MS: u64 = 120_000;

/// How long the panel shows that a call for help was received, in ms.
const SOS_SHOWN_MS: u64 = 600_000;

/// Runs the agent until it is told to stop (SIGTERM or SIGINT).
pub async fn run(config: Config, wait_for_receiver: bool) -> Result<(), AgentError> {
    let new_epoch = getrandom::u64().map(JournalEpoch).map_err(|error| {
        AgentError::Internal(format!("the system gives no random numbers: {error}"))
    })?;
    let clock = Clock::new(FLOOR);
    let credentials = Credentials::load(&config.data_dir, &clock)?;
    let device = credentials.identity.device.clone();
    let first = credentials.identity.settings;
    let Opened { journal, memory, found } = open_journal(&config, &device, new_epoch)?;
    let control = ControlSocket::bind(&config.socket())?;
    // An installer wants to hear at once that the port is wrong; a driver in mid-trip needs the
    // controls whatever the receiver does.
    let patient = wait_for_receiver || memory.is_busy();
    let floor = memory.floor(FLOOR);
    clock.advance(floor);
    let mut finder = Finder::new(config.receiver.clone(), floor);
    let source = match finder.open() {
        Ok(source) => Some(source),
        Err(_) if patient => None,
        Err(error) => return Err(error),
    };

    let stopwatch = Stopwatch::new();
    let lanes = Lanes::new(
        journal.spans(Stream::Event),
        journal.spans(Stream::Trail),
        config.backend.trail_pause_ms,
    );
    let engine = Engine::new(memory, config.settings(), &first, system(), FLOOR, stopwatch.now());
    let (progress_tx, progress) = watch::channel(Progress::default());
    let (live_tx, live) = watch::channel(None);
    let (stop_tx, stop) = watch::channel(false);
    let (asked_tx, asked) = mpsc::channel(ASKED_MAX);
    let (backend_tx, backend) = mpsc::channel(FROM_BACKEND_MAX);
    let (input_tx, input) = mpsc::channel(receiver::INPUTS_MAX);
    let (receiver_tx, receiver) = watch::channel(receiver::Status::default());
    let (indication_tx, indication) = watch::channel(Indication::default());
    let (ignition_tx, ignition) = watch::channel(None);

    let (credentials_tx, credentials) = watch::channel(Arc::new(credentials));
    let identity_dir = credentials::folder(&config.data_dir);
    let renewal = Renewal::new(identity_dir, VERSION, clock.clone(), stopwatch, credentials_tx);

    let reader = journal.reader();
    let reconnect = Arc::new(Notify::new());
    let uplink = Uplink {
        reconnect: Arc::clone(&reconnect),
        config: config.backend.clone(),
        device: device.clone(),
        credentials: credentials.clone(),
        agent_version: VERSION,
        reader,
        lanes,
        progress,
        live,
        engine: backend_tx,
        stopwatch,
        stop,
        refused: Seldom::default(),
    };
    let mut agent = Agent {
        device,
        credentials,
        clock,
        book: Book { engine, journal },
        receiver,
        stopwatch,
        sync_ms: config.journal.sync_ms,
        dirty_since: None,
        progress: progress_tx,
        live: live_tx,
        connected: false,
        line: Line::default(),
        commands_wait: false,
        reconnect,
        indication: indication_tx,
        sos: None,
        position: None,
        troubles: Troubles::default(),
    };
    agent.boot(&config.data_dir)?;
    if found.damaged + found.unreadable > 0 {
        error!(?found, "the journal is damaged; lost records are declared to the backend");
    }
    let engine = asked_tx.clone();
    let config_of_panel = config.panel.clone();
    let panel =
        Panel { config: config_of_panel, stopwatch, engine, indication, ignition: ignition_tx }
            .spawn()?;
    let mut tasks = Tasks {
        stop: stop_tx,
        uplink: tokio::spawn(uplink.run()),
        renewal: tokio::spawn(renewal.run()),
        control: tokio::spawn(control.run(asked_tx)),
        receiver: tokio::spawn(receiver::run(finder, source, input_tx, receiver_tx, stopwatch)),
        panel,
    };

    let inputs = Inputs { asked, backend, receiver: input, ignition };
    let result = agent.work(&config, patient, inputs, &mut tasks.uplink).await;

    agent.write_held();
    agent.sync();
    tasks.end().await;
    result
}

/// Everything that runs beside the engine.
struct Tasks {
    stop: watch::Sender<bool>,
    uplink: JoinHandle<()>,
    renewal: JoinHandle<()>,
    control: JoinHandle<()>,
    receiver: JoinHandle<()>,
    panel: Option<std::thread::JoinHandle<()>>,
}

impl Tasks {
    async fn end(self) {
        self.stop.send_replace(true);
        if !self.uplink.is_finished() {
            let _ = self.uplink.await;
        }
        self.renewal.abort();
        self.control.abort();
        let _ = self.control.await; // removes the socket
        self.receiver.abort();
        block_in_place(|| self.panel.map(std::thread::JoinHandle::join)); // darkens the LEDs
    }
}

fn open_journal(
    config: &Config,
    device: &DeviceId,
    epoch: JournalEpoch,
) -> Result<Opened, AgentError> {
    let disk = Arc::new(Folder::new(&config.data_dir));
    let path = config.data_dir.clone();
    let opened = Journal::open(disk, device, epoch, config.journal.limits());
    let opened = opened.map_err(|error| match error {
        OpenError::Busy => AgentError::Busy { path },
        OpenError::Foreign { owner } => AgentError::Storage {
            path,
            reason: format!(
                "it belongs to device {owner}, and this one is enrolled as {device}; \
                 move the folder `journal` in it away, or give this device a data_dir of its own"
            ),
        },
        OpenError::Folder(_) => AgentError::Storage { path, reason: error.to_string() },
    })?;
    info!(%device, %epoch, found = ?opened.found, "journal open");
    Ok(opened)
}

/// What comes in.
struct Inputs {
    asked: mpsc::Receiver<Asked>,
    backend: mpsc::Receiver<FromBackend>,
    receiver: mpsc::Receiver<receiver::Input>,
    /// Whether the ignition is on, where a line tells.
    ignition: watch::Receiver<Option<bool>>,
}

/// The serial line since it was opened.
#[derive(Debug, Default)]
struct Line {
    opened: Option<Uptime>,
    /// Bytes heard before.
    bytes_before: u64,
    /// The count of valid sentences and frames when last looked, and when it last grew.
    sentences: u64,
    heard: Option<Uptime>,
    /// Since when it has been heard without a break.
    heard_since: Option<Uptime>,
    told: bool,
}

struct Agent {
    device: DeviceId,
    credentials: watch::Receiver<Arc<Credentials>>,
    /// By which certificates are judged.
    clock: Clock,
    book: Book,
    receiver: watch::Receiver<receiver::Status>,
    stopwatch: Stopwatch,
    sync_ms: u64,
    dirty_since: Option<Uptime>,
    progress: watch::Sender<Progress>,
    live: watch::Sender<Option<Live>>,
    connected: bool,
    line: Line,
    commands_wait: bool,
    reconnect: Arc<Notify>,
    indication: watch::Sender<Indication>,
    /// The driver's last call for help, and when.
    sos: Option<(Sequence, Uptime)>,
    /// When the receiver last told a position.
    position: Option<Uptime>,
    troubles: Troubles,
}

impl Agent {
    /// Writes the record that says the agent is here again.
    fn boot(&mut self, dir: &Path) -> Result<(), AgentError> {
        let boot = self.book.engine.boot(VERSION, self.stopwatch.now());
        self.write_urgent(boot)
            .map_err(|error| AgentError::Storage { path: dir.into(), reason: error.to_string() })?;
        self.report();
        Ok(())
    }

    /// Tells the backend what is in force, if that is news.
    fn report(&mut self) {
        let report = self.book.engine.report(self.stopwatch.now());
        self.write_or_tell(report.into_iter().collect());
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
        let mut tick = tokio::time::interval(Duration::from_millis(LOOK_AROUND_MS));
        info!(socket = %config.socket().display(), "ready");
        loop {
            self.indicate();
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
                Some(input) = inputs.receiver.recv() => self.hear(&input),
                // 6. The ignition. Without a panel nobody tells of it.
                Ok(()) = inputs.ignition.changed() => {
                    let on = *inputs.ignition.borrow_and_update();
                    self.turn_ignition(on);
                }
                // 7. What comes to pass though nothing comes in.
                _ = tick.tick() => self.look_around(config, patient)?,
            }
        }
        info!("stopping");
        Ok(())
    }

    fn answer(&mut self, Asked { request, answer }: Asked) {
        let now = self.stopwatch.now();
        let acted = request.clone().action().map(|action| {
            let acted = block_in_place(|| self.book.act(action, now));
            self.sync(); // there is nothing left to write; the uplink is to know
            acted
        });
        if let (Some(Ok(())), Request::Sos) = (&acted, &request) {
            self.sos = Some((self.book.engine.memory().written(Stream::Event), now));
        }
        let error = acted.and_then(Result::err).map(|error| error.to_string());
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
                block_in_place(|| self.book.journal.handle_commit_ack(commit_ack));
            }
            FromBackend::Command(command) => {
                let number = command.number;
                let now = self.stopwatch.now();
                if self.commands_wait {
                    return;
                }
                if let Some(draft) = self.book.engine.handle_command(*command, now) {
                    match self.write_urgent(draft) {
                        Ok(()) => {
                            info!(%number, "command taken in");
                            self.report();
                        }
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

    fn hear(&mut self, input: &receiver::Input) {
        match input {
            receiver::Input::Opened => {
                self.line = Line {
                    opened: Some(self.stopwatch.now()),
                    sentences: self.receiver.borrow().hearing.valid,
                    bytes_before: self.receiver.borrow().hearing.bytes,
                    ..Line::default()
                };
            }
            receiver::Input::Closed => {
                self.line = Line::default();
                self.write_held();
            }
            receiver::Input::Observation(observation, heard) => {
                self.take_observation(observation, *heard);
            }
        }
    }

    fn turn_ignition(&mut self, on: Option<bool>) {
        let drafts = self.book.engine.handle_ignition(on, self.stopwatch.now());
        self.write_or_tell(drafts);
    }

    /// The fix that the sampler holds back is not left behind.
    fn write_held(&mut self) {
        let held = self.book.engine.flush();
        self.write_or_tell(held.into_iter().collect());
    }

    fn look_around(&mut self, config: &Config, patient: bool) -> Result<(), AgentError> {
        self.check_line(config, patient)?;
        let now = self.stopwatch.now();
        let view = self.book.engine.view(now);
        if view.gnss_time {
            self.clock.advance(Timestamp::from_unix_ms(view.at_unix_ms));
        }
        let drafts = self.book.engine.handle_timeout(now);
        self.write_or_tell(drafts);
        if self.position.is_some_and(|position| now.since_ms(position) >= self.sync_ms) {
            self.write_held(); // the receiver fell silent
        }
        let found = self.find_troubles(now);
        for (trouble, present) in self.troubles.handle(found, now) {
            warn!(%trouble, present, "trouble");
            let draft = self.book.engine.trouble(trouble, present, now);
            self.write_or_tell(vec![draft]);
        }
        Ok(())
    }

    /// What is wrong at this moment.
    fn find_troubles(&self, now: Uptime) -> Vec<Trouble> {
        let health = self.book.journal.health();
        let open = self.line.opened;
        let heard = open.is_some() && !self.line.told && self.line.heard.is_some();
        let since = self.position.max(self.line.heard_since);
        let blind = since.is_some_and(|since| now.since_ms(since) >= BLIND_AFTER_MS);
        [
            (Trouble::JournalInMemory, matches!(health, Health::InMemory(_))),
            (Trouble::JournalFull, matches!(health, Health::NoReserve(_))),
            (Trouble::ReceiverMissing, open.is_none()),
            (Trouble::ReceiverSilent, open.is_some() && self.line.told),
            (Trouble::AntennaBlind, heard && blind),
        ]
        .into_iter()
        .filter_map(|(trouble, present)| present.then_some(trouble))
        .collect()
    }

    /// `now` is when it was heard: a slow disk may have kept it waiting.
    fn take_observation(&mut self, observation: &Observation, now: Uptime) {
        self.position = Some(now);
        let outcome = self.book.engine.handle_observation(observation, now);
        self.write_or_tell(outcome.drafts);
        if outcome.live.is_some() {
            self.live.send_replace(outcome.live);
        }
    }

    /// Takes in what nobody waits for; what is lost is told in the log.
    fn write_or_tell(&mut self, drafts: Vec<Draft>) {
        if let Err(error) = self.write_all(drafts) {
            error!(%error, "a record is lost");
        }
    }

    /// Takes in records in their order, and syncs if there is an event among them. The first that is
    /// not taken in ends it, and what follows has no effect either.
    fn write_all(&mut self, drafts: Vec<Draft>) -> Result<(), AppendError> {
        for draft in drafts {
            match draft {
                Draft::Event { .. } => self.write_urgent(draft)?,
                Draft::Fix { .. } | Draft::Anchor(_) => {
                    self.book.append(draft)?;
                    self.dirty_since.get_or_insert(self.stopwatch.now());
                    if self.book.journal.is_filling() {
                        self.sync();
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes in and syncs a record that somebody will be told of; an error says why it has no effect.
    fn write_urgent(&mut self, draft: Draft) -> Result<(), AppendError> {
        self.book.append(draft)?;
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
        let sendable = block_in_place(|| self.book.sync(now));
        let journal = &self.book.journal;
        let in_memory = matches!(journal.health(), Health::InMemory(_));
        self.dirty_since = (in_memory || journal.is_dirty()).then_some(now);
        let busy = self.book.engine.memory().is_busy();
        self.progress.send_replace(Progress { sendable, busy });
    }

    /// Says so when the line is silent or sends garbage; ends the agent over garbage at its start,
    /// when an installer is there to read it.
    fn check_line(&mut self, config: &Config, patient: bool) -> Result<(), AgentError> {
        let Some(opened) = self.line.opened else { return Ok(()) };
        let now = self.stopwatch.now();
        if self.receiver.borrow().hearing.valid > self.line.sentences {
            if self.line.told {
                info!("the receiver is heard again");
            }
            self.line.sentences = self.receiver.borrow().hearing.valid;
            self.line.heard = Some(now);
            self.line.heard_since = self.line.heard_since.filter(|_| !self.line.told).or(Some(now));
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
                port = %config.receiver.port,
                "no valid sentence for 10 s: the odometer stands still until the receiver is heard again"
            );
            return Ok(());
        }
        let status = self.receiver.borrow().clone();
        let path = status.port.unwrap_or_else(|| config.receiver.port.to_string().into());
        let bytes = status.hearing.bytes.saturating_sub(self.line.bytes_before);
        if bytes < GARBAGE_BYTES_MIN {
            warn!(port = %path.display(), bytes, "the receiver is silent: check its power and wiring");
            return Ok(());
        }
        if status.rounds == 0 {
            self.line.told = false; // the search for the rate, or among several ports, goes on
            return Ok(());
        }
        let tried = match config.receiver.baud {
            Baud::Fixed(baud) => baud.to_string(),
            Baud::Auto => AUTO_RATES.map(|rate| rate.to_string()).join(", "),
        };
        let garbage = AgentError::Garbage { path, bytes, tried };
        if patient
            || self.receiver.borrow().hearing.valid > 0
            || self.book.engine.memory().is_busy()
        {
            warn!("{garbage}");
            return Ok(());
        }
        Err(garbage)
    }

    /// Tells the panel how things stand.
    fn indicate(&self) {
        let now = self.stopwatch.now();
        let spans = self.book.journal.spans(Stream::Event);
        let committed = spans.last().map_or(Sequence::ZERO, |span| span.committed);
        let sos = self.sos.and_then(|(sequence, at)| {
            let received = sequence <= committed;
            let over = received && now.since_ms(at) > SOS_SHOWN_MS;
            (!over).then_some(if received { Sos::Received } else { Sos::Waits })
        });
        let indication = Indication {
            connected: self.connected,
            receiver_missing: self.line.opened.is_none() || self.line.told,
            journal_degraded: self.book.journal.health().fault().is_some(),
            sos,
            ..self.book.engine.indication(now)
        };
        self.indication.send_if_modified(|told| std::mem::replace(told, indication) != indication);
    }

    /// Whether the open line has said something that makes sense, and goes on.
    fn is_heard(&self) -> bool {
        let valid = self.receiver.borrow().hearing.valid;
        self.line.opened.is_some()
            && !self.line.told
            && (self.line.heard.is_some() || valid > self.line.sentences)
    }

    fn status(&self) -> Status {
        let waiting = |stream| self.book.journal.waiting(stream);
        Status {
            device: self.device.to_string(),
            certificate_expires_at_unix_ms: self.credentials.borrow().identity.expires_at.unix_ms,
            view: self.book.engine.view(self.stopwatch.now()),
            connected: self.connected,
            receiver_open: self.line.opened.is_some(),
            receiver_heard: self.is_heard(),
            receiver: self.receiver.borrow().clone(),
            backlog: Backlog { events: waiting(Stream::Event), fixes: waiting(Stream::Trail) },
            journal: self.book.journal.health().into(),
            sentences: Sentences {
                valid: self.receiver.borrow().hearing.valid,
                lost: self.receiver.borrow().hearing.lost,
            },
        }
    }
}
