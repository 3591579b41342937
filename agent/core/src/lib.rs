//! What the vehicle decides, without doing any of it.
//!
//! Receiver bytes become sentences, sentences a fix, fixes move the odometer; the driver's and the
//! backend's words move the trip; all of it becomes journal records, and the lanes choose what is
//! sent next. No I/O, no clock, no randomness: time is an argument (`now: Uptime`), and effects leave
//! as records and values for the shell in `agent` to carry out.
//!
//! The state of an agent is a fold over its journal: [`engine::Engine::apply`] is the only thing that
//! changes it, so a restart that reads the journal again stands where the process before it stood.

#![no_std]

extern crate alloc;

pub mod calendar;
pub mod listen;
pub mod nmea;
pub mod observation;
pub mod ubx;

pub mod epoch;

pub mod stream;

pub mod clock;
pub mod timebase;

pub mod geodesy;

mod odometer;

pub mod gate;
pub mod motion;

pub mod fence;

pub mod sampler;

pub mod settings;

pub mod memory;
pub mod record;
pub mod segment;
pub mod thin;

pub mod desk;
pub mod senses;

mod draft;
pub mod engine;
pub mod view;

pub mod lanes;

pub mod panel;
