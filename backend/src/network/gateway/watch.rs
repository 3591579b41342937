//! While the platform serves: gateways are asked now and then how far they are, and it is said in time when a
//! token runs out.
//!
//! An answer brings every document back, so that a gateway is asked once a day, and more often only while
//! something waits there.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp as Instant;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tracing::{error, info, warn};
use tripline_protocol::unit::Timestamp;

use super::desk::{Desk, DeskError, Look};
use super::expiry::{Expiry, judge};
use super::shelf::{Kept, Registration, Told};
use super::status::{Phase, phase};
use crate::metrics::{Metrics, OnGateway, Reason};
use crate::seldom::Seldom;
use crate::time;

/// Time between two looks at what is kept, in ms. A command may have signed up meanwhile.
const LOOK_MS: u64 = 60_000;

/// Time between two questions while all is settled, in ms: policies change no more often than daily.
const SETTLED_MS: i64 = 86_400_000;

/// Time between two questions while something waits to be looked at, or after a question without an answer,
/// in ms.
const WAITING_MS: i64 = 15 * 60_000;

/// Time between two words about one trouble, in ms.
const WORD_MS: i64 = 86_400_000;

/// How long a running watch waits before it looks again.
#[derive(Debug, Clone, Copy)]
pub struct Pauses {
    /// Between two looks at what is kept.
    pub look: Duration,
    /// Between two questions while something waits there, in ms.
    pub waiting_ms: i64,
    /// Between two questions while nothing does, in ms.
    pub settled_ms: i64,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            look: Duration::from_millis(LOOK_MS),
            waiting_ms: WAITING_MS,
            settled_ms: SETTLED_MS,
        }
    }
}

/// One gateway, and what was said of it.
#[derive(Debug)]
struct Watched {
    desk: Desk,
    asked_at: Option<Timestamp>,
    told: Seldom,
}

/// What is counted.
#[derive(Debug, Clone)]
pub struct Counts {
    looks: Family<Reason, Counter>,
    known: Family<OnGateway, Gauge>,
    token_ends: Family<OnGateway, Gauge>,
}

impl Counts {
    /// Those of a platform.
    pub fn of(metrics: &Metrics) -> Self {
        Self {
            looks: metrics.gateway_looks.clone(),
            known: metrics.gateway_known.clone(),
            token_ends: metrics.gateway_token_ends.clone(),
        }
    }
}

/// The watch over all gateways.
#[derive(Debug)]
pub struct Watch {
    watched: Vec<Watched>,
    counts: Counts,
}

impl Watch {
    /// A watch over these.
    pub fn new(desks: Vec<Desk>, counts: Counts) -> Self {
        let watched = |desk| Watched { desk, asked_at: None, told: Seldom::default() };
        Self { watched: desks.into_iter().map(watched).collect(), counts }
    }

    /// Watches until the task is dropped.
    pub async fn run(mut self, pauses: Pauses) {
        loop {
            self.look(pauses, time::now()).await;
            tokio::time::sleep(pauses.look).await;
        }
    }

    /// One look at each of them.
    pub async fn look(&mut self, pauses: Pauses, now: Timestamp) {
        for watched in &mut self.watched {
            watched.look(&self.counts, pauses, now).await;
        }
    }
}

impl Watched {
    async fn look(&mut self, counts: &Counts, pauses: Pauses, now: Timestamp) {
        let name = self.desk.name();
        let kept = match self.desk.kept() {
            Ok(kept) => kept,
            Err(error) => {
                if self.told.is_due_of("kept", now, WORD_MS) {
                    error!(gateway = name, %error, "what a gateway gave us cannot be read");
                }
                return;
            }
        };
        let Some(Kept { registration: Some(registration), .. }) = kept else { return };
        self.tell_token(&registration, counts, now);
        if due(&registration, self.asked_at, pauses, now) {
            self.asked_at = Some(now);
            self.ask(&registration, counts, now).await;
        }
    }

    fn tell_token(&self, registration: &Registration, counts: &Counts, now: Timestamp) {
        let (gateway, ends) = (self.desk.name(), registration.token_ends());
        if let Some(at) = ends {
            let of = OnGateway { gateway: gateway.to_owned() };
            counts.token_ends.get_or_create(&of).set(at.unix_ms.div_euclid(1000));
        }
        let until =
            ends.map(|at| at.unix_ms.div_euclid(1000)).and_then(|s| Instant::from_second(s).ok());
        let until = until.unwrap_or_default();
        match judge(ends, now) {
            Expiry::Soon if self.told.is_due_of("ending", now, WORD_MS) => warn!(
                gateway,
                %until,
                "our token of a gateway runs out soon: have whoever runs the gateway give a new one \
                 (`tripline-bpp gateway get NAME --token-file FILE`)"
            ),
            Expiry::Over if self.told.is_due_of("over", now, WORD_MS) => warn!(
                gateway,
                %until,
                "our token of a gateway has run out: have whoever runs the gateway give a new one \
                 (`tripline-bpp gateway get NAME --token-file FILE`)"
            ),
            Expiry::Soon | Expiry::Over | Expiry::Later | Expiry::Unknown => {}
        }
    }

    async fn ask(&self, before: &Registration, counts: &Counts, now: Timestamp) {
        let gateway = self.desk.name();
        let asked = self.desk.get(&Look::default(), now, &|_| {}).await;
        let known = |is_known: bool| {
            let of = OnGateway { gateway: gateway.to_owned() };
            counts.known.get_or_create(&of).set(i64::from(is_known));
        };
        let reason = match asked {
            Ok((after, _)) => {
                known(true);
                if let Some(after) = &after.registration {
                    tell_changes(gateway, before, after);
                }
                "told"
            }
            Err(DeskError::Refused { .. }) => {
                known(false);
                if self.told.is_due_of("refused", now, WORD_MS) {
                    warn!(
                        gateway,
                        "a gateway refuses to say what it knows of us (`tripline-bpp gateway get NAME` tells)"
                    );
                }
                "refused"
            }
            Err(error @ DeskError::Call { .. }) => {
                if self.told.is_due_of("call", now, WORD_MS) {
                    warn!(gateway, reason = %error, "a gateway cannot be asked");
                }
                "not-asked"
            }
            Err(error) => {
                if self.told.is_due_of("else", now, WORD_MS) {
                    warn!(gateway, %error, "a gateway is not asked");
                }
                "not-done"
            }
        };
        counts.looks.get_or_create(&Reason { reason }).inc();
    }
}

/// Whether it is time to ask, whoever asked last: this watch, one before a restart, or a command. A clock that
/// was set back does not keep it from asking.
fn due(
    registration: &Registration,
    asked_at: Option<Timestamp>,
    pauses: Pauses,
    now: Timestamp,
) -> bool {
    let told = Timestamp::from_unix_ms(registration.told_at_unix_ms);
    let is_fresh = |told: &&Told| told.at_unix_ms == registration.told_at_unix_ms;
    let mut statuses = registration.statuses().filter(is_fresh);
    let waits = statuses.any(|told| phase(&told.status) == Phase::Waiting);
    let failed = asked_at.is_some_and(|asked| asked.unix_ms > told.unix_ms);
    let pause_ms = if waits || failed { pauses.waiting_ms } else { pauses.settled_ms };
    let last_ms = asked_at.map_or(told.unix_ms, |asked| asked.unix_ms.max(told.unix_ms));
    !(0..pause_ms).contains(&(now.unix_ms - last_ms))
}

/// Says what is further than before, in our words: the gateway's own are for the operator who asks.
fn tell_changes(gateway: &str, before: &Registration, after: &Registration) {
    let (before, after) = (phases(before), phases(after));
    for (what, is) in &after {
        let was = before.get(what);
        if was != Some(is) {
            let was = was.map_or("unknown", |was| was.code());
            info!(gateway, what, was, is = is.code(), "a gateway has looked at something of ours");
        }
    }
}

/// How far each thing is, of which a status was told; documents by their place in the list.
fn phases(registration: &Registration) -> BTreeMap<String, Phase> {
    let Registration { status, api_status, documents, .. } = registration;
    let documents = documents.iter().enumerate();
    let documents = documents.map(|(n, known)| (format!("documents[{n}]"), &known.status));
    let all = [("registration".to_owned(), status), ("endpoint".to_owned(), api_status)];
    all.into_iter()
        .chain(documents)
        .filter_map(|(what, told)| Some((what, phase(&told.as_ref()?.status))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::company::Info;
    use super::super::token::Token;
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn registration(status: Option<&str>, told_at: Timestamp) -> Registration {
        let at_unix_ms = told_at.unix_ms;
        Registration {
            id: "r1".into(),
            token: Token::new("t").expect("a token"),
            token_exp: None,
            signed_up_at_unix_ms: 0,
            told_at_unix_ms: at_unix_ms,
            info: Info::default(),
            endpoint_url: "https://bpp.example".into(),
            status: status.map(|status| Told { status: status.into(), at_unix_ms }),
            api_status: None,
            documents: Vec::new(),
        }
    }

    fn is_due(registration: &Registration, asked_at: Option<i64>) -> bool {
        let asked_at = asked_at.map(|ago_ms| NOW.plus_ms(-ago_ms));
        due(registration, asked_at, Pauses::default(), NOW)
    }

    #[test]
    fn a_settled_gateway_is_asked_daily_and_one_where_something_waits_more_often() {
        let ago = |ms: i64| NOW.plus_ms(-ms);
        let settled = |ms| registration(Some("VERIFIED"), ago(ms));
        let waiting = |ms| registration(Some("UPDATE-PENDING"), ago(ms));
        assert!(!is_due(&settled(SETTLED_MS - 1), None) && is_due(&settled(SETTLED_MS), None));
        assert!(!is_due(&waiting(WAITING_MS - 1), None) && is_due(&waiting(WAITING_MS), None));
        assert!(is_due(&settled(-1), None), "the clock was set back");
    }

    #[test]
    fn a_question_without_an_answer_is_asked_again_before_the_day_is_over() {
        let old = registration(Some("VERIFIED"), NOW.plus_ms(-2 * SETTLED_MS));
        assert!(!is_due(&old, Some(WAITING_MS - 1)) && is_due(&old, Some(WAITING_MS)));
        let fresh = registration(Some("VERIFIED"), NOW.plus_ms(-WAITING_MS));
        assert!(!is_due(&fresh, Some(WAITING_MS)), "it was answered");
    }

    #[test]
    fn what_is_told_of_a_change_is_in_our_words() {
        let phases = phases(&registration(Some("under the bridge"), NOW));
        assert_eq!(phases.get("registration"), Some(&Phase::Settled));
        assert_eq!(phases.get("endpoint"), None);
    }
}
