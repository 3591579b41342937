//! Who may be offered a ride, as it is now: every vehicle with what that depends on.

use std::collections::{BTreeMap, HashMap};

use tripline_protocol::id::{DeviceId, DriverId};
use tripline_protocol::unit::Timestamp;

use super::driver::Rating;
use super::duty::DutyState;
use super::id::ProviderId;

/// What a vehicle needs before it is offered a ride.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RosterRules {
    /// A driver who is signed in on its device.
    pub sign_in_required: bool,
    /// Papers of its driver, by their kind.
    pub driver_documents: Vec<String>,
    /// Papers of its own.
    pub vehicle_documents: Vec<String>,
}

/// Why a vehicle is offered nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It is not in use any more.
    #[error("the vehicle is retired")]
    Retired,
    /// Nobody drives it.
    #[error(
        "nobody is signed in on it, and no driver is assigned to it who is not signed in elsewhere"
    )]
    NoDriver,
    /// Nobody is signed in.
    #[error("no driver is signed in on it")]
    NotSignedIn,
    /// Its driver pauses.
    #[error("its driver is on a break")]
    Break,
    /// Its driver may not drive.
    #[error("its driver is deactivated")]
    DriverInactive,
    /// A paper that is required is not on record.
    #[error("the {0} is missing")]
    DocumentMissing(String),
    /// A paper that is required has expired.
    #[error("the {0} has expired")]
    DocumentExpired(String),
}

impl Why {
    /// A short fixed word for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Retired => "retired",
            Self::NoDriver => "no-driver",
            Self::NotSignedIn => "not-signed-in",
            Self::Break => "break",
            Self::DriverInactive => "driver-inactive",
            Self::DocumentMissing(_) => "document-missing",
            Self::DocumentExpired(_) => "document-expired",
        }
    }
}

/// Until when papers count, by their kind: `None` for ever.
pub type Papers = BTreeMap<String, Option<Timestamp>>;

/// Who drives a vehicle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtTheWheel {
    /// Who.
    pub driver: DriverId,
    /// Whether they may drive.
    pub active: bool,
    /// What riders think of them.
    pub rating: Rating,
    /// Since when they are signed in, and whether they take rides; `None` for the standing driver of a
    /// vehicle on which nobody is.
    pub duty: Option<(DutyState, Timestamp)>,
    /// Their papers.
    pub papers: Papers,
}

/// A vehicle on the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rostered {
    /// Its category.
    pub category: String,
    /// For whom it drives; for every provider if for none in particular.
    pub provider: Option<ProviderId>,
    /// How many riders it carries.
    pub capacity: Option<u16>,
    /// What else is known of it: make, model, variant, colour, what moves it.
    pub traits: Vec<String>,
    /// Whether it is in use.
    pub active: bool,
    /// Who drives it.
    pub driver: Option<AtTheWheel>,
    /// Its papers.
    pub papers: Papers,
}

impl Rostered {
    /// Why it is offered nothing, if that is so.
    pub fn blocked(&self, rules: &RosterRules, now: Timestamp) -> Option<Why> {
        if !self.active {
            return Some(Why::Retired);
        }
        let Some(wheel) = &self.driver else {
            return Some(if rules.sign_in_required { Why::NotSignedIn } else { Why::NoDriver });
        };
        match wheel.duty.map(|(state, _)| state) {
            Some(DutyState::Break) => return Some(Why::Break),
            Some(DutyState::Off) | None if rules.sign_in_required => {
                return Some(Why::NotSignedIn);
            }
            Some(DutyState::On | DutyState::Off) | None => {}
        }
        if !wheel.active {
            return Some(Why::DriverInactive);
        }
        lacking(&wheel.papers, &rules.driver_documents, now)
            .or_else(|| lacking(&self.papers, &rules.vehicle_documents, now))
    }

    /// Whether it may come for what this provider sells with a vehicle of this category.
    pub fn serves(&self, provider: &ProviderId, category: &str) -> bool {
        self.category == category && self.provider.as_ref().is_none_or(|its| its == provider)
    }
}

fn lacking(papers: &Papers, required: &[String], now: Timestamp) -> Option<Why> {
    required.iter().find_map(|kind| match papers.get(kind) {
        None => Some(Why::DocumentMissing(kind.clone())),
        Some(Some(until)) if *until <= now => Some(Why::DocumentExpired(kind.clone())),
        Some(_) => None,
    })
}

/// Every vehicle of the fleet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Roster {
    vehicles: HashMap<DeviceId, Rostered>,
    rules: RosterRules,
}

impl Roster {
    /// An empty one, with what a vehicle needs.
    pub fn new(rules: RosterRules) -> Self {
        Self { vehicles: HashMap::new(), rules }
    }

    /// Takes in a vehicle, in place of what was known of it.
    pub fn put(&mut self, device: DeviceId, vehicle: Rostered) {
        self.vehicles.insert(device, vehicle);
    }

    /// What is known of a vehicle.
    pub fn get(&self, device: &DeviceId) -> Option<&Rostered> {
        self.vehicles.get(device)
    }

    /// Why a vehicle is not to be offered a ride with this item, or `None` if it may be. A vehicle that the
    /// roster does not know is retired, as far as anybody can tell.
    pub fn blocked(&self, device: &DeviceId, now: Timestamp) -> Option<Why> {
        self.get(device).map_or(Some(Why::Retired), |vehicle| vehicle.blocked(&self.rules, now))
    }

    /// What a vehicle needs.
    pub const fn rules(&self) -> &RosterRules {
        &self.rules
    }

    /// Every vehicle, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&DeviceId, &Rostered)> {
        self.vehicles.iter()
    }

    /// How many vehicles there are.
    pub fn len(&self) -> usize {
        self.vehicles.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.vehicles.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn vehicle() -> Rostered {
        Rostered {
            category: "AUTO_RICKSHAW".into(),
            provider: None,
            capacity: None,
            traits: Vec::new(),
            active: true,
            driver: Some(AtTheWheel {
                driver: "asha".parse().expect("an id"),
                active: true,
                rating: Rating::default(),
                duty: None,
                papers: Papers::from([("licence".into(), Some(NOW))]),
            }),
            papers: Papers::from([("permit".into(), None)]),
        }
    }

    #[test]
    fn a_vehicle_without_a_driver_who_may_drive_is_offered_nothing() {
        let (free, strict) = (
            RosterRules::default(),
            RosterRules { sign_in_required: true, ..RosterRules::default() },
        );
        let with = |change: fn(&mut Rostered)| {
            let mut vehicle = vehicle();
            change(&mut vehicle);
            (vehicle.blocked(&free, NOW), vehicle.blocked(&strict, NOW))
        };
        let duty = |vehicle: &mut Rostered, state| {
            if let Some(wheel) = &mut vehicle.driver {
                wheel.duty = Some((state, NOW));
            }
        };
        let not_in = Some(Why::NotSignedIn);
        assert_eq!(with(|_| {}), (None, not_in.clone()));
        assert_eq!(with(|vehicle| vehicle.driver = None), (Some(Why::NoDriver), not_in));
        let mut on = vehicle();
        duty(&mut on, DutyState::On);
        assert_eq!((on.blocked(&free, NOW), on.blocked(&strict, NOW)), (None, None));
        duty(&mut on, DutyState::Break);
        assert_eq!(on.blocked(&free, NOW), Some(Why::Break));
        assert_eq!(with(|vehicle| vehicle.active = false).0, Some(Why::Retired));
        let fired = with(|vehicle| {
            if let Some(wheel) = &mut vehicle.driver {
                wheel.active = false;
            }
        });
        assert_eq!(fired.0, Some(Why::DriverInactive));
    }

    #[test]
    fn papers_block_where_they_are_required_from_the_moment_they_expire() {
        let required = |driver: &[&str], of_vehicle: &[&str]| {
            let words = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect();
            let (driver_documents, vehicle_documents) = (words(driver), words(of_vehicle));
            RosterRules { driver_documents, vehicle_documents, ..RosterRules::default() }
        };
        let vehicle = vehicle();
        let blocked = |rules, ms| vehicle.blocked(&rules, NOW.plus_ms(ms));
        assert_eq!(blocked(required(&[], &["permit"]), 0), None);
        assert_eq!(blocked(required(&["licence"], &["permit"]), -1), None);
        let expired = Some(Why::DocumentExpired("licence".into()));
        assert_eq!(blocked(required(&["licence"], &["permit"]), 0), expired);
        let missing = Some(Why::DocumentMissing("insurance".into()));
        assert_eq!(blocked(required(&[], &["permit", "insurance"]), 0), missing);
    }

    #[test]
    fn a_vehicle_comes_for_what_its_provider_sells_with_its_category() {
        let city: ProviderId = "city".parse().expect("an id");
        let serves = |vehicle: &Rostered| vehicle.serves(&city, "AUTO_RICKSHAW");
        let mut rostered = vehicle();
        assert!(serves(&rostered), "of no provider in particular");
        rostered.provider = Some("other".parse().expect("an id"));
        assert!(!serves(&rostered));
        rostered.provider = Some(city.clone());
        assert!(serves(&rostered));
        rostered.category = "SEDAN".into();
        assert!(!serves(&rostered));
    }
}
