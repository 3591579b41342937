//! What the registry said of whom, how long that is used, and when it is asked again. Pure: it says what
//! to do, and somebody else asks.
//!
//! An answer is fresh for `cache_ms`. For as long again it is still given, while the registry is asked
//! meanwhile, so that nobody waits for a lookup of a subscriber who comes often. One older than that is
//! given only after the registry was asked and could not answer, up to `outage_ms` since it was fetched:
//! what the registry takes back has ended here after twice `cache_ms`, whoever comes how seldom.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tripline_protocol::unit::Timestamp;

use super::strangers::Allowance;
use super::{Entries, Key, Look};

/// How long it is believed that the registry does not know somebody, in ms: who has just been registered
/// waits no longer, and who is not costs no more than a lookup in this time.
pub(super) const NEGATIVE_MS: i64 = 30_000;

/// Time between two lookups of a subscriber because what is cached did not fit, in ms: every bad signature
/// asks for one.
pub(super) const ANEW_MS_MIN: i64 = 5_000;

/// Pause after a lookup that failed, in ms.
pub(super) const RETRY_MS: i64 = 5_000;

/// How long after a lookup that failed nobody waits for the next one, in ms: it would most likely fail as
/// slowly, and what is cached is given meanwhile.
const FAILING_MS: i64 = 30_000;

/// How far a time of ours may lie behind another of ours, or of another replica, and count as the same,
/// in ms.
const SKEW_MS: i64 = 10_000;

/// Subscribers kept that the registry knows: more than the largest networks have.
pub(super) const KNOWN_MAX: usize = 10_000;

/// Names kept that it does not know, or was not yet asked for with success.
pub(super) const UNKNOWN_MAX: usize = 1_000;

/// How long answers are used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Until the registry is asked again, in ms.
    pub(super) cache_ms: i64,
    /// At most, while the registry cannot be asked, in ms.
    pub(super) outage_ms: i64,
}

/// What to do for somebody who wants to know of a subscriber. Whoever is told to ask has begun a lookup,
/// and ends it with [`Cache::answered`] or [`Cache::failed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Give this.
    Use(Entries),
    /// Give this, and ask meanwhile.
    UseAndAsk(Entries),
    /// Ask, and give what is held then.
    Ask,
    /// Somebody asks already: give what is held then.
    Wait,
    /// Strangers are looked up too often.
    HeldBack,
    /// The registry could not be asked a moment ago, and nothing holds.
    Failed(String),
}

#[derive(Debug, Clone)]
struct Answer {
    entries: Entries,
    fetched_at: Timestamp,
}

#[derive(Debug)]
struct Failure {
    at: Timestamp,
    reason: String,
}

#[derive(Debug, Default)]
struct Slot {
    answer: Option<Answer>,
    /// Why the last lookup failed, if it did.
    failure: Option<Failure>,
    /// When a lookup was last begun because what is cached did not fit.
    anew_at: Option<Timestamp>,
    under_way: bool,
}

/// How far an answer may be relied on.
enum Worth {
    /// By itself.
    Fresh(Entries),
    /// While the registry is asked.
    Stale(Entries),
    /// If the registry cannot be asked.
    Old(Entries),
    /// Not at all.
    Nothing,
}

/// An answer to be written down.
pub(super) type Fetched = (Key, Entries, Timestamp);

/// The cache.
#[derive(Debug)]
pub(super) struct Cache {
    rules: Rules,
    /// Who we are: no stranger, whatever the registry says.
    own_id: String,
    slots: HashMap<Key, Slot>,
    strangers: Allowance,
    /// Whose answers are not written down yet.
    unwritten: BTreeSet<Key>,
}

/// Whether `then` was at most `ms` before `now`.
fn within(then: Timestamp, now: Timestamp, ms: i64) -> bool {
    (-SKEW_MS..ms).contains(&now.since_ms(then))
}

/// Whether `then` is in the future: a clock was wrong, here before or elsewhere.
fn is_ahead(then: Timestamp, now: Timestamp) -> bool {
    now.plus_ms(SKEW_MS) < then
}

impl Slot {
    fn is_known(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| !answer.entries.is_empty())
    }

    fn worth(&self, now: Timestamp, rules: Rules) -> Worth {
        let Some(Answer { entries, fetched_at }) = &self.answer else { return Worth::Nothing };
        let (entries, fetched_at) = (Arc::clone(entries), *fetched_at);
        if entries.is_empty() {
            let holds = within(fetched_at, now, NEGATIVE_MS);
            return if holds { Worth::Fresh(entries) } else { Worth::Nothing };
        }
        // Either way: a clock that was set back makes nothing new.
        let is_held = now.since_ms(fetched_at).abs() <= rules.outage_ms;
        if within(fetched_at, now, rules.cache_ms) {
            Worth::Fresh(entries)
        } else if is_held && within(fetched_at, now, 2 * rules.cache_ms) {
            Worth::Stale(entries)
        } else if is_held {
            Worth::Old(entries)
        } else {
            Worth::Nothing
        }
    }

    fn failed_within(&self, now: Timestamp, ms: i64) -> bool {
        self.failure.as_ref().is_some_and(|failure| within(failure.at, now, ms))
    }

    fn next(&self, now: Timestamp, rules: Rules) -> Next {
        let idle = !self.under_way;
        let paused = self.failed_within(now, RETRY_MS);
        match self.worth(now, rules) {
            Worth::Stale(entries) if idle && !paused => Next::UseAndAsk(entries),
            Worth::Fresh(entries) | Worth::Stale(entries) => Next::Use(entries),
            Worth::Old(entries) if self.failed_within(now, FAILING_MS) => {
                if idle && !paused {
                    Next::UseAndAsk(entries)
                } else {
                    Next::Use(entries)
                }
            }
            Worth::Old(_) | Worth::Nothing if self.under_way => Next::Wait,
            Worth::Nothing if paused => self.failed(),
            Worth::Old(_) | Worth::Nothing => Next::Ask,
        }
    }

    fn next_anew(&self, now: Timestamp, rules: Rules) -> Next {
        if self.under_way {
            return Next::Wait;
        }
        let since = |at: Option<Timestamp>| at.is_some_and(|at| within(at, now, ANEW_MS_MIN));
        let denied = self.answer.as_ref().filter(|answer| answer.entries.is_empty());
        let asked = since(self.anew_at) || since(denied.map(|answer| answer.fetched_at));
        if !asked && !self.failed_within(now, RETRY_MS) {
            return Next::Ask;
        }
        match self.worth(now, rules) {
            Worth::Fresh(entries) | Worth::Stale(entries) | Worth::Old(entries) => {
                Next::Use(entries)
            }
            Worth::Nothing => self.failed(),
        }
    }

    fn failed(&self) -> Next {
        let reason = self.failure.as_ref().map(|failure| failure.reason.clone());
        Next::Failed(reason.unwrap_or_else(|| "it was asked a moment ago".into()))
    }
}

impl Cache {
    pub(super) fn new(rules: Rules, own_id: String) -> Self {
        Self {
            rules,
            own_id,
            slots: HashMap::new(),
            strangers: Allowance::new(),
            unwritten: BTreeSet::new(),
        }
    }

    /// What to do for somebody who wants to know of `key`.
    pub(super) fn next(&mut self, key: &Key, look: Look, now: Timestamp) -> Next {
        let next = match (self.slots.get(key), look) {
            (None, _) => Next::Ask,
            (Some(slot), Look::Cached) => slot.next(now, self.rules),
            (Some(slot), Look::Anew) => slot.next_anew(now, self.rules),
        };
        match next {
            Next::Ask if !self.may_ask(key, now) => {
                self.held(key, now).map_or(Next::HeldBack, Next::Use)
            }
            Next::Ask | Next::UseAndAsk(_) => {
                self.begin(key);
                if look == Look::Anew
                    && let Some(slot) = self.slots.get_mut(key)
                {
                    slot.anew_at = Some(now);
                }
                next
            }
            Next::Use(_) | Next::Wait | Next::HeldBack | Next::Failed(_) => next,
        }
    }

    /// Begins a lookup, whatever is held; `false` if one is under way.
    pub(super) fn begin(&mut self, key: &Key) -> bool {
        if !self.slots.contains_key(key) {
            self.make_room(false);
        }
        let slot = self.slots.entry(key.clone()).or_default();
        !std::mem::replace(&mut slot.under_way, true)
    }

    /// Whether this subscriber is one that the registry knows, as far as is known here; we always are.
    pub(super) fn is_known(&self, key: &Key) -> bool {
        key.id == self.own_id || self.slots.get(key).is_some_and(Slot::is_known)
    }

    /// What may be given after a lookup ended, however it did.
    pub(super) fn held(&self, key: &Key, now: Timestamp) -> Option<Entries> {
        match self.slots.get(key)?.worth(now, self.rules) {
            Worth::Fresh(entries) | Worth::Stale(entries) | Worth::Old(entries) => Some(entries),
            Worth::Nothing => None,
        }
    }

    /// What may be given without asking.
    pub(super) fn usable(&self, key: &Key, now: Timestamp) -> Option<Entries> {
        match self.slots.get(key)?.worth(now, self.rules) {
            Worth::Fresh(entries) | Worth::Stale(entries) => Some(entries),
            Worth::Old(_) | Worth::Nothing => None,
        }
    }

    /// What came of the last lookup: its answer, or why it failed.
    pub(super) fn outcome(&self, key: &Key) -> Result<Entries, String> {
        let slot = self.slots.get(key);
        match slot.map(|slot| (&slot.failure, &slot.answer)) {
            Some((None, Some(answer))) => Ok(Arc::clone(&answer.entries)),
            Some((Some(failure), _)) => Err(failure.reason.clone()),
            Some((None, None)) | None => Err("too many are asked about".into()),
        }
    }

    /// Ends a lookup that was begun at `asked_at` with what the registry said by `now`.
    pub(super) fn answered(
        &mut self,
        key: &Key,
        entries: Entries,
        asked_at: Timestamp,
        now: Timestamp,
    ) {
        let was_known = self.is_known(key);
        if !entries.is_empty() && !was_known {
            self.make_room(true);
        }
        let slot = self.slots.entry(key.clone()).or_default();
        slot.under_way = false;
        slot.failure = None;
        let is_later = |then: Timestamp| asked_at < then && !is_ahead(then, now);
        if slot.answer.as_ref().is_some_and(|answer| is_later(answer.fetched_at)) {
            // Another process asked later than we did.
            return;
        }
        // Who is denied is written down only if it was written down before.
        let is_kept = slot.is_known() || !entries.is_empty();
        slot.answer = Some(Answer { entries, fetched_at: asked_at });
        if is_kept {
            self.unwritten.insert(key.clone());
        }
    }

    /// Ends a lookup that failed. What was held before holds as long as before.
    pub(super) fn failed(&mut self, key: &Key, reason: String, at: Timestamp) {
        let slot = self.slots.entry(key.clone()).or_default();
        slot.under_way = false;
        slot.failure = Some(Failure { at, reason });
    }

    /// Whether something fetched then says more than what is held.
    pub(super) fn is_news(&self, key: &Key, fetched_at: Timestamp, now: Timestamp) -> bool {
        let held = self.slots.get(key).and_then(|slot| slot.answer.as_ref());
        let is_newer = held.is_none_or(|answer| answer.fetched_at < fetched_at);
        is_newer && !is_ahead(fetched_at, now)
    }

    /// Takes up what another process, or this one before it was started again, wrote down.
    pub(super) fn take_up(&mut self, (key, entries, fetched_at): Fetched, now: Timestamp) {
        let is_known = self.slots.get(&key).is_some_and(Slot::is_known);
        if !self.is_news(&key, fetched_at, now) || (entries.is_empty() && !is_known) {
            return;
        }
        if !is_known {
            self.make_room(true);
        }
        self.unwritten.remove(&key);
        self.slots.entry(key).or_default().answer = Some(Answer { entries, fetched_at });
    }

    /// What is not written down yet; it counts as written from here on.
    pub(super) fn take_unwritten(&mut self) -> Vec<Fetched> {
        let keys = std::mem::take(&mut self.unwritten);
        let fetched = keys.into_iter().filter_map(|key| {
            let answer = self.slots.get(&key)?.answer.clone()?;
            Some((key, answer.entries, answer.fetched_at))
        });
        fetched.collect()
    }

    /// Puts back what could not be written down.
    pub(super) fn not_written(&mut self, fetched: Vec<Fetched>) {
        self.unwritten.extend(fetched.into_iter().map(|(key, _, _)| key));
    }

    fn may_ask(&mut self, key: &Key, now: Timestamp) -> bool {
        self.is_known(key) || self.strangers.take(now)
    }

    /// Makes room for one more who is known, or who is not: each kind gives way to its own only, so that
    /// strangers drive out nobody who is known.
    fn make_room(&mut self, known: bool) {
        let of_kind = |slot: &Slot| slot.is_known() == known;
        let max = if known { KNOWN_MAX } else { UNKNOWN_MAX };
        if self.slots.values().filter(|slot| of_kind(slot)).count() < max {
            return;
        }
        let age = |slot: &Slot| {
            let fetched_at = slot.answer.as_ref().map(|answer| answer.fetched_at);
            fetched_at.max(slot.failure.as_ref().map(|failure| failure.at))
        };
        let others = self.slots.iter().filter(|(_, slot)| of_kind(slot) && !slot.under_way);
        let oldest = others.min_by_key(|(_, slot)| age(slot)).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.slots.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
