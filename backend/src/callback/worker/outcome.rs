//! What is noted of an attempt, and when the next one is.

use tripline_protocol::unit::Timestamp;

use super::RETRY_MS_MIN;
use crate::callback::post::Attempt;
use crate::store::callback::{Delivery, DueCallback, Note, Noted};

/// Its time is over.
pub(super) const EXPIRED: &str = "expired";

/// Doublings after which no bound is far from the longest.
const DOUBLINGS_MAX: u64 = 20;

/// What came of an attempt.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The word for it.
    pub(super) code: &'static str,
    /// What the store is to know.
    pub(super) note: Note,
}

/// What an attempt that ended now comes to. `below` draws a number below its bound.
pub(super) fn conclude(
    due: DueCallback,
    attempt: &Attempt,
    now: Timestamp,
    retry_ms_max: u64,
    below: impl FnOnce(u64) -> u64,
) -> Outcome {
    let (code, noted, error) = match attempt {
        Attempt::Taken => ("delivered", Noted::Finished(Delivery::Delivered, now), None),
        Attempt::Refused { reason, .. } => {
            ("refused", Noted::Finished(Delivery::Dead, now), Some(reason))
        }
        Attempt::Forbidden { reason } => {
            ("forbidden", Noted::Finished(Delivery::Dead, now), Some(reason))
        }
        Attempt::Later { reason, retry_after_s, .. } => {
            match next_attempt_at(&due, *retry_after_s, now, retry_ms_max, below) {
                Some(next) => ("put-off", Noted::PutOff(next), Some(reason)),
                None => (EXPIRED, Noted::Finished(Delivery::Dead, now), Some(reason)),
            }
        }
    };
    Outcome { code, note: Note { due, noted, error: error.cloned() } }
}

/// A random wait below a bound that doubles with every attempt, so that what failed together does not come
/// again together; and no sooner than the subscriber asks for, unless that is longer than any wait of ours.
/// `None` if its time is over before.
fn next_attempt_at(
    due: &DueCallback,
    retry_after_s: Option<u64>,
    now: Timestamp,
    retry_ms_max: u64,
    below: impl FnOnce(u64) -> u64,
) -> Option<Timestamp> {
    let doublings = due.attempts.saturating_sub(1).min(DOUBLINGS_MAX);
    let bound_ms = (RETRY_MS_MIN << doublings).min(retry_ms_max);
    let asked_ms = retry_after_s.unwrap_or(0).saturating_mul(1000).min(retry_ms_max);
    let wait_ms = below(bound_ms).max(asked_ms);
    let next = now.plus_ms(i64::try_from(wait_ms).unwrap_or(i64::MAX));
    (next < due.expires_at).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::post::Health;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn due(attempts: u64, left_ms: i64) -> DueCallback {
        DueCallback::example(attempts, NOW.plus_ms(left_ms))
    }

    fn wait_ms(attempts: u64, retry_after_s: Option<u64>) -> Option<i64> {
        let due = due(attempts, 100_000);
        let next = next_attempt_at(&due, retry_after_s, NOW, 60_000, |bound| bound - 1);
        next.map(|next| next.since_ms(NOW))
    }

    #[test]
    fn the_bound_of_the_wait_doubles_up_to_the_longest() {
        assert_eq!(wait_ms(1, None), Some(499));
        assert_eq!(wait_ms(2, None), Some(999));
        assert_eq!(wait_ms(7, None), Some(31_999));
        assert_eq!(wait_ms(8, None), Some(59_999));
        assert_eq!(wait_ms(u64::MAX, None), Some(59_999));
    }

    #[test]
    fn what_the_subscriber_asks_for_is_waited_and_no_longer_than_the_longest() {
        assert_eq!(wait_ms(1, Some(0)), Some(499));
        assert_eq!(wait_ms(1, Some(3)), Some(3_000));
        assert_eq!(wait_ms(1, Some(u64::MAX)), Some(60_000));
    }

    #[test]
    fn what_could_only_be_tried_after_its_time_is_given_up_with_its_reason() {
        let later = Attempt::later("busy", Health::Strained);
        let outcome = conclude(due(1, 400), &later, NOW, 60_000, |_| 399);
        assert_eq!(
            (outcome.code, outcome.note.noted),
            ("put-off", Noted::PutOff(NOW.plus_ms(399)))
        );
        let outcome = conclude(due(1, 400), &later, NOW, 60_000, |_| 400);
        let dead = Noted::Finished(Delivery::Dead, NOW);
        assert_eq!((outcome.code, outcome.note.noted), (EXPIRED, dead));
        assert_eq!(outcome.note.error.as_deref(), Some("busy"));
    }
}
