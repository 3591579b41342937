//! One open port, from its opening to its end: bytes to the engine, the search for the rate, the
//! conversation with the receiver.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use mio_serial::{ClearBuffer, SerialPort as _, SerialStream};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info, warn};
use tripline_agent_core::listen::{Listening, SEEK_MS};
use tripline_agent_core::observation::Observation;
use tripline_agent_core::stream::{Decoder, Heard};
use tripline_agent_core::ubx::{Identity, Outcome, Setup};
use tripline_protocol::unit::{Timestamp, Uptime};

use crate::config::Baud;
use crate::time::Stopwatch;

use super::baud::{Hunt, Step};
use super::finder::{Finder, Port};
use super::{Input, SetupStatus, SkyStatus, Status, Version};

/// Bytes read at once: what the kernel keeps of a line.
const CHUNK_LEN: usize = 4096;

/// A line silent for so long has finished what it was saying, in ms.
const QUIET_MS: u64 = 250;

/// A receiver that sent NAV-PVT and sends none for so long while it talks has forgotten its settings,
/// in ms: its power was cut for a moment.
const FORGOTTEN_MS: u64 = 10_000;

/// Why a port is left.
#[derive(Debug)]
pub(super) enum End {
    /// The engine is gone.
    EngineGone,
    /// The port failed.
    Failed(io::Error),
    /// Every rate was tried, and there is another port to try.
    NothingHeard,
}

/// An open port at work.
pub(super) struct Link<'a> {
    stream: SerialStream,
    path: PathBuf,
    finder: &'a mut Finder,
    engine: &'a mpsc::Sender<Input>,
    status: &'a watch::Sender<Status>,
    stopwatch: Stopwatch,
    decoder: Decoder,
    floor: Timestamp,
    hunt: Hunt,
    setup: Option<Setup>,
    configured: bool,
    /// How many NAV-PVT had come when the last one came, and when that was.
    pvt_seen: (u64, Uptime),
    listening: Listening,
    read_due: Uptime,
    quiet_due: Option<Uptime>,
    /// Whether it was said that the receiver takes no commands.
    pub(super) told_silent: bool,
}

impl<'a> Link<'a> {
    pub(super) fn new(
        port: Port,
        finder: &'a mut Finder,
        engine: &'a mpsc::Sender<Input>,
        status: &'a watch::Sender<Status>,
        stopwatch: Stopwatch,
        told_silent: bool,
    ) -> Self {
        let now = stopwatch.now();
        let floor = finder.floor();
        let hunt = match finder.config().baud {
            Baud::Fixed(baud) => Hunt::fixed(baud, now),
            Baud::Auto => Hunt::auto(finder.good_baud(), now),
        };
        Self {
            stream: port.stream,
            path: port.path,
            finder,
            engine,
            status,
            stopwatch,
            decoder: Decoder::new(floor),
            floor,
            hunt,
            setup: None,
            configured: false,
            pvt_seen: (0, now),
            listening: Listening::default(),
            read_due: now,
            quiet_due: None,
            told_silent,
        }
    }

    /// Reads until the port fails or is given up, or the engine goes away.
    ///
    /// The line is read when its rhythm says so, not when bytes come: the kernel keeps them meanwhile.
    pub(super) async fn serve(&mut self) -> End {
        let mut chunk = vec![0; CHUNK_LEN];
        loop {
            if let Err(error) = self.transmit() {
                return End::Failed(error);
            }
            let due = self.stopwatch.instant(self.due());
            tokio::time::sleep_until(due.into()).await;
            let now = self.stopwatch.now();
            if self.read_due <= now {
                let heard = match self.read(&mut chunk) {
                    Ok(bytes) => self.hear(bytes, now).await,
                    Err(error) => Err(End::Failed(error)),
                };
                if let Err(end) = heard {
                    return end;
                }
            }
            if let Err(end) = self.handle_timeout(now).await {
                return end;
            }
        }
    }

    /// What the kernel has, possibly nothing.
    fn read<'c>(&mut self, chunk: &'c mut [u8]) -> io::Result<&'c [u8]> {
        match self.stream.read(chunk) {
            // A pseudo-terminal whose master is closed reads as an end of file.
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => Ok(chunk.get(..len).unwrap_or_default()),
            Err(error) if is_nothing(&error) => Ok(&[]),
            Err(error) => Err(error),
        }
    }

    /// When something is to be done.
    fn due(&self) -> Uptime {
        let setup = self.setup.as_ref().and_then(Setup::poll_timeout);
        let others = [setup, self.quiet_due, Some(self.hunt.poll_timeout())];
        others.into_iter().flatten().fold(self.read_due, Uptime::min)
    }

    async fn hear(&mut self, bytes: &[u8], now: Uptime) -> Result<(), End> {
        let (valid_before, lost_before) =
            (self.decoder.counts().valid(), self.decoder.faults().lost());
        let (setup, status, path) = (&mut self.setup, self.status, &self.path);
        let mut observations = Vec::new();
        self.decoder.push(bytes, |heard| match heard {
            Heard::Observation(observation) => observations.push(observation),
            Heard::Ack(ack) => {
                if let Some(setup) = setup {
                    setup.handle_ack(ack);
                }
            }
            Heard::Identity(identity) => {
                if let Some(setup) = setup {
                    setup.handle_identity(&identity);
                }
                announce(path, &identity);
                status.send_modify(|status| status.identity = Some(Version::from(&identity)));
            }
        });
        let over = !observations.is_empty();
        self.read_due = self.listening.handle_read(bytes.len(), over, now);
        if self.setup.is_some() {
            // Its answers are not left to the receiver's rhythm.
            self.read_due = self.read_due.min(now.plus_ms(SEEK_MS));
        }
        if !bytes.is_empty() {
            // What an instant lacks may still come; when nothing does, it leaves as it is.
            self.quiet_due = (!over).then(|| now.plus_ms(QUIET_MS));
            let valid = self.decoder.counts().valid() - valid_before;
            if valid == 0 {
                self.hunt.handle_noise(bytes.len());
            } else {
                if self.hunt.handle_valid(now) {
                    self.understood(now);
                }
                self.look_for_pvt(now);
            }
            let lost = self.decoder.faults().lost() - lost_before;
            let sky = SkyStatus::of(&self.decoder);
            self.status.send_modify(|status| {
                status.hearing.add(valid, lost, bytes.len() as u64);
                status.hearing.sky = sky;
            });
        }
        tell_all(self.engine, observations, now).await
    }

    /// The rate is right: it is remembered, and the receiver may be spoken to.
    fn understood(&mut self, now: Uptime) {
        let baud = self.hunt.baud();
        info!(port = %self.path.display(), baud, "the receiver is understood");
        self.finder.remember(&self.path, baud);
        self.status.send_modify(|status| status.baud = Some(baud));
        self.set_up(now);
    }

    fn set_up(&mut self, now: Uptime) {
        if !self.finder.config().configure {
            return;
        }
        let (wanted_hz, baud) = (self.finder.config().rate_hz, self.hunt.baud());
        let rate_hz = wanted_hz.min(rate_hz_max(baud));
        if rate_hz < wanted_hz {
            warn!(port = %self.path.display(), baud, wanted_hz, rate_hz, "the line is too slow for the rate");
        }
        self.setup = Some(Setup::new(rate_hz));
        self.configured = false;
        self.pvt_seen = (self.decoder.counts().pvts, now);
        self.status.send_modify(|status| status.setup = SetupStatus::Pending);
    }

    /// Sets the receiver up again when it has forgotten that it was.
    fn look_for_pvt(&mut self, now: Uptime) {
        let pvts = self.decoder.counts().pvts;
        let (seen, at) = self.pvt_seen;
        if pvts > seen {
            self.pvt_seen = (pvts, now);
        } else if self.configured && seen > 0 && now.since_ms(at) >= FORGOTTEN_MS {
            info!(port = %self.path.display(), "the receiver has forgotten its settings");
            self.set_up(now);
        }
    }

    /// Sends the next command, if there is one; takes note of the end of the conversation.
    fn transmit(&mut self) -> io::Result<()> {
        let now = self.stopwatch.now();
        let Some(setup) = &mut self.setup else { return Ok(()) };
        if let Some(outcome) = setup.outcome() {
            self.setup = None;
            self.conclude(outcome);
            return Ok(());
        }
        let Some(command) = setup.poll_transmit(now) else { return Ok(()) };
        debug!(?command, "to the receiver");
        let written = self.stream.write_all(command);
        match written {
            // A line that takes no bytes is one that gives no answer.
            Err(error) if is_nothing(&error) => Ok(()),
            written => written,
        }
    }

    fn conclude(&mut self, outcome: Outcome) {
        let (port, rate_hz) = (self.path.display(), self.finder.config().rate_hz);
        match outcome {
            Outcome::Configured => info!(%port, rate_hz, "receiver configured"),
            Outcome::Refused(item) => {
                warn!(%port, ?item, "the receiver refuses a setting; going on without");
            }
            Outcome::Silent if self.told_silent => {}
            Outcome::Silent => {
                info!(%port, "the receiver takes no UBX commands; going on with what it sends");
                self.told_silent = true;
            }
        }
        self.configured = outcome != Outcome::Silent;
        self.status.send_modify(|status| status.setup = outcome.into());
    }

    async fn handle_timeout(&mut self, now: Uptime) -> Result<(), End> {
        if let Some(setup) = &mut self.setup {
            setup.handle_timeout(now);
        }
        if self.quiet_due.is_some_and(|due| due <= now) {
            self.quiet_due = None;
            self.flush().await?;
        }
        match self.hunt.handle_timeout(now) {
            Step::Stay => Ok(()),
            Step::Try { baud, round_over } => {
                if round_over {
                    self.status.send_modify(|status| status.rounds += 1);
                    if self.finder.has_choice() {
                        return Err(End::NothingHeard);
                    }
                }
                self.turn_to(baud).await
            }
        }
    }

    async fn turn_to(&mut self, baud: u32) -> Result<(), End> {
        debug!(port = %self.path.display(), baud, "listening at another rate");
        let turned = self.stream.set_baud_rate(baud);
        turned.map_err(|error| End::Failed(error.into()))?;
        // What came at the old rate would be noise at the new one.
        let _ = self.stream.clear(ClearBuffer::Input);
        self.flush().await?;
        self.decoder = Decoder::new(self.floor);
        self.listening = Listening::default();
        self.setup = None;
        self.status.send_modify(|status| status.baud = None);
        Ok(())
    }

    /// The line is quiet: what was held back leaves.
    async fn flush(&mut self) -> Result<(), End> {
        let mut observations = Vec::new();
        self.decoder.idle(|heard| {
            if let Heard::Observation(observation) = heard {
                observations.push(observation);
            }
        });
        let now = self.stopwatch.now();
        if !observations.is_empty() {
            self.listening.handle_read(0, true, now);
        }
        tell_all(self.engine, observations, now).await
    }
}

async fn tell_all(
    engine: &mpsc::Sender<Input>,
    observations: Vec<Observation>,
    heard: Uptime,
) -> Result<(), End> {
    for observation in observations {
        let input = Input::Observation(observation, heard);
        engine.send(input).await.map_err(|_| End::EngineGone)?;
    }
    Ok(())
}

/// The most fixes a second that a line carries with everything a receiver says of each: some 750 bytes,
/// ten bits a byte.
fn rate_hz_max(baud: u32) -> u8 {
    u8::try_from(baud / 7_500).unwrap_or(u8::MAX).max(1)
}

/// Whether a read or a write only found that it would have to wait.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

fn announce(path: &std::path::Path, identity: &Identity) {
    info!(
        port = %path.display(),
        software = identity.software,
        hardware = identity.hardware,
        model = identity.model(),
        "u-blox receiver"
    );
}
