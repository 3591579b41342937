//! Receipts: what a rider keeps. As text for a narrow printer, and as PDF.
//!
//! Pure: the same order makes the same bytes. No phone is on it, neither the rider's nor the driver's.

mod pdf;
mod text;

use tripline_protocol::fare::FareReason;
use tripline_protocol::unit::Paise;

use crate::domain::explain::{LineAccount, facts, lines, why, zone_of};
use crate::domain::order::{Order, Vehicle};
use crate::domain::words::{duration, local, metres};

/// A receipt, with everything in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Who offered the ride.
    pub provider: String,
    /// Its number: the order's id.
    pub number: String,
    /// What it says of the ride, each with its name.
    pub details: Vec<(&'static str, String)>,
    /// The lines of the fare.
    pub lines: Vec<LineAccount>,
    /// What they add up to.
    pub total: Paise,
    /// How it is paid.
    pub payment: String,
    /// Tariff, source of the figures, and the rule that was applied if one was.
    pub notes: Vec<String>,
}

impl Receipt {
    /// The receipt of an order; none before its fare is final, and none of a fare of nothing.
    pub fn of(order: &Order) -> Option<Self> {
        let fare = facts::charged(order).filter(|_| facts::has_receipt(order))?;
        let zone = zone_of(order);
        let mut details = vec![("Date", local(facts::ended_at(order), &zone))];
        if let Some(rider) = order.rider.as_ref().filter(|rider| !rider.name.is_empty()) {
            details.push(("Rider", rider.name.clone()));
        }
        if let Some(vehicle) = facts::vehicle(order) {
            if !vehicle.driver_name.is_empty() {
                details.push(("Driver", vehicle.driver_name.clone()));
            }
            details.push(("Vehicle", described(vehicle)));
        }
        details.push(("From", place(&order.route.pickup)));
        details.extend(order.route.drop.as_ref().map(|drop| ("To", place(drop))));
        let driven = !matches!(fare.reason, FareReason::Cancelled | FareReason::NoShow);
        if driven {
            let usage = &fare.usage;
            details.extend(usage.started_at.map(|at| ("Start", local(at, &zone))));
            details.push(("Distance", metres(fare.billed_m)));
            details.push(("Riding", duration(usage.riding_s)));
            let waited_s = usage.waiting_s + usage.paused_s;
            details.extend((waited_s > 0).then(|| ("Waiting", duration(waited_s))));
        }
        Some(Self {
            provider: order.listing.provider_name.clone(),
            number: order.id.to_string(),
            details,
            lines: lines(order, fare),
            total: fare.total(),
            payment: facts::payment(order),
            notes: vec![
                sentence(&why(order, fare)),
                format!(
                    "Tariff {} version {}, fixed with the quote.",
                    fare.tariff_code, fare.tariff_version
                ),
                format!(
                    "Amounts in Indian rupees. Times in {}.",
                    zone.iana_name().unwrap_or("UTC")
                ),
            ],
        })
    }

    /// For a narrow printer, or a message.
    pub fn text(&self) -> String {
        text::of(self)
    }

    /// As PDF, A5.
    pub fn pdf(&self) -> Vec<u8> {
        pdf::of(self)
    }
}

fn place(place: &tripline_protocol::assignment::Place) -> String {
    if place.address.is_empty() { place.position.to_string() } else { place.address.clone() }
}

/// `KA01AB1234, yellow Bajaj RE`, or the category where no more is known.
fn described(vehicle: &Vehicle) -> String {
    let known = [&vehicle.color, &vehicle.make, &vehicle.model];
    let known: Vec<&str> = known.into_iter().flatten().map(String::as_str).collect();
    let what = if known.is_empty() { vehicle.category.clone() } else { known.join(" ") };
    format!("{}, {what}", vehicle.registration)
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests;
