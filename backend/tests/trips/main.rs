//! Trips whose events come late, doubled, crossed and from every side: each crossing of `docs/trips.md` through
//! the real service on both databases, and random ones against a model.

#[expect(dead_code, reason = "other suites need the rest of it")]
#[path = "../both/mod.rs"]
mod both;
#[path = "../published/mod.rs"]
mod published;
#[path = "../quoted/mod.rs"]
mod quoted;

mod change;
mod cli;
mod crossings;
mod ends;
mod model;
mod otp;
mod silence;
mod unit;
mod wish;
mod world;
