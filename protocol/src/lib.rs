//! Every byte that crosses a process border, and what both ends must compute alike.
//!
//! The vehicle, the provider platform and the simulator share this crate: identifiers and units,
//! the three state machines, the tariff and its meter, and the device link. It does no I/O, reads
//! no clock and draws no random numbers; it needs only `alloc`. PROTOCOL.md describes the bytes.

#![no_std]

extern crate alloc;

mod coded;
pub mod id;
pub mod unit;

pub mod fix;
pub mod machine;
pub mod order;
pub mod otp;

pub mod tariff;
pub mod terms;

pub mod fare;
pub mod meter;

pub mod assignment;
pub mod duty;
pub mod trip;

pub mod link;

#[cfg(feature = "enrol")]
pub mod enrol;

#[cfg(feature = "signing")]
pub mod signing;
