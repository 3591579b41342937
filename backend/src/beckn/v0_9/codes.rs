//! Every code string of this dialect, in one place.

use tripline_protocol::fare::FareLineKind;
use tripline_protocol::order::OrderState;

use crate::beckn::{Action, FailureKind, FaultKind, Target};
use crate::domain::effect::Phase;
use crate::domain::fleet::ItemKind;
use crate::domain::order::Detail;
use crate::domain::payment::{CollectedBy, PaymentMethod};
use crate::domain::rating::RatingCategory;

/// Versions of the core this dialect speaks.
pub const CORE_VERSIONS: [&str; 2] = ["0.9.4", "0.9.1"];

/// Currency of every price.
pub const CURRENCY: &str = "INR";

/// Code of an item that is a ride.
pub const ITEM_CODE: &str = "RIDE";

/// Name of the group of tags that holds the rider's language.
pub const TAG_LOCALIZATION: &str = "Localization";

/// Name of its entry.
pub const TAG_LANGUAGE: &str = "Language";

/// Every way to pay that a catalog lists.
pub const PAYMENTS: [(PaymentMethod, CollectedBy); 2] =
    [(PaymentMethod::Cash, CollectedBy::Bpp), (PaymentMethod::Prepaid, CollectedBy::Bap)];

/// When the rider pays.
pub const fn payment_type(method: PaymentMethod) -> &'static str {
    match method {
        PaymentMethod::Cash => "ON-FULFILLMENT",
        PaymentMethod::Prepaid => "PRE-FULFILLMENT",
    }
}

/// When the rider pays what a ride costs that was called off.
pub const PAYMENT_AFTER: &str = "POST-FULFILLMENT";

/// When the rider pays, of the type that a BAP says; `None` if we know no such type.
pub fn payment_method(payment_type: &str) -> Option<PaymentMethod> {
    match payment_type {
        "ON-FULFILLMENT" | PAYMENT_AFTER => Some(PaymentMethod::Cash),
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

/// Paid.
pub const PAID: &str = "PAID";
/// Not paid yet.
pub const NOT_PAID: &str = "NOT-PAID";
/// Nothing is to be paid: the ride was called off.
pub const PAYMENT_CANCELLED: &str = "CANCELLED";

/// How a ride is sold, as the type of its fulfillment.
pub const fn fulfillment_type(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Spot => "RIDE",
        ItemKind::Rental => "RENTAL",
        ItemKind::Outstation => "OUTSTATION",
    }
}

/// The ways in which rides are sold that a BAP means by a type of fulfillment. Some say `DELIVERY` for every ride.
pub fn kinds_of(fulfillment_type: &str) -> Vec<ItemKind> {
    let is_it =
        |kind: &ItemKind| self::fulfillment_type(*kind).eq_ignore_ascii_case(fulfillment_type);
    let any = fulfillment_type.eq_ignore_ascii_case("DELIVERY");
    ItemKind::ALL.iter().copied().filter(|kind| any || is_it(kind)).collect()
}

/// What is rated.
pub const fn rating_category(category: RatingCategory) -> &'static str {
    match category {
        RatingCategory::Ride => "RIDE",
        RatingCategory::Driver => "DRIVER",
        RatingCategory::Vehicle => "VEHICLE",
    }
}

/// What is rated, as a BAP says; `None` if nobody rates that here.
pub fn rated(category: &str) -> Option<RatingCategory> {
    let is_it = |it: &RatingCategory| rating_category(*it).eq_ignore_ascii_case(category);
    RatingCategory::ALL.iter().copied().find(is_it)
}

/// How a question is answered.
pub const ANSWER_TYPE: &str = "text";

/// Labels of the documents of an order whose fare is final.
pub const RECEIPT: &str = "Receipt (PDF)";
/// The same as text.
pub const RECEIPT_TEXT: &str = "Receipt (text)";

/// Kind of authorization at the pickup.
pub const AUTHORIZATION_TYPE: &str = "OTP";
/// The OTP was given at the start.
pub const CLAIMED: &str = "CLAIMED";
/// The OTP was not given yet.
pub const UNCLAIMED: &str = "UNCLAIMED";

/// How long it takes, of a time.
pub const LABEL_ETA: &str = "ETA";

/// The link shows the vehicle.
pub const TRACKING_ACTIVE: &str = "active";
/// The link shows nothing.
pub const TRACKING_INACTIVE: &str = "inactive";

/// What of an order is to be changed, as a part of `update_target`. Some write `order.` before it, and some
/// write the parts of 1.x.
pub fn target(part: &str) -> Target {
    let part = part.trim();
    match part.strip_prefix("order.").unwrap_or(part) {
        "payment" | "payments" => Target::Payment,
        "quote" | "quote.breakup" => Target::Price,
        "fulfillment" | "fulfillments" => Target::Route,
        "fulfillment.start" | "fulfillment.start.location" => Target::Pickup,
        "fulfillment.end" | "fulfillment.end.location" => Target::Drop,
        _ => Target::Other(part.to_owned()),
    }
}

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
        Action::Cancel => "on_cancel",
        Action::Update => "on_update",
        Action::Rating => "on_rating",
        Action::Support => "on_support",
        Action::CancellationReasons => "cancellation_reasons",
        Action::RatingCategories => "rating_categories",
        Action::FeedbackForm => "feedback_form",
    }
}

/// The action of every callback there is.
pub fn callbacks() -> impl Iterator<Item = &'static str> {
    Action::ALL.into_iter().map(callback)
}

/// A callback's action as one of the few fixed words there are, for a label; `other` if it is none.
pub fn callback_label(action: &str) -> &'static str {
    callbacks().find(|known| *known == action).unwrap_or("other")
}

/// Whether a callback tells of a booking or of its change.
pub fn is_of_booking(action: &str) -> bool {
    Action::ALL.into_iter().any(|asked| asked.is_of_booking() && callback(asked) == action)
}

/// A state of a fulfillment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Before there is a trip.
    AgentsFound,
    /// A driver accepted.
    Assigned,
    /// On the way to the rider.
    EnRouteToPickup,
    /// Waiting for the rider.
    AtPickup,
    /// The rider is aboard.
    Started,
    /// A stop on the way.
    Paused,
    /// On again.
    Resumed,
    /// Over.
    Ended,
    /// Over, and the driver was paid.
    PaymentCollected,
    /// Called off.
    Cancelled,
}

impl State {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::AgentsFound,
        Self::Assigned,
        Self::EnRouteToPickup,
        Self::AtPickup,
        Self::Started,
        Self::Paused,
        Self::Resumed,
        Self::Ended,
        Self::PaymentCollected,
        Self::Cancelled,
    ];

    /// The state in this phase of a trip.
    pub const fn of(phase: Phase) -> Self {
        match phase {
            Phase::Assigned => Self::Assigned,
            Phase::EnRouteToPickup => Self::EnRouteToPickup,
            Phase::AtPickup => Self::AtPickup,
            Phase::Started => Self::Started,
            Phase::Paused => Self::Paused,
            Phase::Resumed => Self::Resumed,
            Phase::Ended => Self::Ended,
            Phase::Cancelled => Self::Cancelled,
        }
    }

    /// The state for whoever is not told of pauses.
    #[must_use]
    pub const fn without_pauses(self) -> Self {
        match self {
            Self::Paused | Self::Resumed => Self::Started,
            Self::AgentsFound
            | Self::Assigned
            | Self::EnRouteToPickup
            | Self::AtPickup
            | Self::Started
            | Self::Ended
            | Self::PaymentCollected
            | Self::Cancelled => self,
        }
    }

    /// Its code. `RIDE_PAUSED` and `RIDE_RESUMED` are ours: no Beckn vocabulary has a pause.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AgentsFound => "AGENTS_FOUND",
            Self::Assigned => "DRIVER_EN_ROUTE",
            Self::EnRouteToPickup => "DRIVER_EN_ROUTE_TO_PICKUP",
            Self::AtPickup => "DRIVER_AT_PICKUP",
            Self::Started => "RIDE_STARTED",
            Self::Paused => "RIDE_PAUSED",
            Self::Resumed => "RIDE_RESUMED",
            Self::Ended => "RIDE_ENDED",
            Self::PaymentCollected => "PAYMENT_COLLECTED",
            Self::Cancelled => "RIDE_CANCELLED",
        }
    }
}

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

/// Type of an error in the sender's frame.
const CONTEXT: &str = "CONTEXT-ERROR";
/// Type of an error of the protocol, or of ours.
const CORE: &str = "CORE-ERROR";
/// Type of an error of what is booked.
const DOMAIN: &str = "DOMAIN-ERROR";
/// Type of a refusal by a rule.
const POLICY: &str = "POLICY-ERROR";
/// Type of an error of form.
const SCHEMA: &str = "JSON-SCHEMA-ERROR";

/// Type and code of a failure (BECKN-005).
pub const fn failure(kind: FailureKind) -> (&'static str, &'static str) {
    match kind {
        FailureKind::QuoteGone => (DOMAIN, "40003"),
        FailureKind::NoDriver => (DOMAIN, "40006"),
        FailureKind::Impossible => (DOMAIN, "40000"),
        FailureKind::Missing(_) => (DOMAIN, "30000"),
        FailureKind::UnknownPromotion => (DOMAIN, "30006"),
        FailureKind::Quantity => (DOMAIN, "40002"),
        FailureKind::NotCancellable => (POLICY, "50001"),
        FailureKind::UnknownReason => (DOMAIN, "30011"),
        FailureKind::NotChangeable => (POLICY, "50002"),
        FailureKind::UnknownTarget => (DOMAIN, "30012"),
        FailureKind::Inconsistent => (DOMAIN, "30013"),
        FailureKind::NothingToRate => (DOMAIN, "30014"),
        FailureKind::RatedBefore => (POLICY, "50000"),
        FailureKind::BadRating => (DOMAIN, "30015"),
        FailureKind::UnknownRatingCategory => (POLICY, "50003"),
        FailureKind::NoSupport => (POLICY, "50004"),
    }
}

/// The field of a request that a failure is about, where its kind says so.
pub const fn failure_path(kind: FailureKind) -> Option<&'static str> {
    match kind {
        FailureKind::Missing(Detail::RiderName) => {
            Some("message.order.fulfillment.customer.person.name")
        }
        FailureKind::Missing(Detail::RiderPhone) => {
            Some("message.order.fulfillment.customer.contact.phone")
        }
        FailureKind::QuoteGone => Some("message.order.quote"),
        FailureKind::UnknownPromotion => Some("message.order.offers"),
        FailureKind::Quantity => Some("message.order.items.0.quantity.count"),
        FailureKind::UnknownReason => Some("message.cancellation_reason_id"),
        FailureKind::UnknownTarget | FailureKind::Inconsistent => Some("message.update_target"),
        FailureKind::NothingToRate => Some("message.id"),
        FailureKind::BadRating => Some("message.value"),
        FailureKind::RatedBefore | FailureKind::UnknownRatingCategory => {
            Some("message.rating_category")
        }
        FailureKind::NoSupport => Some("message.ref_id"),
        FailureKind::NoDriver
        | FailureKind::Impossible
        | FailureKind::NotCancellable
        | FailureKind::NotChangeable => None,
    }
}

/// The field of a request that a fault is about, where its kind says so.
pub const fn fault_path(kind: FaultKind, action: Action) -> Option<&'static str> {
    let is_search = matches!(action, Action::Search);
    match kind {
        FaultKind::MessageIdReused => Some("context.message_id"),
        FaultKind::Stale => Some("context.timestamp"),
        FaultKind::NotServed if is_search => Some("message.intent.fulfillment.start.location.gps"),
        FaultKind::NotServed => Some("message.order.fulfillment.start.location.gps"),
        FaultKind::UnknownProvider => Some("message.order.provider.id"),
        FaultKind::UnknownItem => Some("message.order.items.0.id"),
        FaultKind::UnknownPromotion => Some("message.order.offers"),
        FaultKind::TooFarAhead if is_search => {
            Some("message.intent.fulfillment.start.time.timestamp")
        }
        FaultKind::TooFarAhead => Some("message.order.fulfillment.start.time.timestamp"),
        FaultKind::Quantity => Some("message.order.items.0.quantity.count"),
        FaultKind::DropMissing => Some("message.order.fulfillment.end.location.gps"),
        FaultKind::FormMissing => Some("message.order.items.0.xinput.form.submission_id"),
        FaultKind::NoMatch => Some("message.intent"),
        FaultKind::Payment => Some("message.order.payment"),
        FaultKind::UnknownFulfillment => Some("message.order.fulfillment.id"),
        FaultKind::UnknownOrder => match action {
            Action::Status | Action::Track | Action::Cancel => Some("message.order_id"),
            Action::Support => Some("message.ref_id"),
            Action::Rating => Some("message.id"),
            Action::Search
            | Action::Select
            | Action::Init
            | Action::Confirm
            | Action::Update
            | Action::CancellationReasons
            | Action::RatingCategories
            | Action::FeedbackForm => Some("message.order.id"),
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
        | FaultKind::DropMissing
        | FaultKind::TooLarge
        | FaultKind::TooSlow
        | FaultKind::Encoding => (SCHEMA, "30000"),
        FaultKind::Context
        | FaultKind::MessageIdReused
        | FaultKind::Stale
        | FaultKind::Unsigned
        | FaultKind::GatewayUnsigned => (CONTEXT, "30000"),
        FaultKind::UnknownAction => (CORE, "40001"),
        FaultKind::UnknownProvider => (DOMAIN, "30001"),
        FaultKind::UnknownItem => (DOMAIN, "30004"),
        FaultKind::UnknownPromotion => (DOMAIN, "30006"),
        FaultKind::TooFarAhead => (DOMAIN, "30000"),
        FaultKind::Quantity => (DOMAIN, "40002"),
        FaultKind::UnknownFulfillment => (DOMAIN, "30008"),
        FaultKind::UnknownOrder => (DOMAIN, "30010"),
        FaultKind::NotServed | FaultKind::NoMatch => (DOMAIN, "40006"),
        FaultKind::Payment => (DOMAIN, "40004"),
        FaultKind::FormMissing => (POLICY, "50000"),
        FaultKind::TooOften | FaultKind::Overload | FaultKind::Unavailable => (CORE, "40000"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_callbacks_tell_of_a_booking_and_no_other_does() {
        let of_booking: Vec<_> = callbacks().filter(|action| is_of_booking(action)).collect();
        assert_eq!(of_booking, ["on_confirm", "on_status", "on_cancel", "on_update"]);
    }

    #[test]
    fn targets_are_read_as_peers_write_them() {
        for (part, expected) in [
            ("payment", Target::Payment),
            (" order.payment ", Target::Payment),
            ("order.quote", Target::Price),
            ("fulfillment", Target::Route),
            ("order.fulfillment.end", Target::Drop),
            ("order.fulfillments", Target::Route),
            ("fulfillment.start.location", Target::Pickup),
            ("billing", Target::Other("billing".into())),
        ] {
            assert_eq!(target(part), expected, "{part}");
        }
    }

    #[test]
    fn a_type_of_fulfillment_means_the_ways_in_which_rides_are_sold() {
        assert_eq!(kinds_of("rental"), [ItemKind::Rental]);
        assert_eq!(kinds_of("DELIVERY"), ItemKind::ALL);
        assert_eq!(kinds_of("CARGO"), []);
    }
}
