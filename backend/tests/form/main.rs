//! Forms that riders fill in before they book, over real HTTP on both databases: from the operator's file to the
//! submission with which an order is made.

#[path = "../both/mod.rs"]
#[expect(dead_code, reason = "the tests of the store need more of it")]
mod both;
#[path = "../quoted/mod.rs"]
mod quoted;

mod world;

mod cli;
mod fields;
mod flow;
mod hostile;
mod kept;
mod operator;
mod page;
mod sent;
