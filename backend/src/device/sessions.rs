//! Which devices are connected, and how to reach their connections.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::clones::Clones;
use super::presence::{PresenceBoard, Seen};
use crate::identity::authority::Fingerprint;
use crate::store::certificate::REVOKED;
use crate::time;

/// Why a connection has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A newer connection of the same device took over.
    TakenOver,
    /// Its certificate was ended before its time; why, in a fixed word.
    CertificateEnded(&'static str),
    /// Its certificate has expired. Whoever renewed it in time comes again at once, with the new one.
    Expired,
}

/// The handle of one connection.
#[derive(Debug)]
pub struct Session {
    /// Where it comes from.
    pub peer: SocketAddr,
    /// SHA-256 of the certificate it came with.
    pub certificate: Fingerprint,
    /// When that expires.
    pub expires_at: Timestamp,
    /// Since when it is.
    pub since: Timestamp,
    /// Rung when there are commands for the device.
    pub commands: Notify,
    ending: OnceLock<Ending>,
    must_end: Notify,
    /// The last signal about the device that this connection was looked at for.
    looked_at: AtomicI64,
}

impl Session {
    /// A connection's handle.
    pub fn new(
        peer: SocketAddr,
        certificate: Fingerprint,
        expires_at: Timestamp,
        since: Timestamp,
    ) -> Self {
        Self {
            peer,
            certificate,
            expires_at,
            since,
            commands: Notify::new(),
            ending: OnceLock::new(),
            must_end: Notify::new(),
            looked_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Tells the connection to end.
    pub fn end(&self, ending: Ending) {
        if self.ending.set(ending).is_ok() {
            self.must_end.notify_one();
        }
    }

    /// Whether the connection was told to end: what it still sends has no effect at once.
    pub fn is_ending(&self) -> bool {
        self.ending.get().is_some()
    }

    /// Comes back when the connection has to end.
    pub async fn must_end(&self) -> Ending {
        loop {
            if let Some(ending) = self.ending.get() {
                return *ending;
            }
            self.must_end.notified().await;
        }
    }

    /// Whether this connection was not looked at yet for a signal of `at`.
    pub(super) fn is_news(&self, at: Timestamp) -> bool {
        self.looked_at.load(Ordering::Relaxed) < at.unix_ms
    }

    /// This connection was looked at for a signal of `at`.
    pub(super) fn handle_looked_at(&self, at: Timestamp) {
        self.looked_at.fetch_max(at.unix_ms, Ordering::Relaxed);
    }
}

/// That a connection took over from an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakeOver {
    /// Where the older one came from.
    pub from: SocketAddr,
    /// Whether this happens so often that there may be two of the device; said once a minute.
    pub suspicious: bool,
}

#[derive(Debug, Default)]
struct Book {
    sessions: HashMap<DeviceId, Arc<Session>>,
    clones: Clones,
}

/// Every connection.
#[derive(Debug, Default)]
pub struct Sessions {
    book: Mutex<Book>,
    /// What became of whom, until it is written down.
    pub(super) presence: PresenceBoard,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a new connection of a device; an older one is told to go.
    pub fn enter(&self, device: &DeviceId, session: &Arc<Session>) -> Option<TakeOver> {
        let mut book = self.lock();
        self.note(&book, device, session, true, session.since, None);
        let older = book.sessions.insert(device.clone(), Arc::clone(session))?;
        older.end(Ending::TakenOver);
        let suspicious = book.clones.handle_take_over(device, Instant::now());
        Some(TakeOver { from: older.peer, suspicious })
    }

    /// Takes out a connection that ended, unless a newer one is in its place.
    pub fn leave(&self, device: &DeviceId, session: &Arc<Session>, at: Timestamp) {
        let mut book = self.lock();
        if is_current(&book, device, session) {
            book.sessions.remove(device);
            self.note(&book, device, session, false, at, None);
        }
    }

    /// Takes a connection out when what is given is dropped, however its task ends.
    pub const fn stay<'a>(&'a self, device: &'a DeviceId, session: &'a Arc<Session>) -> Stay<'a> {
        Stay { sessions: self, device, session }
    }

    /// Ends every connection whose certificate has expired.
    pub fn end_expired(&self, now: Timestamp) {
        for session in self.lock().sessions.values() {
            if session.expires_at <= now {
                session.end(Ending::Expired);
            }
        }
    }

    /// A device said that it is here, and what it runs.
    pub fn here(&self, device: &DeviceId, session: &Arc<Session>, agent_version: String) {
        let book = self.lock();
        if is_current(&book, device, session) {
            self.note(&book, device, session, true, session.since, Some(agent_version));
        }
    }

    /// A device said that it goes.
    pub fn gone(&self, device: &DeviceId, session: &Arc<Session>, at: Timestamp) {
        let book = self.lock();
        if is_current(&book, device, session) {
            self.note(&book, device, session, false, at, None);
        }
    }

    /// Under the lock of the book, which is shown for it, so that the last word noted is the last that
    /// was true.
    fn note(
        &self,
        _held: &MutexGuard<'_, Book>,
        device: &DeviceId,
        session: &Session,
        connected: bool,
        since: Timestamp,
        agent_version: Option<String>,
    ) {
        let seen = Seen { connected, since, peer: session.peer, agent_version };
        self.presence.note(device, seen);
    }

    /// A device's connection, if it has one here.
    pub fn get(&self, device: &DeviceId) -> Option<Arc<Session>> {
        self.lock().sessions.get(device).map(Arc::clone)
    }

    /// Tells a device's connection that there are commands.
    pub fn wake(&self, device: &DeviceId) {
        if let Some(session) = self.get(device) {
            session.commands.notify_one();
        }
    }

    /// Ends a device's connection, whose certificate was revoked; `false` if there is none here.
    pub fn kick(&self, device: &DeviceId) -> bool {
        let session = self.get(device);
        if let Some(session) = &session {
            session.end(Ending::CertificateEnded(REVOKED));
        }
        session.is_some()
    }

    /// How many devices are connected.
    pub fn len(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A connection's stay among the others.
#[derive(Debug)]
pub struct Stay<'a> {
    sessions: &'a Sessions,
    device: &'a DeviceId,
    session: &'a Arc<Session>,
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        self.sessions.leave(self.device, self.session, time::now());
    }
}

fn is_current(book: &Book, device: &DeviceId, session: &Arc<Session>) -> bool {
    book.sessions.get(device).is_some_and(|current| Arc::ptr_eq(current, session))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(port: u16) -> Arc<Session> {
        let peer = SocketAddr::from(([192, 0, 2, 1], port));
        let at = Timestamp::from_unix_ms;
        Arc::new(Session::new(peer, [0; 32], at(1_000), at(1)))
    }

    #[tokio::test]
    async fn the_newer_connection_stays_and_the_older_leaves_without_a_trace() {
        let (sessions, device) = (Sessions::default(), "a".parse().expect("valid"));
        let (older, newer) = (session(1), session(2));
        assert_eq!(sessions.enter(&device, &older), None);
        let take_over = sessions.enter(&device, &newer).expect("taken over");
        assert_eq!(take_over.from.port(), 1);
        assert_eq!(older.must_end().await, Ending::TakenOver);
        sessions.leave(&device, &older, Timestamp::from_unix_ms(2));
        assert_eq!(sessions.len(), 1);
        assert!(sessions.kick(&device));
        assert_eq!(newer.must_end().await, Ending::CertificateEnded(REVOKED));
        sessions.leave(&device, &newer, Timestamp::from_unix_ms(3));
        assert!(sessions.is_empty() && !sessions.kick(&device));
    }

    #[test]
    fn a_connection_whose_task_panics_is_taken_out() {
        let (sessions, device, session) =
            (Sessions::default(), "a".parse().expect("valid"), session(1));
        sessions.enter(&device, &session);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _stay = sessions.stay(&device, &session);
            panic!("as a task may");
        }));
        assert!(panicked.is_err() && sessions.is_empty());
    }

    #[test]
    fn a_connection_ends_when_its_certificate_expires_and_not_before() {
        let (sessions, device, session) =
            (Sessions::default(), "a".parse().expect("valid"), session(1));
        sessions.enter(&device, &session);
        sessions.end_expired(Timestamp::from_unix_ms(999));
        assert!(!session.is_ending());
        sessions.end_expired(Timestamp::from_unix_ms(1_000));
        assert_eq!(session.ending.get(), Some(&Ending::Expired));
    }

    #[test]
    fn a_signal_is_news_to_a_connection_once() {
        let session = session(1);
        let at = Timestamp::from_unix_ms;
        assert!(session.is_news(at(5)) && session.is_news(at(5)), "nobody has looked");
        session.handle_looked_at(at(5));
        assert!(!session.is_news(at(5)) && !session.is_news(at(4)) && session.is_news(at(6)));
    }
}
