//! Who may ask at all: whoever shows a token that counts.
//!
//! Every request looks its token up in the store by the SHA-256 of its secret, so that a revocation acts on the
//! next one, whichever backend gets it. Nothing is compared byte by byte: how long a walk down an index of
//! digests takes tells nothing of a secret of 256 random bits.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::extract::{Extension, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::error;
use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::problem::Problem;
use super::{AdminApp, App};
use crate::audit::{AuditKind, Entry};
use crate::http::listener::Peer;
use crate::http::peer;
use crate::listen::{Accounts, Origin, Rate};
use crate::operate::Actor;
use crate::operate::token::{Secret, TokenState};
use crate::store::StoreError;
use crate::store::token::{Digest, TokenRow};
use crate::time;

/// Requests of one address that show no token that counts. Beyond it no token is looked up of which it is not
/// known that it did: each costs a look into the store.
const FAILURES_PER_ADDRESS: Rate = Rate { per_s: 1, burst: 20 };

/// Tokens of which it is remembered that they counted. More than operators have.
const KNOWN_MAX: usize = 1_000;

/// How often it is written down that a token is used, in ms: hourly, so that looking writes nothing.
const USED_EVERY_MS: i64 = 3_600_000;

/// Who was admitted, for handlers.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    /// By the name of their token.
    pub(super) actor: Actor,
    /// The token's id.
    pub(super) token: Uuid,
}

/// The books of who failed, and whose token counted.
#[derive(Debug)]
pub(super) struct Admission {
    failures: Mutex<Accounts<Origin>>,
    known: Mutex<HashSet<Digest>>,
}

impl Default for Admission {
    fn default() -> Self {
        let failures = Accounts::new(FAILURES_PER_ADDRESS, Instant::now());
        Self { failures: Mutex::new(failures), known: Mutex::default() }
    }
}

impl Admission {
    /// Whether a token is looked up that comes from there. Whoever fails often from an address keeps nobody
    /// out whose token counted before.
    fn may_try(&self, origin: Origin, digest: Option<&Digest>) -> bool {
        let is_known = digest.is_some_and(|digest| locked(&self.known).contains(digest));
        is_known || locked(&self.failures).has_left(&origin, Instant::now())
    }

    fn handle_good(&self, digest: Digest) {
        let mut known = locked(&self.known);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(digest);
    }

    fn handle_failure(&self, origin: Origin, digest: Option<&Digest>) {
        // Over it or not: the next is refused then.
        let _ = locked(&self.failures).take(origin, Instant::now());
        if let Some(digest) = digest {
            locked(&self.known).remove(digest);
        }
    }
}

fn locked<T>(books: &Mutex<T>) -> MutexGuard<'_, T> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets in who shows a token that counts, one of so many at once; no body is read before.
pub(super) async fn authenticate(
    State(app): State<App>,
    Extension(Peer(peer)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let admitted = match app.admit(request.headers(), peer).await {
        Ok(admitted) => admitted,
        Err(problem) => return problem.into_response(),
    };
    let Ok(_place) = app.requests.try_acquire() else {
        let detail = "there are more requests at this moment than can be worked on; try again";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Problem::new(status, "overload", detail).into_response();
    };
    request.extensions_mut().insert(admitted.clone());
    let mut response = next.run(request).await;
    response.extensions_mut().insert(admitted);
    response
}

impl AdminApp {
    async fn admit(&self, headers: &HeaderMap, peer: IpAddr) -> Result<Admitted, Problem> {
        let address = peer::address(peer, headers, &self.rules.proxies);
        let origin = Origin::from(address);
        let digest = shown(headers).map(|secret| secret.digest());
        if !self.admission.may_try(origin, digest.as_ref()) {
            let detail = "too many requests come from this address without a token that counts";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-often", detail));
        }
        let now = time::now();
        let row = match &digest {
            Some(digest) => self.platform.store.read().await?.token_by_digest(digest).await?,
            None => None,
        };
        let row = row.filter(|row| TokenState::of(row, now) == TokenState::Active);
        let Some((row, digest)) = row.zip(digest) else {
            self.admission.handle_failure(origin, digest.as_ref());
            return Err(self.refuse(address, digest.is_some()));
        };
        self.admission.handle_good(digest);
        self.note_used(&row, now).await;
        let actor = Actor { name: row.name, role: row.role };
        Ok(Admitted { actor, token: row.id })
    }

    fn refuse(&self, peer: IpAddr, has_token: bool) -> Problem {
        let detail = if has_token { "a token that does not count" } else { "no token" };
        self.platform.tell_audit(Entry {
            kind: AuditKind::AdminRefused,
            device: None,
            peer: Some(peer),
            actor: None,
            detail: detail.into(),
        });
        let detail = "this needs a token that counts, as `Authorization: Bearer SECRET`; \
                      `tripline-bpp token add` makes one";
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// Writes down about when a token is used. Nothing else fails with it.
    async fn note_used(&self, row: &TokenRow, now: Timestamp) {
        let before = now.plus_ms(-USED_EVERY_MS);
        if row.last_used_at.is_some_and(|at| at > before && at <= now) {
            return;
        }
        let noted = async {
            let mut tx = self.platform.store.write().await?;
            tx.note_token_used(row.id, now, before).await?;
            tx.commit().await
        };
        let noted: Result<(), StoreError> = noted.await;
        if let Err(error) = noted {
            error!(%error, token = row.name, "that a token is used cannot be written down");
        }
    }
}

/// The secret that is shown, if it has the form of one.
fn shown(headers: &HeaderMap) -> Option<Secret> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (one, None) = (values.next()?, values.next()) else { return None };
    let (scheme, secret) = one.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    Secret::parse(secret.trim())
}
