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

pub use decision::{Cause, Decision, RANKED_KEPT_MAX};
pub use exclusion::Exclusion;
pub use rank::{Candidate, Demand, Part, Parts, RANKED_MAX, Ranked, Ranking, rank};
pub use record::{OfferRecord, Outcome};
pub use rules::{BATCH_MAX, DispatchRules, REASSIGN_MAX, WEIGHT_MAX, Weights};
pub use standing::{Histories, History, Standing};
