//! The device link: what travels over MQTT between a device and its backend, and on which topic.
//!
//! PROTOCOL.md describes it in words. The bytes are frozen from the first release on: the structs do
//! not change, enums grow at their end, and `tests/frozen.rs` holds an example of every message.

pub mod topic;

pub mod envelope;

pub mod down;
pub mod live;
#[cfg(feature = "signing")]
pub mod seal;
pub mod settings;
pub mod trail;
pub mod up;
