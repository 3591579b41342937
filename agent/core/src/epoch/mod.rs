//! Epoch assembly: the sentences of one instant become one observation.
//!
//! An observation leaves as soon as all has come that usually comes, or the sentence that usually
//! comes last; where neither is known or comes, when the next instant begins, or when the shell says
//! that the line is idle. What comes later for the same instant is dropped.
//!
//! A sentence without a time belongs to the instant that is open when it comes.

mod cycle;
mod gather;
mod sky;

use tripline_protocol::unit::Timestamp;

use crate::calendar::{Date, TimeOfDay, not_before};
use crate::nmea::Sentence;
use crate::observation::Observation;

use cycle::{Cycle, Kind};
use gather::Gather;
pub use sky::Sky;

/// Instants remembered after they have ended, so that a late sentence does not begin them anew.
const ENDED_MAX: usize = 4;

/// Half a day in ms. A time of day further than that from the one before it is of another date.
const HALF_DAY_MS: u32 = 12 * 3_600_000;

/// The assembler.
#[derive(Debug)]
pub struct Assembler {
    floor: Timestamp,
    open: Option<Gather>,
    ended: [Option<TimeOfDay>; ENDED_MAX],
    cycle: Cycle,
    dated: Option<(Date, TimeOfDay)>,
    sky: Sky,
}

impl Assembler {
    /// An assembler for a receiver that cannot truly be before `floor`: dates that are have suffered
    /// a rollover of the GPS week and are moved forward.
    pub fn new(floor: Timestamp) -> Self {
        Self {
            floor,
            open: None,
            ended: [None; ENDED_MAX],
            cycle: Cycle::default(),
            dated: None,
            sky: Sky::default(),
        }
    }

    /// What the receiver says of the sky.
    pub const fn sky(&self) -> &Sky {
        &self.sky
    }

    /// Takes in a sentence; hands on the observations it completes: that of the instant it ends, that
    /// of the instant it belongs to, or both.
    pub fn push(&mut self, sentence: &Sentence, mut on_observation: impl FnMut(Observation)) {
        self.sky.take(sentence);
        let Some(kind) = Kind::of(sentence) else { return };
        if let Some(time) = sentence.time() {
            if self.ended.contains(&Some(time)) {
                return;
            }
            if self.open.as_ref().is_none_or(|open| open.time != time) {
                self.end().into_iter().for_each(&mut on_observation);
                self.open = Some(Gather::new(time));
            }
        }
        let Some(open) = &mut self.open else { return };
        open.heard.add(kind, sentence.time().is_some());
        if open.emitted {
            self.learn_date(sentence);
            return;
        }
        open.take(sentence);
        if self.cycle.is_complete(open.heard) {
            self.emit().into_iter().for_each(on_observation);
        }
    }

    /// The line has been quiet for longer than a receiver pauses within an instant (some 100 ms), or
    /// the recording has ended: gives the observation that waits.
    pub fn idle(&mut self) -> Option<Observation> {
        self.emit()
    }

    /// Ends the open instant; gives its observation if it has not left yet.
    fn end(&mut self) -> Option<Observation> {
        let observation = self.emit();
        if let Some(open) = self.open.take() {
            // Without a fix a receiver may leave the times out of some of its sentences.
            if open.emitted {
                self.cycle.learn(open.heard);
            }
            self.ended.rotate_right(1);
            self.ended[0] = Some(open.time);
        }
        observation
    }

    fn emit(&mut self) -> Option<Observation> {
        let open = self.open.as_mut().filter(|open| !open.emitted)?;
        // Without a position yet it stays open for one.
        let mut observation = open.observation()?;
        open.emitted = true;
        let time = open.time;
        let date = open.date().or_else(|| Some(carried(self.dated?, time)));
        self.dated = date.map(|date| (date, time)).or(self.dated);
        observation.at = date.map(|date| not_before(date.at(time), self.floor));
        Some(observation)
    }

    /// A date that comes after the observation it belongs to has left dates those to come. Only where
    /// the receiver had a position: before, its clock may be a guess.
    fn learn_date(&mut self, late: &Sentence) {
        let Some(open) = &mut self.open else { return };
        open.take(late);
        if let (Some(date), Some(_)) = (open.date(), open.observation()) {
            self.dated = Some((date, open.time));
        }
    }
}

/// The date at `time`, given the date of an instant near it.
fn carried((date, before): (Date, TimeOfDay), time: TimeOfDay) -> Date {
    if time.ms.abs_diff(before.ms) <= HALF_DAY_MS {
        return date;
    }
    date.plus_days(if time < before { 1 } else { -1 })
}

#[cfg(test)]
mod tests;
