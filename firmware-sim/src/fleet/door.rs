//! How one vehicle gets through the door: where it is, from which address, with which TLS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::tally::Failure;

/// The send buffer of a socket, in bytes: that of the agent, since live cannot overtake what is in it.
const SEND_BUFFER_LEN: u32 = 16 * 1024;

/// Where one vehicle connects.
#[derive(Clone)]
pub struct Door {
    address: SocketAddr,
    name: ServerName<'static>,
    from: Option<Ipv4Addr>,
    tls: TlsConnector,
}

impl Door {
    /// The door at `address`, whose certificate must be for `name`.
    pub fn new(
        address: SocketAddr,
        name: ServerName<'static>,
        from: Option<Ipv4Addr>,
        tls: Arc<ClientConfig>,
    ) -> Self {
        Self { address, name, from, tls: TlsConnector::from(tls) }
    }

    /// Connects, and shakes hands.
    pub async fn open(&self) -> Result<TlsStream<TcpStream>, (Failure, String)> {
        let stream = self.connect().await.map_err(|error| (Failure::Tcp, error.to_string()))?;
        let stream = self.tls.connect(self.name.clone(), stream).await;
        stream.map_err(|error| (Failure::Tls, error.to_string()))
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let socket = match self.address.ip() {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_send_buffer_size(SEND_BUFFER_LEN)?;
        socket.set_nodelay(true)?;
        if let Some(from) = self.from {
            socket.bind(SocketAddr::from((from, 0)))?;
        }
        socket.connect(self.address).await
    }
}
