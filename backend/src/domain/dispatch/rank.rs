//! The order in which vehicles are asked.
//!
//! A score is a sum of parts. Each part is a value from 0 (worst) to 1000 (best) times its weight, all
//! integers, so that a decision can be followed by hand. Equal scores go by distance, then by name.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::{DispatchRules, Exclusion, Standing};
use crate::domain::catalog::VehicleWish;

/// So many vehicles that can be asked are compared, the nearest: with more of them around, one that is
/// farther than all of these is not the better choice.
pub const RANKED_MAX: usize = 256;

/// A driver without a ride for so long has waited as long as counts, in s.
const IDLE_S_FULL: u32 = 1_800;

/// The worst rating, in hundredths of a star.
const RATING_CENTI_MIN: u16 = 100;

/// The best rating, in hundredths of a star.
const RATING_CENTI_MAX: u16 = 500;

/// The best value of a part.
const BEST: u32 = 1_000;

/// The value of a part of which nothing is known.
const UNKNOWN: u32 = 500;

/// The value of the acceptance of a vehicle that was never asked, and of the rating of a driver whom
/// nobody rated: a newcomer is not put behind all others.
const NEWCOMER: u32 = 875;

/// A vehicle that is around, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its device.
    pub device: &'a DeviceId,
    /// Straight-line distance to the pickup, in metres.
    pub distance_m: u32,
    /// Whether its position is too old to go by.
    pub is_stale: bool,
    /// What the fleet's records say of it.
    pub standing: Option<Standing<'a>>,
}

/// What an order asks of a vehicle.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// Of which category it is to be; any if none is named.
    pub category: Option<&'a str>,
    /// Whose it is to be; anybody's if nobody is named.
    pub provider: Option<&'a str>,
    /// What else it is to be, if anything.
    pub wish: Option<&'a VehicleWish>,
    /// Who was asked before.
    pub asked: &'a BTreeSet<DeviceId>,
    /// Who is known to be on another order.
    pub held: &'a BTreeSet<DeviceId>,
}

/// A part of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// From 0, the worst, to 1000, the best.
    pub value: u32,
    /// How much it counts.
    pub weight: u32,
}

impl Part {
    /// What it adds to the score.
    pub const fn points(self) -> u32 {
        self.value * self.weight
    }
}

/// What a score is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// How soon it is at the pickup: best at once, worst at the end of the radius.
    pub pickup: Part,
    /// How long its driver has been without a ride.
    pub idle: Part,
    /// How many of the offers made to it were accepted.
    pub acceptance: Part,
    /// What riders say of its driver.
    pub rating: Part,
}

impl Parts {
    const fn all(self) -> [Part; 4] {
        [self.pickup, self.idle, self.acceptance, self.rating]
    }
}

/// A vehicle that can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked {
    /// Its device.
    pub device: DeviceId,
    /// Straight-line distance to the pickup, in metres.
    pub distance_m: u32,
    /// Estimated seconds until it is there.
    pub pickup_s: u64,
    /// The sum of its parts.
    pub score: u32,
    /// What the score is made of.
    pub parts: Parts,
}

/// Who can be asked, the best first, and why others cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranking {
    /// Who can be asked, at most [`RANKED_MAX`].
    pub ranked: Vec<Ranked>,
    /// How many were passed over, by reason.
    pub excluded: BTreeMap<Exclusion, u32>,
    /// Whether there may be more who can be asked, all of them farther.
    pub is_cut: bool,
}

/// Puts candidates, who come nearest first, in the order in which they are asked.
pub fn rank<'a>(
    candidates: impl IntoIterator<Item = Candidate<'a>>,
    demand: &Demand<'_>,
    rules: &DispatchRules,
    now: Timestamp,
) -> Ranking {
    let mut ranking = Ranking::default();
    for candidate in candidates {
        match judge(&candidate, demand, rules) {
            Err(exclusion) => *ranking.excluded.entry(exclusion).or_default() += 1,
            Ok(standing) => ranking.ranked.push(score(&candidate, standing, rules, now)),
        }
        if ranking.ranked.len() == RANKED_MAX {
            ranking.is_cut = true;
            break;
        }
    }
    let before = |it: &Ranked| (Reverse(it.score), it.distance_m);
    ranking.ranked.sort_by(|a, b| before(a).cmp(&before(b)).then_with(|| a.device.cmp(&b.device)));
    ranking
}

/// Whether a vehicle can be asked.
fn judge<'a>(
    candidate: &Candidate<'a>,
    demand: &Demand<'_>,
    rules: &DispatchRules,
) -> Result<Standing<'a>, Exclusion> {
    if candidate.is_stale {
        return Err(Exclusion::Stale);
    }
    if candidate.distance_m > rules.radius_m {
        return Err(Exclusion::TooFar);
    }
    let standing = candidate.standing.ok_or(Exclusion::Unregistered)?;
    let is_for = |wanted| standing.provider.is_none_or(|provider| provider == wanted);
    if !demand.provider.is_none_or(is_for) {
        return Err(Exclusion::WrongProvider);
    }
    if demand.category.is_some_and(|wanted| wanted != standing.category) {
        return Err(Exclusion::WrongCategory);
    }
    let meets = |wish: &VehicleWish| wish.is_met(standing.capacity, standing.traits);
    if !demand.wish.is_none_or(meets) {
        return Err(Exclusion::NotAsWished);
    }
    if let Some(why) = standing.blocked {
        return Err(why);
    }
    if demand.asked.contains(candidate.device) {
        return Err(Exclusion::AskedBefore);
    }
    if demand.held.contains(candidate.device) {
        return Err(Exclusion::Held);
    }
    Ok(standing)
}

fn score(
    candidate: &Candidate<'_>,
    standing: Standing<'_>,
    rules: &DispatchRules,
    now: Timestamp,
) -> Ranked {
    let DispatchRules { weights, road, .. } = rules;
    let pickup_s = road.pickup_s(candidate.distance_m);
    let part = |value, weight: u8| Part { value, weight: u32::from(weight) };
    let parts = Parts {
        pickup: part(soon(pickup_s, road.pickup_s(rules.radius_m)), weights.pickup),
        idle: part(idle(standing.idle_since, now), weights.idle),
        acceptance: part(acceptance(standing.acceptance_permille), weights.acceptance),
        rating: part(rating(standing.rating_centi), weights.rating),
    };
    Ranked {
        device: candidate.device.clone(),
        distance_m: candidate.distance_m,
        pickup_s,
        score: parts.all().into_iter().map(Part::points).sum(),
        parts,
    }
}

/// Best at once, worst at `worst_s`.
fn soon(pickup_s: u64, worst_s: u64) -> u32 {
    let late = pickup_s * u64::from(BEST) / worst_s.max(1);
    BEST.saturating_sub(u32::try_from(late).unwrap_or(BEST))
}

fn idle(since: Option<Timestamp>, now: Timestamp) -> u32 {
    let Some(since) = since else { return UNKNOWN };
    let idle_s = now.since_ms(since).clamp(0, i64::from(IDLE_S_FULL) * 1000) / 1000;
    u32::try_from(idle_s).unwrap_or(0) * BEST / IDLE_S_FULL
}

fn acceptance(permille: Option<u16>) -> u32 {
    permille.map_or(NEWCOMER, |permille| u32::from(permille).min(BEST))
}

fn rating(centi: Option<u16>) -> u32 {
    let Some(centi) = centi else { return NEWCOMER };
    let above = centi.clamp(RATING_CENTI_MIN, RATING_CENTI_MAX) - RATING_CENTI_MIN;
    u32::from(above) * BEST / u32::from(RATING_CENTI_MAX - RATING_CENTI_MIN)
}

#[cfg(test)]
#[path = "rank_tests.rs"]
mod tests;
