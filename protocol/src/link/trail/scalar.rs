//! Speed, course and altitude: numbers that go on much as they went.

use super::grid::Grid;
use super::guess::{GUESSES, Guess};
use super::number::{Number, code_alone};
use super::range::Coder;

/// A value beyond this is none.
const VALUE_MAX: u64 = 1 << 40;

/// Where a number is, and its last two steps.
#[derive(Debug, Clone, Copy)]
struct Trend {
    value: i64,
    step: i64,
    before: i64,
}

/// One field of a track.
#[derive(Debug)]
pub(super) struct Scalar {
    trend: Option<Trend>,
    /// For moving and for standing: what the one teaches is wrong for the other.
    learnt: [(Number, Guess); 2],
    /// How much of the last step and of the one before goes on, in sixteenths: a fit to drives.
    carried: [i64; 2],
    /// A full turn, for a number that goes in a circle from 0.
    turn: Option<i64>,
}

impl Scalar {
    /// Expects misses around so many 1/16, moving and standing.
    pub(super) fn new(means: [u64; 2], carried: [i64; 2], turn: Option<i64>) -> Self {
        let learnt = means.map(|mean| (Number::new(mean), Guess::default()));
        Self { trend: None, learnt, carried, turn }
    }

    /// The last value.
    pub(super) fn last(&self) -> Option<i64> {
        self.trend.map(|trend| trend.value)
    }

    /// Codes the next value, whose misses go with 1 / `per`. `None` if what was read is none.
    pub(super) fn code(
        &mut self,
        coder: &mut impl Coder,
        grid: Grid,
        value: i64,
        standing: bool,
        per: u64,
    ) -> Option<i64> {
        let index = grid.index(value).unwrap_or(0);
        let Some(trend) = self.trend else {
            let value = grid.value(self.code_first(coder, grid, index))?;
            self.trend = Some(Trend { value, step: 0, before: 0 });
            return Some(value).filter(|value| value.unsigned_abs() <= VALUE_MAX);
        };
        let guesses = self.guesses(trend);
        let (number, guess) = &mut self.learnt[usize::from(standing)];
        let expected = grid.nearest(guesses[guess.best()]);
        let turn = self.turn.map(|turn| grid.nearest(turn));
        let miss = number.code(coder, shorter(index.wrapping_sub(expected), turn), per);
        let index = expected.wrapping_add(miss);
        let value = grid.value(turn.map_or(index, |turn| index.rem_euclid(turn)))?;
        if value.unsigned_abs() > VALUE_MAX {
            return None;
        }
        guess.learn(guesses.map(|guess| shorter(value - guess, self.turn).unsigned_abs()));
        let step = shorter(value - trend.value, self.turn);
        self.trend = Some(Trend { value, step, before: trend.step });
        Some(value)
    }

    fn code_first(&self, coder: &mut impl Coder, grid: Grid, index: i64) -> i64 {
        match self.turn {
            None => code_alone(coder, index),
            Some(turn) => coder.below(index, grid.nearest(turn)),
        }
    }

    /// It goes on, it stays, or it goes on at half its step.
    fn guesses(&self, Trend { value, step, before }: Trend) -> [i64; GUESSES] {
        let [last, earlier] = self.carried;
        [value + (step * last + before * earlier) / 16, value, value + step / 2]
    }
}

/// The shorter way round, where there is a round.
fn shorter(way: i64, turn: Option<i64>) -> i64 {
    turn.map_or(way, |turn| way.wrapping_add(turn / 2).rem_euclid(turn) - turn / 2)
}
