//! A decision of dispatch, kept with its reasons and printed for people.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::rank::{Part, Parts, Ranked};
use super::{DispatchRules, Exclusion, Ranking};
use crate::domain::estimate::RoadModel;
use crate::domain::words::counted;

/// So many of those who could be asked are kept with a decision, the best, beside those who were.
pub const RANKED_KEPT_MAX: usize = 10;

/// Why a driver was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The rider's platform booked.
    Booked,
    /// The time has come to look for the driver of a scheduled ride.
    Scheduled,
    /// Those who were asked declined, did not answer, or could not be reached.
    NotTaken,
    /// The driver who had taken the order gave it up.
    GivenUp,
    /// The rider changed the ride: those who had it offered are asked anew.
    Changed,
    /// Nobody could be asked when it was last tried.
    LookedAgain,
}

impl Cause {
    /// Its stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Booked => "booked",
            Self::Scheduled => "scheduled",
            Self::NotTaken => "not-taken",
            Self::GivenUp => "given-up",
            Self::Changed => "changed",
            Self::LookedAgain => "looked-again",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Who was asked for an order at a time, and why nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// Why a driver was looked for.
    pub cause: Cause,
    /// How far from the pickup, in metres of straight line.
    pub radius_m: u32,
    /// How pickup times were estimated.
    pub road: RoadModel,
    /// How many vehicles were looked at.
    pub considered: u32,
    /// How many of them were passed over, by reason.
    pub excluded: BTreeMap<Exclusion, u32>,
    /// How many of them could be asked.
    pub eligible: u32,
    /// Whether there may have been more who could be asked, all of them farther.
    pub is_cut: bool,
    /// The best of those who could be asked, the best first, and whoever was.
    pub ranked: Vec<Ranked>,
    /// Who was asked.
    pub offered: Vec<DeviceId>,
    /// How often it was decided alike one after another, this time included.
    pub times: u32,
    /// When it was last decided so.
    pub last_at: Timestamp,
}

impl Decision {
    /// The decision to ask `offered`, out of a ranking.
    pub fn new(
        cause: Cause,
        ranking: Ranking,
        offered: Vec<DeviceId>,
        rules: &DispatchRules,
        at: Timestamp,
    ) -> Self {
        let Ranking { mut ranked, excluded, is_cut } = ranking;
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let eligible = count(ranked.len());
        let mut place = 0;
        ranked.retain(|it| {
            place += 1;
            place <= RANKED_KEPT_MAX || offered.contains(&it.device)
        });
        Self {
            at,
            cause,
            radius_m: rules.radius_m,
            road: rules.road,
            considered: eligible + excluded.values().sum::<u32>(),
            excluded,
            eligible,
            is_cut,
            ranked,
            offered,
            times: 1,
            last_at: at,
        }
    }

    /// Takes in a decision that came after this one, if it says the same: nobody can be asked, for the
    /// same reasons.
    pub fn repeat(&mut self, next: &Self) -> bool {
        let nobody = self.offered.is_empty() && next.offered.is_empty();
        let same = (&self.excluded, self.eligible) == (&next.excluded, next.eligible);
        if !nobody || !same {
            return false;
        }
        self.times += 1;
        self.last_at = self.last_at.max(next.at);
        true
    }
}

/// For people; the time stands in front of it.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cause, considered, eligible, radius_m, times, .. } = self;
        let more = if self.is_cut { " or more" } else { "" };
        let vehicles = counted(u64::from(*considered), "vehicle");
        write!(f, "{cause}: {vehicles} within {radius_m} m looked at, ")?;
        writeln!(f, "{eligible}{more} could be asked")?;
        if *times > 1 {
            let s = self.last_at.since_ms(self.at) / 1000;
            writeln!(f, "  decided alike {times} times in {s} s")?;
        }
        if !self.excluded.is_empty() {
            let counts = self.excluded.iter().map(|(why, count)| format!("{count} {why}"));
            writeln!(f, "  passed over: {}", counts.collect::<Vec<_>>().join(", "))?;
        }
        if !self.ranked.is_empty() {
            writeln!(f, "  pickup times: {}", self.road)?;
        }
        for ranked in &self.ranked {
            let asked = if self.offered.contains(&ranked.device) { "asked" } else { "     " };
            writeln!(f, "  {asked} {}", Line(ranked))?;
        }
        if self.offered.is_empty() {
            writeln!(f, "  nobody was asked")?;
        }
        Ok(())
    }
}

/// A vehicle with its score, in one line.
struct Line<'a>(&'a Ranked);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ranked { device, distance_m, pickup_s, score, parts } = self.0;
        let Parts { pickup, idle, acceptance, rating } = parts;
        write!(f, "{device}: {score} = ")?;
        let named: [(&str, &Part); 4] =
            [("pickup", pickup), ("idle", idle), ("acceptance", acceptance), ("rating", rating)];
        for (n, (name, part)) in named.into_iter().enumerate() {
            let plus = if n == 0 { "" } else { " + " };
            write!(f, "{plus}{} x {} {name}", part.weight, part.value)?;
        }
        write!(f, " ({distance_m} m, {pickup_s} s)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Candidate, Demand, Standing, rank};
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    const RULES: DispatchRules = DispatchRules::DEFAULT;

    const OFF: Option<Exclusion> = Some(Exclusion::OffDuty);
    const BREAK: Option<Exclusion> = Some(Exclusion::OnBreak);

    fn decision(
        cause: Cause,
        blocked: &[Option<Exclusion>],
        asked: usize,
        at: Timestamp,
    ) -> Decision {
        let device = |n: usize| format!("d{n}").parse::<DeviceId>().expect("valid");
        let devices: Vec<_> = (1..=blocked.len()).map(device).collect();
        let standing = |blocked: &Option<Exclusion>| Standing {
            category: "AUTO",
            provider: None,
            capacity: None,
            traits: &[],
            blocked: *blocked,
            acceptance_permille: Some(900),
            rating_centi: None,
            idle_since: Some(NOW.plus_ms(-600_000)),
        };
        let standings: Vec<_> = blocked.iter().map(standing).collect();
        let candidates = devices.iter().zip(&standings).zip(1_u32..);
        let candidates = candidates.map(|((device, standing), n)| Candidate {
            device,
            distance_m: n * 500,
            is_stale: false,
            standing: Some(*standing),
        });
        let none = BTreeSet::new();
        let demand =
            Demand { category: None, provider: None, wish: None, asked: &none, held: &none };
        let ranking = rank(candidates, &demand, &RULES, NOW);
        let offered = ranking.ranked.iter().take(asked).map(|it| it.device.clone()).collect();
        Decision::new(cause, ranking, offered, &RULES, at)
    }

    #[test]
    fn a_decision_reads_like_this() {
        let blocked = [OFF, None, None, BREAK, OFF];
        let decision = decision(Cause::Booked, &blocked, 1, NOW);
        let expected = "\
booked: 5 vehicles within 5000 m looked at, 2 could be asked
  passed over: 2 off-duty, 1 on-break
  pickup times: straight line x 1.3 at 20 km/h, no map
  asked d2: 77080 = 70 x 800 pickup + 10 x 333 idle + 10 x 900 acceptance + 10 x 875 rating (1000 m, 234 s)
        d3: 70080 = 70 x 700 pickup + 10 x 333 idle + 10 x 900 acceptance + 10 x 875 rating (1500 m, 351 s)
";
        let text = decision.to_string();
        assert_eq!(text, expected);
        let json = serde_json::to_string(&decision).expect("serialises");
        assert_eq!(serde_json::from_str::<Decision>(&json).expect("reads"), decision);
        assert!(json.contains(r#""excluded":{"off-duty":2,"on-break":1}"#), "{json}");
    }

    #[test]
    fn that_nobody_can_be_asked_is_kept_once_until_something_changes() {
        let mut first = decision(Cause::Booked, &[OFF], 0, NOW);
        let again = decision(Cause::LookedAgain, &[OFF], 0, NOW.plus_ms(2_000));
        assert!(first.repeat(&again));
        assert_eq!((first.times, first.last_at), (2, NOW.plus_ms(2_000)));
        assert!(first.to_string().contains("decided alike 2 times in 2 s"));
        let other = decision(Cause::LookedAgain, &[BREAK], 0, NOW.plus_ms(4_000));
        assert!(!first.repeat(&other));
        let asked = decision(Cause::LookedAgain, &[None], 1, NOW.plus_ms(6_000));
        assert!(!first.repeat(&asked) && !asked.clone().repeat(&asked));
    }
}
