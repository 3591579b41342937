//! One word about a trouble that lasts, not one each time it is met.

use std::sync::{Mutex, PoisonError};

use tripline_protocol::unit::Timestamp;

/// When a word was last said.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    last: Mutex<Option<Timestamp>>,
}

impl Seldom {
    /// Whether it is time for another word, `every_ms` after the last.
    pub(crate) fn is_due(&self, now: Timestamp, every_ms: i64) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| !(0..every_ms).contains(&now.since_ms(last)));
        if due {
            *last = Some(now);
        }
        due
    }
}
