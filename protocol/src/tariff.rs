//! The tariff and the fare: a pure function of what was driven, the same in vehicle and backend.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::coded::coded_enum;
use crate::unit::Paise;

/// What a ride costs. A tariff never changes: a change makes a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// The operator's code for it, `auto-day` for instance.
    pub code: String,
    /// Grows with every change of the code's terms.
    pub version: u32,
    /// Charged on every ride.
    pub base_paise: Paise,
    /// Distance the base covers, in metres.
    pub base_distance_m: u32,
    /// Per kilometre beyond the base's distance.
    pub per_km_paise: Paise,
    /// Per minute of riding, pauses excluded.
    pub per_minute_paise: Paise,
    /// Per minute of waiting: at the pickup and in pauses, beyond the free time.
    pub waiting_per_minute_paise: Paise,
    /// Waiting that costs nothing, in seconds.
    pub waiting_free_s: u32,
    /// No ride costs less.
    pub minimum_paise: Paise,
    /// The total is rounded to the nearest multiple of this, halves up; 1 or less leaves it alone.
    pub rounding_paise: Paise,
}

/// What a fare is computed from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Metres driven with the meter running.
    pub distance_m: u64,
    /// Seconds with the meter running.
    pub riding_s: u64,
    /// Seconds waiting: at the pickup before the start, and in pauses.
    pub waiting_s: u64,
}

coded_enum! {
    /// What a line of a fare is for.
    FareLineKind {
        /// The base.
        Base => "base",
        /// Distance beyond the base's.
        Distance => "distance",
        /// Riding time.
        Time => "time",
        /// Waiting beyond the free time.
        Waiting => "waiting",
        /// What is missing to the minimum.
        Minimum => "minimum",
        /// The total's rounding, up or down.
        Rounding => "rounding",
    }
}

coded_enum! {
    /// Where a fare's inputs come from.
    FareReason {
        /// Estimated before the ride.
        Estimate => "estimate",
        /// Measured by the vehicle's odometer and steady clock.
        Metered => "metered",
    }
}

/// One line of a fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FareLine {
    /// What it is for.
    pub kind: FareLineKind,
    /// How much; negative for a credit.
    pub amount: Paise,
}

/// A fare that explains itself: its lines, what they were computed from, and why.
///
/// The total is the sum of the lines and is neither stored nor sent, so it cannot disagree with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fare {
    /// The tariff's code.
    pub tariff_code: String,
    /// The tariff's version.
    pub tariff_version: u32,
    /// Estimated or metered.
    pub reason: FareReason,
    /// The inputs.
    pub usage: Usage,
    /// The lines, in the order a receipt prints them; lines of zero are left out.
    pub lines: Vec<FareLine>,
}

impl Fare {
    /// The sum of the lines.
    pub fn total(&self) -> Paise {
        self.lines.iter().fold(Paise::ZERO, |sum, line| sum + line.amount)
    }
}

impl Tariff {
    /// The fare for `usage`. Each charge is rounded to the nearest paisa, halves up; then the minimum
    /// is applied, then the total rounded.
    pub fn fare(&self, usage: Usage, reason: FareReason) -> Fare {
        let charged_m = usage.distance_m.saturating_sub(u64::from(self.base_distance_m));
        let waited_s = usage.waiting_s.saturating_sub(u64::from(self.waiting_free_s));
        let mut fare = Fare {
            tariff_code: self.code.clone(),
            tariff_version: self.version,
            reason,
            usage,
            lines: Vec::new(),
        };
        fare.push(FareLineKind::Base, self.base_paise);
        fare.push(FareLineKind::Distance, charge(self.per_km_paise, charged_m, 1000));
        fare.push(FareLineKind::Time, charge(self.per_minute_paise, usage.riding_s, 60));
        fare.push(FareLineKind::Waiting, charge(self.waiting_per_minute_paise, waited_s, 60));
        let missing = self.minimum_paise - fare.total();
        if missing > Paise::ZERO {
            fare.push(FareLineKind::Minimum, missing);
        }
        let total = fare.total();
        let mut payable = rounded(total, self.rounding_paise);
        if payable < self.minimum_paise {
            payable += self.rounding_paise; // down would be below the minimum
        }
        fare.push(FareLineKind::Rounding, payable - total);
        fare
    }
}

impl Fare {
    fn push(&mut self, kind: FareLineKind, amount: Paise) {
        if amount != Paise::ZERO {
            self.lines.push(FareLine { kind, amount });
        }
    }
}

/// `rate` for every `unit` of `quantity`, to the nearest paisa, halves up.
fn charge(rate: Paise, quantity: u64, unit: u64) -> Paise {
    let exact = i128::from(rate.0) * i128::from(quantity);
    let unit = i128::from(unit);
    let paise = (exact + unit / 2).div_euclid(unit);
    Paise(i64::try_from(paise).unwrap_or(i64::MAX))
}

fn rounded(total: Paise, step: Paise) -> Paise {
    if step.0 <= 1 {
        return total;
    }
    let up = total.0.saturating_add(step.0 / 2);
    Paise(up - up.rem_euclid(step.0))
}

/// What the rider is charged when vehicle and backend each computed a fare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The lower of the two.
    pub charged: Fare,
    /// Vehicle's total minus backend's; zero when they agree.
    pub difference: Paise,
}

impl Settlement {
    /// Settles on the lower fare and records by how much they differed.
    pub fn of(device: Fare, backend: Fare) -> Self {
        let difference = device.total() - backend.total();
        let charged = if difference < Paise::ZERO { device } else { backend };
        Self { charged, difference }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn auto() -> Tariff {
        Tariff {
            code: "auto".into(),
            version: 1,
            base_paise: Paise(3000),
            base_distance_m: 2000,
            per_km_paise: Paise(1500),
            per_minute_paise: Paise(100),
            waiting_per_minute_paise: Paise(200),
            waiting_free_s: 180,
            minimum_paise: Paise(4000),
            rounding_paise: Paise(100),
        }
    }

    fn lines(fare: &Fare) -> Vec<(FareLineKind, i64)> {
        fare.lines.iter().map(|line| (line.kind, line.amount.0)).collect()
    }

    #[test]
    fn a_long_ride_pays_base_distance_time_and_waiting() {
        use FareLineKind::{Base, Distance, Rounding, Time, Waiting};
        let usage = Usage { distance_m: 5_333, riding_s: 610, waiting_s: 240 };
        let fare = auto().fare(usage, FareReason::Metered);
        // 3,333 m at 15 a km is 49.995 rupees: halves of a paisa go up.
        assert_eq!(
            lines(&fare),
            [(Base, 3000), (Distance, 5000), (Time, 1017), (Waiting, 200), (Rounding, -17)]
        );
        assert_eq!(fare.total(), Paise(9200));
    }

    #[test]
    fn a_short_ride_is_lifted_to_the_minimum() {
        use FareLineKind::{Base, Minimum};
        let fare = auto().fare(Usage { distance_m: 300, ..Usage::default() }, FareReason::Metered);
        assert_eq!(lines(&fare), [(Base, 3000), (Minimum, 1000)]);
    }

    #[test]
    fn rounding_never_takes_a_fare_below_the_minimum() {
        let tariff = Tariff { minimum_paise: Paise(4040), ..auto() };
        assert_eq!(tariff.fare(Usage::default(), FareReason::Metered).total(), Paise(4100));
    }

    #[test]
    fn the_lower_fare_is_charged_and_the_difference_kept() {
        let tariff = auto();
        let at =
            |distance_m| tariff.fare(Usage { distance_m, ..Usage::default() }, FareReason::Metered);
        let settled = Settlement::of(at(10_000), at(9_000));
        assert_eq!((settled.charged, settled.difference), (at(9_000), Paise(1500)));
        let settled = Settlement::of(at(9_000), at(10_000));
        assert_eq!((settled.charged, settled.difference), (at(9_000), Paise(-1500)));
    }

    proptest! {
        #[test]
        fn no_input_overflows_and_more_of_anything_never_costs_less(
            a in any::<(u64, u64, u64)>(),
            more in any::<(u64, u64, u64)>(),
        ) {
            let less = Usage { distance_m: a.0, riding_s: a.1, waiting_s: a.2 };
            let usage = Usage {
                distance_m: a.0.saturating_add(more.0),
                riding_s: a.1.saturating_add(more.1),
                waiting_s: a.2.saturating_add(more.2),
            };
            let tariff = auto();
            let small = tariff.fare(less, FareReason::Metered).total();
            let large = tariff.fare(usage, FareReason::Metered).total();
            prop_assert!(small <= large);
            prop_assert!(small >= tariff.minimum_paise);
        }
    }
}
