//! The fleet: providers and what they offer where, drivers and vehicles, and who may be offered a ride.
//!
//! [`Catalog`] and [`Roster`] are what a platform has of it in memory.

#[macro_use]
mod coded;

pub mod id;

pub mod area;
pub mod catalog;
pub mod document;
pub mod driver;
pub mod duty;
pub mod item;
pub mod pin;
pub mod promotion;
pub mod roster;
pub mod shift;
pub mod text;
pub mod vehicle;

pub use area::{Area, AreaKind, Shape, ShapeError};
pub use catalog::{Catalog, NotServed};
pub use coded::UnknownWord;
pub(crate) use coded::coded;
pub use document::{Document, Owner};
pub use driver::{Driver, Provider, Rating};
pub use duty::{Duty, DutyState};
pub use id::{AreaId, CodeError, FormId, ItemId, PromotionId, ProviderId};
pub use item::{Item, ItemKind};
pub use promotion::{Off, Promotion, PromotionError};
pub use roster::{Roster, RosterRules, Rostered, Why};
pub use shift::{Cash, CashKind, Shift};
pub use vehicle::{Energy, VehicleRecord};
