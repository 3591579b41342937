//! What a run of the fleet comes to: for programs as JSON, for people as a few lines.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::histogram::Quantiles;
use super::process::{cpu_ms, resident_kib};
use super::tally::Tally;

/// How long each part of a run took, and what this process spent on it, in ms.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Stage {
    /// Wall time.
    pub wall_ms: u64,
    /// Processor time of all threads.
    pub cpu_ms: u64,
}

/// The parts of a run.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Stages {
    /// Enrolling.
    pub enrol: Stage,
    /// Until every vehicle was connected.
    pub connect: Stage,
    /// Driving, or holding.
    pub drive: Stage,
    /// Until everything was committed.
    pub drain: Stage,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Load {
    /// Vehicles.
    pub vehicles: u64,
    /// Seed of their drives.
    pub seed: u64,
    /// Seconds of driving, or of holding.
    pub seconds: u32,
    /// Whether they held their connections only.
    pub idle: bool,
    /// Fixes in a batch, and seconds between two.
    pub batch_s: u32,
    /// Between live positions, in ms; 0 for none.
    pub live_ms: u64,
    /// Connection attempts a second.
    pub connects_per_s: u32,
}

/// What a run comes to.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// What was asked for.
    pub load: Load,
    /// Vehicles enrolled in this run.
    pub enrolled: u64,
    /// Connections that stood when the drive ended.
    pub connected: u64,
    /// Connections made after the first of each vehicle.
    pub reconnects: u64,
    /// Fixes that the vehicles made.
    pub fixes_generated: u64,
    /// Fixes committed by CommitAck; against a broker, by PubAck.
    pub fixes_acknowledged: u64,
    /// Those generated and not acknowledged at the end.
    pub fixes_lost: u64,
    /// Fixes published, repeats among them.
    pub fixes_published: u64,
    /// Trail batches published, repeats among them.
    pub trail_batches_published: u64,
    /// Trail batches that got their PubAck.
    pub trail_batches_acknowledged: u64,
    /// Those of them that got it during the drive, for each of its seconds.
    pub trail_batches_acknowledged_per_s: f64,
    /// Event batches published, repeats among them.
    pub event_batches_published: u64,
    /// Live positions published.
    pub live_published: u64,
    /// CommitAcks that came.
    pub commit_acks: u64,
    /// Commands that came, well sealed.
    pub commands: u64,
    /// Messages from above that were not understood or not sealed.
    pub messages_ignored: u64,
    /// From the turn to connect to the ConnAck.
    pub connect: Quantiles,
    /// From the write of a trail batch to its PubAck.
    pub publish_to_puback: Quantiles,
    /// From when a trail batch could have been sent, on time, to the CommitAck that covers it; to the
    /// millisecond.
    pub ready_to_commit: Quantiles,
    /// Attempts to connect that failed, and connections that broke, by kind.
    pub errors: BTreeMap<String, u64>,
    /// The words of the last of them.
    pub last_error: Option<String>,
    /// How long it took.
    pub stages: Stages,
    /// Processor time of this process, in ms.
    pub cpu_ms: u64,
    /// Resident memory of this process when the drive ended, in KiB.
    pub resident_kib: u64,
    /// The most it had, in KiB.
    pub resident_kib_max: u64,
}

impl Summary {
    /// What the fleet has counted.
    pub fn of(tally: &Tally, load: Load, stages: Stages, end: DriveEnd) -> Self {
        let (generated, acknowledged) =
            (tally.fixes_generated.get(), tally.fixes_acknowledged.get());
        Self {
            load,
            enrolled: tally.enrolled.get(),
            connected: end.connected,
            reconnects: tally.reconnects(),
            fixes_generated: generated,
            fixes_acknowledged: acknowledged,
            fixes_lost: generated.saturating_sub(acknowledged),
            fixes_published: tally.fixes_published.get(),
            trail_batches_published: tally.trail_batches_published.get(),
            trail_batches_acknowledged: tally.trail_batches_acknowledged.get(),
            trail_batches_acknowledged_per_s: per_s(
                end.trail_batches_acknowledged,
                stages.drive.wall_ms,
            ),
            event_batches_published: tally.event_batches_published.get(),
            live_published: tally.live_published.get(),
            commit_acks: tally.commit_acks.get(),
            commands: tally.commands.get(),
            messages_ignored: tally.messages_ignored.get(),
            connect: tally.connect.quantiles(),
            publish_to_puback: tally.puback.quantiles(),
            ready_to_commit: tally.commit.quantiles(),
            errors: tally.failures().map(|(kind, count)| (kind.code().into(), count)).collect(),
            last_error: tally.last_failure(),
            stages,
            cpu_ms: cpu_ms(),
            resident_kib: end.resident_kib,
            resident_kib_max: resident_kib().1,
        }
    }

    /// Whether every fix that was made is committed.
    pub const fn is_complete(&self) -> bool {
        self.fixes_lost == 0
    }
}

/// How things stood when the drive ended.
#[derive(Debug, Clone, Copy)]
pub struct DriveEnd {
    /// Connections.
    pub connected: u64,
    /// Trail batches that had their PubAck.
    pub trail_batches_acknowledged: u64,
    /// Resident memory, in KiB.
    pub resident_kib: u64,
}

impl DriveEnd {
    /// How they stand.
    pub fn now(tally: &Tally) -> Self {
        Self {
            connected: tally.connected(),
            trail_batches_acknowledged: tally.trail_batches_acknowledged.get(),
            resident_kib: resident_kib().0,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are far below 2^52")]
fn per_s(count: u64, ms: u64) -> f64 {
    if ms == 0 { 0.0 } else { (count * 1_000) as f64 / ms as f64 }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { vehicles, seconds, batch_s, idle, .. } = self.load;
        if idle {
            writeln!(f, "{vehicles} vehicles held their connections for {seconds} s")?;
        } else {
            writeln!(
                f,
                "{vehicles} vehicles drove for {seconds} s, a batch of {batch_s} fixes every {batch_s} s"
            )?;
        }
        writeln!(
            f,
            "  connections    {} at the end, {} made anew; {}",
            self.connected, self.reconnects, self.connect
        )?;
        writeln!(
            f,
            "  fixes          {} made, {} committed, {} lost",
            self.fixes_generated, self.fixes_acknowledged, self.fixes_lost
        )?;
        writeln!(
            f,
            "  trail batches  {} published, {} acknowledged, {:.0} a second",
            self.trail_batches_published,
            self.trail_batches_acknowledged,
            self.trail_batches_acknowledged_per_s
        )?;
        writeln!(f, "  publish to PubAck    {}", self.publish_to_puback)?;
        writeln!(f, "  ready to CommitAck   {}", self.ready_to_commit)?;
        for (kind, count) in &self.errors {
            writeln!(f, "  error {kind}: {count}")?;
        }
        if let Some(words) = &self.last_error {
            writeln!(f, "  the last error: {words}")?;
        }
        write!(
            f,
            "  this process   {} ms of processor time, {} MiB resident, {} MiB at most",
            self.cpu_ms,
            self.resident_kib / 1_024,
            self.resident_kib_max / 1_024
        )
    }
}
