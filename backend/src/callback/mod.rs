//! Callbacks: what the store says subscribers are to be told, delivered in order per order.
//!
//! One task looks at the outbox and notes what came of attempts, all in one transaction a look; every attempt
//! has a task of its own. Each subscriber has a bulkhead and a breaker, so that one that takes nothing costs
//! the others nothing.

mod backlog;
mod breaker;
mod bulkhead;
mod post;
mod prune;

pub use post::Poster;

pub mod worker;

/// How long callbacks that tell of a booking or its change are tried, in ms: 72 hours. Everything that is to
/// last as long as a callback may be under way is made from it.
pub const BOOKING_TRIED_MS: i64 = 72 * 3_600_000;
