//! Our keys on the network: the ring and its file, registration with a registry and its challenge, and a
//! whole rotation, on both databases.

#[path = "../both/mod.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod both;
#[path = "../log/mod.rs"]
mod log;
mod registry;
mod world;

mod challenge;
mod registration;
mod ring;
mod rotation;
