//! Cases: what a person has to look at. What the rider's platform was told stands all the same.

use serde::{Deserialize, Serialize};
use tripline_protocol::fare::Fare;
use tripline_protocol::id::TripId;
use tripline_protocol::unit::Timestamp;

use super::fleet::coded;

/// Most cases kept with an order; a device that misbehaves does not make an order grow without bound.
pub const CASES_MAX: usize = 20;

/// Most of them that are calls for help, and most that are not: neither takes the other's room.
pub const CASES_OF_A_SORT_MAX: usize = CASES_MAX / 2;

coded! {
    /// What a case is about.
    CaseKind {
        /// The vehicle drove where the order stands otherwise: it was cancelled, closed, or another's.
        Driven => "driven",
        /// A start with an OTP that is not the rider's.
        Otp => "otp",
        /// Too many wrong OTPs: the device asks no more until a dispatcher unlocks it.
        OtpLocked => "otp-locked",
        /// A step that the trip had no place for.
        OutOfTurn => "out-of-turn",
        /// Money taken twice, or more than is charged, or of a ride that was not to be paid to the driver.
        Paid => "paid",
        /// An extra that came too late for the fare, or for which there was no line.
        Extra => "extra",
        /// A fare that the vehicle said and that cannot be one by the order's terms.
        Fare => "fare",
        /// A change of the rider's that the vehicle did not take, or took too late.
        Change => "change",
        /// The driver called for help.
        Sos => "sos",
        /// A trip was closed without its device.
        Closed => "closed",
        /// From before cases were told apart.
        Other => "other",
    }
}

/// What the vehicle did beside the order: for the operator to decide on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrivenPart {
    /// Metres with the rider aboard.
    pub distance_m: u64,
    /// Seconds with the rider aboard, pauses and all.
    pub seconds: u64,
    /// What it would cost by the order's terms.
    pub fare: Fare,
    /// Whether it is over.
    pub over: bool,
}

/// That somebody looked at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What was done about it.
    pub note: String,
}

/// A contradiction that a person has to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its number within the order, from 1.
    pub number: u32,
    /// What it is about.
    pub kind: CaseKind,
    /// Of which trip.
    pub trip: Option<TripId>,
    /// When it was found.
    pub at: Timestamp,
    /// What, in words.
    pub what: String,
    /// What was driven, where that is the matter.
    pub driven: Option<DrivenPart>,
    /// That somebody looked at it.
    pub resolved: Option<Resolved>,
}

/// An order's cases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cases(Vec<Case>);

impl<'a> IntoIterator for &'a Cases {
    type Item = &'a Case;
    type IntoIter = std::slice::Iter<'a, Case>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Cases {
    /// All of them, the first found first.
    pub fn iter(&self) -> std::slice::Iter<'_, Case> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many nobody has looked at.
    pub fn open(&self) -> usize {
        self.0.iter().filter(|case| case.resolved.is_none()).count()
    }

    /// The one with this number.
    pub fn get(&self, number: u32) -> Option<&Case> {
        self.0.iter().find(|case| case.number == number)
    }

    /// The one with this number, to be resolved.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut Case> {
        self.0.iter_mut().find(|case| case.number == number)
    }

    /// Opens a case, but for one of the same kind and trip that is open: of that one there is no second.
    /// Gives it, unless there are [`CASES_OF_A_SORT_MAX`] others of its sort.
    pub(super) fn find_or_open(
        &mut self,
        kind: CaseKind,
        trip: Option<TripId>,
        at: Timestamp,
        what: impl FnOnce() -> String,
    ) -> Option<&mut Case> {
        // Each call for help is one.
        let same = |case: &Case| {
            kind != CaseKind::Sos
                && (case.kind, case.trip) == (kind, trip)
                && case.resolved.is_none()
        };
        if let Some(place) = self.0.iter().position(same) {
            return self.0.get_mut(place);
        }
        let is_of_sort = |case: &&Case| (case.kind == CaseKind::Sos) == (kind == CaseKind::Sos);
        if self.0.iter().filter(is_of_sort).count() >= CASES_OF_A_SORT_MAX {
            return None;
        }
        let number = u32::try_from(self.0.len()).unwrap_or(u32::MAX) + 1;
        let (driven, resolved) = (None, None);
        self.0.push(Case { number, kind, trip, at, what: what(), driven, resolved });
        self.0.last_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn open(cases: &mut Cases, kind: CaseKind, trip: u8) -> bool {
        let trip = Some(TripId::from_bytes([trip; 16]));
        cases.find_or_open(kind, trip, NOW, || "it happened".into()).is_some()
    }

    #[test]
    fn calls_for_help_leave_room_for_other_cases_and_these_for_them() {
        for (first, then) in [(CaseKind::Sos, CaseKind::Driven), (CaseKind::Driven, CaseKind::Sos)]
        {
            let mut cases = Cases::default();
            let opened = (0..100).filter(|trip| open(&mut cases, first, *trip)).count();
            assert_eq!(opened, CASES_OF_A_SORT_MAX);
            assert!(open(&mut cases, then, 0), "there is room for {then:?}");
            let opened = 1 + (1..100).filter(|trip| open(&mut cases, then, *trip)).count();
            assert_eq!((opened, cases.len()), (CASES_OF_A_SORT_MAX, CASES_MAX));
        }
    }
}
