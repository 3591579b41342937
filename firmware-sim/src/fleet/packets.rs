//! MQTT 3.1.1 packets over a connection, as a client: a light one, since there are thousands in one
//! process. The codec is `rumqttc`'s; its event loop and its queues are not used.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::Error as CodecError;
use rumqttc::mqttbytes::v4::Packet;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tripline_protocol::link::envelope::PAYLOAD_LEN_MAX;

/// Largest packet taken or sent: a payload, a topic and a few bytes.
const PACKET_LEN_MAX: usize = PAYLOAD_LEN_MAX + 256;

/// Bytes of buffer to begin with: a batch of five fixes and its answers are shorter.
const BUFFER_LEN: usize = 256;

/// A peer that takes no byte for so long is left, in ms.
const WRITE_MS_MAX: u64 = 10_000;

/// Why a packet could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PacketError {
    /// The socket.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The peer closed.
    #[error("closed by the peer")]
    Closed,
    /// Not MQTT, or beyond a limit.
    #[error("bad packet: {0}")]
    Codec(CodecError),
    /// The peer does not read.
    #[error("the peer takes no bytes")]
    Slow,
}

/// A connection's packets.
#[derive(Debug)]
pub struct Packets<S> {
    /// On the heap, so that the task that owns it can be moved cheaply.
    stream: Box<S>,
    incoming: BytesMut,
    outgoing: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Packets<S> {
    /// Over a connection that is open.
    pub fn new(stream: S) -> Self {
        Self {
            stream: Box::new(stream),
            incoming: BytesMut::with_capacity(BUFFER_LEN),
            outgoing: BytesMut::with_capacity(BUFFER_LEN),
        }
    }

    /// The next packet. May be dropped while it waits without losing a byte.
    pub async fn read(&mut self) -> Result<Packet, PacketError> {
        loop {
            match Packet::read(&mut self.incoming, PACKET_LEN_MAX) {
                Ok(packet) => return Ok(packet),
                Err(CodecError::InsufficientBytes(_)) => {}
                Err(error) => return Err(PacketError::Codec(error)),
            }
            if self.stream.read_buf(&mut self.incoming).await? == 0 {
                return Err(PacketError::Closed);
            }
        }
    }

    /// Adds a packet to what [`Packets::flush`] writes.
    pub fn push(&mut self, packet: &Packet) -> Result<(), PacketError> {
        packet.write(&mut self.outgoing, PACKET_LEN_MAX).map(drop).map_err(PacketError::Codec)
    }

    /// Writes what was pushed, or gives up on a peer that does not take it. Not to be dropped midway.
    pub async fn flush(&mut self) -> Result<(), PacketError> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        let write = async {
            self.stream.write_all(&self.outgoing).await?;
            self.stream.flush().await
        };
        let written = tokio::time::timeout(Duration::from_millis(WRITE_MS_MAX), write).await;
        written.map_err(|_| PacketError::Slow)??;
        self.outgoing.clear();
        Ok(())
    }

    /// Ends the connection in good order, as far as the peer plays along.
    pub async fn close(mut self) {
        let goodbye = self.stream.shutdown();
        let _ = tokio::time::timeout(Duration::from_millis(WRITE_MS_MAX), goodbye).await;
    }
}
