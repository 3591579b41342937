//! One MQTT 3.1.1 packet out of bytes: the codec of `rumqttc`, with what it lets through checked
//! here. Pure, and total over any input.
//!
//! The fixed header is judged as soon as it has come: what devices do not send, and what is longer
//! than its kind may be, is refused before the rest of it is taken in. The codec takes topics with
//! wildcards and zero characters, any reserved bit, and reads the properties of an MQTT 5 CONNECT as a
//! client id: all that is caught here.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Connect, Packet, Publish, Subscribe, Unsubscribe};
use rumqttc::mqttbytes::{Error as CodecError, QoS};
use tripline_protocol::link::envelope::PAYLOAD_LEN_MAX;

/// Longest CONNECT, SUBSCRIBE or UNSUBSCRIBE, in bytes after the fixed header. Ours have a tenth.
pub const CONTROL_LEN_MAX: usize = 1024;

/// Longest packet taken or sent, in bytes after the fixed header: a payload, a topic and a few bytes.
pub const PACKET_LEN_MAX: usize = PAYLOAD_LEN_MAX + 256;

/// Longest fixed header: the kind and four bytes of length.
pub const HEADER_LEN_MAX: usize = 5;

/// Protocol level of MQTT 3.1.1.
pub const LEVEL_3_1_1: u8 = 4;

/// Why bytes are no packet that a device may send.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// The codec says so.
    #[error("bad packet: {0}")]
    Codec(CodecError),
    /// The first packet is another.
    #[error("its first packet is no CONNECT")]
    NoConnect,
    /// A kind of packet that only servers send, or none at all, or reserved bits set.
    #[error("a packet that devices do not send (first byte {0:#04x})")]
    Kind(u8),
    /// Longer than its kind may be.
    #[error("a packet of {len} bytes; at most {max} are taken of its kind")]
    Length {
        /// The length declared.
        len: usize,
        /// The length taken.
        max: usize,
    },
    /// A CONNECT of some other protocol.
    #[error("its protocol is not named MQTT")]
    Protocol,
    /// Another version of MQTT.
    #[error("it speaks MQTT level {level}, not 3.1.1 (level {LEVEL_3_1_1})")]
    Level {
        /// The level it named.
        level: u8,
    },
    /// Flags of a CONNECT or a PUBLISH that contradict each other or are reserved.
    #[error("flags that MQTT forbids")]
    Flags,
    /// A topic or filter that MQTT forbids.
    #[error("a topic that MQTT forbids")]
    Topic,
    /// A packet identifier of zero.
    #[error("a packet identifier of zero")]
    Identifier,
}

impl Malformed {
    /// Its stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Codec(_) => "bad-packet",
            Self::NoConnect => "no-connect",
            Self::Kind(_) => "packet-kind",
            Self::Length { .. } => "packet-length",
            Self::Protocol => "protocol-name",
            Self::Level { .. } => "protocol-level",
            Self::Flags => "flags",
            Self::Topic => "topic",
            Self::Identifier => "packet-identifier",
        }
    }
}

/// Where in a connection a packet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It must be the CONNECT.
    First,
    /// After it.
    Later,
}

/// Takes the packet at the beginning of `buffer`; `None` if it has not come whole.
pub fn take(buffer: &mut BytesMut, place: Place) -> Result<Option<Packet>, Malformed> {
    let header = read_header(buffer, place)?;
    if place == Place::First {
        check_protocol(buffer, header)?;
    }
    if header.is_none_or(|header| buffer.len() < header.frame_len()) {
        return Ok(None);
    }
    // What the codec says no to may have been taken out of the buffer; its connection ends.
    let first = buffer.first().copied().unwrap_or_default();
    let flags = if place == Place::First { connect_flags(buffer, header) } else { None };
    let packet = Packet::read(buffer, PACKET_LEN_MAX).map_err(Malformed::Codec)?;
    match &packet {
        Packet::Connect(connect) => check_connect(connect, flags)?,
        Packet::Publish(publish) => check_publish(publish, first)?,
        Packet::Subscribe(Subscribe { pkid, filters }) => {
            check_filters(*pkid, filters.iter().map(|filter| filter.path.as_str()))?;
        }
        Packet::Unsubscribe(Unsubscribe { pkid, topics }) => {
            check_filters(*pkid, topics.iter().map(String::as_str))?;
        }
        Packet::ConnAck(_)
        | Packet::PubAck(_)
        | Packet::PubRec(_)
        | Packet::PubRel(_)
        | Packet::PubComp(_)
        | Packet::SubAck(_)
        | Packet::UnsubAck(_)
        | Packet::PingReq
        | Packet::PingResp
        | Packet::Disconnect => {}
    }
    Ok(Some(packet))
}

/// A fixed header that has come whole.
#[derive(Debug, Clone, Copy)]
struct Header {
    len: usize,
    remaining_len: usize,
}

impl Header {
    const fn frame_len(self) -> usize {
        self.len + self.remaining_len
    }
}

fn read_header(bytes: &[u8], place: Place) -> Result<Option<Header>, Malformed> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    let (min, max) = lengths(*first, place)?;
    let mut remaining_len = 0;
    for (n, byte) in rest.iter().take(HEADER_LEN_MAX - 1).enumerate() {
        remaining_len |= usize::from(byte & 0x7F) << (7 * n);
        if remaining_len > max {
            return Err(Malformed::Length { len: remaining_len, max });
        }
        if byte & 0x80 == 0 {
            if remaining_len < min {
                return Err(Malformed::Length { len: remaining_len, max });
            }
            return Ok(Some(Header { len: n + 2, remaining_len }));
        }
    }
    if rest.len() < HEADER_LEN_MAX - 1 {
        return Ok(None);
    }
    Err(Malformed::Codec(CodecError::MalformedRemainingLength))
}

/// Shortest and longest remaining length of a packet with this first byte, if a device may send one.
/// The flags are those of MQTT 3.1.1, section 2.2.2.
const fn lengths(first: u8, place: Place) -> Result<(usize, usize), Malformed> {
    match (first, place) {
        // The shortest has a name, a level, flags, a keep-alive and an empty client id.
        (0x10, Place::First) => Ok((12, CONTROL_LEN_MAX)),
        (_, Place::First) => Err(Malformed::NoConnect),
        (0x30..=0x3F, Place::Later) => Ok((2, PACKET_LEN_MAX)),
        // PUBACK.
        (0x40, Place::Later) => Ok((2, 2)),
        // SUBSCRIBE and UNSUBSCRIBE.
        (0x82 | 0xA2, Place::Later) => Ok((2, CONTROL_LEN_MAX)),
        // PINGREQ and DISCONNECT.
        (0xC0 | 0xE0, Place::Later) => Ok((0, 0)),
        (_, Place::Later) => Err(Malformed::Kind(first)),
    }
}

/// Name and level of the protocol, as far as they have come.
fn check_protocol(bytes: &[u8], header: Option<Header>) -> Result<(), Malformed> {
    const NAME: &[u8] = b"\x00\x04MQTT";
    let Some(header) = header else { return Ok(()) };
    let variable = bytes.get(header.len..).unwrap_or_default();
    let come = variable.len().min(NAME.len());
    if variable[..come] != NAME[..come] {
        return Err(Malformed::Protocol);
    }
    match variable.get(NAME.len()) {
        Some(&level) if level != LEVEL_3_1_1 => Err(Malformed::Level { level }),
        Some(_) | None => Ok(()),
    }
}

/// The flags of a CONNECT: the byte after name and level.
fn connect_flags(bytes: &[u8], header: Option<Header>) -> Option<u8> {
    bytes.get(header?.len + 7).copied()
}

/// MQTT 3.1.1, sections 3.1.2.3 and 3.1.2.9.
fn check_connect(connect: &Connect, flags: Option<u8>) -> Result<(), Malformed> {
    const RESERVED: u8 = 0x01;
    const USER: u8 = 0x80;
    const PASSWORD: u8 = 0x40;
    let flags = flags.unwrap_or_default();
    if flags & RESERVED != 0 || flags & (USER | PASSWORD) == PASSWORD {
        return Err(Malformed::Flags);
    }
    match &connect.last_will {
        Some(will) => check_topic(&will.topic),
        None => Ok(()),
    }
}

fn check_publish(publish: &Publish, first: u8) -> Result<(), Malformed> {
    const DUPLICATE: u8 = 0x08;
    if publish.qos == QoS::AtMostOnce && first & DUPLICATE != 0 {
        return Err(Malformed::Flags);
    }
    check_topic(&publish.topic)
}

/// MQTT 3.1.1, sections 3.3.2.1 and 4.7.3.
fn check_topic(topic: &str) -> Result<(), Malformed> {
    let forbidden = topic.is_empty() || topic.contains(['\0', '+', '#']);
    if forbidden { Err(Malformed::Topic) } else { Ok(()) }
}

fn check_filters<'f>(
    pkid: u16,
    mut filters: impl Iterator<Item = &'f str>,
) -> Result<(), Malformed> {
    if pkid == 0 {
        return Err(Malformed::Identifier);
    }
    let forbidden = filters.any(|filter| filter.is_empty() || filter.contains('\0'));
    if forbidden { Err(Malformed::Topic) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &[u8] = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc";

    fn code(bytes: &[u8], place: Place) -> Option<&'static str> {
        take(&mut BytesMut::from(bytes), place).err().map(|malformed| malformed.code())
    }

    #[test]
    fn a_connect_is_taken_when_it_is_whole_and_not_before() {
        for len in 0..CONNECT.len() {
            let taken = take(&mut BytesMut::from(&CONNECT[..len]), Place::First);
            assert!(matches!(taken, Ok(None)), "{len} bytes: {taken:?}");
        }
        let mut whole = BytesMut::from(CONNECT);
        let taken = take(&mut whole, Place::First);
        assert!(matches!(taken, Ok(Some(Packet::Connect(_)))), "{taken:?}");
        assert!(whole.is_empty());
    }

    #[test]
    fn another_level_is_told_as_soon_as_it_is_there_and_another_name_at_its_first_wrong_byte() {
        let five = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03abc";
        for len in 0..9 - 1 {
            assert_eq!(code(&five[..len], Place::First), None, "{len} bytes");
        }
        assert_eq!(code(&five[..9], Place::First), Some("protocol-level"));
        assert_eq!(code(b"\x10\x90\x01\x00\x04MQTT\x03", Place::First), Some("protocol-level"));
        assert_eq!(code(b"\x10\x12\x00\x06MQ", Place::First), Some("protocol-name"));
    }

    #[test]
    fn what_a_device_may_not_send_is_refused_by_its_first_bytes() {
        for (bytes, place, expected) in [
            (&b"\x30"[..], Place::First, "no-connect"),
            (b"GET", Place::First, "no-connect"),
            (b"\x10\x81\x08", Place::First, "packet-length"),
            (b"\x10\xff\xff", Place::First, "packet-length"),
            (b"\x10", Place::Later, "packet-kind"),
            (b"\x20", Place::Later, "packet-kind"),
            (b"\x80", Place::Later, "packet-kind"),
            (b"\x62", Place::Later, "packet-kind"),
            (b"\x30\xff\xff\x7f", Place::Later, "packet-length"),
            (b"\x30\x80\x80\x80\x80", Place::Later, "bad-packet"),
            (b"\x82\xff\x7f", Place::Later, "packet-length"),
            (b"\xc0\x01", Place::Later, "packet-length"),
            (b"\x40\x00", Place::Later, "packet-length"),
        ] {
            assert_eq!(code(bytes, place), Some(expected), "{bytes:x?}");
        }
    }

    #[test]
    fn what_the_codec_lets_through_is_refused() {
        for (bytes, place, expected) in [
            (&b"\x30\x05\x00\x03a/+"[..], Place::Later, "topic"),
            (b"\x30\x05\x00\x03a/#", Place::Later, "topic"),
            (b"\x30\x05\x00\x03a\x00b", Place::Later, "topic"),
            (b"\x30\x02\x00\x00", Place::Later, "topic"),
            (b"\x38\x03\x00\x01a", Place::Later, "flags"),
            (b"\x36\x05\x00\x01a\x00\x01", Place::Later, "bad-packet"),
            (b"\x82\x06\x00\x00\x00\x01a\x00", Place::Later, "packet-identifier"),
            (b"\x82\x07\x00\x01\x00\x02a\x00\x00", Place::Later, "topic"),
            (b"\x10\x0f\x00\x04MQTT\x04\x03\x00\x3c\x00\x03abc", Place::First, "flags"),
            (b"\x10\x12\x00\x04MQTT\x04\x42\x00\x3c\x00\x03abc\x00\x01p", Place::First, "flags"),
            (
                b"\x10\x13\x00\x04MQTT\x04\x06\x00\x3c\x00\x01a\x00\x01#\x00\x01x",
                Place::First,
                "topic",
            ),
        ] {
            assert_eq!(code(bytes, place), Some(expected), "{bytes:x?}");
        }
    }
}
