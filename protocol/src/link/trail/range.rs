//! A binary range coder: every bit costs what its chance says, and chances learn from the bits.

use alloc::vec::Vec;

/// Chances are counted in 1/65536.
const ONE: u32 = 1 << 16;
/// As likely set as not.
pub(super) const FAIR: u32 = ONE / 2;
/// No chance gets nearer to certainty than this, in 1/65536.
const LEAST: u16 = 48;
const MOST: u16 = u16::MAX - LEAST + 1;

/// How likely the next bit of a kind is set. It starts from an expectation and learns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chance {
    /// Of a set bit, in 1/65536.
    set: u16,
    /// Bits behind it, up to `settled`. The more, the less the next one moves it.
    seen: u8,
    settled: u8,
}

/// Most bits behind a chance.
const SEEN_MAX: usize = 32;

/// Twice 2^32 divided by 2 * seen + 3, rounded up: a product and a shift give the quotient that a
/// division would, for whatever a chance can be, and several times as fast.
const SHARES: [u64; SEEN_MAX + 1] = {
    let mut shares = [0; SEEN_MAX + 1];
    let mut seen = 0;
    while seen <= SEEN_MAX {
        shares[seen] = (1_u64 << 33).div_ceil(2 * seen as u64 + 3);
        seen += 1;
    }
    shares
};

impl Chance {
    /// Expects a set bit `of` times in `all`, with the weight of so many bits seen.
    #[expect(clippy::cast_possible_truncation, reason = "below 65536, and a table's length")]
    pub(super) const fn expect(of: u32, all: u32, weight: u32, settled: u32) -> Self {
        assert!(weight <= settled && settled as usize <= SEEN_MAX, "a table's length");
        let set = of * (ONE / all) + of * (ONE % all) / all;
        let set = if set < LEAST as u32 {
            LEAST
        } else if set > MOST as u32 {
            MOST
        } else {
            set as u16
        };
        Self { set, seen: weight as u8, settled: settled as u8 }
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most what it is a part of")]
    fn learn(&mut self, bit: bool) {
        let share = SHARES[usize::from(self.seen)];
        let part = |of: u16| ((u64::from(of) * share) >> 32) as u16;
        if bit {
            self.set += part(MOST - self.set);
        } else {
            self.set -= part(self.set - LEAST);
        }
        self.seen += u8::from(self.seen < self.settled);
    }
}

/// Either end of the coder: the same walk over a batch writes it or reads it.
pub(super) trait Coder {
    /// Codes a bit that is set with a chance of `set` in 65536. A reader passes over `bit`; both give
    /// the bit that was coded.
    fn bit_at(&mut self, set: u32, bit: bool) -> bool;

    /// Codes a bit, and lets its chance learn.
    fn bit(&mut self, chance: &mut Chance, bit: bool) -> bool {
        let bit = self.bit_at(chance.set.into(), bit);
        chance.learn(bit);
        bit
    }

    /// Codes the lowest `count` bits of a value of which nothing is expected.
    fn bits(&mut self, value: u64, count: u32) -> u64 {
        let mut coded = 0;
        for place in (0..count).rev() {
            coded = coded << 1 | u64::from(self.bit_at(FAIR, value >> place & 1 == 1));
        }
        coded
    }

    /// Codes a value from 0 up to below `bound`, each as likely as the others.
    fn below(&mut self, value: i64, bound: i64) -> i64 {
        // Halving with a chance pays for the upper bits only.
        let rest = (u64::BITS - bound.leading_zeros()).saturating_sub(12);
        let (mut low, mut high) = (0, ((bound.max(1) - 1) >> rest) + 1);
        while high - low > 1 {
            let middle = low.midpoint(high);
            let set = (high - middle) * i64::from(ONE) / (high - low);
            let upper = self.bit_at(u32::try_from(set).unwrap_or(FAIR), value >> rest >= middle);
            *(if upper { &mut low } else { &mut high }) = middle;
        }
        low << rest | self.bits(value.cast_unsigned(), rest).cast_signed()
    }
}

/// The interval that is left, both ends within.
#[derive(Debug, Clone, Copy)]
struct Interval {
    low: u64,
    high: u64,
}

impl Interval {
    const WHOLE: Self = Self { low: 0, high: u64::MAX };

    /// The last value of the part for a set bit.
    const fn split(self, set: u32) -> u64 {
        self.low + ((self.high - self.low) >> 16) * set as u64
    }

    const fn narrow(&mut self, split: u64, bit: bool) {
        if bit {
            self.high = split;
        } else {
            self.low = split + 1;
        }
    }

    /// Whether the first byte is settled.
    const fn is_settled(self) -> bool {
        (self.low ^ self.high) >> 56 == 0
    }

    const fn shift(&mut self) {
        self.low <<= 8;
        self.high = self.high << 8 | 0xff;
    }
}

/// Writes.
#[derive(Debug)]
pub(super) struct Writer {
    interval: Interval,
    bytes: Vec<u8>,
    /// Where its bytes begin.
    start: usize,
}

impl Writer {
    /// Appends to `bytes`.
    pub(super) const fn new(bytes: Vec<u8>) -> Self {
        Self { interval: Interval::WHOLE, start: bytes.len(), bytes }
    }

    /// The bytes: the fewest that settle every bit when zeros without end are read behind them.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let Interval { low, high } = self.interval;
        // The number within the interval with the most zeros at its end.
        let end = (0..=64)
            .rev()
            .filter_map(|zeros| {
                let mask = 1_u64.checked_shl(zeros).map_or(u64::MAX, |bit| bit - 1);
                Some(low.checked_add(mask)? & !mask)
            })
            .find(|end| (low..=high).contains(end))
            .unwrap_or(low);
        self.bytes.extend(end.to_be_bytes());
        while self.bytes.len() > self.start && self.bytes.last() == Some(&0) {
            self.bytes.pop();
        }
        self.bytes
    }
}

impl Coder for Writer {
    fn bit_at(&mut self, set: u32, bit: bool) -> bool {
        let split = self.interval.split(set);
        self.interval.narrow(split, bit);
        while self.interval.is_settled() {
            self.bytes.push((self.interval.low >> 56) as u8);
            self.interval.shift();
        }
        bit
    }
}

/// Reads.
#[derive(Debug)]
pub(super) struct Reader<'b> {
    interval: Interval,
    value: u64,
    bytes: core::slice::Iter<'b, u8>,
}

impl<'b> Reader<'b> {
    /// Reads `bytes`, then zeros without end.
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        let mut reader = Self { interval: Interval::WHOLE, value: 0, bytes: bytes.iter() };
        for _ in 0..8 {
            reader.read();
        }
        reader
    }

    fn read(&mut self) {
        let byte = self.bytes.next().copied().unwrap_or(0);
        self.value = self.value << 8 | u64::from(byte);
    }
}

impl Coder for Reader<'_> {
    fn bit_at(&mut self, set: u32, _: bool) -> bool {
        let split = self.interval.split(set);
        let bit = self.value <= split;
        self.interval.narrow(split, bit);
        while self.interval.is_settled() {
            self.interval.shift();
            self.read();
        }
        bit
    }
}
