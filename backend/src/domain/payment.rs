//! How a ride is paid, and what came of it.

use serde::{Deserialize, Serialize};
use tripline_protocol::id::DriverId;
use tripline_protocol::unit::{Paise, Timestamp};

use super::fleet::coded;

coded! {
    /// When and how the rider pays.
    PaymentMethod {
        /// At the end of the ride, in cash.
        Cash => "cash",
        /// Before the ride; the driver collects nothing.
        Prepaid => "prepaid",
    }
}

coded! {
    /// Who takes the rider's money.
    CollectedBy {
        /// We do: the driver, for us.
        Bpp => "bpp",
        /// The rider's platform does.
        Bap => "bap",
    }
}

/// How a ride is to be paid, as the rider's platform says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentTerms {
    /// When and how.
    pub method: PaymentMethod,
    /// To whom.
    pub collected_by: CollectedBy,
}

/// What a rider's platform that says nothing means.
impl Default for PaymentTerms {
    fn default() -> Self {
        Self { method: PaymentMethod::Cash, collected_by: CollectedBy::Bpp }
    }
}

impl PaymentTerms {
    /// Whether the driver is to collect the fare.
    pub fn driver_collects(self) -> bool {
        self.method == PaymentMethod::Cash && self.collected_by == CollectedBy::Bpp
    }
}

/// What a driver took from a rider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// How much.
    pub amount: Paise,
    /// When, by the device's clock.
    pub at: Timestamp,
    /// Who, where the fleet knew.
    pub driver: Option<DriverId>,
}

/// How a ride is paid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// How it is to be paid.
    #[serde(flatten)]
    pub terms: PaymentTerms,
    /// What the driver took, the first time that one said so.
    pub collected: Option<Collected>,
    /// Whether the rider's platform, where that collects, said that it is paid.
    #[serde(default)]
    pub is_said_paid: bool,
}

impl Payment {
    /// Whether the driver, who was to collect it, has. What a driver took of a ride that is paid otherwise
    /// pays for nothing.
    pub fn is_collected(&self) -> bool {
        self.terms.driver_collects() && self.collected.is_some()
    }

    /// Whether the rider owes nothing more, as far as we know.
    pub fn is_paid(&self) -> bool {
        self.is_collected() || !self.terms.driver_collects() && self.is_said_paid
    }

    /// How much the driver took.
    pub fn amount(&self) -> Option<Paise> {
        self.collected.as_ref().map(|collected| collected.amount)
    }
}
