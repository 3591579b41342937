//! The order: the commercial side, as the rider's platform sees it.

use crate::coded::coded_enum;
use crate::machine::machine;

coded_enum! {
    /// Where an order stands.
    OrderState {
        /// A price was given (`on_select`).
        Quoted => "quoted",
        /// Terms were given and the order has its id (`on_init`).
        Initialized => "initialized",
        /// Booked; a driver is being found.
        Confirmed => "confirmed",
        /// A driver has accepted; the trip decides from here.
        Active => "active",
        /// The ride is over and its fare final.
        Completed => "completed",
        /// Given up by the rider, the driver or the operator.
        Cancelled => "cancelled",
        /// No driver took it before the dispatch deadline.
        Unserved => "unserved",
        /// The quote ran out before the order was confirmed.
        Expired => "expired",
    }
}

coded_enum! {
    /// What happens to an order.
    OrderEvent {
        /// `init` from the BAP; repeated when the rider changes details.
        Initialize => "initialize",
        /// `confirm` from the BAP.
        Confirm => "confirm",
        /// A driver accepted.
        Assign => "assign",
        /// The last candidate declined, or the dispatch deadline passed.
        GiveUp => "give-up",
        /// The trip ended.
        Complete => "complete",
        /// Somebody called it off.
        Cancel => "cancel",
        /// Its driver called it off before the start: another is looked for.
        Unassign => "unassign",
        /// The quote's time to live passed.
        Expire => "expire",
    }
}

machine!(OrderState on OrderEvent, "the order", from Quoted, {
    Quoted + Initialize => Initialized,
    Quoted + Expire => Expired,
    Initialized + Initialize => Initialized,
    Initialized + Confirm => Confirmed,
    Initialized + Cancel => Cancelled,
    Initialized + Expire => Expired,
    Confirmed + Assign => Active,
    Confirmed + GiveUp => Unserved,
    Confirmed + Cancel => Cancelled,
    Active + Unassign => Confirmed,
    Active + Complete => Completed,
    Active + Cancel => Cancelled,
});
