//! Commands to the receiver, as frames ready to be sent.

use alloc::vec::Vec;

use super::framer::checksum;
use super::id;

/// CFG-VALSET: into the receiver's memory only. It is set again whenever it is plugged in, and whoever
/// takes it elsewhere finds it as it was.
const LAYER_RAM: u8 = 1;

/// CFG-RATE: measurements are aligned to GPS time.
const ALIGNED_TO_GPS: u16 = 1;

/// A frame around a payload of at most 65,535 bytes.
pub(super) fn frame(message: (u8, u8), payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_le_bytes();
    let mut frame = [0xb5, 0x62, message.0, message.1, len[0], len[1]].to_vec();
    frame.extend_from_slice(payload);
    let sum = checksum(&frame[2..]);
    frame.extend_from_slice(&sum);
    frame
}

/// Asks for MON-VER.
pub(super) fn poll_version() -> Vec<u8> {
    frame(id::MON_VER, &[])
}

/// CFG-RATE: a measurement every `period_ms`, a solution from each.
pub(super) fn rate(period_ms: u16) -> Vec<u8> {
    let fields = [period_ms, 1, ALIGNED_TO_GPS];
    frame(id::CFG_RATE, fields.map(u16::to_le_bytes).as_flattened())
}

/// CFG-MSG: the message with every solution, on the port this command comes in at.
pub(super) fn message_on(message: (u8, u8)) -> Vec<u8> {
    frame(id::CFG_MSG, &[message.0, message.1, 1])
}

/// CFG-VALSET: settings by key, each with its value as it goes over the wire.
pub(super) fn value_set(settings: &[(u32, &[u8])]) -> Vec<u8> {
    let mut payload = [0, LAYER_RAM, 0, 0].to_vec();
    for (key, value) in settings {
        payload.extend_from_slice(&key.to_le_bytes());
        payload.extend_from_slice(value);
    }
    frame(id::CFG_VALSET, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_the_bytes_of_the_interface_description() {
        assert_eq!(poll_version(), [0xb5, 0x62, 0x0a, 0x04, 0, 0, 0x0e, 0x34]);
        let rate = rate(1000);
        assert_eq!(rate[..12], [0xb5, 0x62, 0x06, 0x08, 6, 0, 0xe8, 0x03, 1, 0, 1, 0]);
        assert_eq!(rate[12..], [0x01, 0x39]);
        assert_eq!(message_on(id::NAV_PVT)[6..9], [0x01, 0x07, 1]);
        let set = value_set(&[(0x3021_0001, &[0xe8, 0x03])]);
        assert_eq!(set[6..16], [0, 1, 0, 0, 0x01, 0x00, 0x21, 0x30, 0xe8, 0x03]);
    }
}
