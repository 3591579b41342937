//! The admin API over HTTP: who may what, what is refused and how, lists over changing data, one effect of what
//! comes twice, and a document that is true.

#[path = "../both/mod.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod both;
#[path = "../quoted/mod.rs"]
mod quoted;
mod schema;
mod world;

mod bodies;
mod document;
mod fleet;
mod forms;
mod lists;
mod once;
mod problems;
mod roles;
mod tokens;
