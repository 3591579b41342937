//! Dispatch: who is offered an order next, and why.
//!
//! Who is around comes from the live fleet, what is known of each from the fleet's records
//! ([`Standing`]). [`rank`] passes over whoever cannot be asked, with a reason, and orders the others by a
//! score that is explained by its parts. What came of it is a [`Decision`], kept with its reasons.

mod decision;
mod exclusion;
mod rank;
mod record;
mod rules;
mod standing;

use std::collections::BTreeSet;

use tripline_protocol::id::DeviceId;

use super::live::Near;

pub use decision::{Cause, Decision, RANKED_KEPT_MAX};
pub use exclusion::Exclusion;
pub use rank::{Candidate, Demand, Part, Parts, RANKED_MAX, Ranked, Ranking, rank};
pub use record::{OfferRecord, Outcome};
pub use rules::{BATCH_MAX, Rules, WEIGHT_MAX, Weights};
pub use standing::{Histories, History, Standing};

/// How orders are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DispatchRules {
    /// How far a vehicle may be from the pickup, in metres.
    pub radius_m: u32,
    /// How long a driver has to answer, in ms.
    pub offer_ms: i64,
    /// How long a driver is looked for at all, in ms.
    pub search_ms: i64,
}

/// The candidates for an order, best first: the nearest that is free and was not asked before.
pub fn candidates<'a>(
    near: impl Iterator<Item = Near<'a>>,
    held: &BTreeSet<DeviceId>,
    asked: &BTreeSet<DeviceId>,
) -> Vec<DeviceId> {
    near.map(|near| near.device)
        .filter(|device| !held.contains(*device) && !asked.contains(*device))
        .cloned()
        .collect()
}
