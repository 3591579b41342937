//! Cuts UBX frames out of a byte stream and hands on everything between them.
//!
//! A frame is `B5 62`, class, id, a little-endian payload length, the payload and a two-byte Fletcher
//! checksum over all but the first two bytes. What turns out to be no frame is looked at again from its
//! third byte on, so nothing whole behind a damaged header is lost.

use super::id;

/// Longest payload taken for a frame, in bytes. Longer ones exist only as raw measurements; every byte
/// more is one that a damaged length field can hold back.
pub const PAYLOAD_LEN_MAX: usize = 4096;

const SYNC: [u8; 2] = [0xb5, 0x62];
const HEADER_LEN: usize = 6;
const CHECKSUM_LEN: usize = 2;
const FRAME_LEN_MAX: usize = HEADER_LEN + PAYLOAD_LEN_MAX + CHECKSUM_LEN;

/// What was wrong with frames, counted since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Frames whose checksum is not that of their bytes.
    pub bad_checksum: u64,
    /// Headers that announce more than [`PAYLOAD_LEN_MAX`] bytes.
    pub too_long: u64,
    /// Whole frames whose payload is none of the message they name, by its length for instance; counted
    /// by [`crate::stream::Decoder`].
    pub unreadable: u64,
    /// Frames that had begun when the line fell silent or the stream ended.
    pub cut_off: u64,
}

impl Faults {
    /// Frames lost, whatever the reason.
    pub const fn frames(&self) -> u64 {
        self.bad_checksum + self.too_long + self.unreadable + self.cut_off
    }
}

/// A piece of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A frame with a valid checksum.
    Frame {
        /// Class and id of its message.
        id: (u8, u8),
        /// The payload.
        payload: &'a [u8],
    },
    /// Bytes that belong to no frame, in their order.
    Other(&'a [u8]),
}

/// The framer.
#[derive(Debug)]
pub struct Framer {
    /// What may be a frame: empty, or begins with the first sync byte.
    buffer: [u8; FRAME_LEN_MAX],
    len: usize,
    faults: Faults,
}

impl Default for Framer {
    fn default() -> Self {
        Self { buffer: [0; FRAME_LEN_MAX], len: 0, faults: Faults::default() }
    }
}

/// What the buffer holds.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    /// The beginning of what may be a frame.
    Incomplete,
    /// A frame with a payload of so many bytes.
    Frame(usize),
    /// No frame: its first so many bytes are something else.
    Other(usize),
}

impl Framer {
    /// What was wrong so far.
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Takes in bytes and hands on every piece they complete.
    pub fn push(&mut self, bytes: &[u8], mut on_piece: impl FnMut(Piece<'_>)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.len == 0 {
                let begin = find_sync(rest);
                let (other, from_sync) = rest.split_at(begin);
                hand_on_other(other, &mut on_piece);
                rest = from_sync;
            }
            let Some((byte, behind)) = rest.split_first() else { return };
            rest = behind;
            if let Some(slot) = self.buffer.get_mut(self.len) {
                *slot = *byte;
                self.len += 1;
            }
            self.settle(&mut on_piece);
        }
    }

    /// Gives up waiting for the rest of a frame: the line has fallen silent, or the stream is at its end.
    pub fn give_up(&mut self, mut on_piece: impl FnMut(Piece<'_>)) {
        self.faults.cut_off += u64::from(self.len > HEADER_LEN);
        while self.len > 0 {
            self.hand_on(Verdict::Other(1), &mut on_piece);
            self.settle(&mut on_piece);
        }
    }

    /// Hands on what the buffer holds until it is empty or begins what may be a frame.
    fn settle(&mut self, on_piece: &mut impl FnMut(Piece<'_>)) {
        while self.len > 0 {
            match self.judge() {
                Verdict::Incomplete => return,
                verdict @ (Verdict::Frame(_) | Verdict::Other(_)) => {
                    self.hand_on(verdict, on_piece);
                }
            }
        }
    }

    fn judge(&mut self) -> Verdict {
        let held = &self.buffer[..self.len];
        if held.iter().zip(SYNC).any(|(byte, sync)| *byte != sync) {
            return Verdict::Other(1);
        }
        let Some((header, behind)) = held.split_first_chunk::<HEADER_LEN>() else {
            return Verdict::Incomplete;
        };
        let [_, _, class, message, len_low, len_high] = *header;
        let payload_len = usize::from(u16::from_le_bytes([len_low, len_high]));
        if payload_len > len_max((class, message)) {
            self.faults.too_long += 1;
            return Verdict::Other(SYNC.len());
        }
        let Some(found) = behind.get(payload_len..payload_len + CHECKSUM_LEN) else {
            return Verdict::Incomplete;
        };
        if checksum(&held[SYNC.len()..HEADER_LEN + payload_len]) != *found {
            self.faults.bad_checksum += 1;
            return Verdict::Other(SYNC.len());
        }
        Verdict::Frame(payload_len)
    }

    fn hand_on(&mut self, verdict: Verdict, on_piece: &mut impl FnMut(Piece<'_>)) {
        let held = &self.buffer[..self.len];
        let taken = match verdict {
            Verdict::Incomplete => 0,
            Verdict::Frame(payload_len) => {
                let payload = &held[HEADER_LEN..HEADER_LEN + payload_len];
                on_piece(Piece::Frame { id: (held[2], held[3]), payload });
                HEADER_LEN + payload_len + CHECKSUM_LEN
            }
            Verdict::Other(count) => {
                let next = count + find_sync(&held[count..]);
                hand_on_other(&held[..next], on_piece);
                next
            }
        };
        self.buffer.copy_within(taken..self.len, 0);
        self.len -= taken;
    }
}

/// Where the first sync byte stands, or the end.
fn find_sync(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == SYNC[0]).unwrap_or(bytes.len())
}

fn hand_on_other(bytes: &[u8], on_piece: &mut impl FnMut(Piece<'_>)) {
    if !bytes.is_empty() {
        on_piece(Piece::Other(bytes));
    }
}

/// The messages that matter most have a length of their own, which tells a damaged header at once.
const fn len_max(id: (u8, u8)) -> usize {
    match id {
        id::NAV_PVT => 92,
        id::NAV_DOP => 18,
        id::ACK_ACK | id::ACK_NAK => 2,
        _ => PAYLOAD_LEN_MAX,
    }
}

/// The 8-bit Fletcher checksum (u-blox interface description, "UBX checksum").
pub(super) fn checksum(bytes: &[u8]) -> [u8; 2] {
    bytes.iter().fold([0, 0], |[a, b]: [u8; 2], byte| {
        let a = a.wrapping_add(*byte);
        [a, b.wrapping_add(a)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ubx::command::frame;
    use alloc::vec::Vec;

    fn run(bytes: &[u8]) -> (Vec<(u8, u8)>, Vec<u8>, Faults) {
        let (mut frames, mut other) = (Vec::new(), Vec::new());
        let mut framer = Framer::default();
        let mut take = |piece: Piece<'_>| match piece {
            Piece::Frame { id, .. } => frames.push(id),
            Piece::Other(bytes) => other.extend_from_slice(bytes),
        };
        framer.push(bytes, &mut take);
        framer.give_up(&mut take);
        let faults = *framer.faults();
        (frames, other, faults)
    }

    #[test]
    fn frames_are_cut_out_and_everything_else_stays_in_its_order() {
        let bytes = [b"ab".as_slice(), &frame((1, 2), b"$xyz\r\n"), b"c\xb5d", &frame((3, 4), b"")];
        let (frames, other, faults) = run(&bytes.concat());
        assert_eq!(frames, [(1, 2), (3, 4)]);
        assert_eq!(other, b"abc\xb5d");
        assert_eq!(faults, Faults::default());
    }

    #[test]
    fn a_frame_behind_a_damaged_header_is_found_and_the_damage_counted_by_kind() {
        let whole = frame((0x0a, 0x09), &[7; 60]);
        let mut longer = whole.clone();
        longer[4] += 40; // its length now reaches into the next one
        let mut huge = whole.clone();
        huge[5] = 0xff;
        let (frames, other, faults) = run(&[longer, huge, whole.clone()].concat());
        assert_eq!(frames, [(0x0a, 0x09)]);
        assert_eq!(other.len(), 2 * whole.len());
        assert_eq!(faults, Faults { bad_checksum: 1, too_long: 1, ..Faults::default() });
    }

    #[test]
    fn a_beginning_without_an_end_is_given_back() {
        let (frames, other, faults) = run(b"\xb5\x62\x01\x07\x5c\x00$GPTXT\r\n");
        assert_eq!((frames.len(), other.len()), (0, 14));
        assert_eq!(faults, Faults { cut_off: 1, ..Faults::default() });
    }
}
