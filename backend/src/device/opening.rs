//! The beginning of a device's connection: handshake, CONNECT, and whether it may come in.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, LastWill, Packet};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::topic::{Lane, Topic};
use tripline_protocol::unit::Timestamp;

use super::codec::{PacketError, Packets};
use super::packet::{Malformed, Place};
use crate::identity::authority::{Fingerprint, sha256};
use crate::service::Platform;
use crate::store::StoreError;
use crate::store::certificate::{AUTHORITY_RETIRED, CertificateRow, REVOKED, SUPERSEDED};
use crate::time;

/// Longest keep-alive granted, in s; a device that asks for more, or for none, is held to this.
const KEEP_ALIVE_S_MAX: u16 = 120;

/// Stable codes of refusals, whoever refuses: the handshake or the store.
const NO_CERTIFICATE: &str = "no-certificate";
const UNKNOWN_CERTIFICATE: &str = "unknown-certificate";
const EXPIRED: &str = "expired";

/// Level of MQTT 5, and how its servers say "unsupported protocol version" (section 3.2.2.2 there): its
/// clients do not read an MQTT 3.1.1 ConnAck.
const LEVEL_5: u8 = 5;
const UNSUPPORTED_5: [u8; 5] = [0x20, 3, 0, 0x84, 0];

/// A device that was let in, its ConnAck yet to be sent.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) packets: Packets,
    pub(super) device: DeviceId,
    pub(super) certificate: Fingerprint,
    /// When that expires.
    pub(super) expires_at: Timestamp,
    /// How long it may be silent.
    pub(super) silence_max: Duration,
}

/// Why a connection was not granted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("no TLS: {0}")]
    Tls(io::Error),
    #[error("it showed no certificate")]
    NoCertificate,
    #[error(transparent)]
    Packet(#[from] PacketError),
    #[error("its first packet is no CONNECT")]
    NoConnect,
    #[error("its client id is not a device id")]
    ClientId,
    #[error("its client id {claimed} is not the device of its certificate, {device}")]
    OtherDevice { claimed: DeviceId, device: DeviceId },
    #[error(
        "its will is not a message to its own presence topic, with QoS 0 or 1 and not retained"
    )]
    Will(DeviceId),
    #[error("its certificate is not known")]
    UnknownCertificate,
    #[error("its certificate counts no more: {why}")]
    CertificateEnded { device: DeviceId, why: &'static str },
    #[error("its certificate has expired")]
    Expired(DeviceId),
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    #[error("no CONNECT in time")]
    Late,
    #[error("it made room for a newer connection")]
    Evicted,
}

impl Refused {
    /// Its stable code.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Tls(error) => tls_code(error),
            Self::NoCertificate => NO_CERTIFICATE,
            Self::Packet(error) => error.code(),
            Self::NoConnect => "no-connect",
            Self::ClientId => "client-id",
            Self::OtherDevice { .. } => "other-device",
            Self::Will(_) => "will",
            Self::UnknownCertificate => UNKNOWN_CERTIFICATE,
            Self::CertificateEnded { why, .. } => why,
            Self::Expired(_) => EXPIRED,
            Self::Store(_) => "store",
            Self::Late => "late",
            Self::Evicted => "evicted",
        }
    }

    /// The device whose certificate was shown, where the store knows it.
    pub(super) const fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::OtherDevice { device, .. }
            | Self::Will(device)
            | Self::CertificateEnded { device, .. }
            | Self::Expired(device) => Some(device),
            Self::Tls(_)
            | Self::NoCertificate
            | Self::Packet(_)
            | Self::NoConnect
            | Self::ClientId
            | Self::UnknownCertificate
            | Self::Store(_)
            | Self::Late
            | Self::Evicted => None,
        }
    }

    /// What the peer is answered, if anything.
    fn answer(&self) -> Option<Vec<u8>> {
        use ConnectReturnCode::{
            BadClientId, NotAuthorized, RefusedProtocolVersion, ServiceUnavailable,
        };
        let code = match self {
            Self::Packet(PacketError::Malformed(Malformed::Level { level: LEVEL_5 })) => {
                return Some(UNSUPPORTED_5.into());
            }
            Self::Packet(PacketError::Malformed(Malformed::Level { .. })) => RefusedProtocolVersion,
            Self::ClientId => BadClientId,
            Self::OtherDevice { .. }
            | Self::Will(_)
            | Self::UnknownCertificate
            | Self::CertificateEnded { .. }
            | Self::Expired(_) => NotAuthorized,
            Self::Store(_) => ServiceUnavailable,
            Self::Tls(_)
            | Self::NoCertificate
            | Self::Packet(_)
            | Self::NoConnect
            | Self::Late
            | Self::Evicted => return None,
        };
        let mut bytes = bytes::BytesMut::new();
        ConnAck::new(code, false).write(&mut bytes).ok()?;
        Some(bytes.to_vec())
    }
}

/// Shakes hands, reads the CONNECT, and answers it if it is refused.
pub(super) async fn open(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    platform: &Platform,
) -> Result<Opened, Refused> {
    let stream = TlsAcceptor::from(tls).accept(stream).await.map_err(Refused::Tls)?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = sha256(shown.ok_or(Refused::NoCertificate)?);
    let mut packets = Packets::new(stream);
    match hear(&mut packets, &certificate, platform).await {
        Ok((device, expires_at, silence_max)) => {
            Ok(Opened { packets, device, certificate, expires_at, silence_max })
        }
        Err(refused) => {
            if let Some(answer) = refused.answer() {
                let _ = packets.write_bytes(&answer).await;
                packets.close().await;
            }
            Err(refused)
        }
    }
}

async fn hear(
    packets: &mut Packets,
    certificate: &Fingerprint,
    platform: &Platform,
) -> Result<(DeviceId, Timestamp, Duration), Refused> {
    let Packet::Connect(connect) = packets.read(Place::First).await? else {
        return Err(Refused::NoConnect);
    };
    let (device, expires_at) = authenticate(&connect, certificate, platform).await?;
    Ok((device, expires_at, silence_max(connect.keep_alive)))
}

/// One and a half times the keep-alive, section 3.1.2.10 of MQTT 3.1.1.
fn silence_max(asked_s: u16) -> Duration {
    let granted_s = if asked_s == 0 { KEEP_ALIVE_S_MAX } else { asked_s.min(KEEP_ALIVE_S_MAX) };
    Duration::from_secs(u64::from(granted_s)) * 3 / 2
}

/// Who connects, and until when that counts: the client id must be the device of the certificate, the certificate must count, and
/// the will be the device's own. What the handshake said of the certificate is not enough: a resumed
/// TLS session never met the verifier, and revocation is known to the store alone.
async fn authenticate(
    connect: &Connect,
    certificate: &Fingerprint,
    platform: &Platform,
) -> Result<(DeviceId, Timestamp), Refused> {
    let claimed: DeviceId = connect.client_id.parse().map_err(|_| Refused::ClientId)?;
    let mut tx = platform.store.read().await?;
    let known = tx.certificate(certificate).await?.ok_or(Refused::UnknownCertificate)?;
    let why = why_ended(Some(&known));
    let (device, expires_at) = (known.device, known.expires_at);
    if claimed != device {
        return Err(Refused::OtherDevice { claimed, device });
    }
    if let Some(why) = why {
        return Err(Refused::CertificateEnded { device, why });
    }
    if expires_at <= time::now() {
        return Err(Refused::Expired(device));
    }
    if connect.last_will.as_ref().is_some_and(|will| !may_leave(&device, will)) {
        return Err(Refused::Will(device));
    }
    Ok((device, expires_at))
}

/// Why a certificate counts no more, whether it has expired or not; `None` if it does.
pub(super) fn why_ended(known: Option<&CertificateRow>) -> Option<&'static str> {
    let Some(known) = known else { return Some(UNKNOWN_CERTIFICATE) };
    let (_, why) = known.ended.as_ref()?;
    Some([SUPERSEDED, AUTHORITY_RETIRED].into_iter().find(|word| word == why).unwrap_or(REVOKED))
}

/// The stable code of a handshake that failed.
fn tls_code(error: &io::Error) -> &'static str {
    use rustls::{CertificateError, Error};
    let error = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    if matches!(error, Some(Error::NoCertificatesPresented)) {
        return NO_CERTIFICATE;
    }
    let Some(Error::InvalidCertificate(certificate)) = error else { return "tls" };
    // A signature is wrong if a stranger's CA has the name of ours.
    if matches!(certificate, CertificateError::UnknownIssuer | CertificateError::BadSignature) {
        return "unknown-ca";
    }
    let expired =
        matches!(certificate, CertificateError::Expired | CertificateError::ExpiredContext { .. });
    if expired { EXPIRED } else { "tls" }
}

fn may_leave(device: &DeviceId, will: &LastWill) -> bool {
    let own = Topic { device: device.clone(), lane: Lane::Presence };
    will.topic == own.to_string() && !will.retain && will.qos != QoS::ExactlyOnce
}

/// Where a peer is from, an IPv4 address as such.
pub(super) fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keep_alive_is_one_and_a_half_times_what_was_asked_and_never_endless() {
        for (asked_s, granted_ms) in [(30, 45_000), (1, 1_500), (0, 180_000), (u16::MAX, 180_000)] {
            assert_eq!(silence_max(asked_s), Duration::from_millis(granted_ms), "{asked_s} s");
        }
    }

    #[test]
    fn a_handshake_that_fails_and_a_certificate_that_ended_say_why_in_fixed_words() {
        use rustls::{CertificateError, Error};
        for (error, code) in [
            (Error::NoCertificatesPresented, "no-certificate"),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), "unknown-ca"),
            (Error::InvalidCertificate(CertificateError::Expired), "expired"),
            (Error::InvalidCertificate(CertificateError::Revoked), "tls"),
            (Error::DecryptError, "tls"),
        ] {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            assert_eq!(Refused::Tls(error).code(), code);
        }
        assert_eq!(Refused::Tls(io::ErrorKind::ConnectionReset.into()).code(), "tls");
        let at = Timestamp::from_unix_ms;
        let ended = |why: Option<&str>| {
            let row = CertificateRow {
                device: "a".parse().expect("valid"),
                key_hash: Vec::new(),
                ca_fingerprint: Vec::new(),
                der: Vec::new(),
                issued_at: at(0),
                expires_at: at(1),
                ended: why.map(|why| (at(0), why.to_owned())),
            };
            why_ended(Some(&row))
        };
        assert_eq!((ended(None), ended(Some("superseded"))), (None, Some("superseded")));
        assert_eq!(ended(Some("authority-retired")), Some("authority-retired"));
        assert_eq!((ended(Some("revoked")), ended(Some("?"))), (Some("revoked"), Some("revoked")));
    }

    #[test]
    fn a_will_is_a_farewell_on_the_own_presence_topic_and_nothing_else() {
        let device = "a".parse().expect("valid");
        let will = |topic: &str, qos, retain| LastWill::new(topic, "x", qos, retain);
        assert!(may_leave(&device, &will("v1/d/a/presence", QoS::AtLeastOnce, false)));
        for refused in [
            will("v1/d/b/presence", QoS::AtMostOnce, false),
            will("v1/d/a/event", QoS::AtMostOnce, false),
            will("v1/d/a/presence", QoS::ExactlyOnce, false),
            will("v1/d/a/presence", QoS::AtMostOnce, true),
        ] {
            assert!(!may_leave(&device, &refused), "{refused:?}");
        }
    }
}
