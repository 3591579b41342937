//! Fuzz bodies: each takes any bytes and must not panic, hang or break its own promise.
//!
//! `tests/tests/fuzz.rs` runs them on the stable toolchain over seeds and seeded mutations.

use tripline_agent_core::epoch::Assembler;
use tripline_agent_core::nmea::{Framer, Sentence};
use tripline_agent_core::record::scan;
use tripline_agent_core::segment::{Items, read_header};
use tripline_backend::beckn::v0_9;
use tripline_protocol::link::down::{Command, CommitAck};
use tripline_protocol::link::envelope::{Message, decode, encode};
use tripline_protocol::link::trail::TrailBatch;
use tripline_protocol::link::up::{EventBatch, Live, Presence};
use tripline_protocol::signing::SignatureHeader;

/// A body and its name.
pub type Body = (&'static str, fn(&[u8]));

/// Every body.
pub const BODIES: [Body; 5] = [
    ("link", link),
    ("nmea", nmea),
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

/// Any serial line: cut anywhere, it gives the same fixes.
fn nmea(bytes: &[u8]) {
    let fixes = |chunk: usize| {
        let (mut framer, mut assembler) = (Framer::default(), Assembler::default());
        let mut fixes = Vec::new();
        for piece in bytes.chunks(chunk) {
            framer.push(piece, |text| {
                fixes.extend(Sentence::parse(text).and_then(|sentence| assembler.push(sentence)));
            });
        }
        (fixes, *framer.faults())
    };
    assert_eq!(fixes(usize::MAX), fixes(1));
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
