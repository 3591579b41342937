//! Local control: the driver's commands over a Unix socket, one JSON line each way.
//!
//! The panel and `tripline-agent trip` speak it. An answer means that what it tells of is durable.

pub mod client;
pub mod message;
pub mod server;
