//! Takes requests for certificates, and issues them.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tracing::{error, info, warn};
use tripline_protocol::enrol::{
    EnrolCode, EnrolFailure, EnrolRefusal, EnrolRequest, Enrolled, RenewRequest,
};
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::key::DeviceKey;
use super::revoke::note;
use crate::audit::{AuditKind, Entry};
use crate::identity::authority::{Authorities, Authority, IssueError, sha256, to_pem};
use crate::identity::live::Identity;
use crate::metrics::Reason;
use crate::service::{Platform, ServiceError};
use crate::store::certificate::{CertificateRow, REVOKED, SUPERSEDED};
use crate::store::code::CodeRow;
use crate::store::{StoreError, Tx};

/// Age up to which a certificate is given again to who renews it, in ms: a day, or a tenth of its life
/// where that is less. A device that lost the answer gets the same, and one that asks all the time fills
/// no table.
const SAME_AGAIN_MS_MAX: i64 = 86_400_000;

/// Certificates of a key that are looked at, newest first. At most ten of them are younger than
/// [`SAME_AGAIN_MS_MAX`] lets them be given again.
const LOOKED_AT_MAX: u32 = 16;

/// Longest version of an agent that is written down, in characters.
const VERSION_LEN_MAX: usize = 40;

/// Issues certificates to devices.
#[derive(Debug)]
pub struct Office {
    /// The platform.
    pub platform: Arc<Platform>,
    /// The authorities that sign.
    pub identity: Arc<Identity>,
    /// Where devices are told to connect: host and port.
    pub endpoint: (String, u16),
    /// How long a certificate lives, in ms.
    pub life_ms: i64,
}

/// Why a device gets no certificate.
#[derive(Debug, thiserror::Error)]
enum NotIssued {
    #[error("{message}")]
    Refused { refusal: EnrolRefusal, device: Option<DeviceId>, message: String },
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl From<StoreError> for NotIssued {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

fn refused(
    refusal: EnrolRefusal,
    device: Option<&DeviceId>,
    message: &(impl ToString + ?Sized),
) -> NotIssued {
    NotIssued::Refused { refusal, device: device.cloned(), message: message.to_string() }
}

/// Whether a certificate was made, or one that is there already is given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Anew,
    Again,
}

impl Office {
    /// Enrols a device: a code and a key give a certificate. The same code with the same key gives the
    /// same certificate again while it counts, also after the code's time; another key gets nothing, and
    /// raises an alarm.
    pub async fn enrol(
        &self,
        request: &EnrolRequest,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<Enrolled, EnrolFailure> {
        let given = self.try_enrol(request, peer, now).await;
        self.tell("enrolled", given, peer)
    }

    /// Renews the certificate with which a device came, which may have expired, with the same key.
    pub async fn renew(
        &self,
        shown: Option<&CertificateDer<'_>>,
        request: &RenewRequest,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<Enrolled, EnrolFailure> {
        let given = self.try_renew(shown, request, peer, now).await;
        self.tell("renewed", given, peer)
    }

    async fn try_enrol(
        &self,
        request: &EnrolRequest,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<(Given, Enrolled), NotIssued> {
        let code: EnrolCode =
            request.code.parse().map_err(|error| refused(EnrolRefusal::Malformed, None, &error))?;
        // A vehicle that was added a moment ago is on the roster before its device can be heard.
        self.platform.refresh_fleet(now).await?;
        let hash = code.hash();
        // A look at the code first, which is all that a wrong one costs.
        let seen = self.platform.store.read().await?.code(&hash).await?;
        let device = open_code(seen, now)?.device;
        let key = DeviceKey::of_request(&request.csr_pem)
            .map_err(|error| refused(EnrolRefusal::Malformed, Some(&device), &error))?;
        let mut tx = self.platform.store.write().await?;
        tx.lock_vehicle(&device).await?;
        let code = open_code(tx.code(&hash).await?, now)?;
        let given = match code.used {
            None => {
                tx.use_code(&hash, &key.hash, now).await?;
                let entry = came(AuditKind::Enrolled, &device, peer, &request.agent_version);
                (Given::Anew, self.admit(&mut tx, &device, &key, entry, now).await?)
            }
            Some((_, by)) if by == key.hash => {
                (Given::Again, issued_before(&mut tx, &device, &key, now).await?)
            }
            Some(_) => {
                let message = "this code was used by another unit; if that was not you, revoke the \
                     vehicle with `tripline-bpp vehicle revoke`; `vehicle rekey` makes a new code";
                return Err(refused(EnrolRefusal::UsedCode, Some(&device), message));
            }
        };
        self.answer(tx, given).await
    }

    async fn try_renew(
        &self,
        shown: Option<&CertificateDer<'_>>,
        request: &RenewRequest,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<(Given, Enrolled), NotIssued> {
        let unknown = || {
            let message = "no certificate of this backend came with the request; enrol with a code";
            refused(EnrolRefusal::NoCertificate, None, message)
        };
        let fingerprint = sha256(shown.ok_or_else(unknown)?);
        let seen = self.platform.store.read().await?.certificate(&fingerprint).await?;
        let device = not_ended(seen.ok_or_else(unknown)?)?.device;
        let key = DeviceKey::of_request(&request.csr_pem)
            .map_err(|error| refused(EnrolRefusal::Malformed, Some(&device), &error))?;
        let mut tx = self.platform.store.write().await?;
        tx.lock_vehicle(&device).await?;
        let shown = not_ended(tx.certificate(&fingerprint).await?.ok_or_else(unknown)?)?;
        if shown.key_hash != key.hash {
            let message =
                "a certificate is renewed with its own key; enrol with a code for another";
            return Err(refused(EnrolRefusal::OtherKey, Some(&device), message));
        }
        let authorities = self.identity.authorities();
        let given = if let Some(row) = fresh(&mut tx, &device, &key, &authorities, now).await? {
            (Given::Again, row)
        } else {
            let entry = came(AuditKind::Renewed, &device, peer, &request.agent_version);
            (Given::Anew, self.issue(&mut tx, &device, &key, entry, now).await?)
        };
        self.answer(tx, given).await
    }

    /// A certificate for a key that is new to the device: those of other keys end, and so do other
    /// codes. The unit that had them is put out.
    async fn admit(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        key: &DeviceKey,
        entry: Entry,
        now: Timestamp,
    ) -> Result<CertificateRow, NotIssued> {
        tx.end_codes(device, now).await?;
        if tx.end_certificates(device, Some(&key.hash), SUPERSEDED, now).await? > 0 {
            tx.signal_device(device, now).await?;
        }
        self.issue(tx, device, key, entry, now).await
    }

    async fn issue(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        key: &DeviceKey,
        entry: Entry,
        now: Timestamp,
    ) -> Result<CertificateRow, NotIssued> {
        let authorities = self.identity.authorities();
        let issued = authorities.issue_device(device, &key.public, now, self.life_ms)?;
        let row = CertificateRow::new(device.clone(), key.hash, &issued);
        tx.add_certificate(row.clone()).await?;
        note(tx, entry, now).await?;
        Ok(row)
    }

    async fn answer(
        &self,
        mut tx: Tx,
        (given, row): (Given, CertificateRow),
    ) -> Result<(Given, Enrolled), NotIssued> {
        let settings = self.platform.first_settings(&mut tx, &row.device).await?;
        tx.commit().await?;
        let authorities = self.identity.authorities();
        let (host, port) = self.endpoint.clone();
        let enrolled = Enrolled {
            certificate_pem: to_pem(&row.der.as_slice().into()),
            ca_pems: authorities.all().iter().map(Authority::pem).collect(),
            host,
            port,
            command_keys: vec![self.platform.command_key.public().to_string()],
            issued_at_unix_ms: row.issued_at.unix_ms,
            renew_at_unix_ms: row.renew_at().unix_ms,
            expires_at_unix_ms: row.expires_at.unix_ms,
            settings,
            device: row.device,
        };
        Ok((given, enrolled))
    }

    /// Counts and logs what became of a request, and makes the answer of it.
    fn tell(
        &self,
        done: &'static str,
        given: Result<(Given, Enrolled), NotIssued>,
        peer: IpAddr,
    ) -> Result<Enrolled, EnrolFailure> {
        match given {
            Ok((given, enrolled)) => {
                let again = given == Given::Again;
                info!(device = %enrolled.device, %peer, again, "device {done}");
                self.count(if again { "same-again" } else { done });
                Ok(enrolled)
            }
            Err(NotIssued::Refused { refusal, device, message }) => {
                self.count(refusal.code());
                self.tell_refusal(refusal, device, peer);
                Err(EnrolFailure { refusal, message })
            }
            Err(error) => {
                error!(%error, %peer, "a device is not {done}");
                self.count(EnrolRefusal::Unavailable.code());
                let message = "the backend cannot issue certificates at the moment; try again";
                Err(EnrolFailure::new(EnrolRefusal::Unavailable, message))
            }
        }
    }

    fn tell_refusal(&self, refusal: EnrolRefusal, device: Option<DeviceId>, peer: IpAddr) {
        let shown = device.as_ref().map_or("unknown", DeviceId::as_str);
        let kind = if refusal == EnrolRefusal::UsedCode {
            error!(device = shown, %peer, "alarm: an enrolment code that was used came with another key");
            AuditKind::CodeReused
        } else {
            warn!(device = shown, %peer, %refusal, "no certificate issued");
            AuditKind::EnrolmentRefused
        };
        let detail = refusal.code().to_owned();
        self.platform.tell_audit(Entry { kind, device, peer: Some(peer), actor: None, detail });
    }

    fn count(&self, reason: &'static str) {
        self.platform.metrics.enrolments.get_or_create(&Reason { reason }).inc();
    }
}

/// The code, if it is one that may be used, or was.
fn open_code(row: Option<CodeRow>, now: Timestamp) -> Result<CodeRow, NotIssued> {
    let Some(row) = row else {
        let message = "there is no such code; `tripline-bpp vehicle rekey` makes a new one";
        return Err(refused(EnrolRefusal::UnknownCode, None, message));
    };
    if row.used.is_none() && row.expires_at <= now {
        let message = "the code's time is over; `tripline-bpp vehicle rekey` makes a new one";
        return Err(refused(EnrolRefusal::ExpiredCode, Some(&row.device), message));
    }
    Ok(row)
}

/// The certificate, if it was not ended.
fn not_ended(row: CertificateRow) -> Result<CertificateRow, NotIssued> {
    if row.ended.is_none() {
        return Ok(row);
    }
    let message =
        "the certificate was ended; `tripline-bpp vehicle rekey` makes a code to enrol anew";
    Err(refused(EnrolRefusal::Revoked, Some(&row.device), message))
}

/// The certificate that the key got before, if it counts.
async fn issued_before(
    tx: &mut Tx,
    device: &DeviceId,
    key: &DeviceKey,
    now: Timestamp,
) -> Result<CertificateRow, NotIssued> {
    let rows = tx.certificates_of_key(device, &key.hash, LOOKED_AT_MAX).await?;
    if let Some(row) = rows.iter().find(|row| row.counts(now)) {
        return Ok(row.clone());
    }
    let revoked = |row: &CertificateRow| row.ended.as_ref().is_some_and(|(_, why)| why == REVOKED);
    if rows.iter().any(revoked) {
        let message = "the device was revoked; `tripline-bpp vehicle rekey` makes a new code";
        return Err(refused(EnrolRefusal::Revoked, Some(device), message));
    }
    let message = "the certificate that this code gave counts no more; \
         `tripline-bpp vehicle rekey` makes a new code";
    Err(refused(EnrolRefusal::ExpiredCode, Some(device), message))
}

/// A certificate of the key that needs no renewal yet: by the authority that issues, young, and with
/// more than half of its life to go.
async fn fresh(
    tx: &mut Tx,
    device: &DeviceId,
    key: &DeviceKey,
    authorities: &Authorities,
    now: Timestamp,
) -> Result<Option<CertificateRow>, NotIssued> {
    let ca = authorities.issuing().fingerprint();
    let rows = tx.certificates_of_key(device, &key.hash, LOOKED_AT_MAX).await?;
    Ok(rows.into_iter().find(|row| {
        let young = now.since_ms(row.issued_at) < SAME_AGAIN_MS_MAX.min(row.life_ms() / 10);
        let lasts = row.expires_at.since_ms(now) > row.life_ms() / 2;
        row.counts(now) && row.ca_fingerprint == ca && young && lasts
    }))
}

fn came(kind: AuditKind, device: &DeviceId, peer: IpAddr, version: &str) -> Entry {
    // The peer wrote it.
    let version: String =
        version.chars().filter(|c| !c.is_control()).take(VERSION_LEN_MAX).collect();
    Entry::of_device(kind, device, format!("agent {version}")).from_peer(peer)
}
