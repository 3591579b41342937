//! Our private keys: the one that seals commands to devices ([`file`](mod@file)), and those by which we
//! are known on the network ([`ring`]).

pub mod encryption;
pub mod file;

pub mod challenge;

pub mod ring;

pub mod live;
pub mod pin;
pub mod rotation;
