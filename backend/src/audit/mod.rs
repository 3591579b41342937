//! The audit trail: who came, who was turned away, and why.
//!
//! What peers can cause without limit goes through a bounded queue and is counted together, so that
//! whoever floods us fills neither memory nor store. What an operator or an enrolment does is written
//! in the transaction that does it.

pub mod writer;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use tokio::sync::mpsc;
use tripline_protocol::id::DeviceId;

/// Entries waiting to be written; beyond it they are counted and dropped.
pub const ENTRIES_WAITING_MAX: usize = 4_096;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditKind {
    /// A vehicle was added, with a code to enrol.
    Added,
    /// A device enrolled.
    Enrolled,
    /// A device renewed its certificate.
    Renewed,
    /// An enrolment or renewal was refused.
    EnrolmentRefused,
    /// A used code came with another key: somebody else knows it.
    CodeReused,
    /// A device was revoked.
    Revoked,
    /// A new code was made for a vehicle.
    Rekeyed,
    /// A connection was refused.
    ConnectRefused,
    /// A newer connection took over.
    TakenOver,
    /// Two units may have one identity.
    CloneSuspected,
    /// A publish was refused.
    PublishRefused,
    /// A subscription was refused.
    SubscriptionRefused,
    /// A batch of a revoked device was set aside.
    SetAside,
    /// Settings were sent to a device.
    Configured,
    /// An authority of the device CA was added or retired.
    AuthorityChanged,
    /// A provider was added or changed.
    ProviderChanged,
    /// A driver was added, changed or unlocked.
    DriverChanged,
    /// A vehicle was changed: what it is, whose, or who drives it.
    VehicleChanged,
    /// A document of a driver or a vehicle was added or changed.
    DocumentChanged,
    /// A driver's duty was changed by an operator.
    DutyChanged,
    /// An entry was made in a driver's cash account.
    CashEntered,
    /// A version of a tariff was added.
    TariffChanged,
    /// An item of the catalog was added, changed or removed.
    ItemChanged,
    /// A form was added or changed.
    FormChanged,
    /// A promotion was added or changed.
    PromotionChanged,
    /// An area or zone was added, changed or removed.
    AreaChanged,
    /// Fleet or tariffs were imported from a file.
    Imported,
    /// A trip was started, paused, resumed, stopped, cancelled, closed or unlocked by an operator.
    TripCommanded,
    /// A case was resolved.
    CaseResolved,
    /// Callbacks that were given up are tried once more.
    CallbackReplayed,
    /// A request to the admin API showed no token that counts.
    AdminRefused,
    /// A token for the admin API was made.
    TokenAdded,
    /// A token for the admin API was revoked.
    TokenRevoked,
    /// A rider or a driver was taken out of what is stored.
    Erased,
}

/// A text that is the code of no [`AuditKind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such kind of entry")]
pub struct UnknownKind;

impl AuditKind {
    /// Every kind, as declared.
    pub const ALL: &'static [Self] = &[
        Self::Added,
        Self::Enrolled,
        Self::Renewed,
        Self::EnrolmentRefused,
        Self::CodeReused,
        Self::Revoked,
        Self::Rekeyed,
        Self::ConnectRefused,
        Self::TakenOver,
        Self::CloneSuspected,
        Self::PublishRefused,
        Self::SubscriptionRefused,
        Self::SetAside,
        Self::Configured,
        Self::AuthorityChanged,
        Self::ProviderChanged,
        Self::DriverChanged,
        Self::VehicleChanged,
        Self::DocumentChanged,
        Self::DutyChanged,
        Self::CashEntered,
        Self::TariffChanged,
        Self::ItemChanged,
        Self::FormChanged,
        Self::PromotionChanged,
        Self::AreaChanged,
        Self::Imported,
        Self::TripCommanded,
        Self::CaseResolved,
        Self::CallbackReplayed,
        Self::AdminRefused,
        Self::TokenAdded,
        Self::TokenRevoked,
        Self::Erased,
    ];

    /// Whether it says that somebody may be attacking the fleet: it is written down whatever else is.
    pub const fn is_alarm(self) -> bool {
        matches!(self, Self::CodeReused | Self::CloneSuspected)
    }

    /// Whether peers cause it without end, so that only so many are kept. All others, of which operators
    /// and enrolments cause one at a time, are kept until they are old.
    pub const fn is_common(self) -> bool {
        matches!(
            self,
            Self::EnrolmentRefused
                | Self::ConnectRefused
                | Self::TakenOver
                | Self::PublishRefused
                | Self::SubscriptionRefused
                | Self::SetAside
                | Self::AdminRefused
        )
    }

    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Enrolled => "enrolled",
            Self::Renewed => "renewed",
            Self::EnrolmentRefused => "enrolment-refused",
            Self::CodeReused => "code-reused",
            Self::Revoked => "revoked",
            Self::Rekeyed => "rekeyed",
            Self::ConnectRefused => "connect-refused",
            Self::TakenOver => "taken-over",
            Self::CloneSuspected => "clone-suspected",
            Self::PublishRefused => "publish-refused",
            Self::SubscriptionRefused => "subscription-refused",
            Self::SetAside => "set-aside",
            Self::Configured => "configured",
            Self::AuthorityChanged => "authority-changed",
            Self::ProviderChanged => "provider-changed",
            Self::DriverChanged => "driver-changed",
            Self::VehicleChanged => "vehicle-changed",
            Self::DocumentChanged => "document-changed",
            Self::DutyChanged => "duty-changed",
            Self::CashEntered => "cash-entered",
            Self::TariffChanged => "tariff-changed",
            Self::ItemChanged => "item-changed",
            Self::FormChanged => "form-changed",
            Self::PromotionChanged => "promotion-changed",
            Self::AreaChanged => "area-changed",
            Self::Imported => "imported",
            Self::TripCommanded => "trip-commanded",
            Self::CaseResolved => "case-resolved",
            Self::CallbackReplayed => "callback-replayed",
            Self::AdminRefused => "admin-refused",
            Self::TokenAdded => "token-added",
            Self::TokenRevoked => "token-revoked",
            Self::Erased => "erased",
        }
    }
}

impl fmt::Display for AuditKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl FromStr for AuditKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.iter().copied().find(|kind| kind.code() == text).ok_or(UnknownKind)
    }
}

/// Something to be written down.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// What happened.
    pub kind: AuditKind,
    /// To which device, where that is known.
    pub device: Option<DeviceId>,
    /// From where.
    pub peer: Option<IpAddr>,
    /// Which operator did it, where one did.
    pub actor: Option<String>,
    /// Why, in a few fixed words; at most [`DETAIL_LEN_MAX`] bytes.
    pub detail: String,
}

impl Entry {
    /// An entry about a device, by this backend or its operator.
    pub fn of_device(kind: AuditKind, device: &DeviceId, detail: impl Into<String>) -> Self {
        Self { kind, device: Some(device.clone()), peer: None, actor: None, detail: detail.into() }
    }

    /// The same, from there.
    #[must_use]
    pub fn from_peer(self, peer: IpAddr) -> Self {
        Self { peer: Some(peer), ..self }
    }

    /// The same, by an operator of this name.
    #[must_use]
    pub fn by(self, actor: &str) -> Self {
        Self { actor: Some(actor.to_owned()), ..self }
    }
}

/// Longest detail, in bytes.
pub const DETAIL_LEN_MAX: usize = 200;

/// Where entries go in.
#[derive(Debug, Clone)]
pub struct Audit {
    entries: mpsc::Sender<Entry>,
}

impl Audit {
    /// An audit trail, and where its writer gets the entries.
    pub fn new() -> (Self, mpsc::Receiver<Entry>) {
        let (entries, receiver) = mpsc::channel(ENTRIES_WAITING_MAX);
        (Self { entries }, receiver)
    }

    /// Hands over an entry without waiting; `false` if the queue is full.
    pub fn tell(&self, entry: Entry) -> bool {
        self.entries.try_send(entry).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_from_its_code_and_no_code_is_twice() {
        for kind in AuditKind::ALL {
            assert_eq!(kind.code().parse(), Ok(*kind));
        }
        assert_eq!("x".parse::<AuditKind>(), Err(UnknownKind));
    }
}
