//! Who the device is: one file, which is there whole or not at all.
//!
//! Certificate, key, address and command keys belong together; in files of their own a power cut could
//! leave a new certificate beside an old key.

use std::path::Path;

use rustls::pki_types::{InvalidDnsNameError, ServerName};
use serde::{Deserialize, Serialize};
use tripline_protocol::enrol::{EnrolCode, Enrolled};
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::settings::{DeviceSettings, OutOfRange};
use tripline_protocol::signing::{KeyError as SigningKeyError, PublicKey};
use tripline_protocol::unit::Timestamp;

use crate::file::{self, FileError};
use crate::https::{BackendUrl, UrlError};
use crate::key::Key;
use crate::tls::{self, TlsError};

/// The file of an identity, in the folder that is the identity's own.
pub const IDENTITY_FILE: &str = "identity.json";

/// Certificates of CAs and command keys that are taken in at most, each: two while they are rotated, and
/// some to spare.
const PINNED_MAX: usize = 8;

/// What a device needs to be known to its backend. Its key does not print itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "IdentityFile", into = "IdentityFile")]
pub struct Identity {
    /// Who it is: its client id, and the level of its topics.
    pub device: DeviceId,
    /// Its certificate, in PEM.
    pub certificate_pem: String,
    /// Its private key.
    pub key: Key,
    /// The certificates of the CAs it trusts, in PEM.
    pub ca_pems: Vec<String>,
    /// Host of the device endpoint.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Where it enrolled, and renews.
    pub backend_url: BackendUrl,
    /// Who may seal its commands.
    pub command_keys: Vec<PublicKey>,
    /// When the certificate was issued.
    pub issued_at: Timestamp,
    /// From when on it is to be renewed.
    pub renew_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The first configuration.
    pub settings: DeviceSettings,
    /// [`EnrolCode::hash`] of the code that it enrolled with.
    pub code_hash: [u8; 32],
}

/// What the backend sent, or a file has, is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The certificates, or the key to them.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No name and no address.
    #[error("the host of the device endpoint is no name and no address: {0}")]
    Host(#[from] InvalidDnsNameError),
    /// The address where it enrolled.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A command key.
    #[error("a command key is none: {0}")]
    CommandKey(#[from] SigningKeyError),
    /// A setting.
    #[error("a setting is out of range: {0}")]
    Settings(#[from] OutOfRange),
    /// Something that has to be there is missing, or there is too much of it.
    #[error("it has {found} {what}; between 1 and {PINNED_MAX} make sense")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
    },
    /// No port.
    #[error("the port of the device endpoint is 0")]
    Port,
    /// Dates in the wrong order.
    #[error("the certificate's dates (issued, to be renewed, expires) are not in that order")]
    Dates,
}

impl Identity {
    /// The identity that an answer of the backend at `backend_url` makes with the device's key.
    pub fn new(
        enrolled: Enrolled,
        key: Key,
        backend_url: BackendUrl,
        code_hash: [u8; 32],
    ) -> Result<Self, IdentityError> {
        let identity = Self {
            device: enrolled.device,
            certificate_pem: enrolled.certificate_pem,
            key,
            ca_pems: enrolled.ca_pems,
            host: enrolled.host,
            port: enrolled.port,
            backend_url,
            command_keys: keys(&enrolled.command_keys)?,
            issued_at: Timestamp::from_unix_ms(enrolled.issued_at_unix_ms),
            renew_at: Timestamp::from_unix_ms(enrolled.renew_at_unix_ms),
            expires_at: Timestamp::from_unix_ms(enrolled.expires_at_unix_ms),
            settings: enrolled.settings,
            code_hash,
        };
        identity.check()?;
        Ok(identity)
    }

    /// The identity in the folder `dir`; `None` if the device is not enrolled.
    pub fn load(dir: &Path) -> Result<Option<Self>, IdentityError> {
        Ok(file::read(&dir.join(IDENTITY_FILE))?)
    }

    /// Keeps it in the folder `dir`, in place of the one that may be there, across a power cut.
    pub fn save(&self, dir: &Path) -> Result<(), IdentityError> {
        Ok(file::write(&dir.join(IDENTITY_FILE), self)?)
    }

    /// Whether it enrolled with this code.
    pub fn is_of(&self, code: &EnrolCode) -> bool {
        self.code_hash == code.hash()
    }

    /// Whether its certificate has expired at `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    fn check(&self) -> Result<(), IdentityError> {
        count("CA certificates", self.ca_pems.len())?;
        count("command keys", self.command_keys.len())?;
        ServerName::try_from(self.host.as_str())?;
        if self.port == 0 {
            return Err(IdentityError::Port);
        }
        if self.issued_at > self.renew_at || self.renew_at > self.expires_at {
            return Err(IdentityError::Dates);
        }
        self.settings.check()?;
        tls::check(self)?;
        Ok(())
    }
}

fn count(what: &'static str, found: usize) -> Result<(), IdentityError> {
    match found {
        1..=PINNED_MAX => Ok(()),
        _ => Err(IdentityError::Count { what, found }),
    }
}

fn keys(texts: &[String]) -> Result<Vec<PublicKey>, SigningKeyError> {
    texts.iter().map(|text| text.parse()).collect()
}

/// An identity as its file has it: the backend's answer, and what the device knows beside it.
#[derive(Serialize, Deserialize)]
struct IdentityFile {
    enrolled: Enrolled,
    key_pem: Key,
    backend_url: String,
    code_hash: [u8; 32],
}

impl TryFrom<IdentityFile> for Identity {
    type Error = IdentityError;

    fn try_from(file: IdentityFile) -> Result<Self, IdentityError> {
        Self::new(file.enrolled, file.key_pem, file.backend_url.parse()?, file.code_hash)
    }
}

impl From<Identity> for IdentityFile {
    fn from(identity: Identity) -> Self {
        Self {
            enrolled: Enrolled {
                device: identity.device,
                certificate_pem: identity.certificate_pem,
                ca_pems: identity.ca_pems,
                host: identity.host,
                port: identity.port,
                command_keys: identity.command_keys.iter().map(PublicKey::to_string).collect(),
                issued_at_unix_ms: identity.issued_at.unix_ms,
                renew_at_unix_ms: identity.renew_at.unix_ms,
                expires_at_unix_ms: identity.expires_at.unix_ms,
                settings: identity.settings,
            },
            key_pem: identity.key,
            backend_url: identity.backend_url.to_string(),
            code_hash: identity.code_hash,
        }
    }
}
