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
            // Not before: what the store could not tell is asked again.
            session.handle_looked_at(at);
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::path::Path;

    use tripline_protocol::id::DeviceId;
    use tripline_protocol::signing::SecretKey;

    use super::*;
    use crate::audit::Audit;
    use crate::config::Config;
    use crate::domain::order::Vehicle;
    use crate::store::{Store, on_db};

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    async fn rename(store: &Store, sql: &'static str) {
        let mut tx = store.write().await.expect("begins");
        on_db!(&mut tx, conn => sqlx::query(sql).execute(conn).await.expect("renamed").rows_affected());
        tx.commit().await.expect("commits");
    }

    #[tokio::test]
    async fn a_connection_that_could_not_be_looked_at_is_looked_at_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        let store = Store::open(&url).await.expect("opens");
        let device: DeviceId = "a".parse().expect("valid");
        let mut tx = store.write().await.expect("begins");
        let vehicle = Vehicle {
            device: device.clone(),
            registration: "KA 1".into(),
            category: "TAXI".into(),
            make: None,
            model: None,
            color: None,
            driver: None,
            driver_name: "Raghav".into(),
            driver_phone: "+91-98".into(),
            driver_rating_centistars: None,
        };
        assert!(tx.add_vehicle(vehicle, NOW).await.expect("added"));
        tx.signal_device(&device, NOW).await.expect("given");
        tx.commit().await.expect("commits");
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpp.sample.toml");
        let settings = Config::load(&sample).expect("the sample is valid").settings();
        let (audit, _entries) = Audit::new();
        let platform = Platform::new(store, settings, SecretKey::from_seed(&[1; 32]), audit);
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        // Nobody issued its certificate.
        let session = Arc::new(Session::new(peer, [0; 32], NOW.plus_ms(1), NOW));
        platform.sessions.enter(&device, &session);

        let since = NOW.plus_ms(-1);
        rename(&platform.store, "ALTER TABLE device_certificate RENAME TO away").await;
        look(&platform, since).await.expect_err("the table is not there");
        rename(&platform.store, "ALTER TABLE away RENAME TO device_certificate").await;
        look(&platform, since).await.expect("answers");
        assert!(matches!(session.must_end().await, Ending::CertificateEnded(_)));
    }
}
