//! A GNSS receiver in software, on a pseudo-terminal that a real vehicle agent opens as its serial port.
//!
//! It plays a recorded drive at the pace at which it was driven, and has a lever for every fault a
//! receiver, its antenna and its cable can have. Nothing in the agent knows that it talks to a
//! simulator: what crosses the border is bytes at a baud rate.
//!
//! The modules stand in the order data flows: a recording becomes a [`trace::Trace`] of epochs,
//! [`playback`] sets each epoch on the schedule and gives it its new date, [`ublox`] adds its UBX frames
//! if it is told to be a u-blox receiver, [`faults`] spoils it as the
//! levers say, and [`player`] puts it on the [`mod@line`]. Except for reading the
//! file, all up to and including `faults` is pure: time and chance are arguments. `player`, `line` and
//! `control` do the I/O.
//!
//! [`pins`] is another simulator beside it: the buttons and LEDs of a driver's panel. [`fleet`] is a third:
//! thousands of vehicles at once, without receivers, on real connections.

pub mod sentence;
pub mod utc;

pub mod trace;

pub mod redate;

pub mod playback;

pub mod ublox;

pub mod lever;

pub mod chance;

pub mod faults;

pub mod line;

pub mod report;

pub mod player;

pub mod control;

pub mod receiver;

pub mod pins;

pub mod fleet;

pub mod cli;
