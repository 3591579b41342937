//! Devices of vehicles: codes to enrol with, settings, the end of their certificates, and all that is known of
//! one.

use serde::{Deserialize, Serialize};
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::{Actor, OperateError};
use crate::audit::{AuditKind, DETAIL_LEN_MAX, Entry};
use crate::enrol::code::{NewCode, new_code};
use crate::enrol::revoke::{rekey_in, revoke_in};
use crate::identity::authority::{Authorities, Fingerprint, hex, serial, sha256};
use crate::service::settings::{Change, Configured, configure_by};
use crate::settings::SettingTables;
use crate::store::Tx;
use crate::store::certificate::{CertificateRow, REVOKED};
use crate::store::fleet::FleetRow;
use crate::store::settings::Wanted;

const WHAT: &str = "vehicle";

/// Longest expiry of settings that can be asked for, in s: a year.
pub const EXPIRES_S_MAX: i64 = 365 * 86_400;

/// Where devices enrol, and which authority they meet there.
#[derive(Debug, Clone)]
pub struct EnrolSite {
    /// SHA-256 of the certificate of the authority that is shown.
    pub ca: Fingerprint,
    /// The URL that is told with codes.
    pub url: String,
}

/// A code with which a vehicle's device enrols.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CodeView {
    /// The device.
    pub device: String,
    /// Its vehicle's registration plate.
    pub registration: String,
    /// The code, shown this once. It works once.
    pub code: String,
    /// Where the device enrols.
    pub url: String,
    /// Until when the code may be used, in Unix milliseconds.
    pub expires_at_unix_ms: i64,
}

impl CodeView {
    fn of(device: &DeviceId, registration: &str, code: &NewCode, url: &str) -> Self {
        Self {
            device: device.to_string(),
            registration: registration.to_owned(),
            code: code.code.to_string(),
            url: url.to_owned(),
            expires_at_unix_ms: code.expires_at.unix_ms,
        }
    }
}

/// The device and plate of the vehicle of this device id or registration.
async fn find(tx: &mut Tx, name: &str) -> Result<(DeviceId, String), OperateError> {
    let vehicle = tx.find_vehicle(name).await?;
    let vehicle = vehicle.ok_or_else(|| OperateError::not_found(WHAT, name))?;
    Ok((vehicle.device, vehicle.registration))
}

/// Makes the first code of a vehicle that is being added.
pub async fn first_code(
    tx: &mut Tx,
    name: &str,
    site: &EnrolSite,
    now: Timestamp,
) -> Result<CodeView, OperateError> {
    let (device, registration) = find(tx, name).await?;
    let code = new_code(tx, &device, &site.ca, now).await?;
    Ok(CodeView::of(&device, &registration, &code, &site.url))
}

/// Makes a new code; older ones end. The device's certificate goes on until it enrols anew.
pub async fn rekey(
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    site: &EnrolSite,
    now: Timestamp,
) -> Result<CodeView, OperateError> {
    let (device, registration) = find(tx, name).await?;
    let entry = Entry::of_device(AuditKind::Rekeyed, &device, "a new code").by(&actor.name);
    let code = rekey_in(tx, &device, &site.ca, entry, now).await?;
    Ok(CodeView::of(&device, &registration, &code, &site.url))
}

/// Why a device is revoked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Why, for the audit trail.
    pub reason: String,
}

/// What a revocation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevokedView {
    /// The device.
    pub device: String,
    /// Its vehicle's registration plate.
    pub registration: String,
    /// Why.
    pub reason: String,
    /// Certificates that ended.
    pub certificates: u64,
    /// Codes that ended.
    pub codes: u64,
}

/// Ends a device's certificates and codes, and tells whoever serves it: it is out within 5 s.
pub async fn revoke(
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    revocation: &Revocation,
    now: Timestamp,
) -> Result<RevokedView, OperateError> {
    let reason = revocation.reason.trim();
    if reason.is_empty() || reason.len() > DETAIL_LEN_MAX || reason.contains(char::is_control) {
        let problem = format!("must have 1 to {DETAIL_LEN_MAX} printable characters");
        return Err(OperateError::invalid("reason", problem));
    }
    let (device, registration) = find(tx, name).await?;
    let entry = Entry::of_device(AuditKind::Revoked, &device, reason).by(&actor.name);
    let ended = revoke_in(tx, &device, entry, now).await?;
    Ok(RevokedView {
        device: device.to_string(),
        registration,
        reason: reason.to_owned(),
        certificates: ended.certificates,
        codes: ended.codes,
    })
}

/// What is changed about a device's settings.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// Whether what was set for the vehicle before is forgotten.
    #[serde(default)]
    pub clear: bool,
    /// What is set, in the tables of the agent's configuration. Empty: what is set is sent again.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"live": {"idle_ms": 2000}}))]
    pub set: SettingTables,
    /// After how many seconds it has no effect on a device that did not get it by then, at most a year; never
    /// if not given.
    #[schema(minimum = 1, maximum = 31_536_000)]
    pub expires_s: Option<i64>,
}

/// Settings that were sent to a device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ConfiguredView {
    /// The device.
    pub device: String,
    /// The command that carries them.
    pub number: u64,
    /// What is wanted of this device alone.
    #[schema(value_type = Object)]
    pub wanted: SettingTables,
    /// What the command carries: that over the fleet's.
    #[schema(value_type = Object)]
    pub sent: SettingTables,
}

impl ConfiguredView {
    /// What was sent to a device.
    pub fn of(device: &DeviceId, configured: &Configured) -> Self {
        Self {
            device: device.to_string(),
            number: configured.number.0,
            wanted: SettingTables(configured.wanted),
            sent: SettingTables(configured.sent),
        }
    }
}

/// Sends a device settings, over those of the `fleet`.
pub async fn configure(
    tx: &mut Tx,
    actor: &Actor,
    name: &str,
    change: &SettingsChange,
    fleet: &DeviceSettings,
    now: Timestamp,
) -> Result<ConfiguredView, OperateError> {
    if let Some(seconds) = change.expires_s.filter(|seconds| !(1..=EXPIRES_S_MAX).contains(seconds))
    {
        let problem = format!("is {seconds}; it must be between 1 and {EXPIRES_S_MAX}");
        return Err(OperateError::invalid("expires_s", problem));
    }
    let (device, _) = find(tx, name).await?;
    let change = Change {
        clear: change.clear,
        set: change.set.0,
        expires_at: change.expires_s.map(|seconds| now.plus_ms(seconds * 1_000)),
    };
    let sent = configure_by(tx, Some(&actor.name), &device, change, fleet, now).await?;
    let sent = sent.ok_or_else(|| OperateError::not_found(WHAT, name))?;
    Ok(ConfiguredView::of(&device, &sent))
}

/// Whether a device may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It never enrolled.
    NotEnrolled,
    /// Its certificate counts.
    Enrolled,
    /// Its certificate is over.
    Expired,
    /// Its certificate was ended.
    Ended,
    /// It was revoked.
    Revoked,
}

impl Standing {
    /// That of a device at a time.
    pub fn of(row: &FleetRow, now: Timestamp) -> Self {
        match (row.certificate_expires_at, &row.ended) {
            (Some(until), _) if now < until => Self::Enrolled,
            (Some(_), _) => Self::Expired,
            (None, Some((_, why))) if why == REVOKED => Self::Revoked,
            (None, Some(_)) => Self::Ended,
            (None, None) => Self::NotEnrolled,
        }
    }
}

/// A certificate of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateView {
    /// Its serial number, in hexadecimal.
    pub serial: Option<String>,
    /// SHA-256 of it.
    pub fingerprint: String,
    /// SHA-256 of its public key.
    pub key_fingerprint: String,
    /// Number of the authority that issued it; none if that is retired.
    pub ca: Option<u32>,
    /// SHA-256 of that authority's certificate.
    pub ca_fingerprint: String,
    /// When it was issued, in Unix milliseconds.
    pub issued_at_unix_ms: i64,
    /// When it expires.
    pub expires_at_unix_ms: i64,
    /// When it was ended.
    pub ended_at_unix_ms: Option<i64>,
    /// `counts`, `expired`, or why it was ended.
    pub state: String,
}

impl CertificateView {
    /// A certificate at a time.
    pub fn of(row: &CertificateRow, authorities: &Authorities, now: Timestamp) -> Self {
        let mut all = authorities.all().iter();
        let issuer = all.find(|authority| authority.fingerprint()[..] == row.ca_fingerprint[..]);
        Self {
            serial: serial(&row.der),
            fingerprint: hex(&sha256(&row.der)),
            key_fingerprint: hex(&row.key_hash),
            ca: issuer.map(|authority| authority.generation),
            ca_fingerprint: hex(&row.ca_fingerprint),
            issued_at_unix_ms: row.issued_at.unix_ms,
            expires_at_unix_ms: row.expires_at.unix_ms,
            ended_at_unix_ms: row.ended.as_ref().map(|(at, _)| at.unix_ms),
            state: match &row.ended {
                Some((_, why)) => why.clone(),
                None if row.counts(now) => "counts".to_owned(),
                None => "expired".to_owned(),
            },
        }
    }
}

/// Settings that are wanted of a device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WantedView {
    /// What its operator has set for it alone.
    #[schema(value_type = Object)]
    pub settings: SettingTables,
    /// When that was sent, in Unix milliseconds.
    pub at_unix_ms: i64,
    /// The command that carries it.
    pub command: u64,
    /// What became of the command; none while the device has not said.
    pub outcome: Option<String>,
}

impl From<Wanted> for WantedView {
    fn from(wanted: Wanted) -> Self {
        Self {
            settings: SettingTables(wanted.settings),
            at_unix_ms: wanted.at.unix_ms,
            command: wanted.number.0,
            outcome: wanted.outcome,
        }
    }
}

/// Settings that a device says it runs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunningView {
    /// The settings.
    #[schema(value_type = Object)]
    pub settings: SettingTables,
    /// When it said so, in Unix milliseconds.
    pub at_unix_ms: i64,
}

/// Batches of a lane that a revoked device had on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetAsideView {
    /// The lane.
    pub lane: String,
    /// How many.
    pub count: u64,
    /// When the last one came, in Unix milliseconds.
    pub last_at_unix_ms: i64,
}

/// A vehicle's device, and all that is known of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeviceView {
    /// The device.
    pub device: String,
    /// Its vehicle's registration plate.
    pub registration: String,
    /// Whether it is connected.
    pub connected: bool,
    /// Since when it is or is not, in Unix milliseconds; none if it never came.
    pub since_unix_ms: Option<i64>,
    /// From which address it came last.
    pub peer: Option<String>,
    /// Which program it ran then.
    pub agent_version: Option<String>,
    /// Whether it may come in.
    pub certificate: Standing,
    /// When its certificate expires.
    pub certificate_expires_at_unix_ms: Option<i64>,
    /// Until when a code may be used, if one waits.
    pub code_expires_at_unix_ms: Option<i64>,
    /// Every certificate it had.
    pub certificates: Vec<CertificateView>,
    /// What is wanted of it.
    pub settings_wanted: Option<WantedView>,
    /// What it says it runs.
    pub settings_running: Option<RunningView>,
    /// What it had on the way when it was revoked, by lane.
    pub set_aside: Vec<SetAsideView>,
}

/// All that is known of a vehicle's device.
pub async fn show(
    tx: &mut Tx,
    name: &str,
    authorities: &Authorities,
    now: Timestamp,
) -> Result<DeviceView, OperateError> {
    let (device, _) = find(tx, name).await?;
    let row = tx.fleet(Some(&device)).await?.pop();
    let row = row.ok_or_else(|| OperateError::not_found(WHAT, name))?;
    let seen = tx.last_seen(&device).await?;
    let certificates = tx.certificates(&device).await?;
    let settings = tx.device_settings(&device).await?.unwrap_or_default();
    let set_aside = tx.set_aside_counts(&device).await?.into_iter().map(|row| SetAsideView {
        lane: row.lane,
        count: row.count,
        last_at_unix_ms: row.last_at.unix_ms,
    });
    let ms = |at: Option<Timestamp>| at.map(|at| at.unix_ms);
    Ok(DeviceView {
        certificate: Standing::of(&row, now),
        device: device.to_string(),
        connected: row.presence.is_some_and(|(connected, _)| connected),
        since_unix_ms: ms(row.presence.map(|(_, since)| since)),
        peer: seen.as_ref().map(|seen| seen.peer.clone()),
        agent_version: seen.map(|seen| seen.agent_version),
        certificate_expires_at_unix_ms: ms(row.certificate_expires_at),
        code_expires_at_unix_ms: ms(row.code_expires_at.filter(|until| now < *until)),
        certificates: certificates
            .iter()
            .map(|certificate| CertificateView::of(certificate, authorities, now))
            .collect(),
        settings_wanted: settings.wanted.map(Into::into),
        settings_running: settings.running.map(|(settings, at)| RunningView {
            settings: SettingTables(settings),
            at_unix_ms: at.unix_ms,
        }),
        set_aside: set_aside.collect(),
        registration: row.vehicle.registration,
    })
}
