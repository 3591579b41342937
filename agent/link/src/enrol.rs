//! Enrolment and renewal: from a code to an identity, from an identity to its next.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tripline_protocol::enrol::{
    ENROL_PATH, EnrolCode, EnrolFailure, EnrolRefusal, EnrolRequest, Enrolled, RENEW_PATH,
    RenewRequest,
};
use tripline_protocol::id::DeviceId;

use crate::clock::Clock;
use crate::file::FileError;
use crate::https::{Answer, BackendUrl, Connection, Deadlines, HttpsError};
use crate::identity::{Identity, IdentityError};
use crate::key::{Key, KeyError};
use crate::lock::FolderLock;
use crate::pending::{self, PendingError};
use crate::tls::{self, TlsError};

/// Longest message of a backend that is passed on, in characters.
const MESSAGE_LEN_MAX: usize = 300;

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The backend was not reached, or not believed.
    #[error(transparent)]
    Https(#[from] HttpsError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What the enrolment keeps on the disk.
    #[error(transparent)]
    Pending(#[from] PendingError),
    /// The identity on the disk.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The backend says no.
    #[error("{}", explain(*refusal, message))]
    Refused {
        /// Why.
        refusal: EnrolRefusal,
        /// In the backend's words.
        message: String,
    },
    /// Its answer is none.
    #[error(
        "{url} answers something else than an enrolment ({reason}); check that the port is the \
         enrolment port of tripline-bpp"
    )]
    Garbage {
        /// Where.
        url: BackendUrl,
        /// What is wrong with it.
        reason: String,
    },
    /// A renewal for somebody else.
    #[error("the backend renewed the certificate of {device}, which is another device")]
    OtherDevice {
        /// Who.
        device: DeviceId,
    },
    /// The code is for another backend than the one that the connection believes.
    #[error("the code is for another backend than the one this connection goes to")]
    OtherBackend,
}

/// A connection for codes of one CA. The server has shown that it is of that CA before any code goes
/// over it.
#[derive(Debug)]
pub struct Enroller {
    connection: Connection,
    pin: EnrolCode,
}

impl Enroller {
    /// Connects to the backend that `code` pins.
    pub async fn open(
        url: &BackendUrl,
        code: &EnrolCode,
        clock: &Clock,
    ) -> Result<Self, EnrolError> {
        let config = tls::pinned_config(code, Arc::new(clock.clone()))?;
        Ok(Self {
            connection: Connection::open(url, config, Deadlines::default()).await?,
            pin: *code,
        })
    }

    /// Asks for the certificate of a code and a key. A code that pins another CA is not sent.
    pub async fn request(
        &mut self,
        code: &EnrolCode,
        key: &Key,
        agent_version: &str,
    ) -> Result<Enrolled, EnrolError> {
        if code.ca_fingerprint != self.pin.ca_fingerprint {
            return Err(EnrolError::OtherBackend);
        }
        let request = EnrolRequest {
            code: code.to_string(),
            csr_pem: key.csr_pem()?,
            agent_version: agent_version.into(),
        };
        post(&mut self.connection, ENROL_PATH, &request).await
    }
}

/// Enrols the device whose identity is in the folder `dir`, and keeps what it got there.
///
/// After a power cut at any point the same call gets the same certificate. With the code of an identity
/// that is there and counts nothing is asked.
pub async fn enrol(
    dir: &Path,
    url: &BackendUrl,
    code: &EnrolCode,
    agent_version: &str,
    clock: &Clock,
) -> Result<Identity, EnrolError> {
    let _lock = FolderLock::take(dir).await.map_err(IdentityError::from)?;
    let identity = obtain(dir, url, code, agent_version, clock).await?;
    keep(dir, &identity)?;
    Ok(identity)
}

/// The first half of [`enrol`]: the identity, which is not kept yet. Called again it gets the same.
/// The caller holds the folder's [`FolderLock`] until it is kept.
pub async fn obtain(
    dir: &Path,
    url: &BackendUrl,
    code: &EnrolCode,
    agent_version: &str,
    clock: &Clock,
) -> Result<Identity, EnrolError> {
    let key = match present(dir)?.filter(|identity| identity.is_of(code)) {
        Some(identity) if !identity.is_expired(clock.now()) => return Ok(identity),
        // Another key would look like a second device with the same code.
        Some(expired) => expired.key,
        None => pending::begin(dir, code)?,
    };
    let mut enroller = Enroller::open(url, code, clock).await?;
    let enrolled = enroller.request(code, &key, agent_version).await?;
    let identity = understood(Identity::new(enrolled, key, url.clone(), code.hash()), url)?;
    clock.advance(identity.issued_at);
    Ok(identity)
}

/// The second half of [`enrol`]: keeps the identity in the folder `dir`. What is pending ends only once
/// the identity is on the disk.
pub fn keep(dir: &Path, identity: &Identity) -> Result<(), IdentityError> {
    if present(dir)?.as_ref() != Some(identity) {
        identity.save(dir)?;
    }
    Ok(pending::finish(dir)?)
}

/// The next identity of a device: a new certificate for its key, over TLS with the one it has, even if
/// that has expired. Nothing is saved here.
pub async fn renew(
    identity: &Identity,
    agent_version: &str,
    clock: &Clock,
) -> Result<Identity, EnrolError> {
    let url = &identity.backend_url;
    let config = tls::client_config(identity, Arc::new(clock.clone()))?;
    let mut connection = Connection::open(url, config, Deadlines::default()).await?;
    let request =
        RenewRequest { csr_pem: identity.key.csr_pem()?, agent_version: agent_version.into() };
    let enrolled: Enrolled = post(&mut connection, RENEW_PATH, &request).await?;
    if enrolled.device != identity.device {
        return Err(EnrolError::OtherDevice { device: enrolled.device });
    }
    let next = Identity::new(enrolled, identity.key.clone(), url.clone(), identity.code_hash);
    let next = understood(next, url)?;
    clock.advance(next.issued_at);
    Ok(next)
}

/// The identity that is in the folder `dir`. One that is damaged, or that others could read, is there to be replaced.
pub fn present(dir: &Path) -> Result<Option<Identity>, IdentityError> {
    match Identity::load(dir) {
        Err(IdentityError::File(FileError::Damaged { .. } | FileError::Exposed { .. })) => Ok(None),
        loaded => loaded,
    }
}

/// What does not make an identity was no answer, nor a certificate that the backend itself would refuse:
/// it would take the place of one that is good.
fn understood(
    identity: Result<Identity, IdentityError>,
    url: &BackendUrl,
) -> Result<Identity, EnrolError> {
    let checked = identity.and_then(|identity| {
        tls::check_issuer(&identity)?;
        Ok(identity)
    });
    checked.map_err(|error| EnrolError::Garbage { url: url.clone(), reason: error.to_string() })
}

async fn post<T: DeserializeOwned>(
    connection: &mut Connection,
    path: &str,
    request: &impl Serialize,
) -> Result<T, EnrolError> {
    let garbage =
        |url: &BackendUrl, reason: String| EnrolError::Garbage { url: url.clone(), reason };
    let json = serde_json::to_vec(request)
        .map_err(|error| garbage(connection.url(), error.to_string()))?;
    let Answer { status, body } = connection.post(path, json).await?;
    if status.is_success() {
        return serde_json::from_slice(&body)
            .map_err(|error| garbage(connection.url(), error.to_string()));
    }
    match serde_json::from_slice::<EnrolFailure>(&body) {
        Ok(failure) => Err(EnrolError::Refused {
            refusal: failure.refusal,
            message: printable(&failure.message),
        }),
        Err(_) => Err(garbage(connection.url(), format!("HTTP status {status}"))),
    }
}

/// Words of another machine, fit for a terminal and a log.
fn printable(message: &str) -> String {
    message.chars().filter(|c| !c.is_control()).take(MESSAGE_LEN_MAX).collect()
}

fn explain(refusal: EnrolRefusal, message: &str) -> String {
    match refusal {
        EnrolRefusal::UnknownCode => {
            "the backend does not know this code: compare it with what `tripline-bpp vehicle add` \
             printed, and check that the address is that of the same backend"
                .into()
        }
        EnrolRefusal::ExpiredCode => {
            "the code's time is over: print a new one with `tripline-bpp vehicle rekey`".into()
        }
        EnrolRefusal::UsedCode => {
            "the code was used already, with another key; if that was not this device, somebody else \
             has enrolled in its place: revoke it with `tripline-bpp vehicle revoke`. A new code comes \
             from `tripline-bpp vehicle rekey`"
                .into()
        }
        EnrolRefusal::Revoked => {
            "the backend has revoked this device; a new code from `tripline-bpp vehicle rekey` enrols \
             it again"
                .into()
        }
        EnrolRefusal::NoCertificate => {
            "the backend does not know this device's certificate; enrol with a new code from \
             `tripline-bpp vehicle rekey`"
                .into()
        }
        EnrolRefusal::OtherKey => {
            "the backend has this device's certificate with another key; enrol with a new code from \
             `tripline-bpp vehicle rekey`"
                .into()
        }
        EnrolRefusal::Malformed => {
            format!("the backend does not understand this agent: {message}; is it of another version?")
        }
        EnrolRefusal::Busy => format!("the backend has too much to do: {message}; try again in a minute"),
        EnrolRefusal::Unavailable => {
            format!("the backend cannot at the moment: {message}; its log says why, try again later")
        }
    }
}
