//! What the endpoint tells of devices: the log for who reads along, counters, and the audit trail.
//!
//! Whoever has shown no certificate can come as often as the network carries: that is counted and
//! audited together, and logged for debugging only.

use std::net::{IpAddr, SocketAddr};

use tracing::{debug, error, info, warn};
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::envelope::DecodeError;
use tripline_protocol::link::topic::Lane;

use super::connection::Ended;
use super::opening::Refused;
use super::sessions::TakeOver;
use crate::audit::{AuditKind, Entry};
use crate::listen::Refusal;
use crate::metrics::{OnLane, Reason};
use crate::service::Platform;

/// The listener closed a connection as it came.
pub(super) fn turned_away(platform: &Platform, peer: IpAddr, refusal: Refusal) {
    let reason = refusal.code();
    debug!(%peer, reason, "connection turned away");
    platform.metrics.connects_refused.get_or_create(&Reason { reason }).inc();
    tell(platform, AuditKind::ConnectRefused, None, peer, reason);
}

/// A connection was not granted.
pub(super) fn refused(platform: &Platform, peer: SocketAddr, refused: &Refused) {
    let reason = refused.code();
    if let Some(device) = refused.device() {
        warn!(%device, %peer, %refused, "device refused");
    } else {
        debug!(%peer, %refused, "connection refused");
    }
    platform.metrics.connects_refused.get_or_create(&Reason { reason }).inc();
    tell(platform, AuditKind::ConnectRefused, refused.device(), peer.ip(), reason);
}

/// A device came in.
pub(super) fn connected(
    platform: &Platform,
    device: &DeviceId,
    peer: SocketAddr,
    take_over: Option<TakeOver>,
) {
    info!(%device, %peer, "device connected");
    platform.metrics.connects.inc();
    count(platform);
    let Some(TakeOver { from, suspicious }) = take_over else { return };
    platform.metrics.take_overs.inc();
    let detail = format!("from {}", from.ip());
    tell(platform, AuditKind::TakenOver, Some(device), peer.ip(), &detail);
    if suspicious {
        error!(%device, %peer, other = %from,
            "two units may have one identity: they take the connection from each other; revoke it");
        platform.metrics.clones_suspected.inc();
        let detail = format!("another connects from {}", from.ip());
        tell(platform, AuditKind::CloneSuspected, Some(device), peer.ip(), &detail);
    }
}

/// A granted connection ended.
pub(super) fn disconnected(
    platform: &Platform,
    device: &DeviceId,
    peer: SocketAddr,
    ended: &Ended,
) {
    let reason = ended.code();
    info!(%device, %peer, %ended, "device disconnected");
    platform.metrics.disconnects.get_or_create(&Reason { reason }).inc();
    count(platform);
    if matches!(ended, Ended::Offences) {
        tell(platform, AuditKind::PublishRefused, Some(device), peer.ip(), reason);
    }
    if let Ended::Publish(refusal) = ended {
        warn!(%device, %peer, reason = refusal.code(), "publish refused");
        let reason = Reason { reason: refusal.code() };
        platform.metrics.publishes_refused.get_or_create(&reason).inc();
        tell(platform, AuditKind::PublishRefused, Some(device), peer.ip(), refusal.code());
    }
}

/// A message could not be read; `count` of them have come since the last line of the log, if one is due.
pub(super) fn undecodable(
    platform: &Platform,
    device: &DeviceId,
    lane: Lane,
    error: DecodeError,
    count: Option<u32>,
) {
    if let Some(count) = count {
        warn!(%device, %lane, %error, count, "message ignored");
    }
    platform.metrics.publishes_undecodable.get_or_create(&OnLane { lane: lane.code() }).inc();
}

/// A subscription was not granted; `count` is as with [`undecodable`].
pub(super) fn subscription_refused(
    platform: &Platform,
    device: &DeviceId,
    peer: SocketAddr,
    count: Option<u32>,
) {
    if let Some(count) = count {
        warn!(%device, %peer, count, "subscription refused: not a down topic of its own");
    }
    platform.metrics.subscriptions_refused.inc();
    let detail = "not a down topic of its own";
    tell(platform, AuditKind::SubscriptionRefused, Some(device), peer.ip(), detail);
}

/// A connected device's certificate was found to be ended.
pub(super) fn certificate_ended(
    platform: &Platform,
    device: &DeviceId,
    peer: SocketAddr,
    why: &str,
) {
    warn!(%device, %peer, why, "its certificate counts no more: its connection ends");
    let detail = format!("{why} while it was connected");
    tell(platform, AuditKind::ConnectRefused, Some(device), peer.ip(), &detail);
}

fn tell(
    platform: &Platform,
    kind: AuditKind,
    device: Option<&DeviceId>,
    peer: IpAddr,
    detail: &str,
) {
    let peer = Some(peer.to_canonical());
    platform.tell_audit(Entry {
        kind,
        device: device.cloned(),
        peer,
        actor: None,
        detail: detail.into(),
    });
}

fn count(platform: &Platform) {
    let connected = i64::try_from(platform.sessions.len()).unwrap_or(i64::MAX);
    platform.metrics.devices_connected.set(connected);
}
