//! The device endpoint: MQTT 3.1.1 over mutual TLS to vehicles, spoken by the platform itself.
//!
//! A device may publish to its own up lanes and subscribe to its own down lanes and nothing else. A
//! QoS 1 publish gets its PubAck after its commit. The endpoint keeps no session: what is not
//! delivered is a row in the store and goes again on the next connect.

mod clones;
mod presence;
pub mod sessions;

pub mod packet;

mod codec;
mod opening;

pub mod ingest;

mod in_flight;
mod offences;

mod connection;
mod report;
mod watch;

pub mod listener;

pub(crate) use presence::printable_version;
