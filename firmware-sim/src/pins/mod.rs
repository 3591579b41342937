//! A GPIO chip in software: the buttons, the ignition and the LEDs of a driver's panel, behind a socket.
//!
//! A vehicle agent reads and sets lines through one socket, as it would through a board's GPIO chip;
//! levers press buttons through another. [`wire`] is what crosses the first, [`lever`] what crosses the
//! second, [`panel`] what is wired to which line.

pub mod lever;
pub mod panel;
pub mod wire;

mod client;
mod serve;

pub use client::{PinsClient, PinsError};
pub use serve::{Settings, run};
