//! What becomes of offers is counted where it is stored: it has a say in who is asked next.

use tripline_protocol::assignment::AssignmentState;
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::ServiceError;
use crate::domain::dispatch::Outcome;
use crate::domain::order::Order;
use crate::store::Tx;

/// An order has a driver.
pub(super) async fn note_accepted(
    tx: &mut Tx,
    order: &Order,
    at: Timestamp,
) -> Result<(), ServiceError> {
    let Some(trip) = &order.trip else { return Ok(()) };
    Ok(tx.count_offer(&trip.vehicle.device, Outcome::Accepted, at).await?)
}

/// A device is free again: it did not take the order, or its ride is over.
pub(super) async fn note_released(
    tx: &mut Tx,
    order: &Order,
    device: &DeviceId,
    at: Timestamp,
) -> Result<(), ServiceError> {
    if order.trips().any(|trip| trip.vehicle.device == *device) {
        return Ok(tx.set_idle(device, at).await?);
    }
    let of_device = order.offers.iter().rfind(|offer| offer.vehicle.device == *device);
    let outcome = match of_device.map(|offer| offer.state) {
        Some(AssignmentState::Rejected) => Outcome::Rejected,
        Some(AssignmentState::Expired) => Outcome::Expired,
        // Another was faster, or the rider called it off: that says nothing about this driver.
        Some(AssignmentState::Offered | AssignmentState::Accepted | AssignmentState::Withdrawn)
        | None => return Ok(()),
    };
    Ok(tx.count_offer(device, outcome, at).await?)
}
