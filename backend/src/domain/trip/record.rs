//! The record of a trip: facts in the order in which they happened, and the machine that is read from them.

use tripline_protocol::machine::Machine as _;
use tripline_protocol::meter::Meter;
use tripline_protocol::trip::{TripEvent, TripState};
use tripline_protocol::unit::Timestamp;

use super::{By, FACTS_MAX, FACTS_RESERVED, Outcome, Step, Trip, TripFact};

/// The vehicle's own reading, as it is made fact by fact.
struct Reader {
    state: TripState,
    meter: Meter,
}

impl Reader {
    const fn new(state: TripState, meter: Meter) -> Self {
        Self { state, meter }
    }

    /// Takes in the next fact, or says why there is no place for it.
    fn take_in(&mut self, fact: &TripFact) -> Result<(), String> {
        match &fact.step {
            Step::Moved(event) => {
                self.state = self.state.next(*event).map_err(|refused| refused.to_string())?;
                self.meter = std::mem::take(&mut self.meter).after(*event, &fact.moment());
                Ok(())
            }
            Step::Extra(_) if self.state.is_terminal() => Err("the trip was over".into()),
            Step::Extra(extra) => {
                extra.check().map_err(|error| error.to_string())?;
                let room = self.meter.add_extra(extra.clone());
                if room { Ok(()) } else { Err("there are as many extras as there may be".into()) }
            }
            Step::Accepted
            | Step::Collected(_)
            | Step::OtpTried
            | Step::OtpUnlocked
            | Step::Sos
            | Step::Asked(_)
            | Step::Vouched
            | Step::Changed
            | Step::ChangeTaken
            | Step::Cancelled
            | Step::Closed => Ok(()),
        }
    }
}

impl Trip {
    /// Notes something that is no report of the device's meter.
    pub(in crate::domain) fn note(
        &mut self,
        at: Timestamp,
        received_at: Timestamp,
        step: Step,
        by: By,
        reason: String,
    ) {
        let (measured, otp, outcome) = (None, None, Outcome::Applied);
        self.keep(TripFact { at, received_at, step, by, measured, otp, reason, outcome });
    }

    /// Notes something that was asked for and not done.
    pub(in crate::domain) fn note_refused(
        &mut self,
        at: Timestamp,
        received_at: Timestamp,
        step: Step,
        by: By,
        why: String,
    ) {
        let (measured, otp, reason, outcome) = (None, None, String::new(), Outcome::Refused(why));
        self.keep(TripFact { at, received_at, step, by, measured, otp, reason, outcome });
    }

    /// Enters a fact where it happened, or says why the trip has no place for it: it is kept all the same.
    /// One that happened before others is read with those after it once more.
    pub(in crate::domain) fn enter(&mut self, fact: TripFact) -> Option<String> {
        if let Some(measured) = fact.measured.filter(|it| it.reading.steady >= self.reading.steady)
        {
            self.reading = measured.reading;
        }
        let is_last = self.is_last(&fact);
        let mut reader = Reader::new(self.driven, self.meter.clone());
        let taken = reader.take_in(&fact);
        let place = self.keep(fact);
        if !is_last && place.is_some() && self.facts_left_out == 0 {
            self.read_again();
            return self.facts.get(place?)?.outcome.refused();
        }
        if taken.is_ok() {
            (self.driven, self.meter) = (reader.state, reader.meter);
        }
        let outcome = taken.map_or_else(Outcome::Refused, |()| Outcome::Crossed);
        let refused = outcome.refused();
        if let Some(fact) = place.and_then(|place| self.facts.get_mut(place)) {
            fact.outcome = outcome;
        }
        refused
    }

    /// Reads the whole record anew: what had no place before may have one behind what came late.
    fn read_again(&mut self) {
        let mut reader = Reader::new(TripState::INITIAL, Meter::default());
        for fact in self.facts.iter_mut().filter(|fact| fact.measured.is_some()) {
            let taken = reader.take_in(fact);
            // What the order followed stays followed.
            if fact.outcome != Outcome::Applied {
                fact.outcome = taken.map_or_else(Outcome::Refused, |()| Outcome::Crossed);
            }
        }
        (self.driven, self.meter) = (reader.state, reader.meter);
    }

    /// Whether the device reported nothing that happened later.
    fn is_last(&self, fact: &TripFact) -> bool {
        let Some(measured) = &fact.measured else { return true };
        self.facts.iter().all(|known| known.is_before(measured) != Some(false))
    }

    fn keep(&mut self, fact: TripFact) -> Option<usize> {
        let most = if ends(&fact.step) { FACTS_MAX } else { FACTS_MAX - FACTS_RESERVED };
        if self.facts.len() >= most {
            self.facts_left_out = self.facts_left_out.saturating_add(1);
            return None;
        }
        let place = self.place_of(&fact);
        self.facts.insert(place, fact);
        Some(place)
    }

    /// Where a fact belongs: among the device's by its steady clock, among others by the time of day.
    fn place_of(&self, fact: &TripFact) -> usize {
        let end = self.facts.len();
        let (mut least, mut most) = (0, end);
        if let Some(measured) = &fact.measured {
            let later = |known: &TripFact| known.is_before(measured) == Some(false);
            let earlier = |known: &TripFact| known.is_before(measured) == Some(true);
            most = self.facts.iter().position(later).unwrap_or(end);
            least = self.facts.iter().rposition(earlier).map_or(0, |place| place + 1).min(most);
        }
        let between = self.facts.get(least..most).unwrap_or_default();
        let not_later = between.iter().rposition(|known| known.at <= fact.at);
        not_later.map_or(least, |place| least + place + 1)
    }

    /// Whether the device said that it is done with this trip, whether its steps before that are known or not.
    pub(in crate::domain) fn is_over_in_vehicle(&self) -> bool {
        let ends = |fact: &TripFact| fact.measured.is_some() && ends(&fact.step);
        self.driven.is_terminal() || self.facts.iter().any(ends)
    }
}

/// Whether it is the end of a trip, whoever says so.
fn ends(step: &Step) -> bool {
    match step {
        Step::Moved(event) => {
            matches!(event, TripEvent::Stop | TripEvent::Cancel | TripEvent::NoShow)
        }
        Step::Cancelled | Step::Closed => true,
        Step::Accepted
        | Step::Extra(_)
        | Step::Collected(_)
        | Step::OtpTried
        | Step::OtpUnlocked
        | Step::Sos
        | Step::Asked(_)
        | Step::Vouched
        | Step::Changed
        | Step::ChangeTaken => false,
    }
}
