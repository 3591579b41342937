//! Every Beckn action over HTTP, in every state that an order, its offer and its trip can be in: what comes back,
//! and what is called back.

#[path = "../both/mod.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod both;
#[path = "../offer/mod.rs"]
mod offer;
#[path = "../published/mod.rs"]
mod published;
#[path = "../quoted/mod.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod quoted;
#[path = "../registry/mod.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod registry;
#[path = "../trips/unit.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod unit;
#[path = "../requests/world.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod world;

mod bap;
mod stage;

mod after;
mod answers;
mod cancel;
mod first;
mod named;
mod quote;
mod search;
mod sequences;
mod table;
mod update;
