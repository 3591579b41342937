//! Predictions: several are made, and the one that was nearest of late is believed.

/// How many predictions there are for one field.
pub(super) const GUESSES: usize = 3;

/// A miss beyond this makes no difference.
const MISS_MAX: u64 = 1 << 40;

/// How far each prediction missed of late.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Guess {
    /// Mean misses, in 1/16.
    misses: [u64; GUESSES],
}

impl Guess {
    /// The prediction to believe; the first among equals.
    pub(super) fn best(&self) -> usize {
        let mut best = 0;
        for (which, miss) in self.misses.iter().enumerate() {
            if *miss < self.misses[best] {
                best = which;
            }
        }
        best
    }

    /// Takes in how far each prediction missed.
    pub(super) fn learn(&mut self, misses: [u64; GUESSES]) {
        for (miss, latest) in self.misses.iter_mut().zip(misses) {
            *miss = *miss - *miss / 4 + latest.min(MISS_MAX) * 4;
        }
    }
}
