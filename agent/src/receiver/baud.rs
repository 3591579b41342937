//! Finding the baud rate: each in turn, until one makes sense. Pure; the port is the caller's.

use tripline_protocol::unit::Uptime;

/// The rates tried, the commonest first: NMEA's 4800 comes late since few receivers of this century
/// use it.
pub const AUTO_RATES: [u32; 9] =
    [9_600, 38_400, 115_200, 57_600, 19_200, 4_800, 230_400, 460_800, 921_600];

/// How long to listen at each rate, in ms: receivers speak once a second, and the first sentence may
/// be cut.
const DWELL_MS: u64 = 1_700;

/// How long to listen at the only rate before saying that nothing was heard, in ms.
const ONLY_DWELL_MS: u64 = 10_000;

/// So many bytes without a valid sentence tell the rate is wrong before the time is over.
const NOISE_BYTES_MAX: u64 = 1_024;

/// How long a line that was understood may send nothing but noise, in ms.
const LOST_MS: u64 = 8_000;

/// Less is no reason to doubt the rate: a receiver that starts is noisy.
const LOST_BYTES_MIN: u64 = 256;

/// The search.
#[derive(Debug)]
pub(super) struct Hunt {
    rates: Vec<u32>,
    at: usize,
    found: bool,
    /// Since the last valid sentence, or since this rate was chosen.
    since: Uptime,
    noise_bytes: u64,
}

/// What to do when the time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Stay,
    /// Set the port to this rate; `round_over` when all have been tried.
    Try {
        /// In baud.
        baud: u32,
        /// Whether the rates begin anew.
        round_over: bool,
    },
}

impl Hunt {
    /// At one rate only.
    pub(super) fn fixed(baud: u32, now: Uptime) -> Self {
        Self { rates: vec![baud], at: 0, found: false, since: now, noise_bytes: 0 }
    }

    /// At all the usual rates, beginning with the one that was right before.
    pub(super) fn auto(last_good: Option<u32>, now: Uptime) -> Self {
        let mut rates: Vec<u32> = last_good.into_iter().collect();
        rates.extend(AUTO_RATES.iter().filter(|rate| Some(**rate) != last_good));
        Self { rates, at: 0, found: false, since: now, noise_bytes: 0 }
    }

    /// The rate being tried, or found.
    pub(super) fn baud(&self) -> u32 {
        self.rates.get(self.at).copied().unwrap_or_default()
    }

    /// Something valid came; true if that is news.
    pub(super) fn handle_valid(&mut self, now: Uptime) -> bool {
        self.since = now;
        self.noise_bytes = 0;
        !std::mem::replace(&mut self.found, true)
    }

    /// So many bytes came and nothing valid in them.
    pub(super) fn handle_noise(&mut self, bytes: usize) {
        self.noise_bytes += bytes as u64;
    }

    /// When [`Hunt::handle_timeout`] wants to be called.
    pub(super) fn poll_timeout(&self) -> Uptime {
        let alone = self.rates.len() == 1;
        match (self.found, alone) {
            (true, _) => self.since.plus_ms(LOST_MS),
            (false, true) => self.since.plus_ms(ONLY_DWELL_MS),
            (false, false) if self.noise_bytes >= NOISE_BYTES_MAX => self.since,
            (false, false) => self.since.plus_ms(DWELL_MS),
        }
    }

    /// The time has come.
    pub(super) fn handle_timeout(&mut self, now: Uptime) -> Step {
        if now < self.poll_timeout() {
            return Step::Stay;
        }
        self.since = now;
        let noise_bytes = std::mem::take(&mut self.noise_bytes);
        if self.found {
            // Silence says nothing about the rate; noise at the only rate cannot be helped here.
            self.found = self.rates.len() == 1 || noise_bytes < LOST_BYTES_MIN;
            return Step::Stay;
        }
        self.at = (self.at + 1) % self.rates.len();
        Step::Try { baud: self.baud(), round_over: self.at == 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Uptime {
        Uptime::from_ms(ms)
    }

    #[test]
    fn every_rate_has_its_turn_beginning_with_the_last_good_one() {
        let mut hunt = Hunt::auto(Some(115_200), at(0));
        let mut tried = vec![hunt.baud()];
        loop {
            let now = hunt.poll_timeout();
            match hunt.handle_timeout(now) {
                Step::Try { round_over: true, baud } => {
                    assert_eq!(baud, 115_200);
                    break;
                }
                Step::Try { baud, .. } => tried.push(baud),
                Step::Stay => panic!("it hesitates"),
            }
        }
        assert_eq!(tried[..4], [115_200, 9_600, 38_400, 57_600]);
        tried.sort_unstable();
        let mut all = AUTO_RATES;
        all.sort_unstable();
        assert_eq!(tried, all);
    }

    #[test]
    fn much_noise_shortens_the_listening_and_a_valid_sentence_ends_the_search() {
        let mut hunt = Hunt::auto(None, at(0));
        assert_eq!(hunt.handle_timeout(at(100)), Step::Stay);
        hunt.handle_noise(2_000);
        let next = Step::Try { baud: 38_400, round_over: false };
        assert_eq!(hunt.handle_timeout(at(100)), next);
        assert!(hunt.handle_valid(at(900)));
        assert!(!hunt.handle_valid(at(950)), "no news");
        assert_eq!(hunt.handle_timeout(at(5_000)), Step::Stay);
        assert_eq!(hunt.baud(), 38_400);
    }

    #[test]
    fn a_line_that_turns_to_noise_is_searched_again_and_a_silent_one_is_not() {
        let mut hunt = Hunt::auto(None, at(0));
        hunt.handle_valid(at(0));
        assert_eq!(hunt.handle_timeout(at(8_000)), Step::Stay);
        assert!(!hunt.handle_valid(at(8_100)), "silence was no doubt");
        hunt.handle_noise(600);
        assert_eq!(hunt.handle_timeout(at(16_100)), Step::Stay);
        assert_eq!(
            hunt.handle_timeout(hunt.poll_timeout()),
            Step::Try { baud: 38_400, round_over: false }
        );
        assert!(hunt.handle_valid(at(20_000)), "found anew");
    }

    #[test]
    fn the_only_rate_is_given_ten_seconds() {
        let mut hunt = Hunt::fixed(4_800, at(0));
        hunt.handle_noise(5_000);
        assert_eq!(hunt.handle_timeout(at(9_999)), Step::Stay);
        assert_eq!(hunt.handle_timeout(at(10_000)), Step::Try { baud: 4_800, round_over: true });
    }
}
