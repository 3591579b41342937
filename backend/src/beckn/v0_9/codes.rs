//! Every code string of this dialect, in one place.

use tripline_protocol::fare::FareLineKind;
use tripline_protocol::order::OrderState;

use crate::beckn::{Action, FailureKind, FaultKind};
use crate::domain::effect::Phase;
use crate::domain::payment::{CollectedBy, PaymentMethod};

/// Versions of the core this dialect speaks.
pub const CORE_VERSIONS: [&str; 2] = ["0.9.4", "0.9.1"];

/// Currency of every price.
pub const CURRENCY: &str = "INR";

/// Code of an item that is a ride.
pub const ITEM_CODE: &str = "RIDE";

/// When the rider pays who was told of one way only, in the catalog.
pub const PAYMENT_TYPE: &str = payment_type(PaymentMethod::Cash);

/// Id of that way.
pub const PAYMENT_ID: &str = payment_id(PaymentMethod::Cash);

/// When the rider pays.
pub const fn payment_type(method: PaymentMethod) -> &'static str {
    match method {
        PaymentMethod::Cash => "ON-FULFILLMENT",
        PaymentMethod::Prepaid => "PRE-FULFILLMENT",
    }
}

/// When the rider pays, of the type that a BAP says; `None` if we know no such type.
pub fn payment_method(payment_type: &str) -> Option<PaymentMethod> {
    match payment_type {
        "ON-FULFILLMENT" | "POST-FULFILLMENT" => Some(PaymentMethod::Cash),
        "ON-ORDER" | "PRE-FULFILLMENT" => Some(PaymentMethod::Prepaid),
        _ => None,
    }
}

/// Who collects.
pub const fn collected_by(by: CollectedBy) -> &'static str {
    match by {
        CollectedBy::Bpp => "BPP",
        CollectedBy::Bap => "BAP",
    }
}

/// Who collects, as a BAP says; `None` if it is neither.
pub fn collector(collected_by: &str) -> Option<CollectedBy> {
    match collected_by {
        "BPP" => Some(CollectedBy::Bpp),
        "BAP" => Some(CollectedBy::Bap),
        _ => None,
    }
}

/// Id of a way to pay.
pub const fn payment_id(method: PaymentMethod) -> &'static str {
    match method {
        PaymentMethod::Cash => "cash",
        PaymentMethod::Prepaid => "prepaid",
    }
}

/// Labels of the documents of an order whose fare is final.
pub const RECEIPT: &str = "Receipt (PDF)";
/// The same as text.
pub const RECEIPT_TEXT: &str = "Receipt (text)";

/// Kind of authorization at the pickup.
pub const AUTHORIZATION_TYPE: &str = "OTP";

/// Code of an answer to a form that will not do (BECKN-005: its generic invalid request).
pub const FORM_INVALID: &str = "30000";

/// Code of a form that was sent in too often (BECKN-005: its generic business error).
pub const FORM_TOO_OFTEN: &str = "40000";

/// Answer of a request that was stored.
pub const ACK: &str = "ACK";

/// Answer of a request that was refused.
pub const NACK: &str = "NACK";

/// What follows the address in the URL of an answer.
pub const fn callback(action: Action) -> &'static str {
    match action {
        Action::Search => "on_search",
        Action::Select => "on_select",
        Action::Init => "on_init",
        Action::Confirm => "on_confirm",
        Action::Status => "on_status",
        Action::Track => "on_track",
    }
}

/// Unsolicited: the fare or the payment changed.
pub const ON_UPDATE: &str = "on_update";

/// Unsolicited: the ride was called off.
pub const ON_CANCEL: &str = "on_cancel";

/// The action of every callback there is.
pub fn callbacks() -> impl Iterator<Item = &'static str> {
    Action::ALL.into_iter().map(callback).chain([ON_UPDATE, ON_CANCEL])
}

/// A callback's action as one of the few fixed words there are, for a label; `other` if it is none.
pub fn callback_label(action: &str) -> &'static str {
    callbacks().find(|known| *known == action).unwrap_or("other")
}

/// Whether a callback tells of a booking or of its change.
pub fn is_of_booking(action: &str) -> bool {
    let mut answers = Action::ALL.into_iter().filter(|asked| asked.is_of_booking());
    [ON_UPDATE, ON_CANCEL].contains(&action) || answers.any(|asked| callback(asked) == action)
}

/// Code and name of a fulfillment state. `RIDE_PAUSED` and `RIDE_RESUMED` are ours: no Beckn
/// vocabulary has a pause.
pub const fn phase(phase: Phase) -> (&'static str, &'static str) {
    match phase {
        Phase::Assigned => ("DRIVER_EN_ROUTE", "A driver has accepted"),
        Phase::EnRouteToPickup => {
            ("DRIVER_EN_ROUTE_TO_PICKUP", "The driver is on the way to the pickup")
        }
        Phase::AtPickup => ("DRIVER_AT_PICKUP", "The driver is at the pickup"),
        Phase::Started => ("RIDE_STARTED", "The ride has started"),
        Phase::Paused => ("RIDE_PAUSED", "The ride is paused"),
        Phase::Resumed => ("RIDE_RESUMED", "The ride goes on"),
        Phase::Ended => ("RIDE_ENDED", "The ride has ended"),
        Phase::Cancelled => ("RIDE_CANCELLED", "The ride was cancelled"),
    }
}

/// Code and name of a fulfillment state before there is a trip.
pub const AGENTS_FOUND: (&str, &str) = ("AGENTS_FOUND", "Drivers are near");

/// Code and name of a fulfillment state after the driver was paid.
pub const PAYMENT_COLLECTED: (&str, &str) = ("PAYMENT_COLLECTED", "The fare was paid");

/// `order.state`, a free string in core 0.9.
pub const fn order_state(state: OrderState) -> &'static str {
    match state {
        OrderState::Quoted => "QUOTED",
        OrderState::Initialized => "INITIALIZED",
        OrderState::Confirmed => "CONFIRMED",
        OrderState::Active => "ACTIVE",
        OrderState::Completed => "COMPLETED",
        OrderState::Cancelled => "CANCELLED",
        OrderState::Unserved => "UNSERVED",
        OrderState::Expired => "EXPIRED",
    }
}

/// Title of a line in a quote's breakup.
pub const fn fare_line(kind: FareLineKind) -> &'static str {
    match kind {
        FareLineKind::Base => "Base fare",
        FareLineKind::Distance => "Distance fare",
        FareLineKind::Time => "Riding time",
        FareLineKind::Waiting => "Waiting charges",
        FareLineKind::Pickup => "Pickup charges",
        FareLineKind::Allowance => "Driver allowance",
        FareLineKind::Night => "Night charges",
        FareLineKind::Extra => "Tolls and extras",
        FareLineKind::Discount => "Offer",
        FareLineKind::Tax => "Tax",
        FareLineKind::Cancellation => "Cancellation charges",
        FareLineKind::NoShow => "No-show charges",
        FareLineKind::Minimum => "Minimum fare",
        FareLineKind::Rounding => "Rounding",
    }
}

/// Type and code of a failure (BECKN-005).
pub const fn failure(kind: FailureKind) -> (&'static str, &'static str) {
    match kind {
        FailureKind::QuoteGone => ("DOMAIN-ERROR", "40003"),
        FailureKind::NoDriver => ("DOMAIN-ERROR", "40006"),
        FailureKind::Impossible => ("DOMAIN-ERROR", "40000"),
    }
}

/// The field of a request that a fault is about, where its kind says so.
pub const fn fault_path(kind: FaultKind, action: Action) -> Option<&'static str> {
    match kind {
        FaultKind::MessageIdReused => Some("context.message_id"),
        FaultKind::Stale => Some("context.timestamp"),
        FaultKind::NotServed => match action {
            Action::Search => Some("message.intent.fulfillment.start.location.gps"),
            Action::Select | Action::Init | Action::Confirm | Action::Status | Action::Track => {
                Some("message.order.fulfillment.start.location.gps")
            }
        },
        FaultKind::UnknownItem => Some("message.order.items.0.id"),
        FaultKind::UnknownFulfillment => Some("message.order.fulfillment.id"),
        FaultKind::UnknownOrder => match action {
            Action::Status | Action::Track => Some("message.order_id"),
            Action::Search | Action::Select | Action::Init | Action::Confirm => {
                Some("message.order.id")
            }
        },
        FaultKind::Json
        | FaultKind::Context
        | FaultKind::Schema
        | FaultKind::UnknownAction
        | FaultKind::Unsigned
        | FaultKind::GatewayUnsigned
        | FaultKind::TooOften
        | FaultKind::TooLarge
        | FaultKind::TooSlow
        | FaultKind::Encoding
        | FaultKind::Overload
        | FaultKind::Unavailable => None,
    }
}

/// Type and code of a fault (BECKN-005; 30000 is its generic invalid request).
pub const fn fault(kind: FaultKind) -> (&'static str, &'static str) {
    match kind {
        FaultKind::Json
        | FaultKind::Schema
        | FaultKind::TooLarge
        | FaultKind::TooSlow
        | FaultKind::Encoding => ("JSON-SCHEMA-ERROR", "30000"),
        FaultKind::Context
        | FaultKind::MessageIdReused
        | FaultKind::Stale
        | FaultKind::Unsigned
        | FaultKind::GatewayUnsigned => ("CONTEXT-ERROR", "30000"),
        FaultKind::UnknownAction => ("CORE-ERROR", "40001"),
        FaultKind::UnknownItem => ("DOMAIN-ERROR", "30004"),
        FaultKind::UnknownFulfillment => ("DOMAIN-ERROR", "30008"),
        FaultKind::UnknownOrder => ("DOMAIN-ERROR", "30010"),
        FaultKind::NotServed => ("DOMAIN-ERROR", "40006"),
        FaultKind::TooOften | FaultKind::Overload | FaultKind::Unavailable => {
            ("CORE-ERROR", "40000")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_callbacks_tell_of_a_booking_and_no_other_does() {
        let answers = Action::ALL.map(callback);
        let all = answers.into_iter().chain([ON_UPDATE, ON_CANCEL]);
        let of_booking: Vec<_> = all.filter(|action| is_of_booking(action)).collect();
        assert_eq!(of_booking, ["on_confirm", "on_status", "on_update", "on_cancel"]);
    }
}
