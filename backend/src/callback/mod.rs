//! Callbacks: what the store says subscribers are to be told, delivered in order per order.

mod post;

pub use post::Poster;

pub mod worker;
