//! A recording on its way through the senses, as a vehicle on the road would have had it.

use tripline_agent_core::calendar::nearest;
use tripline_agent_core::gate::GateLimits;
use tripline_agent_core::motion::MotionLimits;
use tripline_agent_core::observation::Observation;
use tripline_agent_core::sampler::simplify;
use tripline_agent_core::senses::Senses;
use tripline_agent_core::stream::Decoder;
use tripline_protocol::fix::Fix;
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::envelope::encode;
use tripline_protocol::link::trail::{TrailBatch, TrailEntry};
use tripline_protocol::link::up::MotionState;
use tripline_protocol::unit::{Steady, Timestamp, Uptime};

use super::Options;
use super::stats::{Stats, faults};

/// Longest step forward in a recording's time that is taken for a gap, in ms. A longer one, and any
/// step back, is a time that others have to confirm.
const GAP_MS_MAX: i64 = 6 * 3_600_000;

/// What stands for the time that passed where a recording's own cannot be believed, in ms.
const STEP_MS: u64 = 1_000;

/// Fixes in a batch, as the agent sends them.
const BATCH_LEN: usize = 60;

/// Any epoch is as long as any other on the wire.
const EPOCH: JournalEpoch = JournalEpoch(0x9e37_79b9_7f4a_7c15);

/// A fix, and whether the recording tells its date.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) fix: Fix,
    pub(super) dated: bool,
}

/// The recording so far.
#[derive(Debug)]
pub(super) struct Recording {
    senses: Option<Senses>,
    uptime: Uptime,
    /// The last time there was, from which a time of day without a date is dated.
    last_at: Timestamp,
    seen: u64,
    /// Whether a date has been told.
    dated: bool,
    /// Kept for the figures only.
    fixes: Option<Vec<Fix>>,
    standing_ms: u64,
    moving_ms: u64,
}

impl Recording {
    pub(super) const fn new(options: &Options) -> Self {
        Self {
            senses: None,
            uptime: Uptime::from_ms(0),
            last_at: options.not_before,
            seen: 0,
            dated: false,
            fixes: if options.stats { Some(Vec::new()) } else { None },
            standing_ms: 0,
            moving_ms: 0,
        }
    }

    pub(super) fn take(&mut self, observation: &Observation) -> Seen {
        let passed_ms = self.passed_ms(observation);
        self.uptime = self.uptime.plus_ms(passed_ms);
        let (now, about) = (self.uptime, self.last_at);
        let senses = self.senses.get_or_insert_with(|| {
            Senses::new(GateLimits::default(), MotionLimits::default(), now)
        });
        // The first time there is, and the first with a date.
        if self.seen == 0 || (observation.at.is_some() && !self.dated) {
            senses.trust_next();
        }
        self.dated |= observation.at.is_some();
        let before = senses.motion();
        let fix = senses.observe(observation, about, now).fix;
        if self.seen > 0 {
            match before {
                MotionState::Moving => self.moving_ms += passed_ms,
                MotionState::Standing | MotionState::Parked => self.standing_ms += passed_ms,
            }
        }
        self.last_at = fix.at;
        self.seen += 1;
        if let Some(fixes) = &mut self.fixes {
            fixes.push(fix);
        }
        Seen { fix, dated: observation.at.is_some() }
    }

    /// How many fixes there were.
    pub(super) const fn seen(&self) -> u64 {
        self.seen
    }

    /// How much time passed since the observation before, as far as the recording can be believed.
    fn passed_ms(&self, observation: &Observation) -> u64 {
        if self.seen == 0 {
            return 0;
        }
        let of_day = || observation.time_of_day.map(|time| nearest(time, self.last_at));
        let Some(at) = observation.at.or_else(of_day) else { return STEP_MS };
        let step_ms = at.since_ms(self.last_at);
        let believed = (1..=GAP_MS_MAX).contains(&step_ms);
        u64::try_from(step_ms).ok().filter(|_| believed).unwrap_or(STEP_MS)
    }

    pub(super) fn stats(&self, decoder: &Decoder, options: &Options) -> Stats {
        let fixes = self.fixes.as_deref().unwrap_or_default();
        let counters = |senses: &Senses| senses.reading(Steady::default());
        let reading = self.senses.as_ref().map(counters).unwrap_or_default();
        let counted: Vec<Fix> = fixes.iter().copied().filter(|fix| fix.refused.is_none()).collect();
        Stats {
            fixes: fixes.len() as u64,
            sentences: decoder.counts().sentences,
            frames: decoder.counts().frames,
            faults: faults(decoder),
            refused: Stats::refusals(fixes),
            odometer_m: reading.odometer.mm,
            bridged_m: reading.bridged.mm,
            moving_s: self.moving_ms / 1000,
            standing_s: self.standing_ms / 1000,
            trail_bytes: trail_bytes(fixes),
            error_bound_m: options.error_mm,
            points_kept: simplify(&counted, options.error_mm).len() as u64,
            trip: options.trip,
        }
    }
}

/// What the trail of all fixes takes on the wire, in batches as the agent sends them.
fn trail_bytes(fixes: &[Fix]) -> u64 {
    let mut after = Sequence::ZERO;
    let mut bytes = 0;
    for chunk in fixes.chunks(BATCH_LEN) {
        let entries = chunk.iter().map(|fix| TrailEntry::Fix(fix.into())).collect();
        let batch = TrailBatch { epoch: EPOCH, after, entries };
        after = batch.last();
        bytes += encode(&batch).len() as u64;
    }
    bytes
}
