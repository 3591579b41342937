//! Whether a subscriber is worth an attempt. One that has not answered some times in a row is left alone for
//! a while, and then asked with one callback alone.
//!
//! ```text
//!  closed --FAILURES_MAX in a row--> open --its wait is over--> probing
//!    ^                                ^                            |
//!    |                                +-- not answered: waits ------+
//!    +--------------- answered ------------ twice as long ----------+
//! ```

use tripline_protocol::unit::Timestamp;

/// Attempts in a row that came to nothing, after which there are no more. One or two are a connection that
/// broke; a subscriber that restarts costs no more than these.
pub(super) const FAILURES_MAX: u32 = 5;

/// First bound of the wait before a probe, in ms. It doubles with each that fails.
pub(super) const WAIT_MS_MIN: u64 = 500;

/// What may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// As much as there is room for.
    All,
    /// One callback, whose fate decides.
    Probe,
    /// Nothing.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Timestamp, bound_ms: u64 },
    Probing { bound_ms: u64 },
}

/// The breaker of a subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breaker {
    state: State,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed { failures: 0 } }
    }
}

impl Breaker {
    /// What may be sent now.
    pub(super) fn admits(&self, now: Timestamp) -> Admission {
        match self.state {
            State::Closed { .. } => Admission::All,
            State::Open { until, .. } if until <= now => Admission::Probe,
            State::Open { .. } | State::Probing { .. } => Admission::Nothing,
        }
    }

    /// When it is to be asked again what may be sent; `None` if only an answer changes that.
    pub(super) const fn opens_at(&self) -> Option<Timestamp> {
        match self.state {
            State::Open { until, .. } => Some(until),
            State::Closed { .. } | State::Probing { .. } => None,
        }
    }

    /// Whether nothing but a probe is sent.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    /// Whether it is as one that nothing is known of.
    pub(super) fn is_fresh(&self) -> bool {
        *self == Self::default()
    }

    /// An attempt begins.
    pub(super) fn begun(&mut self) {
        if let State::Open { bound_ms, .. } = self.state {
            self.state = State::Probing { bound_ms };
        }
    }

    /// An attempt was answered, be it with a refusal.
    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }

    /// An attempt was not answered, or only by something that says that the subscriber does not work.
    /// `below` draws a number below its bound; a wait is longer than `retry_ms_max` never.
    pub(super) fn failed(
        &mut self,
        now: Timestamp,
        retry_ms_max: u64,
        below: impl FnOnce(u64) -> u64,
    ) {
        let bound_ms = match self.state {
            State::Closed { failures } if failures + 1 < FAILURES_MAX => {
                self.state = State::Closed { failures: failures + 1 };
                return;
            }
            State::Closed { .. } => WAIT_MS_MIN,
            State::Probing { bound_ms } => bound_ms.saturating_mul(2),
            // One that began before it opened: it is known already.
            State::Open { .. } => return,
        };
        self.open(now, bound_ms.min(retry_ms_max), below);
    }

    /// An attempt ended without a word on the subscriber: a probe has to be made once more.
    pub(super) fn undecided(&mut self, now: Timestamp, below: impl FnOnce(u64) -> u64) {
        if let State::Probing { bound_ms } = self.state {
            self.open(now, bound_ms, below);
        }
    }

    /// A random wait below a bound, so that several backends do not probe in step.
    fn open(&mut self, now: Timestamp, bound_ms: u64, below: impl FnOnce(u64) -> u64) {
        let wait_ms = i64::try_from(below(bound_ms)).unwrap_or(i64::MAX);
        self.state = State::Open { until: now.plus_ms(wait_ms), bound_ms };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
    const RETRY_MS_MAX: u64 = 4_000;

    /// The same in the plainest words: failures counted, and a time before which nothing goes.
    #[derive(Debug, Default)]
    struct Model {
        failures: u32,
        closed_until: Option<Timestamp>,
        opened: u32,
        probing: bool,
    }

    #[derive(Debug, Clone)]
    enum Step {
        Pass(i64),
        Attempt(Outcome),
    }

    #[derive(Debug, Clone, Copy)]
    enum Outcome {
        Answered,
        Failed,
        Undecided,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3_000_i64).prop_map(Step::Pass),
            Just(Step::Attempt(Outcome::Answered)),
            Just(Step::Attempt(Outcome::Failed)),
            Just(Step::Attempt(Outcome::Failed)),
            Just(Step::Attempt(Outcome::Failed)),
            Just(Step::Attempt(Outcome::Undecided)),
        ]
    }

    proptest! {
        #[test]
        fn it_does_what_the_plain_words_say(
            steps in prop::collection::vec(step(), 1..200),
            draw in 0_u64..1_000,
        ) {
            let (mut breaker, mut model, mut now) = (Breaker::default(), Model::default(), NOW);
            let below = |bound: u64| bound * draw / 1_000;
            for step in steps {
                let outcome = match step {
                    Step::Pass(ms) => {
                        now = now.plus_ms(ms);
                        continue;
                    }
                    Step::Attempt(outcome) => outcome,
                };
                let expected = match model.closed_until {
                    None => Admission::All,
                    Some(until) if until <= now => Admission::Probe,
                    Some(_) => Admission::Nothing,
                };
                prop_assert_eq!(breaker.admits(now), expected);
                prop_assert_eq!(breaker.is_open(), model.closed_until.is_some());
                prop_assert_eq!(breaker.opens_at(), model.closed_until);
                if expected == Admission::Nothing {
                    continue;
                }
                breaker.begun();
                model.probing = expected == Admission::Probe;
                prop_assert_eq!(breaker.admits(now) == Admission::Nothing, model.probing, "one probe");
                match outcome {
                    Outcome::Answered => {
                        breaker.answered();
                        model = Model::default();
                    }
                    Outcome::Undecided => {
                        breaker.undecided(now, below);
                        if model.probing {
                            let bound = WAIT_MS_MIN << (model.opened - 1).min(10);
                            let wait = below(bound.min(RETRY_MS_MAX));
                            model.closed_until = Some(now.plus_ms(i64::try_from(wait).expect("small")));
                        }
                    }
                    Outcome::Failed => {
                        breaker.failed(now, RETRY_MS_MAX, below);
                        model.failures += 1;
                        if model.failures >= FAILURES_MAX {
                            let bound = WAIT_MS_MIN << model.opened.min(10);
                            let wait = below(bound.min(RETRY_MS_MAX));
                            model.closed_until = Some(now.plus_ms(i64::try_from(wait).expect("small")));
                            model.opened += 1;
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn attempts_that_began_before_it_opened_change_nothing_but_by_an_answer() {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            breaker.failed(NOW, RETRY_MS_MAX, |bound| bound - 1);
        }
        let open = breaker.clone();
        for _ in 0..20 {
            breaker.failed(NOW.plus_ms(10), RETRY_MS_MAX, |bound| bound - 1);
            breaker.undecided(NOW, |bound| bound - 1);
        }
        assert_eq!(breaker, open);
        breaker.answered();
        assert_eq!(breaker.admits(NOW), Admission::All);
    }
}
