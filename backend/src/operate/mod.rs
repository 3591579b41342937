//! What operators do, written once: the command line and the HTTP API call the same verbs and show the same
//! views.
//!
//! A verb is a function over a transaction. It does one thing, whole, writes down in the same transaction who
//! did it ([`Actor::note`]), and gives back a view, which is what both sides print. Whether a role may do it is
//! asked at the door of the API; whoever can run our command line has the store itself.

mod actor;
mod error;
mod page;

pub mod check;

pub mod area;
pub mod audit;
pub mod callback;
pub mod case;
pub mod device;
pub mod dispatch;
pub mod document;
pub mod driver;
pub mod duty;
pub mod explain;
pub mod form;
pub mod gateway;
pub mod health;
pub mod import;
pub mod item;
pub mod live;
pub mod order;
pub mod promotion;
pub mod provider;
pub mod shift;
pub mod subscriber;
pub mod tariff;
pub mod token;
pub mod trip;
pub mod vehicle;

pub use actor::{Actor, Role, UnknownRole};
pub use error::{FieldProblem, OperateError};
pub use page::{Cursor, LIMIT_DEFAULT, LIMIT_MAX, Listed, Page};
