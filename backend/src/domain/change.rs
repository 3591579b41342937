//! What a rider asks to have changed of a booked ride, and the price of it.

use serde::{Deserialize, Serialize};
use tripline_protocol::assignment::Place;
use tripline_protocol::fare::Fare;
use tripline_protocol::terms::Terms;
use tripline_protocol::unit::Timestamp;

use super::payment::PaymentTerms;

/// Most changes of one order: each is on its trip's record, and withdraws the offers that are open.
pub const CHANGES_MAX: u32 = 16;

/// What the rider's platform wants to be otherwise; nothing of what it does not name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Where the rider waits.
    pub pickup: Option<Place>,
    /// Where the rider goes.
    pub drop: Option<Place>,
    /// How the ride is paid.
    pub payment: Option<PaymentTerms>,
}

impl Wish {
    /// Whether it wants anything.
    pub const fn is_empty(&self) -> bool {
        self.pickup.is_none() && self.drop.is_none() && self.payment.is_none()
    }

    /// What it wants, in a word each.
    pub fn parts(&self) -> String {
        let parts = [
            (self.pickup.is_some(), "pickup"),
            (self.drop.is_some(), "drop"),
            (self.payment.is_some(), "payment"),
        ];
        let named = parts.into_iter().filter(|(is, _)| *is).map(|(_, part)| part);
        named.collect::<Vec<_>>().join(", ")
    }
}

/// A change with its price, for the rider to take or to leave. Nothing of the ride is otherwise until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Where the rider would wait.
    pub pickup: Place,
    /// Where the rider would go.
    pub drop: Place,
    /// The terms of the whole ride: tariff and discounts are the order's, the estimate is new.
    pub terms: Terms,
    /// What the whole ride would cost.
    pub quote: Fare,
    /// How it would be paid.
    pub payment: PaymentTerms,
    /// Until when that holds.
    pub expires_at: Timestamp,
}

impl Proposal {
    /// Everything that it says, as a wish.
    pub fn wish(&self) -> Wish {
        Wish {
            pickup: Some(self.pickup.clone()),
            drop: Some(self.drop.clone()),
            payment: Some(self.payment),
        }
    }
}
