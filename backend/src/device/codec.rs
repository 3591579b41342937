//! MQTT packets over a socket: the codec of `rumqttc`, with what it lets through checked here.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::Error as CodecError;
use rumqttc::mqttbytes::v4::Packet;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tripline_protocol::link::envelope::PAYLOAD_LEN_MAX;

/// Largest packet taken or sent: a payload, a topic and a few bytes.
const PACKET_LEN_MAX: usize = PAYLOAD_LEN_MAX + 256;

/// Bytes of buffer to begin with.
const BUFFER_LEN: usize = 1024;

/// A peer that takes no byte for so long is cut off, in ms: nothing is buffered for a slow reader.
const WRITE_MS_MAX: u64 = 10_000;

/// Protocol level of MQTT 3.1.1.
const LEVEL_3_1_1: u8 = 4;

/// Why a packet could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum PacketError {
    /// The socket.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The peer closed.
    #[error("closed by the device")]
    Closed,
    /// Not MQTT, or beyond a limit.
    #[error("bad packet: {0}")]
    Codec(CodecError),
    /// Another version of MQTT.
    #[error("it speaks MQTT level {level}, not 3.1.1 (level {LEVEL_3_1_1})")]
    Level {
        /// The level it named.
        level: u8,
    },
    /// The peer does not read.
    #[error("the device does not read what it is sent")]
    Slow,
}

/// A connection's packets.
#[derive(Debug)]
pub(super) struct Packets {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
}

impl Packets {
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Self {
        Self { stream, buffer: BytesMut::with_capacity(BUFFER_LEN) }
    }

    /// The first packet, a CONNECT. The codec misreads one of MQTT 5, so its level is read here.
    pub(super) async fn read_connect(&mut self) -> Result<Packet, PacketError> {
        loop {
            if let Some(level) = connect_level(&self.buffer)
                && level != LEVEL_3_1_1
            {
                return Err(PacketError::Level { level });
            }
            if let Some(packet) = self.decode()? {
                return Ok(packet);
            }
            self.fill().await?;
        }
    }

    /// The next packet. May be dropped while it waits without losing a byte.
    pub(super) async fn read(&mut self) -> Result<Packet, PacketError> {
        loop {
            if let Some(packet) = self.decode()? {
                return Ok(packet);
            }
            self.fill().await?;
        }
    }

    fn decode(&mut self) -> Result<Option<Packet>, PacketError> {
        match Packet::read(&mut self.buffer, PACKET_LEN_MAX) {
            Ok(packet) => Ok(Some(packet)),
            Err(CodecError::InsufficientBytes(_)) => Ok(None),
            Err(error) => Err(PacketError::Codec(error)),
        }
    }

    async fn fill(&mut self) -> Result<(), PacketError> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(PacketError::Closed),
            _ => Ok(()),
        }
    }

    /// Writes packets, or cuts off a peer that does not take them.
    pub(super) async fn write(&mut self, packets: &[Packet]) -> Result<(), PacketError> {
        let mut bytes = BytesMut::new();
        for packet in packets {
            packet.write(&mut bytes, PACKET_LEN_MAX).map_err(PacketError::Codec)?;
        }
        let write = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        match tokio::time::timeout(Duration::from_millis(WRITE_MS_MAX), write).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(PacketError::Slow),
        }
    }
}

/// The protocol level of a CONNECT packet at the beginning of `bytes`, once it has come.
fn connect_level(bytes: &[u8]) -> Option<u8> {
    const CONNECT: u8 = 0x10;
    let (first, rest) = bytes.split_first()?;
    if *first != CONNECT {
        return None;
    }
    // The remaining length takes one to four bytes, the last without its top bit.
    let len_bytes = rest.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
    let variable = rest.get(len_bytes..)?;
    let (name_len, rest) = variable.split_first_chunk::<2>()?;
    rest.get(usize::from(u16::from_be_bytes(*name_len))).copied()
}

#[cfg(test)]
mod tests {
    use super::connect_level;

    #[test]
    fn the_level_of_a_connect_is_read_as_soon_as_it_is_there() {
        let connect = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03abc";
        for len in 0..9 - 1 {
            assert_eq!(connect_level(&connect[..len]), None, "{len} bytes");
        }
        assert_eq!(connect_level(connect), Some(5));
        assert_eq!(connect_level(b"\x10\x90\x01\x00\x04MQTT\x04"), Some(4));
        assert_eq!(connect_level(b"\x30\x10\x00\x04MQTT\x04"), None, "not a CONNECT");
    }
}
