//! The terms of a ride: everything its fare depends on but the ride itself. Fixed with the quote, kept with
//! the order, and sent to the vehicle with the offer.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::tariff::Tariff;
use crate::unit::{Paise, Position, Timestamp};

/// Most nights that travel with the terms: the longest ride that can be booked, and some.
pub const NIGHTS_MAX: usize = 40;

/// Most discounts on one ride.
pub const DISCOUNTS_MAX: usize = 4;

/// The terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The tariff, in the version of the quote.
    pub tariff: Tariff,
    /// The nights from the booking on, as the platform reads the tariff's hours in the city's time zone; none
    /// where the tariff has no night.
    pub nights: Vec<Span>,
    /// What is taken off.
    pub discounts: Vec<Discount>,
    /// What was estimated.
    pub estimate: Estimate,
}

/// A span of time: `from` is in it, `until` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Span {
    /// Whether it holds this moment.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

/// An offer that the rider took up: a part of the ride's charges, an amount, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discount {
    /// The offer's code.
    pub code: String,
    /// Of the ride's charges, in basis points.
    #[serde(default)]
    pub percent_bp: u32,
    /// An amount.
    #[serde(default)]
    pub flat_paise: Paise,
    /// At most so much.
    #[serde(default)]
    pub max_paise: Option<Paise>,
    /// Nothing off charges of less than this.
    #[serde(default)]
    pub least_paise: Paise,
}

/// What was estimated before the ride: a straight line with a road factor, and no more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Road distance in metres.
    pub distance_m: u32,
    /// Time of riding in seconds.
    pub duration_s: u32,
    /// When the ride is expected to start.
    pub start_at: Timestamp,
    /// Where it begins.
    pub pickup: Position,
    /// Where it is booked to.
    pub drop: Position,
}
