//! Signatures that were seen to hold, so that a request that comes again is told from a new one: whoever
//! captured one could use up its sender's rate with it.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

/// Signatures remembered; the oldest is forgotten for the next. A minute's worth at a thousand requests a
/// second, after which a repetition counts as new once.
pub(super) const REPEATS_KEPT: usize = 65_536;

/// The memory. What is kept of a signature is a digest under a key of this process: nobody can aim at one.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    key: RandomState,
    seen: HashSet<u64>,
    oldest_first: VecDeque<u64>,
}

impl Repeats {
    /// Whether this signature is remembered.
    pub(super) fn knows(&self, signature: &[u8; 64]) -> bool {
        self.seen.contains(&self.key.hash_one(signature))
    }

    /// Remembers a signature.
    pub(super) fn remember(&mut self, signature: &[u8; 64]) {
        let digest = self.key.hash_one(signature);
        if !self.seen.insert(digest) {
            return;
        }
        self.oldest_first.push_back(digest);
        if self.oldest_first.len() > REPEATS_KEPT
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(n: usize) -> [u8; 64] {
        let mut signature = [0; 64];
        signature[..8].copy_from_slice(&n.to_be_bytes());
        signature
    }

    #[test]
    fn so_many_are_remembered_and_the_oldest_is_forgotten_first() {
        let mut repeats = Repeats::default();
        for n in 0..REPEATS_KEPT {
            assert!(!repeats.knows(&signature(n)), "{n}");
            repeats.remember(&signature(n));
            repeats.remember(&signature(n));
        }
        assert!(repeats.knows(&signature(0)) && repeats.knows(&signature(REPEATS_KEPT - 1)));
        repeats.remember(&signature(REPEATS_KEPT));
        assert!(!repeats.knows(&signature(0)));
        assert!(repeats.knows(&signature(1)) && repeats.knows(&signature(REPEATS_KEPT)));
        assert_eq!((repeats.seen.len(), repeats.oldest_first.len()), (REPEATS_KEPT, REPEATS_KEPT));
    }
}
