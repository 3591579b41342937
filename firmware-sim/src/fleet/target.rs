//! What the fleet connects to, and who its vehicles are there.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject as _};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName,
};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tripline_agent_link::{Clock, tls};
use tripline_protocol::id::{DeviceId, IdError};
use tripline_protocol::signing::PublicKey;

use super::codes::registration;
use super::door::Door;
use super::roster::Enlisted;

/// A vehicle that knows where it belongs.
pub struct Member {
    /// Who it is.
    pub device: DeviceId,
    /// Who may seal its commands.
    pub command_keys: Vec<PublicKey>,
    /// Where it connects.
    pub door: Door,
}

/// A broker that takes the same load without enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its name or address.
    pub host: String,
    /// Its port, for TLS.
    pub port: u16,
    /// The file with the certificate of its CA, in PEM.
    pub ca: PathBuf,
    /// Files with the certificate and the key to show it, in PEM.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Source addresses, from the first to the last; vehicles take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    first: u32,
    last: u32,
}

/// A text that is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be an IPv4 address, or two with a dash between: 127.0.0.2-127.0.0.9")]
pub struct SourcesError;

impl FromStr for Sources {
    type Err = SourcesError;

    fn from_str(text: &str) -> Result<Self, SourcesError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let address = |text: &str| text.trim().parse::<Ipv4Addr>().map(u32::from);
        let first = address(first).map_err(|_| SourcesError)?;
        let last = address(last).map_err(|_| SourcesError)?;
        if last < first { Err(SourcesError) } else { Ok(Self { first, last }) }
    }
}

impl Sources {
    /// The address of the vehicle with this number.
    pub fn of(self, number: usize) -> Ipv4Addr {
        let count = u64::from(self.last - self.first) + 1;
        let step = u32::try_from(number as u64 % count).unwrap_or(0);
        Ipv4Addr::from(self.first + step)
    }
}

/// Why nobody can connect.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// No address for a name.
    #[error("{host} has no address: {reason}")]
    NoAddress {
        /// The name.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// A name that no certificate can have.
    #[error("the host is no name and no address: {0}")]
    Host(#[from] InvalidDnsNameError),
    /// A file in PEM.
    #[error("{}: {source}", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: PemError,
    },
    /// TLS with these files.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
    /// TLS with an identity.
    #[error(transparent)]
    Identity(#[from] tls::TlsError),
    /// No id for a device.
    #[error(transparent)]
    Id(#[from] IdError),
}

/// Those enlisted, at the endpoint that their enrolment named.
pub async fn of_platform(
    enlisted: &[Enlisted],
    from: Option<Sources>,
    clock: &Clock,
) -> Result<Vec<Member>, TargetError> {
    let mut members = Vec::with_capacity(enlisted.len());
    let mut resolved: Option<(String, u16, SocketAddr)> = None;
    for (number, Enlisted { identity, .. }) in enlisted.iter().enumerate() {
        let known = resolved.take_if(|(host, port, _)| {
            (host.as_str(), *port) == (identity.host.as_str(), identity.port)
        });
        let address = match known {
            Some((_, _, address)) => address,
            None => resolve(&identity.host, identity.port).await?,
        };
        resolved = Some((identity.host.clone(), identity.port, address));
        let name = ServerName::try_from(identity.host.clone())?;
        let tls = tls::client_config(identity, Arc::new(clock.clone()))?;
        members.push(Member {
            device: identity.device.clone(),
            command_keys: identity.command_keys.clone(),
            door: Door::new(address, name, from.map(|from| from.of(number)), tls),
        });
    }
    Ok(members)
}

/// As many vehicles as asked for, at a broker; all show the same certificate, if any.
pub async fn of_broker(
    broker: &Broker,
    vehicles: usize,
    from: Option<Sources>,
) -> Result<Vec<Member>, TargetError> {
    let address = resolve(&broker.host, broker.port).await?;
    let name = ServerName::try_from(broker.host.clone())?;
    let tls = broker_tls(broker)?;
    let member = |number: usize| {
        let from = from.map(|from| from.of(number));
        Ok(Member {
            device: device(number)?,
            command_keys: Vec::new(),
            door: Door::new(address, name.clone(), from, Arc::clone(&tls)),
        })
    };
    (0..vehicles).map(member).collect()
}

/// The id that a platform makes of the plate.
fn device(number: usize) -> Result<DeviceId, IdError> {
    let plate = registration(number);
    let letters = plate.chars().filter(char::is_ascii_alphanumeric);
    letters.collect::<String>().to_ascii_lowercase().parse()
}

async fn resolve(host: &str, port: u16) -> Result<SocketAddr, TargetError> {
    let none = |reason: String| TargetError::NoAddress { host: host.into(), reason };
    let found = tokio::net::lookup_host((host, port)).await;
    let mut found = found.map_err(|error| none(error.to_string()))?;
    found.next().ok_or_else(|| none("the system knows none".into()))
}

fn broker_tls(broker: &Broker) -> Result<Arc<ClientConfig>, TargetError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&broker.ca)? {
        roots.add(certificate)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(Arc::new(match &broker.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let failed = |source| TargetError::Pem { path: key.clone(), source };
            let key = PrivateKeyDer::from_pem_file(key).map_err(failed)?;
            builder.with_client_auth_cert(certificates(certificate)?, key)?
        }
    }))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TargetError> {
    let failed = |source| TargetError::Pem { path: path.into(), source };
    let found = CertificateDer::pem_file_iter(path).map_err(failed)?;
    found.collect::<Result<_, _>>().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vehicles_take_turns_over_the_source_addresses() {
        let sources: Sources = "127.0.0.2-127.0.0.4".parse().expect("a range");
        let addresses = [0, 1, 2, 3].map(|number| sources.of(number).to_string());
        assert_eq!(addresses, ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.2"]);
        let one: Sources = "127.0.0.7".parse().expect("an address");
        assert_eq!(one.of(5).to_string(), "127.0.0.7");
        for text in ["", "x", "127.0.0.2-", "127.0.0.4-127.0.0.2", "::1"] {
            assert_eq!(text.parse::<Sources>(), Err(SourcesError), "{text:?}");
        }
    }

    #[test]
    fn devices_have_the_ids_that_a_platform_would_give_them() {
        assert_eq!(device(0).expect("valid").as_str(), "sim000001");
    }
}
