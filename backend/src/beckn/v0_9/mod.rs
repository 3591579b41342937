//! Beckn core 0.9.4 (and 0.9.1, echoed), mobility: a pure translation between JSON and the domain.
//!
//! Lenient in what it reads where published examples are, strict in what it writes: callbacks have the
//! shapes of the LTS schema of core 0.9.x. All code strings stand in [`codes`].

pub mod codes;

mod context;
mod duration;
mod fields;

mod parties;
mod request;

mod catalog;
mod order;
mod reply;

mod answer;
mod form;

pub use answer::{Answer, Refusal, parse_answer};
pub use context::Context;
pub use form::{FormProblem, form_refused, form_taken};
pub use parties::{Mismatch, check_parties};
pub use reply::{ack, nack, render};
pub use request::{located, parse};
