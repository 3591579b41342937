//! Hears from the store what others changed about the devices connected here: certificates that were
//! ended, and those that expire, end their connections, and new commands are sent.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tracing::error;
use tripline_protocol::unit::Timestamp;

use super::opening::why_ended;
use super::sessions::{Ending, Session};
use crate::service::Platform;
use crate::store::{StoreError, Tx};
use crate::time;

/// How often signals are looked for, in ms. A revoked device has to be out within 5 s.
const LOOK_EVERY_MS: u64 = 1_000;

/// How far behind ours the clock of whoever signals may be, and how long a signal may take to be
/// committed, in ms. A connection that is made within this time of a signal is looked at once too, so
/// that a certificate that is revoked while its device comes in is noticed.
const BEHIND_MS_MAX: i64 = 60_000;

/// Looks until the task is dropped.
pub(super) async fn run(platform: Arc<Platform>) {
    let mut tick = tokio::time::interval(Duration::from_millis(LOOK_EVERY_MS));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looked = time::now();
    loop {
        tick.tick().await;
        let now = time::now();
        platform.sessions.end_expired(now);
        // What was given while the store could not be read is still to be heard.
        match look(&platform, looked.min(now).plus_ms(-BEHIND_MS_MAX)).await {
            Ok(()) => looked = now,
            Err(error) => error!(%error, "signals about devices could not be read"),
        }
    }
}

async fn look(platform: &Platform, since: Timestamp) -> Result<(), StoreError> {
    let mut tx = platform.store.read().await?;
    for (device, at) in tx.signals_since(since).await? {
        let Some(session) = platform.sessions.get(&device) else { continue };
        if session.is_news(at) {
            handle_signal(&mut tx, &session).await?;
        }
    }
    Ok(())
}

async fn handle_signal(tx: &mut Tx, session: &Session) -> Result<(), StoreError> {
    let known = tx.certificate(&session.certificate).await?;
    match why_ended(known.as_ref()) {
        None => session.commands.notify_one(),
        Some(why) => session.end(Ending::CertificateEnded(why)),
    }
    Ok(())
}
