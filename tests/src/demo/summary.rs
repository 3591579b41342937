//! What the demo ends with: was everything told in order, kept, measured and charged right?

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use tripline_backend::domain::explain::Explanation;
use tripline_protocol::fare::FareLine;
use tripline_protocol::unit::Paise;

use crate::truth::Truth;
use crate::world::{JournalEvidence, WHOLE_RIDE, World};

/// Largest error of the distance against the ground truth, in percent.
const DISTANCE_ERROR_PERCENT_MAX: f64 = 1.0;

const MS_PER_DAY: i64 = 86_400_000;

/// The summary.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    order_id: String,
    states: Vec<String>,
    states_in_order: bool,
    fixes_taken_in: usize,
    fixes_committed: u64,
    billed_distance_m: u64,
    measured_distance_m: f64,
    truth_distance_m: Option<f64>,
    distance_error_percent: Option<f64>,
    fare_paise: i64,
    fare_lines: Vec<FareLine>,
    vehicle_fare_paise: i64,
    fares_agree: bool,
    collected_paise: Option<i64>,
    explanation: Explanation,
}

/// Looks at ledger, store, journal and ground truth.
pub(super) async fn make(world: &World, order_id: &str, truth: Option<&Path>) -> Result<Summary> {
    let evidence = world.evidence();
    let fixes_committed = evidence.everything_is_committed_once().await?;
    let journal = evidence.journal()?;
    let order = evidence.order(order_id).await?;
    let settlement = order.settlement.context("the order has no final fare")?;
    let states = world.bap.fulfillment_states(order_id);
    let measured_m = measured_m(&journal);
    let truth_m = truth.map(|truth| truth_m(world, &journal, truth)).transpose()?;
    Ok(Summary {
        order_id: order_id.into(),
        states_in_order: states == WHOLE_RIDE,
        states,
        fixes_taken_in: journal.fixes.len(),
        fixes_committed,
        billed_distance_m: settlement.charged.usage.distance_m,
        measured_distance_m: measured_m,
        truth_distance_m: truth_m,
        distance_error_percent: truth_m.map(|truth_m| (measured_m / truth_m - 1.0) * 100.0),
        fare_paise: settlement.charged.total().0,
        fare_lines: settlement.charged.lines.clone(),
        vehicle_fare_paise: journal.fare_paise().context("the vehicle computed no fare")?,
        fares_agree: settlement.difference == Paise::ZERO,
        collected_paise: order.payment.amount().map(|paise| paise.0),
        explanation: evidence.explanation(order_id).await?,
    })
}

/// What the odometer measured between the trip's start and stop, less pauses, in metres.
fn measured_m(journal: &JournalEvidence) -> f64 {
    use tripline_protocol::trip::TripEvent::{
        Arrive, ArriveOutside, Cancel, Depart, NoShow, Pause, Resume, Start, Stop,
    };
    let (mut mm, mut since) = (0, None);
    for (what, event) in journal.trip_events() {
        match what {
            Start | Resume => since = Some(event.reading.odometer),
            Pause | Stop => {
                mm += since.take().map_or(0, |since| event.reading.odometer.since_mm(since));
            }
            Depart | Arrive | ArriveOutside | Cancel | NoShow => {}
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a few kilometres in millimetres")]
    let metres = mm as f64 / 1000.0;
    metres
}

/// What the ground truth says of the same stretches, in metres.
fn truth_m(world: &World, journal: &JournalEvidence, truth: &Path) -> Result<f64> {
    let midnight = world.playing.trace_start_unix_ms.div_euclid(MS_PER_DAY) * MS_PER_DAY;
    let truth = Truth::load(truth, midnight)?;
    let shift_ms = world.playing.shift_ms;
    let mut metres = 0.0;
    for (from, to) in journal.driven_stretches()? {
        metres += truth.distance_m(from - shift_ms, to - shift_ms)?;
    }
    Ok(metres)
}

impl Summary {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("\nSummary\n");
        let in_order = if self.states_in_order { "each once and in order" } else { "NOT IN ORDER" };
        let _ = writeln!(text, "  states    {} delivered, {in_order}", self.states.len());
        let _ = writeln!(text, "            {}", self.states.join(" "));
        let _ = writeln!(
            text,
            "  fixes     {} taken in, {} committed by the platform so far",
            self.fixes_taken_in, self.fixes_committed
        );
        let _ = write!(
            text,
            "  distance  {:.1} m by the odometer, billed {} m",
            self.measured_distance_m, self.billed_distance_m
        );
        match (self.truth_distance_m, self.distance_error_percent) {
            (Some(truth), Some(error)) => {
                let _ = writeln!(text, "; ground truth {truth:.1} m, {error:+.2} %");
            }
            _ => text += "; no ground truth for this trace\n",
        }
        let agree =
            if self.fares_agree { "and the platform agrees" } else { "THE PLATFORM DIFFERS" };
        let _ = writeln!(
            text,
            "  fare      Rs {}; the vehicle says Rs {}, {agree}",
            Paise(self.fare_paise),
            Paise(self.vehicle_fare_paise)
        );
        let _ = write!(text, "\nWhy this fare\n\n{}", self.explanation);
        text
    }

    /// Whether it was a good ride.
    pub(super) fn check(&self) -> Result<()> {
        if !self.states_in_order {
            bail!("the states were told as {:?}, not as {WHOLE_RIDE:?}", self.states);
        }
        if !self.fares_agree {
            bail!("vehicle and platform computed different fares");
        }
        if self.collected_paise != Some(self.fare_paise) {
            bail!("collected {:?}, charged {}", self.collected_paise, self.fare_paise);
        }
        if let Some(difference) = self.explanation.difference() {
            bail!("the fare does not explain itself: {difference}");
        }
        match self.distance_error_percent {
            Some(error) if error.abs() > DISTANCE_ERROR_PERCENT_MAX => {
                bail!("the distance is {error:+.2} % off the ground truth")
            }
            Some(_) | None => Ok(()),
        }
    }
}
