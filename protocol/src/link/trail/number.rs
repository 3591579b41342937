//! Numbers around zero: how far a field is from its prediction.

use super::range::{Chance, Coder, FAIR};

/// Steps counted one by one; what goes further is written with its length.
const STEPS: usize = 24;
/// Levels of the expected size: half octaves from 1/16 up to 4, beyond which sizes are shifted.
const LEVELS: usize = 12;
/// Bits of the expected size, in 1/16, that are left after shifting.
const LEVEL_BITS: u32 = 6;
/// Weight of what is expected, in bits seen, and the bits after which a chance learns no slower.
const WEIGHT: u32 = 14;
const SETTLED: u32 = 14;
/// How much of the expected size is the slow mean, in sixteenths; the rest is the quick one.
const SLOW_16: u64 = 4;
/// The slow mean's length, in numbers.
const SLOW_LEN: u64 = 15;
/// A size beyond this makes no difference.
const SIZE_MAX: u64 = 1 << 48;

/// Codes the misses of one field. It expects sizes as they were lately.
#[derive(Debug, Clone)]
pub(super) struct Number {
    /// Means of the sizes, in 1/16: of the last ones, and of more.
    quick: u64,
    slow: u64,
    seen: u64,
    /// Whether the size goes on beyond a step, by level.
    beyond: [[Chance; STEPS]; LEVELS],
    /// The first of the bits that were shifted out.
    half: Chance,
    /// By the sign before: none, negative, positive.
    negative: [Chance; 3],
    sign: usize,
}

impl Number {
    /// Expects sizes around `mean` / 16.
    pub(super) fn new(mean: u64) -> Self {
        Self {
            quick: mean,
            slow: mean,
            seen: 1,
            beyond: EXPECTED,
            half: Chance::expect(7, 16, WEIGHT, SETTLED),
            negative: [Chance::expect(1, 2, WEIGHT, SETTLED); 3],
            sign: 0,
        }
    }

    /// Codes a number, where sizes go with 1 / `per`.
    pub(super) fn code(&mut self, coder: &mut impl Coder, number: i64, per: u64) -> i64 {
        let mean = (self.quick * (16 - SLOW_16) + self.slow * SLOW_16) / 16 / per;
        let size = self.code_size(coder, number.unsigned_abs(), mean.max(1));
        self.learn(size.min(SIZE_MAX).saturating_mul(per).min(SIZE_MAX) * 16);
        if size == 0 {
            self.sign = 0;
            return 0;
        }
        let negative = coder.bit(&mut self.negative[self.sign], number < 0);
        self.sign = if negative { 1 } else { 2 };
        with_sign(size, negative)
    }

    const fn learn(&mut self, size: u64) {
        self.quick = u64::midpoint(self.quick, size);
        self.slow = (self.slow * self.seen + size) / (self.seen + 1);
        if self.seen < SLOW_LEN {
            self.seen += 1;
        }
    }

    fn code_size(&mut self, coder: &mut impl Coder, size: u64, mean: u64) -> u64 {
        let octave = mean.ilog2();
        let shift = (octave + 1).saturating_sub(LEVEL_BITS);
        let upper_half = octave > 0 && mean >> (octave - 1) & 1 == 1;
        let level = 2 * (octave - shift) as usize + usize::from(upper_half);
        let coarse = size >> shift;
        let mut counted = 0;
        for chance in &mut self.beyond[level] {
            if !coder.bit(chance, coarse > counted) {
                break;
            }
            counted += 1;
        }
        if counted == STEPS as u64 {
            counted = counted.saturating_add(code_size_alone(coder, coarse.wrapping_sub(counted)));
        }
        let Some(rest) = shift.checked_sub(1) else { return counted };
        let half = u64::from(coder.bit(&mut self.half, size >> rest & 1 == 1));
        counted << shift | half << rest | coder.bits(size, rest)
    }
}

/// What is expected at each level. Made once: every batch begins with a dozen copies of it.
const EXPECTED: [[Chance; STEPS]; LEVELS] = {
    let mut levels = [[Chance::expect(1, 2, WEIGHT, SETTLED); STEPS]; LEVELS];
    let mut level = 0;
    while level < LEVELS {
        levels[level] = expected(level);
        level += 1;
    }
    levels
};

/// Sizes thin out by a constant factor, a little slower further out.
const fn expected(level: usize) -> [Chance; STEPS] {
    // The middle of the level, in 1/64.
    let middle = [5, 7][level % 2] << (level / 2);
    let mut chances = [Chance::expect(1, 2, WEIGHT, SETTLED); STEPS];
    let (mut step, mut far) = (0, 0);
    while step < STEPS {
        let mean = middle * (32 + 7 * far) / 32;
        chances[step] = Chance::expect(mean, mean + 64, WEIGHT, SETTLED);
        step += 1;
        if far < 8 {
            far += 1;
        }
    }
    chances
}

/// A size of which only is known that it is rather small: its length in bits, then its bits.
pub(super) fn code_size_alone(coder: &mut impl Coder, size: u64) -> u64 {
    let length = u64::from(u64::BITS - size.leading_zeros());
    let long = coder.bit_at(FAIR / 16, length >= 32);
    let length = if long {
        32 + coder.bits(length.wrapping_sub(32), 6).min(32)
    } else {
        coder.bits(length, 5)
    };
    match length.checked_sub(1) {
        None => 0,
        Some(rest) => 1 << rest | coder.bits(size, u32::try_from(rest).unwrap_or(63)),
    }
}

/// A number of which no more is known.
pub(super) fn code_alone(coder: &mut impl Coder, number: i64) -> i64 {
    let size = code_size_alone(coder, number.unsigned_abs());
    let negative = size != 0 && coder.bits(u64::from(number < 0), 1) == 1;
    with_sign(size, negative)
}

const fn with_sign(size: u64, negative: bool) -> i64 {
    if negative { 0_i64.wrapping_sub_unsigned(size) } else { size.cast_signed() }
}
