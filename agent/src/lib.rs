//! The shell around `tripline-agent-core`: everything that touches the world.
//!
//! Each task is one file with one loop. [`receiver`] owns the serial port, [`uplink`] the connection
//! to the backend, [`renewal`] the certificate it is made with, [`control`] the local socket the
//! driver's commands come through, [`panel`] the buttons and LEDs; [`run`] owns the [`book`], engine and journal, and is the only one that
//! changes either.

pub mod cli;

pub mod config;
pub mod error;
pub mod time;

pub mod receiver;

pub mod journal;

pub mod book;

pub mod credentials;
pub mod renewal;
pub mod uplink;

pub mod control;

pub mod decode;
pub mod doctor;

pub mod panel;

mod chance;
mod trouble;

pub mod run;
