//! Chance that repeats itself: the same seed gives the same faults, so a failed test can be run again.

/// `SplitMix64` (Steele, Lea, Flood 2014): small, fast, even enough for faults, no good for secrets.
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The same seed gives the same numbers.
    pub fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Seeded by data (FNV-1a), so that what is made of the same bytes is the same.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self::seeded(bytes.iter().fold(0xcbf2_9ce4_8422_2325, fold))
    }

    /// Any of the 2^64 numbers.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to below `end`; 0 if `end` is 0. Slightly uneven for ends near 2^64, which no fault notices.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        let number = self.number().checked_rem(end).unwrap_or(0);
        usize::try_from(number).unwrap_or(0)
    }

    /// Random bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let numbers = std::iter::repeat_with(|| self.number().to_le_bytes());
        numbers.flatten().take(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        let mut chance = Chance::seeded(1_234_567);
        assert_eq!(chance.number(), 6_457_827_717_110_365_317);
        assert_eq!(chance.number(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_same_bytes_give_the_same_chance() {
        assert_eq!(Chance::from_bytes(b"a").bytes(20), Chance::from_bytes(b"a").bytes(20));
        assert_ne!(Chance::from_bytes(b"a").bytes(20), Chance::from_bytes(b"b").bytes(20));
    }

    #[test]
    fn below_stays_below() {
        let mut chance = Chance::seeded(7);
        assert!((0..1000).all(|_| chance.below(3) < 3));
        assert_eq!(chance.below(0), 0);
    }
}
