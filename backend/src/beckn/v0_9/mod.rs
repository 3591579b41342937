//! Beckn core 0.9.4 (and 0.9.1, echoed), mobility: a pure translation between JSON and the domain.
//!
//! Lenient in what it reads where published examples are, strict in what it writes: callbacks have the
//! shapes of the LTS schema of core 0.9.x. All code strings stand in [`codes`]. One action a file: what it asks, and
//! what of its answer is its own.

pub mod codes;
mod phrases;

mod context;
mod duration;
mod fields;
mod tags;

mod parties;

mod booking;
mod request;

mod search;
mod select;

mod init;

mod confirm;

mod status;

mod track;

mod cancel;

mod update;

mod rating;

mod support;

mod catalog;
mod order;
mod tariff;

mod reply;

mod answer;
mod form;

pub mod schema;

pub use answer::{Answer, Refusal, parse_answer};
pub use catalog::is_listed_with;
pub use context::Context;
pub use form::{FormProblem, form_refused, form_taken};
pub use parties::{Mismatch, check_parties};
pub use reply::{ack, answers_max, nack, render};
pub use request::{located, parse};
