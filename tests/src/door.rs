//! The device door: a real platform that serves, devices with certificates of its CA, and clients with
//! them, from whichever loopback address. What a test sends is up to it, honest or not.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rcgen::{KeyPair, PublicKeyData as _};
use rumqttc::{MqttOptions, TlsConfiguration, Transport};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tripline_backend::domain::order::Vehicle;
use tripline_backend::identity::authority::{Authorities, sha256, to_pem};
use tripline_backend::store::certificate::CertificateRow;
use tripline_backend::store::{Store, Tx};
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use crate::world::{Binaries, PATIENCE, Process};

/// How long certificates made here live, in ms.
pub const LIFE_MS: i64 = 86_400_000;

/// Where honest devices come from, unless a test says otherwise.
pub const HONEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The system clock.
pub fn now() -> Timestamp {
    tripline_backend::time::now()
}

/// A platform that serves.
#[derive(Debug)]
pub struct Door {
    /// Where devices connect.
    pub address: SocketAddr,
    /// Where devices enrol.
    pub enrol: SocketAddr,
    /// Its store, open beside it.
    pub store: Store,
    process: Process,
    authorities: Authorities,
    dir: TempDir,
}

impl Door {
    /// Makes a folder and starts a platform in it, on free ports.
    pub async fn open() -> Result<Self> {
        Self::open_with(&[]).await
    }

    /// The same with some lines of its configuration replaced.
    pub async fn open_with(replaced: &[(&str, &str)]) -> Result<Self> {
        // A second install is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let binaries = Binaries::find()?;
        let dir = tempfile::Builder::new().prefix("tripline-door-").tempdir()?;
        let folder = dir.path().to_str().context("a path")?;
        binaries.bpp(&["init", "--dir", folder, "--json"])?;
        let config = dir.path().join("bpp.toml");
        let mut text = std::fs::read_to_string(&config)?;
        for port in [8080, 8883, 8884, 9090] {
            let listen = format!("listen = \"127.0.0.1:{port}\"");
            text = text.replace(&listen, "listen = \"127.0.0.1:0\"");
        }
        for (from, to) in replaced {
            ensure!(text.contains(from), "the sample has no {from}");
            text = text.replace(from, to);
        }
        std::fs::write(&config, text)?;
        let config = config.to_str().context("a path")?;
        let log = dir.path().join("bpp.log");
        let arguments = ["serve", "--json", "--config", config];
        let mut process = binaries.spawn("tripline-bpp", &arguments, &log)?;
        let ready: Value = serde_json::from_str(&process.line().await?)?;
        let address = ready["device"].as_str().context("the device endpoint")?.parse()?;
        let enrol = ready["enrol"].as_str().context("the enrolment listener")?.parse()?;
        let data = dir.path().join("data");
        let url = format!("sqlite:{}", data.join("tripline.db").display());
        let (store, authorities) = (Store::open(&url).await?, Authorities::load(&data.join("ca"))?);
        Ok(Self { address, enrol, store, process, authorities, dir })
    }

    /// Stops the platform, which must end well.
    pub async fn close(self) -> Result<()> {
        self.store.close().await;
        self.process.terminate().await
    }

    /// Its data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What the platform has in RAM, in KiB.
    pub fn resident_kib(&self) -> Result<u64> {
        self.process.resident_kib()
    }

    /// Lets the platform have so many files and connections open.
    pub fn limit_descriptors(&self, max: u64) -> Result<()> {
        self.process.limit_descriptors(max)
    }

    /// What the platform logged so far.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.dir.path().join("bpp.log"))?)
    }

    /// A vehicle whose device has a certificate.
    pub async fn device(&self, name: &str) -> Result<Identity> {
        self.device_until(name, LIFE_MS).await
    }

    /// The same with a certificate that lives so long; it may have ended already.
    pub async fn device_until(&self, name: &str, life_ms: i64) -> Result<Identity> {
        let device: DeviceId = name.parse()?;
        let key = KeyPair::generate()?;
        let issued = self.authorities.issue_device(&device, &key, now(), life_ms)?;
        let mut tx = self.store.write().await?;
        let vehicle = Vehicle {
            device: device.clone(),
            registration: format!("KA {name}"),
            category: "TAXI".into(),
            make: None,
            model: None,
            color: None,
            driver: None,
            driver_name: "Raghav".into(),
            driver_phone: "+91-9800000001".into(),
            driver_rating_centistars: None,
        };
        tx.add_vehicle(vehicle, now()).await?;
        tx.add_certificate(CertificateRow {
            device: device.clone(),
            key_hash: sha256(&key.subject_public_key_info()).to_vec(),
            ca_fingerprint: issued.ca.to_vec(),
            der: issued.der.to_vec(),
            issued_at: issued.issued_at,
            expires_at: issued.expires_at,
            ended: None,
        })
        .await?;
        tx.commit().await?;
        Ok(self.identity(name, issued.der, &key))
    }

    /// A device with a certificate of some other CA, in the name of one of ours.
    pub fn stranger(&self, name: &str) -> Result<Identity> {
        let folder = self.dir.path().join(format!("stranger-{name}"));
        let authorities = Authorities::create(&folder, now())?;
        let key = KeyPair::generate()?;
        let issued = authorities.issue_device(&name.parse()?, &key, now(), LIFE_MS)?;
        Ok(self.identity(name, issued.der, &key))
    }

    fn identity(&self, name: &str, der: CertificateDer<'static>, key: &KeyPair) -> Identity {
        Identity {
            name: name.into(),
            certificate: der,
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            key_pem: key.serialize_pem(),
            ca: self.authorities.serving().certificate.clone(),
        }
    }

    /// Revokes a device's certificates as another process would.
    pub async fn revoke(&self, name: &str) -> Result<()> {
        let mut tx = self.store.write().await?;
        let sql = "UPDATE device_certificate SET ended_at = $2, ended_why = 'lost' \
             WHERE device_id = $1";
        if let Tx::Sqlite(tx) = &mut tx {
            sqlx::query(sql).bind(name).bind(now().unix_ms).execute(&mut **tx).await?;
        }
        tx.signal_device(&name.parse()?, now()).await?;
        Ok(tx.commit().await?)
    }

    /// A TCP connection from a loopback address.
    pub async fn tcp(&self, from: Ipv4Addr) -> Result<TcpStream> {
        tcp(from, self.address).await
    }

    /// A TCP connection to where devices enrol.
    pub async fn enrol_tcp(&self, from: Ipv4Addr) -> Result<TcpStream> {
        tcp(from, self.enrol).await
    }

    /// A stranger's TLS connection to where devices enrol.
    pub async fn enrol_tls(&self, from: Ipv4Addr) -> Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authorities.serving().certificate.clone())?;
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let stream = self.enrol_tcp(from).await?;
        let name = ServerName::from(self.enrol.ip());
        Ok(TlsConnector::from(Arc::new(tls)).connect(name, stream).await?)
    }

    /// A TLS connection of a device.
    pub async fn tls(&self, identity: &Identity, from: Ipv4Addr) -> Result<Wire> {
        let stream = self.tcp(from).await?;
        let connector = TlsConnector::from(Arc::new(identity.tls()?));
        let name = ServerName::from(self.address.ip());
        Ok(Wire { stream: Box::new(connector.connect(name, stream).await?) })
    }

    /// A device's connection with its CONNECT granted.
    pub async fn connect(&self, identity: &Identity, from: Ipv4Addr) -> Result<Wire> {
        let mut wire = self.tls(identity, from).await?;
        wire.send(&connect(&identity.name)).await?;
        let answer = wire.take(4).await?;
        ensure!(answer == CONNACK_GRANTED, "CONNECT answered with {answer:?}");
        Ok(wire)
    }

    /// How long an honest device takes from nothing to the answer to a ping.
    pub async fn honest_time(&self, identity: &Identity) -> Result<Duration> {
        let begun = Instant::now();
        let served = async {
            let mut wire = self.connect(identity, HONEST).await?;
            wire.send(PINGREQ).await?;
            ensure!(wire.take(2).await? == PINGRESP, "no answer to a ping");
            wire.send(DISCONNECT).await
        };
        tokio::time::timeout(PATIENCE, served).await.context("an honest device is kept out")??;
        Ok(begun.elapsed())
    }

    /// Options of a rumqttc client for a device.
    pub fn options(&self, identity: &Identity) -> Result<MqttOptions> {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        let mut options = MqttOptions::new(&identity.name, host, port);
        let tls = TlsConfiguration::Rustls(Arc::new(identity.tls()?));
        options.set_keep_alive(Duration::from_secs(30)).set_transport(Transport::Tls(tls));
        Ok(options)
    }
}

async fn tcp(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
    Ok(socket.connect(to).await?)
}

/// Who a device is, and which CA it trusts.
#[derive(Debug)]
pub struct Identity {
    /// Device id.
    pub name: String,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    key_pem: String,
    ca: CertificateDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            certificate: self.certificate.clone(),
            key: self.key.clone_key(),
            key_pem: self.key_pem.clone(),
            ca: self.ca.clone(),
        }
    }
}

impl Identity {
    /// TLS with it.
    pub fn tls(&self) -> Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.clone())?;
        let chain = vec![self.certificate.clone()];
        Ok(ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, self.key.clone_key())?)
    }

    /// Writes CA, certificate and key in PEM, for clients that are not ours.
    pub fn write_pem(&self, folder: &Path) -> Result<[PathBuf; 3]> {
        let paths = ["ca.pem", "crt.pem", "key.pem"]
            .map(|kind| folder.join(format!("{}-{kind}", self.name)));
        let texts = [to_pem(&self.ca), to_pem(&self.certificate), self.key_pem.clone()];
        for (path, text) in paths.iter().zip(texts) {
            std::fs::write(path, text)?;
        }
        Ok(paths)
    }

    /// One of its topics.
    pub fn topic(&self, lane: &str) -> String {
        format!("v1/d/{}/{lane}", self.name)
    }
}

/// Bytes on a device's TLS connection.
#[derive(Debug)]
pub struct Wire {
    stream: Box<TlsStream<TcpStream>>,
}

impl Wire {
    /// Sends bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]> + Send) -> Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        Ok(self.stream.flush().await?)
    }

    /// The next `len` bytes.
    pub async fn take(&mut self, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let read = self.stream.read_exact(&mut bytes);
        tokio::time::timeout(PATIENCE, read).await.context("nothing comes")??;
        Ok(bytes)
    }

    /// The next packet: its first byte and what follows its length.
    pub async fn packet(&mut self) -> Result<(u8, Vec<u8>)> {
        let first = self.take(1).await?[0];
        let mut len = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.take(1).await?[0];
            len |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Ok((first, self.take(len).await?))
    }

    /// What comes until the platform ends the connection, which it must.
    pub async fn rest(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let end = self.stream.read_to_end(&mut bytes);
        // However it ends, it ends.
        let ended = tokio::time::timeout(PATIENCE, end).await;
        if ended.is_err() {
            bail!("the connection goes on");
        }
        Ok(bytes)
    }

    /// Resets the connection.
    pub fn reset(self) -> Result<()> {
        Ok(self.stream.get_ref().0.set_zero_linger()?)
    }
}

/// A ConnAck that grants.
pub const CONNACK_GRANTED: [u8; 4] = [0x20, 2, 0, 0];
/// A ping, its answer, and a goodbye.
pub const PINGREQ: [u8; 2] = [0xC0, 0];
/// See [`PINGREQ`].
pub const PINGRESP: [u8; 2] = [0xD0, 0];
/// See [`PINGREQ`].
pub const DISCONNECT: [u8; 2] = [0xE0, 0];

/// A text as MQTT has it. Longer ones are cut at what its length can say.
pub fn string(text: &str) -> Vec<u8> {
    let bytes = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&len.to_be_bytes()[..], bytes].concat()
}

/// A packet of these bytes, its length declared truly.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let (mut bytes, mut left) = (vec![first], body.len());
    loop {
        let low = u8::try_from(left % 128).unwrap_or_default();
        left /= 128;
        bytes.push(if left > 0 { low | 0x80 } else { low });
        if left == 0 {
            break;
        }
    }
    [bytes, body.to_vec()].concat()
}

/// A CONNECT of MQTT 3.1.1 with a keep-alive of 30 s.
pub fn connect(client_id: &str) -> Vec<u8> {
    connect_with(4, 0x02, &string(client_id))
}

/// A CONNECT of this level, with these flags and this payload.
pub fn connect_with(level: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    packet(0x10, &[&string("MQTT")[..], &[level, flags, 0, 30], payload].concat())
}

/// A PUBLISH with QoS 0 for packet identifier 0, else with QoS 1.
pub fn publish(topic: &str, pkid: u16, payload: &[u8]) -> Vec<u8> {
    let topic = string(topic);
    if pkid == 0 {
        packet(0x30, &[&topic[..], payload].concat())
    } else {
        packet(0x32, &[&topic[..], &pkid.to_be_bytes(), payload].concat())
    }
}

/// A SUBSCRIBE to one filter with QoS 1.
pub fn subscribe(filter: &str) -> Vec<u8> {
    packet(0x82, &[&[0, 1][..], &string(filter), &[1]].concat())
}
