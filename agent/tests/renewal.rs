//! The renewal task against a real enrolment listener.

#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "../link/tests/enrol/backend.rs"]
mod backend;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use backend::{Backend, Behaviour};
use hyper::StatusCode;
use tokio::sync::watch;
use tokio::time::timeout;
use tripline_agent::credentials::Credentials;
use tripline_agent::renewal::Renewal;
use tripline_agent::time::Stopwatch;
use tripline_agent_link::enrol::enrol;
use tripline_agent_link::{Clock, FolderLock, Identity};
use tripline_protocol::unit::Timestamp;

/// Longest wait for the task to do something, in s: it looks every five.
const WAIT_S_MAX: u64 = 60;

/// As the backend of these tests dates what it issues.
const ISSUED_AT_UNIX_MS: i64 = 1_800_000_000_000;

async fn enrolled(backend: &Backend, dir: &Path, secret: u8) -> Identity {
    let clock = Clock::new(Timestamp::from_unix_ms(0));
    enrol(dir, &backend.url(), &backend.code(secret), "1", &clock).await.expect("enrolled")
}

fn renewing(dir: &Path, identity: Identity) -> watch::Receiver<Arc<Credentials>> {
    let clock = Clock::new(Timestamp::from_unix_ms(0));
    let credentials = Arc::new(Credentials::new(identity, &clock).expect("usable"));
    let (sender, credentials) = watch::channel(credentials);
    let renewal = Renewal::new(dir.into(), "1", clock, Stopwatch::new(), sender);
    tokio::spawn(renewal.run());
    credentials
}

async fn next(credentials: &mut watch::Receiver<Arc<Credentials>>) -> Identity {
    let changed = timeout(Duration::from_secs(WAIT_S_MAX), credentials.changed()).await;
    changed.expect("in time").expect("the task runs");
    credentials.borrow_and_update().identity.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_due_is_renewed_and_on_the_disk_also_after_a_failure() {
    let (backend, dir) = (Backend::start().await, tempfile::tempdir().expect("a folder"));
    backend.renew_at_unix_ms.store(ISSUED_AT_UNIX_MS, Ordering::Relaxed);
    let first = enrolled(&backend, dir.path(), 1).await;
    backend.renew_at_unix_ms.store(4_000_000_000_000, Ordering::Relaxed);
    backend.behave(Behaviour::Says(StatusCode::BAD_GATEWAY, "no".into()));
    let mut credentials = renewing(dir.path(), first.clone());
    let failed = async {
        while backend.requests() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(WAIT_S_MAX), failed).await.expect("tried");
    backend.behave(Behaviour::Honest);
    let second = next(&mut credentials).await;
    assert_ne!(second.certificate_pem, first.certificate_pem);
    assert_eq!(second.key, first.key);
    assert_eq!(Identity::load(dir.path()).expect("readable"), Some(second));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_enrolled_anew_goes_by_that_without_a_restart() {
    let (backend, dir) = (Backend::start().await, tempfile::tempdir().expect("a folder"));
    let first = enrolled(&backend, dir.path(), 1).await;
    let mut credentials = renewing(dir.path(), first);
    let second = enrolled(&backend, dir.path(), 2).await;
    assert_eq!(next(&mut credentials).await, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_waits_for_an_enrolment_that_is_under_way_and_gives_way_to_it() {
    let (backend, dir) = (Backend::start().await, tempfile::tempdir().expect("a folder"));
    let elsewhere = tempfile::tempdir().expect("a folder");
    backend.renew_at_unix_ms.store(ISSUED_AT_UNIX_MS, Ordering::Relaxed);
    let first = enrolled(&backend, dir.path(), 1).await;
    backend.renew_at_unix_ms.store(4_000_000_000_000, Ordering::Relaxed);
    let lock = FolderLock::take(dir.path()).await.expect("free");
    let mut credentials = renewing(dir.path(), first);
    let asked = async {
        while backend.requests() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(WAIT_S_MAX), asked).await.expect("it asks for a certificate");
    let second = enrolled(&backend, elsewhere.path(), 2).await;
    second.save(dir.path()).expect("saved");
    drop(lock);
    assert_eq!(next(&mut credentials).await, second);
    assert_eq!(Identity::load(dir.path()).expect("readable"), Some(second));
}
