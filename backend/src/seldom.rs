//! One word about a trouble that lasts, not one each time it is met.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tripline_protocol::unit::Timestamp;

/// When a word was last said, about what.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    last: Mutex<BTreeMap<&'static str, Timestamp>>,
}

impl Seldom {
    /// Whether it is time for another word, `every_ms` after the last.
    pub(crate) fn is_due(&self, now: Timestamp, every_ms: i64) -> bool {
        self.is_due_of("", now, every_ms)
    }

    /// The same of one among several troubles, told apart by a short fixed word: none hides another.
    pub(crate) fn is_due_of(&self, what: &'static str, now: Timestamp, every_ms: i64) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.get(what).is_none_or(|last| !(0..every_ms).contains(&now.since_ms(*last)));
        if due {
            last.insert(what, now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_is_told_once_in_its_time_and_again_when_the_clock_is_set_back() {
        let (seldom, now) = (Seldom::default(), Timestamp::from_unix_ms(1_800_000_000_000));
        assert!(seldom.is_due_of("a", now, 1_000) && seldom.is_due_of("b", now, 1_000));
        assert!(!seldom.is_due_of("a", now.plus_ms(999), 1_000));
        assert!(seldom.is_due_of("a", now.plus_ms(1_000), 1_000));
        assert!(seldom.is_due_of("a", now, 1_000), "set back");
    }
}
