//! Why riders call rides off.

/// A reason that a rider can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancellationReason {
    /// Its stable id.
    pub id: &'static str,
    /// In words.
    pub words: &'static str,
}

/// All of them, in the order in which they are shown.
pub const CANCELLATION_REASONS: [CancellationReason; 7] = [
    CancellationReason { id: "1", words: "Found another ride" },
    CancellationReason { id: "2", words: "It costs too much" },
    CancellationReason { id: "3", words: "It takes too long" },
    CancellationReason { id: "4", words: "The driver does not answer" },
    CancellationReason { id: "5", words: "The driver was impolite" },
    CancellationReason { id: "6", words: "The driver asked for it" },
    CancellationReason { id: OTHER, words: "For another reason" },
];

/// The one for what no other says.
const OTHER: &str = "7";

/// The reason of this id.
pub fn cancellation_reason(id: &str) -> Option<CancellationReason> {
    CANCELLATION_REASONS.into_iter().find(|reason| reason.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_own_id_and_none_by_another() {
        for reason in CANCELLATION_REASONS {
            assert_eq!(cancellation_reason(reason.id), Some(reason));
        }
        assert_eq!(cancellation_reason("8"), None);
        assert_eq!(cancellation_reason(""), None);
    }
}
