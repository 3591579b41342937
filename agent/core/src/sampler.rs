//! Which fixes are kept for the trail, and which the rest can be told from.
//!
//! Bounded by an error, a fix is left out only if the position interpolated in time between the kept
//! fixes around it lies within the error of it (the time-synchronised distance). An opening window
//! tells: it grows from the last kept fix while its newest fix explains all in between, and closes at
//! the fix before the one that no longer does. That fix leaves late, at most [`Bounded::delay_ms_max`].

use alloc::vec::Vec;

use tripline_protocol::fix::{Fix, FixStamp};

use crate::geodesy::{between, distance_mm};

/// Most fixes a window holds: a minute at 10 Hz is cut in a few windows, at 1 Hz it is one.
pub const WINDOW_LEN_MAX: usize = 128;

/// Longest that a fix is held back where nothing else is configured, in ms: as long as between two syncs
/// of the journal, so that a power cut takes no more with a sampler than without.
pub const DELAY_MS_MAX: u64 = 5_000;

/// What is kept in one state of the vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Every fix.
    Full,
    /// One fix every so many ms.
    Every {
        /// Between kept fixes, in ms.
        ms: u64,
    },
    /// As few as keep to an error.
    Bounded(Bounded),
}

/// A bound on the error of what is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounded {
    /// Farthest that a fix left out lies from where the kept ones put it at its time, in mm.
    pub error_mm: u64,
    /// Longest that a fix is held back, in ms.
    pub delay_ms_max: u64,
}

/// What the vehicle does, as far as the trail goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// It is parked.
    Parked,
    /// It moves or stands without a ride.
    Moving,
    /// It is on its way to a pickup, or waits there.
    ToPickup,
    /// It is on a trip.
    OnTrip,
}

/// The policies for each duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policies {
    /// While parked: a fix every 5 minutes.
    pub parked: Policy,
    /// While moving without a ride: within 10 m.
    pub moving: Policy,
    /// On the way to a pickup: within 5 m.
    pub to_pickup: Policy,
    /// On a trip: every fix.
    pub on_trip: Policy,
    /// Of refused fixes in a row, the first is kept and then one in so many. On a trip all are.
    pub refused_one_in: u32,
}

impl Default for Policies {
    fn default() -> Self {
        let within = |error_mm| Policy::Bounded(Bounded { error_mm, delay_ms_max: DELAY_MS_MAX });
        Self {
            parked: Policy::Every { ms: 300_000 },
            moving: within(10_000),
            to_pickup: within(5_000),
            on_trip: Policy::Full,
            refused_one_in: 60,
        }
    }
}

impl Policies {
    const fn of(&self, duty: Duty) -> Policy {
        match duty {
            Duty::Parked => self.parked,
            Duty::Moving => self.moving,
            Duty::ToPickup => self.to_pickup,
            Duty::OnTrip => self.on_trip,
        }
    }
}

/// A fix that is kept, with what came along with it.
pub type Kept<T> = (Fix, T);

/// The sampler. `T` travels with a fix, such as its odometer reading.
///
/// Kept fixes leave in the order they came. Flush it when the receiver falls silent, and at every trip
/// event: nothing else ends the wait of the fix held back.
#[derive(Debug, Clone)]
pub struct Sampler<T> {
    policies: Policies,
    duty: Duty,
    /// The last fix kept that counts: where the window opens.
    anchor: Option<FixStamp>,
    /// Fixes left out since, oldest first; the last of them is `held`.
    window: Vec<FixStamp>,
    held: Option<Kept<T>>,
    refused_run: u32,
}

impl<T> Sampler<T> {
    /// A sampler that keeps the first fix it sees.
    pub const fn new(policies: Policies, duty: Duty) -> Self {
        Self { policies, duty, anchor: None, window: Vec::new(), held: None, refused_run: 0 }
    }

    /// Sets other policies. The fix held back under the old ones leaves with the next one that counts, or
    /// when flushed.
    pub const fn set_policies(&mut self, policies: Policies) {
        self.policies = policies;
    }

    /// Sets what the vehicle does; gives the fix held back, if that changes.
    pub fn set_duty(&mut self, duty: Duty) -> Option<Kept<T>> {
        if self.duty == duty {
            return None;
        }
        self.duty = duty;
        self.flush()
    }

    /// Takes in a judged fix; gives the fixes that are kept by now, in order.
    pub fn push(&mut self, fix: Fix, extra: T) -> [Option<Kept<T>>; 2] {
        if fix.refused.is_some() {
            if !self.keeps_refused() {
                return [None, None];
            }
            return [self.flush(), Some((fix, extra))];
        }
        self.refused_run = 0;
        let stamp = FixStamp::from(&fix);
        // After a time base that began anew, nothing before can be told from what follows.
        let goes_on = self.newest().is_none_or(|newest| stamp.at > newest.at);
        let earlier = if goes_on { None } else { self.flush() };
        let Some(anchor) = self.anchor.filter(|_| goes_on) else {
            return [earlier, Some(self.keep(fix, extra))];
        };
        match self.policies.of(self.duty) {
            Policy::Full => [self.flush(), Some(self.keep(fix, extra))],
            Policy::Every { ms } => {
                // One is held back only if another policy was in force when it came.
                let held = self.flush();
                let anchor = self.anchor.unwrap_or(anchor);
                let is_due = elapsed_ms(anchor, stamp) >= ms;
                [held, is_due.then(|| self.keep(fix, extra))]
            }
            Policy::Bounded(bounded) => self.widen(bounded, anchor, fix, extra),
        }
    }

    /// Gives the fix held back. The next window opens there.
    pub fn flush(&mut self) -> Option<Kept<T>> {
        let held = self.held.take()?;
        self.anchor = Some((&held.0).into());
        self.window.clear();
        Some(held)
    }

    fn widen(
        &mut self,
        bounded: Bounded,
        anchor: FixStamp,
        fix: Fix,
        extra: T,
    ) -> [Option<Kept<T>>; 2] {
        let stamp = FixStamp::from(&fix);
        let fits = self.window.len() < WINDOW_LEN_MAX
            && explains(anchor, stamp, &self.window, bounded.error_mm);
        let closed = if fits { None } else { self.flush() };
        let anchor = self.anchor.unwrap_or(anchor);
        if elapsed_ms(anchor, stamp) >= bounded.delay_ms_max {
            return [closed, Some(self.keep(fix, extra))];
        }
        self.window.push(stamp);
        self.held = Some((fix, extra));
        [closed, None]
    }

    fn keep(&mut self, fix: Fix, extra: T) -> Kept<T> {
        self.anchor = Some((&fix).into());
        self.window.clear();
        self.held = None;
        (fix, extra)
    }

    fn newest(&self) -> Option<FixStamp> {
        self.held.as_ref().map(|held| (&held.0).into()).or(self.anchor)
    }

    fn keeps_refused(&mut self) -> bool {
        let run = self.refused_run;
        self.refused_run = run.wrapping_add(1);
        self.duty == Duty::OnTrip || run.is_multiple_of(self.policies.refused_one_in.max(1))
    }
}

/// The fixes of a trail that keep to an error, as indices: the first and the last are among them, and
/// so are refused fixes and times that go back, which nothing else tells of.
pub fn simplify(fixes: &[Fix], error_mm: u64) -> Vec<usize> {
    let mut kept = Vec::new();
    let mut anchor: Option<usize> = None;
    let mut window: Vec<usize> = Vec::new();
    let mut stamps: Vec<FixStamp> = Vec::new();
    for (index, fix) in fixes.iter().enumerate() {
        if fix.refused.is_some() {
            kept.push(index);
            continue;
        }
        let stamp = FixStamp::from(fix);
        let newest = window.last().or(anchor.as_ref()).map(|newest| fixes[*newest].at);
        let goes_on = newest.is_some_and(|newest| stamp.at > newest);
        let fits = anchor.is_some_and(|anchor| {
            goes_on
                && stamps.len() < WINDOW_LEN_MAX
                && explains((&fixes[anchor]).into(), stamp, &stamps, error_mm)
        });
        if !fits {
            let closed = window.last().copied();
            kept.extend(closed);
            anchor = closed;
            window.clear();
            stamps.clear();
        }
        if anchor.is_none() || !goes_on {
            kept.push(index);
            anchor = Some(index);
        } else {
            window.push(index);
            stamps.push(stamp);
        }
    }
    kept.extend(window.last());
    kept.sort_unstable();
    kept
}

/// Whether all of `window` lies within the error of the even way from `from` to `to`.
fn explains(from: FixStamp, to: FixStamp, window: &[FixStamp], error_mm: u64) -> bool {
    window.iter().all(|stamp| distance_mm(between(from, to, stamp.at), stamp.position) <= error_mm)
}

fn elapsed_ms(from: FixStamp, to: FixStamp) -> u64 {
    u64::try_from(to.at.since_ms(from.at)).unwrap_or(0)
}
