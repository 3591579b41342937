//! Whole rides, end to end: the other platforms in software, and what a recorded drive truly was.
//!
//! The real programs run against what stands here. Nothing here is part of the product.

mod server;

pub mod bap;
pub mod gateway;
pub mod registry;
pub mod schema;
pub mod spec;
pub mod truth;

pub mod fuzz;
pub mod nowhere;

pub mod world;

pub mod door;

pub mod demo;
