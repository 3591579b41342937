//! How far a gateway is with something of ours.

/// What is handed in and not yet looked at.
pub const PENDING_VERIFICATION: &str = "PENDING-VERIFICATION";

/// What was looked at and is good.
pub const VERIFIED: &str = "VERIFIED";

/// A registration of which a change is not yet looked at.
pub const UPDATE_PENDING: &str = "UPDATE-PENDING";

/// A change that was not taken.
pub const UPDATE_FAIL: &str = "UPDATE-FAIL";

/// What a status comes to. Of a registration the document leaves the words to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It is as it stays until somebody does something.
    Settled,
    /// Somebody at the gateway looks at it.
    Waiting,
    /// It was not taken.
    Failed,
}

impl Phase {
    /// A short fixed word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
        }
    }
}

/// What a status comes to: `PENDING` anywhere in it is waiting, `FAIL` and `REJECT` failed, and every other
/// word is settled.
pub fn phase(status: &str) -> Phase {
    let status = status.to_ascii_uppercase();
    let has = |word: &&str| status.contains(word);
    if ["FAIL", "REJECT"].iter().any(|word| has(word)) {
        Phase::Failed
    } else if has(&"PENDING") {
        Phase::Waiting
    } else {
        Phase::Settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_words_and_those_like_them_are_told_apart() {
        for (status, expected) in [
            (PENDING_VERIFICATION, Phase::Waiting),
            (UPDATE_PENDING, Phase::Waiting),
            ("pending", Phase::Waiting),
            (VERIFIED, Phase::Settled),
            ("ACTIVE", Phase::Settled),
            (UPDATE_FAIL, Phase::Failed),
            ("Rejected", Phase::Failed),
            ("PENDING-FAILED", Phase::Failed),
        ] {
            assert_eq!(phase(status), expected, "{status}");
        }
    }
}
