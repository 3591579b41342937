//! What a rider's platform is told, in terms of the domain.

use super::{Action, Failure};
use crate::domain::catalog::Serviceable;
use crate::domain::effect::Phase;
use crate::domain::live::LivePosition;
use crate::domain::order::Order;
use crate::domain::rating::{Question, RatingCategory};
use crate::domain::reason::CancellationReason;
use crate::domain::support::Support;

/// What a BAP is told, as a callback.
#[derive(Debug, Clone, Copy)]
pub enum Reply<'a> {
    /// The answer to a search.
    Catalog(&'a Serviceable),
    /// The answer to a selection.
    Quoted(&'a Order),
    /// The answer to an initialization.
    Initialized(&'a Order),
    /// The answer to a confirmation.
    Confirmed(&'a Order),
    /// Where an order stands: asked for, or pushed.
    Status(&'a Order, Option<Phase>),
    /// Something about the order changed, or would.
    Updated(&'a Order, Change),
    /// The ride was called off: the answer to that, or pushed.
    Cancelled(&'a Order),
    /// Where the vehicle is.
    Tracking {
        /// The link for the rider.
        url: &'a str,
        /// The newest position; `None` outside a ride, or while none is known.
        position: Option<&'a LivePosition>,
        /// Whether a ride is under way.
        active: bool,
    },
    /// A rating was taken in.
    Rated {
        /// Whether answers came with it.
        with_answers: bool,
    },
    /// Whom to ask for help.
    Support(&'a Support),
    /// What can be rated.
    RatingCategories(&'a [RatingCategory]),
    /// What is asked beside a rating.
    FeedbackForm(&'a [Question]),
    /// Why a ride can be called off.
    CancellationReasons(&'a [CancellationReason]),
    /// A request cannot be carried out.
    Failed(Action, &'a Failure),
}

/// What changed about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing yet: this is what it would cost.
    Proposed,
    /// What was proposed is so.
    Accepted,
    /// Who drives.
    Driver,
    /// The fare is final.
    Fare,
    /// How it is paid, or that it is.
    Payment,
}
