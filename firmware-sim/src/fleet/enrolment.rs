//! Enrols what is missing in the roster, over a few connections at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tripline_agent_link::enrol::{EnrolError, Enroller};
use tripline_agent_link::https::{BackendUrl, UrlError};
use tripline_agent_link::identity::IdentityError;
use tripline_agent_link::{Clock, Identity, Key};
use tripline_protocol::enrol::{EnrolCode, EnrolCodeError, EnrolRefusal, Enrolled};

use super::codes::{CodeSource, CodesError, IssuedCode};
use super::roster::{Enlisted, Roster, RosterError};
use super::session::{AGENT_VERSION, Common};

/// Codes asked for at once: they live ten minutes, and a slow machine enrols a hundred in a second.
const CODES_AT_ONCE: usize = 1_000;

/// Connections to the enrolment listener at once. More would only wait for its store.
const CONNECTIONS_MAX: usize = 8;

/// Attempts for one code, with a pause between two; a backend that is busy says so.
const ATTEMPTS_MAX: u32 = 20;

/// Between two attempts, in ms.
const PAUSE_MS: u64 = 500;

/// Why the fleet is not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// No codes.
    #[error(transparent)]
    Codes(#[from] CodesError),
    /// A code is none.
    #[error("{registration}: {source}")]
    Code {
        /// Whose.
        registration: String,
        /// Why.
        source: EnrolCodeError,
    },
    /// An address is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The backend was not reached, or refused.
    #[error("{registration}: {source}")]
    Enrol {
        /// Who was to be enrolled.
        registration: String,
        /// Why it was not.
        source: Box<EnrolError>,
    },
    /// What the backend answered is no identity.
    #[error("{registration}: the backend's answer is no identity: {source}")]
    Identity {
        /// Whose.
        registration: String,
        /// Why.
        source: Box<IdentityError>,
    },
    /// The roster.
    #[error(transparent)]
    Roster(#[from] RosterError),
}

/// Codes that nobody has taken yet.
type Waiting = Arc<Mutex<std::vec::IntoIter<IssuedCode>>>;

/// Enrols until `vehicles` are on the roster.
pub async fn enrol(
    source: &CodeSource,
    roster: &mut Roster,
    vehicles: usize,
    common: &Common,
) -> Result<(), EnrolmentError> {
    let clock = Clock::new(common.watch.began());
    loop {
        let missing = vehicles.saturating_sub(roster.enlisted().len());
        if missing == 0 {
            return Ok(());
        }
        let known = roster.enlisted().iter().map(|enlisted| enlisted.registration.as_str());
        let codes = source.codes(missing.min(CODES_AT_ONCE), &known.collect()).await?;
        enrol_codes(codes, roster, common, &clock).await?;
    }
}

async fn enrol_codes(
    codes: Vec<IssuedCode>,
    roster: &mut Roster,
    common: &Common,
    clock: &Clock,
) -> Result<(), EnrolmentError> {
    let waiting: Waiting = Arc::new(Mutex::new(codes.into_iter()));
    let (enlisted_tx, mut enlisted) = mpsc::channel(CONNECTIONS_MAX);
    let mut clerks = JoinSet::new();
    for _ in 0..CONNECTIONS_MAX {
        let clerk = Clerk { clock: clock.clone(), enlisted: enlisted_tx.clone() };
        clerks.spawn(clerk.run(Arc::clone(&waiting)));
    }
    drop(enlisted_tx);
    while let Some(outcome) = enlisted.recv().await {
        roster.enlist(outcome?)?;
        common.tally.enrolled.one();
    }
    Ok(())
}

/// Enrols one after the other.
struct Clerk {
    clock: Clock,
    enlisted: mpsc::Sender<Result<Enlisted, EnrolmentError>>,
}

impl Clerk {
    async fn run(self, waiting: Waiting) {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(issued) = next else { return };
            let outcome = self.enlist(&issued).await;
            let failed = outcome.is_err();
            if self.enlisted.send(outcome).await.is_err() || failed {
                return;
            }
        }
    }

    async fn enlist(&self, issued: &IssuedCode) -> Result<Enlisted, EnrolmentError> {
        let registration = &issued.registration;
        let wrong = |source| EnrolmentError::Code { registration: registration.clone(), source };
        let code: EnrolCode = issued.code.parse().map_err(wrong)?;
        let url: BackendUrl = issued.url.parse()?;
        let identity = self.enrol(registration, &code, &url).await?;
        Ok(Enlisted { registration: registration.clone(), identity })
    }

    /// The same code with the same key gives the same certificate, so that an attempt may be repeated.
    async fn enrol(
        &self,
        registration: &str,
        code: &EnrolCode,
        url: &BackendUrl,
    ) -> Result<Identity, EnrolmentError> {
        let failed = |error: EnrolError| EnrolmentError::Enrol {
            registration: registration.to_owned(),
            source: Box::new(error),
        };
        let key = Key::generate().map_err(|error| failed(error.into()))?;
        let mut attempt = 1;
        let enrolled = loop {
            match self.request(code, &key, url).await {
                Ok(enrolled) => break enrolled,
                Err(error) if attempt < ATTEMPTS_MAX && may_pass(&error) => {
                    attempt += 1;
                    tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
                }
                Err(error) => return Err(failed(error)),
            }
        };
        Identity::new(enrolled, key, url.clone(), code.hash()).map_err(|source| {
            EnrolmentError::Identity {
                registration: registration.to_owned(),
                source: Box::new(source),
            }
        })
    }

    /// Over a connection of its own: the listener answers once on each.
    async fn request(
        &self,
        code: &EnrolCode,
        key: &Key,
        url: &BackendUrl,
    ) -> Result<Enrolled, EnrolError> {
        let mut enroller = Enroller::open(url, code, &self.clock).await?;
        enroller.request(code, key, AGENT_VERSION).await
    }
}

/// Whether it may be well again in a moment.
fn may_pass(error: &EnrolError) -> bool {
    match error {
        EnrolError::Https(_) => true,
        EnrolError::Refused { refusal, .. } => {
            matches!(refusal, EnrolRefusal::Busy | EnrolRefusal::Unavailable)
        }
        EnrolError::Tls(_)
        | EnrolError::Key(_)
        | EnrolError::Pending(_)
        | EnrolError::Identity(_)
        | EnrolError::Garbage { .. }
        | EnrolError::OtherDevice { .. }
        | EnrolError::OtherBackend => false,
    }
}
