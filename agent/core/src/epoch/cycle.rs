//! What a receiver usually says of an instant, and how it ends.

use crate::nmea::Sentence;

/// Instants looked back on. What came in most of them is usual.
const PAST: usize = 3;

/// A kind of sentence that belongs to an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rmc,
    Gga,
    Gns,
    Gll,
    Gsa,
    Vtg,
    Zda,
    Gst,
    Gbs,
}

impl Kind {
    pub(super) const fn of(sentence: &Sentence) -> Option<Self> {
        Some(match sentence {
            Sentence::Rmc(_) => Self::Rmc,
            Sentence::Gga(_) => Self::Gga,
            Sentence::Gns(_) => Self::Gns,
            Sentence::Gll(_) => Self::Gll,
            Sentence::Gsa(_) => Self::Gsa,
            Sentence::Vtg(_) => Self::Vtg,
            Sentence::Zda(_) => Self::Zda,
            Sentence::Gst(_) => Self::Gst,
            Sentence::Gbs(_) => Self::Gbs,
            Sentence::Gsv(_) => return None,
        })
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The sentences of one instant, as sets of kinds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heard {
    all: u16,
    repeated: u16,
    /// All that had come with the last sentence that bears a time. What comes after it without one
    /// may as well be the beginning of the next cycle, so nobody waits for it.
    until_last_timed: u16,
    latest: Option<Kind>,
    last_timed: Option<Kind>,
}

impl Heard {
    pub(super) const fn add(&mut self, kind: Kind, timed: bool) {
        self.repeated |= self.all & kind.bit();
        self.all |= kind.bit();
        self.latest = Some(kind);
        if timed {
            self.until_last_timed = self.all;
            self.last_timed = Some(kind);
        }
    }

    /// What an instant like this one has to have before it is complete. VTG is worth waiting for
    /// where it alone tells the speed.
    const fn needed(self) -> u16 {
        if self.all & Kind::Rmc.bit() == 0 {
            self.until_last_timed | self.all & Kind::Vtg.bit()
        } else {
            self.until_last_timed
        }
    }

    /// The sentence that ends the instant, where it comes once only.
    fn end(self) -> Option<Kind> {
        let unless_repeated = |kind: &Kind| self.repeated & kind.bit() == 0;
        let waits_for_more = self.needed() != self.until_last_timed;
        self.last_timed.filter(unless_repeated).filter(|_| !waits_for_more)
    }
}

/// The receiver's habit, learnt from the instants before.
#[derive(Debug, Default)]
pub(super) struct Cycle {
    past: [Heard; PAST],
}

impl Cycle {
    pub(super) fn learn(&mut self, heard: Heard) {
        self.past.rotate_right(1);
        self.past[0] = heard;
    }

    pub(super) fn is_complete(&self, heard: Heard) -> bool {
        let usual = self.usual();
        let all_has_come = usual != 0 && heard.all & usual == usual;
        all_has_come || heard.latest.is_some() && heard.latest == self.usual_end()
    }

    /// What most of the instants had.
    fn usual(&self) -> u16 {
        let [a, b, c] = self.past.map(Heard::needed);
        a & b | b & c | a & c
    }

    /// What all of the instants ended with.
    fn usual_end(&self) -> Option<Kind> {
        let [a, b, c] = self.past.map(Heard::end);
        a.filter(|_| a == b && b == c)
    }
}
