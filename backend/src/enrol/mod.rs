//! Enrolment: codes for vehicles, certificates for the keys of their devices, and the end of both.
//!
//! Whoever adds or ends codes and certificates of a device does it with its vehicle locked
//! ([`Tx::lock_vehicle`](crate::store::Tx::lock_vehicle)), together with the audit entry.

mod key;

pub mod code;
pub mod office;
pub mod revoke;

pub mod listener;
