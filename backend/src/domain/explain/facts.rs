//! What an order says of its fare, for whoever explains it or writes it on a receipt.

use tripline_protocol::fare::Fare;
use tripline_protocol::terms::Terms;
use tripline_protocol::unit::{Paise, Timestamp};

use crate::domain::course::Heard;
use crate::domain::order::{Order, Vehicle};
use crate::domain::payment::PaymentMethod;

/// What the rider is charged, once that is final.
pub fn charged(order: &Order) -> Option<&Fare> {
    order.charged()
}

/// The vehicle's fare minus ours.
pub fn difference(order: &Order) -> Paise {
    order.settlement.as_ref().map_or(Paise::ZERO, |settlement| settlement.difference)
}

/// The terms that the charged fare is by: the order's, unless it is by [`former`] ones.
pub fn terms(order: &Order) -> &Terms {
    former(order).unwrap_or(&order.terms)
}

/// The terms of before a change that the vehicle did not take, if its fare by them was the lower.
pub fn former(order: &Order) -> Option<&Terms> {
    behind(order).filter(|_| difference(order) < Paise::ZERO)
}

/// The terms that a vehicle went by that did not take the rider's last change.
pub fn behind(order: &Order) -> Option<&Terms> {
    order.trip.as_ref()?.behind.as_ref().map(|behind| &behind.terms)
}

/// Why it was called off.
pub fn cancel_reason(order: &Order) -> Option<&str> {
    order.cancelled.as_ref().map(|cancelled| cancelled.reason.as_str())
}

/// How it is paid, in a sentence.
pub fn payment(order: &Order) -> String {
    let terms = order.payment.terms;
    match order.payment.amount() {
        Some(amount) => {
            format!("Paid in cash to the driver: {}", crate::domain::words::rupees(amount))
        }
        None if terms.driver_collects() => {
            "To be paid in cash to the driver; not reported as paid yet".into()
        }
        None if terms.method == PaymentMethod::Prepaid => "Paid before the ride".into(),
        None => "Paid to the platform that it was booked on".into(),
    }
}

/// Who drives, in what, once somebody accepted.
pub fn vehicle(order: &Order) -> Option<&Vehicle> {
    order.trip.as_ref().map(|trip| &trip.vehicle)
}

/// When the ride was over.
pub fn ended_at(order: &Order) -> Timestamp {
    order.ended_at().unwrap_or(order.updated_at)
}

/// When it was closed without its vehicle.
pub fn closed_at(order: &Order) -> Option<Timestamp> {
    order.trip.as_ref()?.closed.as_ref().map(|closed| closed.at)
}

/// What was heard of its vehicle's trail behind the last event, when it was closed without it.
pub fn heard(order: &Order) -> Option<Heard> {
    order.trip.as_ref()?.closed.as_ref()?.heard
}

/// Whether there is a receipt: a final fare of more than nothing.
pub fn has_receipt(order: &Order) -> bool {
    charged(order).is_some_and(|fare| fare.total() != Paise::ZERO || !fare.lines.is_empty())
}
