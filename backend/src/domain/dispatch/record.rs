//! What became of the offers made to a vehicle, older ones counting less.

use serde::{Deserialize, Serialize};
use tripline_protocol::unit::Timestamp;

/// One offer, as it is counted: in thousandths, so that old ones can fade.
const ONE: u64 = 1_000;

/// What is left of a count after a day, in tenths: an offer of a week ago counts half.
const LEFT_AFTER_A_DAY_TENTHS: u64 = 9;

const DAY_MS: i64 = 86_400_000;

/// After so many days nothing is left of any count that can come up.
const DAYS_MAX: i64 = 200;

/// Offers that everybody is taken to have been made and seven of eight of them accepted: a first
/// rejection does not put a vehicle behind all others.
const TAKEN_FOR_GRANTED: u64 = 8 * ONE;

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The driver took it.
    Accepted,
    /// The driver declined, or gave the order up.
    Rejected,
    /// Nobody answered in time.
    Expired,
}

/// Counts of offers in thousandths, as of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferRecord {
    /// How many were accepted.
    pub accepted: u64,
    /// How many were rejected.
    pub rejected: u64,
    /// How many expired.
    pub expired: u64,
    /// Up to when older ones have faded.
    pub as_of: Timestamp,
}

impl OfferRecord {
    /// No offers.
    pub const fn new(at: Timestamp) -> Self {
        Self { accepted: 0, rejected: 0, expired: 0, as_of: at }
    }

    /// Counts an offer. Counts fade by whole days.
    #[must_use]
    pub fn after(mut self, outcome: Outcome, at: Timestamp) -> Self {
        let days = (at.since_ms(self.as_of) / DAY_MS).max(0);
        self.as_of = self.as_of.plus_ms(days.saturating_mul(DAY_MS));
        for _ in 0..days.min(DAYS_MAX) {
            for count in [&mut self.accepted, &mut self.rejected, &mut self.expired] {
                *count = *count * LEFT_AFTER_A_DAY_TENTHS / 10;
            }
        }
        match outcome {
            Outcome::Accepted => self.accepted += ONE,
            Outcome::Rejected => self.rejected += ONE,
            Outcome::Expired => self.expired += ONE,
        }
        self
    }

    /// Share of offers accepted, in thousandths.
    pub fn acceptance_permille(&self) -> u16 {
        let offered = self.accepted + self.rejected + self.expired + TAKEN_FOR_GRANTED;
        let accepted = self.accepted + TAKEN_FOR_GRANTED * 7 / 8;
        u16::try_from(accepted * 1000 / offered).unwrap_or(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    #[test]
    fn offers_of_a_week_ago_count_half_and_a_newcomer_is_not_judged_by_one() {
        let none = OfferRecord::new(NOW);
        assert_eq!(none.acceptance_permille(), 875);
        let one = none.after(Outcome::Rejected, NOW);
        assert_eq!(one.acceptance_permille(), 777);
        let many = (0..40).fold(none, |record, _| record.after(Outcome::Expired, NOW));
        assert_eq!(many.acceptance_permille(), 145);
        let better = many.after(Outcome::Accepted, NOW.plus_ms(7 * DAY_MS));
        assert_eq!((better.expired, better.accepted), (19_131, 1_000));
        let long_after = many.after(Outcome::Accepted, NOW.plus_ms(i64::MAX / 2));
        assert_eq!((long_after.expired, long_after.acceptance_permille()), (0, 888));
    }

    #[test]
    fn a_clock_that_goes_back_brings_nothing_back() {
        let record = OfferRecord::new(NOW).after(Outcome::Accepted, NOW);
        let again = record.after(Outcome::Accepted, NOW.plus_ms(-5 * DAY_MS));
        assert_eq!((again.accepted, again.as_of), (2_000, NOW));
    }
}
