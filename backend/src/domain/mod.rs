//! What the platform decides, with no I/O: no runtime, no database, no HTTP, no clock, no random
//! source. Times and fresh identifiers are arguments; what is to be done leaves as effects.
//!
//! Nothing here knows a field name of a Beckn version: those live in `beckn/`.

pub mod fleet;
pub mod form;
pub mod live;
pub mod passage;

pub mod course;
pub mod explain;
pub mod words;

pub mod catalog;
pub mod dispatch;
pub mod estimate;
pub mod night;

pub mod case;
pub mod change;
pub mod effect;
pub mod language;
pub mod payment;
pub mod reason;
pub mod support;
pub mod trip;
pub mod typed;

pub mod order;
pub mod rating;
pub mod ride;
