//! The public listener as riders meet it: the link of a ride in its three forms, a browser on its page, and
//! the document that describes all of the listener.

#[path = "../both/mod.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod both;
#[path = "../requests/world.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod http;
#[path = "../offer/mod.rs"]
mod offer;
#[path = "../published/mod.rs"]
mod published;
#[path = "../quoted/mod.rs"]
mod quoted;
#[path = "../registry/mod.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod registry;
#[path = "../trips/unit.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod unit;
#[path = "../trips/world.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod world;

mod bounds;
mod browser;
mod chromium;
mod document;
mod forms;
mod streams;
mod town;
