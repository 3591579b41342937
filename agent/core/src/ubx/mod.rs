//! UBX, the binary protocol of u-blox receivers: frames, the messages this agent reads, and the
//! commands that set a receiver up.
//!
//! Field layouts come from the `ublox` crate; framing is our own, because the bytes between two frames
//! must reach the NMEA framer untouched.

mod command;
mod framer;
mod message;
mod setup;

pub use framer::{Faults, Framer, PAYLOAD_LEN_MAX, Piece};
pub use message::{Ack, Dop, Identity, Message, Pvt};
pub use setup::{Item, Outcome, Setup};

/// Class and id of the messages spoken of here.
pub mod id {
    /// NAV-DOP: dilution of precision.
    pub const NAV_DOP: (u8, u8) = (0x01, 0x04);
    /// NAV-PVT: position, velocity and time.
    pub const NAV_PVT: (u8, u8) = (0x01, 0x07);
    /// ACK-NAK: a command was refused.
    pub const ACK_NAK: (u8, u8) = (0x05, 0x00);
    /// ACK-ACK: a command was taken.
    pub const ACK_ACK: (u8, u8) = (0x05, 0x01);
    /// CFG-MSG: how often a message is sent (up to protocol version 33).
    pub const CFG_MSG: (u8, u8) = (0x06, 0x01);
    /// CFG-RATE: how often a position is made (up to protocol version 33).
    pub const CFG_RATE: (u8, u8) = (0x06, 0x08);
    /// CFG-VALSET: any setting by its key (from protocol version 27 on).
    pub const CFG_VALSET: (u8, u8) = (0x06, 0x8a);
    /// MON-VER: what the receiver is.
    pub const MON_VER: (u8, u8) = (0x0a, 0x04);
}
