//! Fuzz bodies: each takes any bytes and must not panic, hang or break its own promise.
//!
//! `tests/tests/fuzz.rs` runs them on the stable toolchain over seeds and seeded mutations.

use tripline_agent_core::epoch::Assembler;
use tripline_agent_core::nmea::Reader;
use tripline_agent_core::record::scan;
use tripline_agent_core::segment::{Items, read_header};
use tripline_agent_core::stream::Decoder;
use tripline_backend::beckn::v0_9;
use tripline_protocol::link::down::{Command, CommitAck};
use tripline_protocol::link::envelope::{Message, decode, encode};
use tripline_protocol::link::trail::TrailBatch;
use tripline_protocol::link::up::{EventBatch, Live, Presence};
use tripline_protocol::signing::SignatureHeader;
use tripline_protocol::unit::Timestamp;

/// A body and its name.
pub type Body = (&'static str, fn(&[u8]));

/// Every body.
pub const BODIES: [Body; 6] = [
    ("link", link),
    ("nmea", nmea),
    ("stream", stream),
    ("journal", journal),
    ("signature_header", signature_header),
    ("beckn_request", beckn_request),
];

/// Any payload: what decodes encodes to the same message again.
fn link(bytes: &[u8]) {
    fn round<M: Message + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
        if let Ok(message) = decode::<M>(bytes) {
            assert_eq!(decode::<M>(&encode(&message)).as_ref(), Ok(&message));
        }
    }
    round::<Live>(bytes);
    round::<EventBatch>(bytes);
    round::<TrailBatch>(bytes);
    round::<Presence>(bytes);
    round::<CommitAck>(bytes);
    round::<Command>(bytes);
}

/// Any serial line: cut anywhere, it gives the same observations.
fn nmea(bytes: &[u8]) {
    let observations = |chunk: usize| {
        let floor = Timestamp::from_unix_ms(0);
        let (mut reader, mut assembler) = (Reader::default(), Assembler::new(floor));
        let mut observations = Vec::new();
        for piece in bytes.chunks(chunk) {
            reader.push(piece, |sentence| {
                assembler.push(sentence, |observation| observations.push(observation));
            });
        }
        observations.extend(assembler.idle());
        (observations, *reader.faults(), *reader.tally())
    };
    assert_eq!(observations(usize::MAX), observations(1));
}

/// Any line that may mix NMEA and UBX: cut anywhere, it says the same, and all is counted.
fn stream(bytes: &[u8]) {
    let heard = |chunk: usize| {
        let mut decoder = Decoder::new(Timestamp::from_unix_ms(0));
        let mut heard = Vec::new();
        for piece in bytes.chunks(chunk) {
            decoder.push(piece, |one| heard.push(one));
        }
        decoder.finish(|one| heard.push(one));
        (heard, decoder.counts(), decoder.faults())
    };
    assert_eq!(heard(usize::MAX), heard(1));
}

/// Any journal image: what is kept is read again, and nothing more.
fn journal(bytes: &[u8]) {
    let mut items = Vec::new();
    let found = scan(bytes, |_, item| items.push(item));
    let kept = usize::try_from(found.valid_len).expect("within the image");
    let mut again = Vec::new();
    scan(&bytes[..kept], |_, item| again.push(item));
    assert_eq!(items, again);
    assert_eq!(items, Items::new(bytes).collect::<Vec<_>>());
    let _ = read_header(bytes);
}

/// Any header value.
fn signature_header(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = SignatureHeader::parse(text);
    }
}

/// Any request body, for every action.
fn beckn_request(bytes: &[u8]) {
    for action in ["search", "select", "init", "confirm", "status", "track", "rating"] {
        let _ = v0_9::parse(action, bytes);
    }
}
