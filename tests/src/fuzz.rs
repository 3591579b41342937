//! Fuzz bodies: each takes any bytes and must not panic, hang or break its own promise.
//!
//! `tests/tests/fuzz.rs` runs them on the stable toolchain over seeds and seeded mutations.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::Packet;
use serde_json::Value;
use tripline_agent_core::epoch::Assembler;
use tripline_agent_core::nmea::Reader;
use tripline_agent_core::record::scan;
use tripline_agent_core::segment::{Items, read_header};
use tripline_agent_core::stream::Decoder;
use tripline_backend::beckn::json::{self, DEPTH_MAX};
use tripline_backend::beckn::{Action, v0_9};
use tripline_backend::device::packet::{
    CONTROL_LEN_MAX, HEADER_LEN_MAX, PACKET_LEN_MAX, Place, take,
};
use tripline_backend::network::guard::{Guard, is_public};
use tripline_protocol::fix::{Fix, FixType, Refusal};
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::down::{Command, CommitAck};
use tripline_protocol::link::envelope::{Message, VERSION, decode, encode};
use tripline_protocol::link::trail::{TRAIL_ENTRIES_MAX, TrailBatch, TrailEntry};
use tripline_protocol::link::up::{EventBatch, Live, Presence};
use tripline_protocol::signing::SignatureHeader;
use tripline_protocol::unit::{Position, Timestamp};

/// A body and its name.
pub type Body = (&'static str, fn(&[u8]));

/// Every body.
pub const BODIES: [Body; 11] = [
    ("link", link),
    ("trail", trail),
    ("trail_fixes", trail_fixes),
    ("nmea", nmea),
    ("stream", stream),
    ("journal", journal),
    ("signature_header", signature_header),
    ("strict_json", strict_json),
    ("beckn_request", beckn_request),
    ("url_guard", url_guard),
    ("packet", packet),
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

/// Any body of a trail batch or a live position: what decodes has these bytes and no others.
fn trail(bytes: &[u8]) {
    fn one_form<M: Message>(payload: &[u8]) -> Option<M> {
        let message = decode::<M>(payload).ok()?;
        assert_eq!(encode(&message), payload);
        Some(message)
    }
    let payload = [&[VERSION][..], bytes].concat();
    if let Some(batch) = one_form::<TrailBatch>(&payload) {
        assert!(batch.entries.len() <= TRAIL_ENTRIES_MAX);
    }
    one_form::<Live>(&payload);
    one_form::<Live>(payload.get(..15).unwrap_or(&payload));
}

/// Any fixes: the batch of them reads back, and each as a live position too.
fn trail_fixes(bytes: &[u8]) {
    let (mut entries, mut at, mut lat, mut lon) = (Vec::new(), 0_i64, 0_i32, 0_i32);
    for chunk in bytes.chunks_exact(16).take(TRAIL_ENTRIES_MAX) {
        let word = |from: usize| i32::from_le_bytes([0, 1, 2, 3].map(|i| chunk[from + i]));
        // The first byte says which fields are there and how far the others reach.
        let (flags, scale) = (chunk[0], u32::from(chunk[1]) % 32);
        at = at.wrapping_add(i64::from(word(2)) << scale);
        lat = lat.wrapping_add(word(5) >> scale);
        lon = lon.wrapping_add(word(8) >> scale);
        let Ok(position) = Position::new(lat, lon) else { continue };
        let fix = Fix {
            at: Timestamp::from_unix_ms(at),
            position,
            speed_mmps: (flags & 1 != 0).then_some(word(11).cast_unsigned() >> scale),
            course_cdeg: (flags & 2 != 0).then(|| u16::from_le_bytes([chunk[13], chunk[14]])),
            altitude_mm: (flags & 4 != 0).then_some(word(12) >> scale),
            satellites: None,
            hdop_c: None,
            accuracy_mm: None,
            fix_type: FixType::ALL[usize::from(flags >> 3) % FixType::ALL.len()],
            refused: Refusal::ALL.get(usize::from(chunk[15])).copied(),
        };
        entries.push(TrailEntry::Fix((&fix).into()));
        let live = Live::from(&fix);
        assert_eq!(decode(&encode(&live)), Ok(live));
    }
    let batch = TrailBatch { epoch: JournalEpoch(at.cast_unsigned()), after: Sequence(7), entries };
    assert_eq!(decode(&encode(&batch)), Ok(batch));
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

/// Any header value: what is taken is printable, names a signer, and is the same with commas for blanks.
fn signature_header(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(header) = SignatureHeader::parse(text) else { return };
    assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    assert!(!header.key_id.subscriber_id.is_empty());
    assert_ne!(header.key_id.unique_key_id.as_deref(), Some(""));
    assert!(header.created_s >= 0 && header.expires_s >= 0);
    assert_eq!(SignatureHeader::parse(&text.replace("\",", "\" ")), Ok(header));
}

/// Any body: what is taken is within its limits, is what others read in it, and is taken again as we write it.
fn strict_json(bytes: &[u8]) {
    let Ok(value) = json::parse(bytes) else { return };
    assert!(depth(&value) <= DEPTH_MAX);
    assert!(json::parse(value.to_string().as_bytes()).is_ok());
    assert_eq!(serde_json::from_slice::<Value>(bytes).expect("JSON"), value);
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Any address of a peer: what passes is encrypted, and its host a name or a public address.
fn url_guard(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(url) = Guard::default().check(text) else { return };
    assert_eq!(url.scheme(), "https", "{url}");
    let host = url.host_str().expect("a host");
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        assert!(is_public(address), "{url}");
    }
    assert_eq!(Guard::default().check(url.as_str()).as_ref(), Ok(&url));
}

/// Any request body, for every action.
fn beckn_request(bytes: &[u8]) {
    for action in Action::ALL {
        let _ = v0_9::parse(action.code(), bytes);
    }
}

/// Anything a device may send, cut anywhere: the same packets, none of them larger than its kind may
/// be or with a topic that MQTT forbids, and nothing that is held back grows beyond one packet.
fn packet(bytes: &[u8]) {
    for first in [Place::First, Place::Later] {
        assert_eq!(packets(bytes, first, usize::MAX), packets(bytes, first, 1));
    }
}

/// What a connection makes of these bytes when they come in pieces, to its end.
fn packets(bytes: &[u8], first: Place, piece: usize) -> (Vec<Packet>, Option<&'static str>) {
    let (mut buffer, mut place, mut taken) = (BytesMut::new(), first, Vec::new());
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            let before = buffer.len();
            match take(&mut buffer, place) {
                Ok(Some(packet)) => {
                    check_taken(&packet, before - buffer.len());
                    taken.push(packet);
                    place = Place::Later;
                }
                Ok(None) => break,
                Err(malformed) => return (taken, Some(malformed.code())),
            }
        }
        assert!(buffer.len() < PACKET_LEN_MAX + HEADER_LEN_MAX);
    }
    (taken, None)
}

fn check_taken(packet: &Packet, len: usize) {
    let forbidden = ['\0', '+', '#'];
    let max = match packet {
        Packet::Publish(publish) => {
            assert!(!publish.topic.is_empty() && !publish.topic.contains(forbidden));
            PACKET_LEN_MAX
        }
        Packet::Connect(connect) => {
            let will = connect.last_will.as_ref();
            assert!(will.is_none_or(|will| !will.topic.contains(forbidden)));
            CONTROL_LEN_MAX
        }
        Packet::Subscribe(_) | Packet::Unsubscribe(_) => CONTROL_LEN_MAX,
        Packet::PubAck(_) => 2,
        Packet::PingReq | Packet::Disconnect => 0,
        Packet::ConnAck(_)
        | Packet::PubRec(_)
        | Packet::PubRel(_)
        | Packet::PubComp(_)
        | Packet::SubAck(_)
        | Packet::UnsubAck(_)
        | Packet::PingResp => panic!("devices do not send {packet:?}"),
    };
    assert!(len <= max + HEADER_LEN_MAX, "{len} bytes of {packet:?}");
}
