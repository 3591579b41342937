//! Beckn requests over HTTP, down to what is stored of them: who is heard, what is refused and how, what
//! comes of a request that comes again, and what nobody can do to the others.

#[path = "../both/mod.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod both;
#[path = "../log/mod.rs"]
mod lines;
#[path = "../offer/mod.rs"]
mod offer;
#[path = "../published/mod.rs"]
mod published;
#[path = "../registry/mod.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod registry;
mod world;

mod crowd;
mod faults;
mod full;
mod keep;
mod log;
mod mutate;
mod replay;
