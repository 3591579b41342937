//! A recording in place of a receiver: the same bytes, at the pace at which they were recorded.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tracing::{info, warn};
use tripline_agent_core::observation::Observation;
use tripline_agent_core::stream::{Decoder, Heard};
use tripline_protocol::unit::Timestamp;

use crate::config;
use crate::error::AgentError;
use crate::time::Stopwatch;

use super::{Input, Status};

/// Bytes read at once.
const CHUNK_LEN: usize = 4096;

/// Longest pause of a recording that is waited out, in ms.
const PAUSE_MS_MAX: i64 = 60_000;

/// A recording is dated as it was made: only dates before 2000-01-01 are week rollovers.
const NOT_BEFORE: Timestamp = Timestamp::from_unix_ms(946_684_800_000);

/// An open recording.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    file: File,
    /// 0: as fast as the engine takes it.
    speed: u32,
    /// Between two positions whose times are not known.
    period_ms: i64,
}

impl Recording {
    pub(super) fn open(path: &Path, config: &config::Receiver) -> Result<Self, AgentError> {
        let unreadable = |error: io::Error| AgentError::Recording {
            path: path.into(),
            reason: format!("{error}; check [receiver] replay"),
        };
        let file = File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.is_dir() {
            return Err(unreadable(io::ErrorKind::IsADirectory.into()));
        }
        let period_ms = 1000 / i64::from(config.rate_hz.max(1));
        Ok(Self { path: path.into(), file, speed: config.replay_speed, period_ms })
    }

    /// Hands on the recording once, then stays open and silent until the engine goes away.
    pub(super) async fn play(
        mut self,
        engine: &mpsc::Sender<Input>,
        status: &watch::Sender<Status>,
        stopwatch: Stopwatch,
    ) {
        info!(recording = %self.path.display(), speed = self.speed, "replaying");
        status.send_modify(|status| status.turn_to(Some(self.path.clone())));
        if engine.send(Input::Opened).await.is_err() {
            return;
        }
        match self.hand_on(engine, status, stopwatch).await {
            Ok(()) => info!(recording = %self.path.display(), "the recording is at its end"),
            Err(error) => {
                warn!(recording = %self.path.display(), %error, "the recording ends early");
            }
        }
        engine.closed().await;
    }

    async fn hand_on(
        &mut self,
        engine: &mpsc::Sender<Input>,
        status: &watch::Sender<Status>,
        stopwatch: Stopwatch,
    ) -> io::Result<()> {
        let mut decoder = Decoder::new(NOT_BEFORE);
        let mut last = None;
        let mut due = tokio::time::Instant::now();
        let mut chunk = [0; CHUNK_LEN];
        loop {
            let len = self.file.read(&mut chunk)?;
            let bytes = chunk.get(..len).unwrap_or_default();
            let mut observations = Vec::new();
            let on_heard = |heard| {
                if let Heard::Observation(observation) = heard {
                    observations.push(observation);
                }
            };
            if bytes.is_empty() {
                decoder.finish(on_heard);
            } else {
                decoder.push(bytes, on_heard);
            }
            status.send_modify(|status| status.hearing.take(&decoder, len as u64));
            for observation in observations {
                if self.speed > 0 {
                    let pause_ms = self.pause_ms(last, &observation) / u64::from(self.speed);
                    due += Duration::from_millis(pause_ms);
                    tokio::time::sleep_until(due).await;
                }
                last = Some(observation);
                if engine.send(Input::Observation(observation, stopwatch.now())).await.is_err() {
                    return Ok(());
                }
            }
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }

    /// How much later than the one before it a position comes.
    fn pause_ms(&self, last: Option<Observation>, this: &Observation) -> u64 {
        let Some(last) = last else { return 0 };
        let between = last.at.zip(this.at).map(|(last, this)| this.since_ms(last));
        let pause_ms = between.unwrap_or(self.period_ms).clamp(0, PAUSE_MS_MAX);
        pause_ms.unsigned_abs()
    }
}
