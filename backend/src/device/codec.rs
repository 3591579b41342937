//! A device's packets over TLS: read as they come, written under a deadline, with no buffer while
//! nothing is on the way.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::Error as CodecError;
use rumqttc::mqttbytes::v4::Packet;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::packet::{HEADER_LEN_MAX, Malformed, PACKET_LEN_MAX, Place, take};

/// A peer that takes no byte for so long is cut off, in ms: nothing is buffered for a slow reader.
const WRITE_MS_MAX: u64 = 10_000;

/// Longest farewell, in ms: what was said before it has been on its way by then.
const CLOSE_MS_MAX: u64 = 1_000;

/// Why a packet could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum PacketError {
    /// The socket, or TLS on it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The peer closed.
    #[error("closed by the device")]
    Closed,
    /// Not what a device may send.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Ours cannot be written.
    #[error("a packet of ours: {0}")]
    Ours(CodecError),
    /// The peer does not read.
    #[error("the device does not read what it is sent")]
    Slow,
}

impl PacketError {
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) | Self::Closed => "closed",
            Self::Malformed(malformed) => malformed.code(),
            Self::Ours(_) => "ours",
            Self::Slow => "slow-reader",
        }
    }
}

/// A connection's packets.
#[derive(Debug)]
pub(super) struct Packets {
    stream: TlsStream<TcpStream>,
    /// The beginning of a packet that has not come whole, and what came behind the last one.
    buffer: BytesMut,
}

impl Packets {
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// The next packet. May be dropped while it waits without losing a byte.
    pub(super) async fn read(&mut self, place: Place) -> Result<Packet, PacketError> {
        loop {
            let taken = take(&mut self.buffer, place);
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
            }
            if let Some(packet) = taken? {
                return Ok(packet);
            }
            let come = self.stream.fill_buf().await?;
            if come.is_empty() {
                return Err(PacketError::Closed);
            }
            let len = come.len();
            self.buffer.extend_from_slice(come);
            self.stream.consume(len);
        }
    }

    /// Writes packets, or cuts off a peer that does not take them.
    pub(super) async fn write(&mut self, packets: &[Packet]) -> Result<(), PacketError> {
        let mut bytes = BytesMut::with_capacity(packets.iter().map(Packet::size).sum());
        for packet in packets {
            packet.write(&mut bytes, PACKET_LEN_MAX + HEADER_LEN_MAX).map_err(PacketError::Ours)?;
        }
        self.write_bytes(&bytes).await
    }

    /// Writes bytes as they are, or cuts off a peer that does not take them.
    pub(super) async fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), PacketError> {
        let write = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match tokio::time::timeout(Duration::from_millis(WRITE_MS_MAX), write).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(PacketError::Slow),
        }
    }

    /// Says goodbye as TLS has it, so that what was written last is read.
    pub(super) async fn close(&mut self) {
        let farewell = self.stream.shutdown();
        let _ = tokio::time::timeout(Duration::from_millis(CLOSE_MS_MAX), farewell).await;
    }
}
