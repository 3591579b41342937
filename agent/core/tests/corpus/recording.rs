//! A log of gpsd's regression suite, its bytes as the receiver sent them.

use tripline_agent_core::observation::Observation;
use tripline_agent_core::stream::{Decoder, Heard};
use tripline_protocol::unit::Timestamp;

/// 2000-01-01: the floor of `tripline-agent decode`.
pub(crate) const FLOOR: Timestamp = Timestamp::from_unix_ms(946_684_800_000);

/// The bytes of a log, cut where the recorder saw the writes of a torn connection.
///
/// Lines at the head that begin with `#` are the suite's, and one of them may name a character that
/// stands for a pause and was never on the line.
pub(crate) fn pieces(log: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = log;
    let mut pause = None;
    while rest.first() == Some(&b'#') {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        if let Some(cookie) = rest[..end].strip_prefix(b"# Delay-Cookie: ") {
            pause = cookie.first().copied();
        }
        rest = &rest[end..];
    }
    rest.split(|byte| Some(*byte) == pause).map(<[u8]>::to_vec).collect()
}

/// What the agent makes of the pieces.
pub(crate) fn observations(pieces: &[Vec<u8>]) -> Vec<Observation> {
    let mut decoder = Decoder::new(FLOOR);
    let mut observations = Vec::new();
    let mut on_heard = |heard| {
        if let Heard::Observation(observation) = heard {
            observations.push(observation);
        }
    };
    for piece in pieces {
        decoder.push(piece, &mut on_heard);
    }
    decoder.finish(&mut on_heard);
    observations
}
