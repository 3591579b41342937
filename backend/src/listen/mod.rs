//! The accept loop of every listener: whoever comes is admitted or turned away here, and served in a
//! task of its own. Nothing that a peer does or leaves undone holds up the loop.

mod lobby;
mod rate;

pub mod descriptors;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tracing::warn;

pub use lobby::{Limits, Origin, Refusal};
pub use rate::{Account, Accounts, Rate};

use lobby::{Lobby, Ticket};

/// Wait after a failed accept, in ms: out of file descriptors, mostly, and some must be given back.
const ACCEPT_RETRY_MS: u64 = 20;

/// Pending connections that make room after a failed accept: more than can come in before the next.
const EVICTED_AT_ONCE: usize = 64;

/// Failed accepts between two that are logged.
const FAILURES_PER_LINE: u32 = 100;

/// Whom a listener has let in.
#[derive(Debug)]
pub struct Door {
    lobby: Mutex<Lobby>,
}

impl Door {
    /// A door with these limits.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { lobby: Mutex::new(Lobby::new(limits, Instant::now())) })
    }

    fn lobby(&self) -> MutexGuard<'_, Lobby> {
        self.lobby.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, peer: IpAddr) -> Result<Entrance, Refusal> {
        let origin = Origin::from(peer);
        let (ticket, evicted) = self.lobby().handle_arrival(origin, Instant::now())?;
        let (door, admitted) = (Arc::clone(self), AtomicBool::new(false));
        Ok(Entrance { door, origin, ticket, evicted, admitted })
    }
}

/// One connection's place. It is given back when this is dropped.
#[derive(Debug)]
pub struct Entrance {
    door: Arc<Door>,
    origin: Origin,
    ticket: Ticket,
    evicted: Arc<Notify>,
    admitted: AtomicBool,
}

impl Entrance {
    /// The peer has shown who it is: from here on it makes room for nobody. `false` if it had to
    /// before.
    pub fn admit(&self) -> bool {
        if self.admitted.load(Ordering::Relaxed) {
            return true;
        }
        let admitted = self.door.lobby().admit(self.origin, self.ticket);
        self.admitted.store(admitted, Ordering::Relaxed);
        admitted
    }

    /// Comes back when the connection must make room for a newer one.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        let admitted = *self.admitted.get_mut();
        self.door.lobby().leave(self.origin, self.ticket, admitted);
    }
}

/// Accepts until the task is dropped. `serve` gets every connection that is let in, in a task of its
/// own, and ends it when it is evicted; `refused` hears of every other.
pub async fn run<S, F>(
    listener: TcpListener,
    door: Arc<Door>,
    serve: S,
    refused: impl Fn(IpAddr, Refusal),
) where
    S: Fn(TcpStream, SocketAddr, Entrance) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut failures = 0;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match door.enter(peer.ip()) {
                Ok(entrance) => drop(tokio::spawn(serve(stream, peer, entrance))),
                Err(refusal) => refused(peer.ip().to_canonical(), refusal),
            },
            Err(error) => {
                handle_failure(&door, &error, failures);
                failures = failures.wrapping_add(1);
                tokio::time::sleep(Duration::from_millis(ACCEPT_RETRY_MS)).await;
            }
        }
    }
}

/// Those that have waited longest without saying who they are give their descriptors back.
fn handle_failure(door: &Door, error: &io::Error, failures: u32) {
    let made_room = (0..EVICTED_AT_ONCE).take_while(|_| door.lobby().evict()).count();
    if failures.is_multiple_of(FAILURES_PER_LINE) {
        warn!(%error, made_room, "a connection cannot be accepted");
    }
}
