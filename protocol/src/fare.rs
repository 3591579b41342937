//! The fare: a pure function of the terms and of what was recorded, the same in vehicle and platform, whose
//! every line says what it was computed from.
//!
//! The order of computing, which `docs/fares.md` tells in full: base, pickup, distance, time, allowance,
//! waiting, night; the minimum over those; extras; discounts; taxes; rounding. Each charge is rounded to the
//! nearest paisa, halves up.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::coded::coded_enum;
use crate::tariff::{Surcharge, Tariff, is_amount};
use crate::terms::{Discount, Terms};
use crate::unit::{Paise, Position, Timestamp};

/// Most extras of one ride.
pub const EXTRAS_MAX: usize = 16;

/// Longest note with an extra, in bytes.
pub const EXTRA_NOTE_LEN_MAX: usize = 60;

/// The measured distance is not trusted if more of it than this, in percent, was bridged over gaps, where
/// no counting fix tells the way.
pub const GAP_PERCENT_MAX: u64 = 20;

/// Bridged distance that is always trusted, in metres: a tunnel.
pub const GAP_M_MIN: u64 = 500;

/// The measured distance is not trusted if more of its fixes than this, in percent, were refused.
pub const REFUSED_PERCENT_MAX: u64 = 50;

/// So few fixes say nothing about how many are refused: a minute of them.
pub const FIXES_MIN: u64 = 60;

/// The estimate takes the place of a distance that is not trusted only if the ride ended within this of
/// where it was booked to, in metres.
pub const DROP_M_MAX: u64 = 500;

/// Seconds in a day.
const DAY_S: u64 = 86_400;

coded_enum! {
    /// What a driver may enter beside the meter.
    ExtraKind {
        /// A toll that the driver paid.
        Toll => "toll",
        /// Parking that the driver paid.
        Parking => "parking",
        /// Anything else, with a note.
        Other => "other",
    }
}

/// Something that the driver paid for the rider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    /// What.
    pub kind: ExtraKind,
    /// How much, 0 to [`AMOUNT_MAX`](crate::tariff::AMOUNT_MAX).
    pub amount: Paise,
    /// In the driver's words, at most [`EXTRA_NOTE_LEN_MAX`] bytes; possibly empty.
    pub note: String,
}

/// Why an extra cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExtraError {
    /// Not what one may cost.
    #[error("an extra costs between 0.00 and 1000000.00")]
    Amount,
    /// A note that is too long, or no text.
    #[error("the note of an extra is at most {EXTRA_NOTE_LEN_MAX} bytes of text on one line")]
    Note,
}

impl Extra {
    /// Whether it can be one. Device and platform both ask: neither takes the other's word for it.
    pub fn check(&self) -> Result<(), ExtraError> {
        if !is_amount(self.amount) {
            return Err(ExtraError::Amount);
        }
        if self.note.len() > EXTRA_NOTE_LEN_MAX || self.note.chars().any(char::is_control) {
            return Err(ExtraError::Note);
        }
        Ok(())
    }
}

/// What a fare is computed from: what the meter showed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Metres driven with the meter running.
    pub distance_m: u64,
    /// Of those, metres counted across gaps, where no counting fix tells the way.
    pub bridged_m: u64,
    /// Seconds with the meter running.
    pub riding_s: u64,
    /// Seconds waiting at the pickup, from an arrival inside its fence to the start.
    pub waiting_s: u64,
    /// Seconds in pauses.
    pub paused_s: u64,
    /// Fixes heard with the meter running.
    pub fixes: u64,
    /// Of those, fixes that were refused.
    pub refused: u64,
    /// When the ride started.
    pub started_at: Option<Timestamp>,
    /// Where it stopped, as far as the receiver knows.
    pub stopped_at: Option<Position>,
    /// What the driver paid for the rider.
    pub extras: Vec<Extra>,
}

coded_enum! {
    /// What a line of a fare is for, and with it what its quantity counts and its rate is for.
    FareLineKind {
        /// The base: once.
        Base => "base",
        /// Coming to the pickup: once.
        Pickup => "pickup",
        /// Distance beyond what the base covers: metres, the rate for a kilometre.
        Distance => "distance",
        /// Riding time, or time beyond a package's: seconds, the rate for a minute.
        Time => "time",
        /// The driver's allowance: days.
        Allowance => "allowance",
        /// Waiting beyond the free time: seconds, the rate for a minute.
        Waiting => "waiting",
        /// The night: percent of the rate, which is the sum of base, distance and time; or once.
        Night => "night",
        /// What is missing to the minimum: once, the rate the minimum.
        Minimum => "minimum",
        /// What the driver paid for the rider: once.
        Extra => "extra",
        /// An offer, negative: basis points of the rate, which is the sum of the charges; or once.
        Discount => "discount",
        /// A tax: basis points of the rate, which is what is taxed.
        Tax => "tax",
        /// The total's rounding, up or down: once, the rate the step.
        Rounding => "rounding",
        /// Calling the ride off: once.
        Cancellation => "cancellation",
        /// Not having come: once.
        NoShow => "no-show",
    }
}

coded_enum! {
    /// Where a fare's inputs come from.
    FareReason {
        /// Estimated before the ride.
        Estimate => "estimate",
        /// Measured by the vehicle's odometer and steady clock.
        Metered => "metered",
        /// Measured but for the distance, which is the estimate's: what the odometer says cannot be trusted.
        GapsEstimated => "gaps-estimated",
        /// Measured; the distance cannot be trusted, and no estimate fits a ride that ended elsewhere.
        GapsMetered => "gaps-metered",
        /// Called off by the rider.
        Cancelled => "cancelled",
        /// The rider did not come.
        NoShow => "no-show",
        /// Closed without the vehicle, which was not heard any more: measured as far as it was.
        Silent => "silent",
    }
}

/// One line of a fare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FareLine {
    /// What it is for.
    pub kind: FareLineKind,
    /// Which tax, offer or extra; empty for the others.
    pub name: String,
    /// How much of it, in the unit of its kind.
    pub quantity: u64,
    /// At which rate, for the unit of its kind.
    pub rate: Paise,
    /// How much it comes to; negative for a credit.
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
    /// Where the inputs come from.
    pub reason: FareReason,
    /// The inputs.
    pub usage: Usage,
    /// The distance that is charged for, in metres: the measured one, or the estimate's.
    pub billed_m: u64,
    /// The lines, in the order a receipt prints them; lines of zero are left out.
    pub lines: Vec<FareLine>,
}

impl FareLine {
    /// How the line comes about, in words for driver, rider and operator: `distance: 3,400 m at 15.00 a km`.
    pub fn in_words(&self) -> String {
        let Self { kind, name, quantity, rate, .. } = self;
        match kind {
            FareLineKind::Distance => format!("distance: {} m at {rate} a km", grouped(*quantity)),
            FareLineKind::Time => format!("time: {} at {rate} a minute", minutes(*quantity)),
            FareLineKind::Waiting => format!("waiting: {} at {rate} a minute", minutes(*quantity)),
            FareLineKind::Allowance => format!("driver's allowance: {quantity} x {rate}"),
            FareLineKind::Night if *quantity == 1 => "night".into(),
            FareLineKind::Night => format!("night: {quantity} % of {rate}"),
            FareLineKind::Discount if *quantity == 1 => format!("offer {name}"),
            FareLineKind::Discount => format!("offer {name}: {} of {rate}", percent(*quantity)),
            FareLineKind::Tax => format!("{name}: {} of {rate}", percent(*quantity)),
            FareLineKind::Extra => format!("paid by the driver: {name}"),
            FareLineKind::Minimum => format!("to the minimum of {rate}"),
            FareLineKind::Rounding => format!("rounding to {rate}"),
            FareLineKind::Base => "base".into(),
            FareLineKind::Pickup => "coming to the pickup".into(),
            FareLineKind::Cancellation => "cancellation".into(),
            FareLineKind::NoShow => "not having come".into(),
        }
    }
}

/// A number with a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = format!("{number}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time as `3 min 05 s`.
fn minutes(seconds: u64) -> String {
    format!("{} min {:02} s", grouped(seconds / 60), seconds % 60)
}

/// Basis points as percent: `2.5 %`.
fn percent(bp: u64) -> String {
    let (whole, part) = (bp / 100, bp % 100);
    match part {
        0 => format!("{whole} %"),
        tenths if tenths % 10 == 0 => format!("{whole}.{} %", tenths / 10),
        part => format!("{whole}.{part:02} %"),
    }
}

impl Fare {
    /// The sum of the lines.
    pub fn total(&self) -> Paise {
        sum(&self.lines)
    }

    /// Whether it can be of these terms: their tariff in its version, and nothing that the rider would be paid.
    pub fn can_be_of(&self, terms: &Terms) -> bool {
        let Tariff { code, version, .. } = &terms.tariff;
        self.tariff_code == *code && self.tariff_version == *version && self.total() >= Paise::ZERO
    }
}

impl Terms {
    /// The fare that is expected.
    pub fn estimated(&self) -> Fare {
        let usage = Usage {
            distance_m: u64::from(self.estimate.distance_m),
            riding_s: u64::from(self.estimate.duration_s),
            started_at: Some(self.estimate.start_at),
            stopped_at: Some(self.estimate.drop),
            ..Usage::default()
        };
        let billed_m = usage.distance_m;
        self.of_ride(usage, billed_m, FareReason::Estimate)
    }

    /// The most that is expected, where the tariff tells a range: the estimate and so many percent.
    pub fn estimated_max(&self) -> Option<Paise> {
        let percent = u64::from(self.tariff.range_percent);
        let more = share(self.estimated().total(), percent, 100);
        let most = rounded(self.estimated().total() + more, self.tariff.rounding_paise);
        (percent > 0).then_some(most)
    }

    /// The fare for what was driven. A distance that cannot be trusted falls back to the estimate's if the
    /// ride ended where it was booked to; if not, it stands, and the reason says so.
    pub fn metered(&self, usage: Usage) -> Fare {
        let (billed_m, reason) = if usage.is_trusted() {
            (usage.distance_m, FareReason::Metered)
        } else if usage.stopped_at.is_some_and(|stop| is_near(stop, self.estimate.drop)) {
            (u64::from(self.estimate.distance_m), FareReason::GapsEstimated)
        } else {
            (usage.distance_m, FareReason::GapsMetered)
        };
        self.of_ride(usage, billed_m, reason)
    }

    /// The fare of a ride that is closed without its vehicle: what was measured as far as it was heard, and no
    /// more than the estimate's distance.
    pub fn silent(&self, usage: Usage) -> Fare {
        let billed_m = usage.distance_m.min(u64::from(self.estimate.distance_m));
        self.of_ride(usage, billed_m, FareReason::Silent)
    }

    /// What calling the ride off costs the rider, `since_accepted_s` after a driver had accepted.
    pub fn cancelled(&self, since_accepted_s: u64) -> Fare {
        let Tariff { cancellation, .. } = &self.tariff;
        let due = since_accepted_s > u64::from(cancellation.free_s);
        let charge = if due { cancellation.charge_paise } else { Paise::ZERO };
        self.of_nothing(FareLineKind::Cancellation, charge, FareReason::Cancelled)
    }

    /// What not coming costs the rider.
    pub fn no_show(&self) -> Fare {
        let charge = self.tariff.cancellation.no_show_paise;
        self.of_nothing(FareLineKind::NoShow, charge, FareReason::NoShow)
    }

    fn of_nothing(&self, kind: FareLineKind, charge: Paise, reason: FareReason) -> Fare {
        let mut lines = Lines::default();
        lines.once(kind, charge);
        lines.tax(&self.tariff, charge, Paise::ZERO);
        lines.round(&self.tariff);
        self.fare(Usage::default(), 0, reason, lines)
    }

    fn of_ride(&self, usage: Usage, billed_m: u64, reason: FareReason) -> Fare {
        let tariff = &self.tariff;
        let mut lines = Lines::default();
        lines.once(FareLineKind::Base, tariff.base_paise);
        lines.once(FareLineKind::Pickup, tariff.pickup_paise);
        lines.distance_and_time(tariff, &usage, billed_m);
        lines.wait(tariff, &usage);
        if usage.started_at.is_some_and(|at| self.is_night(at)) {
            lines.night(tariff);
        }
        let missing = tariff.minimum_paise - sum(&lines.0);
        if missing > Paise::ZERO {
            lines.push(FareLineKind::Minimum, "", 1, tariff.minimum_paise, missing);
        }
        let charges = sum(&lines.0);
        for extra in &usage.extras {
            let name = if extra.note.is_empty() { extra.kind.code() } else { &extra.note };
            lines.push(FareLineKind::Extra, name, 1, extra.amount, extra.amount);
        }
        let extras = sum(&lines.0) - charges;
        let taken_off = lines.discount(&self.discounts, charges);
        lines.tax(tariff, charges - taken_off, extras);
        lines.round(tariff);
        self.fare(usage, billed_m, reason, lines)
    }

    /// Whether a ride that starts then is a ride at night.
    pub fn is_night(&self, at: Timestamp) -> bool {
        self.nights.iter().any(|night| night.holds(at))
    }

    fn fare(&self, usage: Usage, billed_m: u64, reason: FareReason, lines: Lines) -> Fare {
        Fare {
            tariff_code: self.tariff.code.clone(),
            tariff_version: self.tariff.version,
            reason,
            usage,
            billed_m,
            lines: lines.0,
        }
    }
}

impl Usage {
    /// Whether the measured distance can be charged for: not too much of it was bridged over gaps, and not too
    /// many of its fixes were refused.
    pub fn is_trusted(&self) -> bool {
        let gaps = self.bridged_m > GAP_M_MIN
            && self.bridged_m.saturating_mul(100) > self.distance_m.saturating_mul(GAP_PERCENT_MAX);
        let refused = self.fixes >= FIXES_MIN
            && self.refused.saturating_mul(100) > self.fixes.saturating_mul(REFUSED_PERCENT_MAX);
        !gaps && !refused
    }

    /// Days begun since the start, at least one.
    pub fn days(&self) -> u64 {
        self.riding_s.saturating_add(self.paused_s).div_ceil(DAY_S).max(1)
    }
}

/// Lines in the making.
#[derive(Default)]
struct Lines(Vec<FareLine>);

impl Lines {
    fn push(&mut self, kind: FareLineKind, name: &str, quantity: u64, rate: Paise, amount: Paise) {
        if amount != Paise::ZERO {
            self.0.push(FareLine { kind, name: name.into(), quantity, rate, amount });
        }
    }

    fn once(&mut self, kind: FareLineKind, amount: Paise) {
        self.push(kind, "", 1, amount, amount);
    }

    /// `rate` for every `unit` of `quantity`.
    fn charge(&mut self, kind: FareLineKind, quantity: u64, rate: Paise, unit: u64) {
        self.push(kind, "", quantity, rate, share(rate, quantity, unit));
    }

    fn distance_and_time(&mut self, tariff: &Tariff, usage: &Usage, billed_m: u64) {
        use FareLineKind::{Allowance, Distance, Time};
        if let Some(package) = &tariff.package {
            let over_m = billed_m.saturating_sub(u64::from(package.included_m));
            let time_s = usage.riding_s.saturating_add(usage.paused_s);
            let over_s = time_s.saturating_sub(u64::from(package.included_s));
            self.charge(Distance, over_m, package.per_km_over_paise, 1000);
            self.charge(Time, over_s, package.per_minute_over_paise, 60);
            return;
        }
        let days = usage.days();
        let least_m =
            tariff.outstation.map_or(0, |of| days.saturating_mul(u64::from(of.minimum_m_per_day)));
        self.bands(tariff, billed_m.max(least_m));
        self.charge(Time, usage.riding_s, tariff.per_minute_paise, 60);
        if let Some(outstation) = &tariff.outstation {
            self.charge(Allowance, days, outstation.allowance_per_day_paise, 1);
        }
    }

    fn bands(&mut self, tariff: &Tariff, billed_m: u64) {
        for (place, band) in tariff.bands.iter().enumerate() {
            let next = tariff.bands.get(place + 1);
            let until_m = next.map_or(u64::MAX, |next| u64::from(next.from_m));
            let within_m = billed_m.min(until_m).saturating_sub(u64::from(band.from_m));
            self.charge(FareLineKind::Distance, within_m, band.per_km_paise, 1000);
        }
    }

    /// Waiting at the pickup, and in pauses where those are not part of a package or of days.
    fn wait(&mut self, tariff: &Tariff, usage: &Usage) {
        let by_the_day = tariff.package.is_some() || tariff.outstation.is_some();
        let paused_s = if by_the_day { 0 } else { usage.paused_s };
        let waited_s = usage.waiting_s.saturating_add(paused_s);
        let over_s = waited_s.saturating_sub(u64::from(tariff.waiting_free_s));
        self.charge(FareLineKind::Waiting, over_s, tariff.waiting_per_minute_paise, 60);
    }

    fn night(&mut self, tariff: &Tariff) {
        use FareLineKind::{Base, Distance, Night, Time};
        match tariff.night.as_ref().map(|night| night.surcharge) {
            None => {}
            Some(Surcharge::FlatPaise(amount)) => self.once(Night, amount),
            Some(Surcharge::FactorPercent(factor)) => {
                let by_day =
                    self.0.iter().filter(|line| matches!(line.kind, Base | Distance | Time));
                let by_day = by_day.fold(Paise::ZERO, |sum, line| sum + line.amount);
                self.charge(Night, u64::from(factor.saturating_sub(100)), by_day, 100);
            }
        }
    }

    /// Gives what was taken off, at most the charges.
    fn discount(&mut self, discounts: &[Discount], charges: Paise) -> Paise {
        let mut left = charges;
        for discount in discounts.iter().filter(|discount| charges >= discount.least_paise) {
            let part = share(charges, u64::from(discount.percent_bp), 10_000);
            let most = discount.max_paise.unwrap_or(charges).min(left);
            let off = (part + discount.flat_paise).min(most).max(Paise::ZERO);
            let (quantity, rate) = if discount.percent_bp > 0 {
                (u64::from(discount.percent_bp), charges)
            } else {
                (1, discount.flat_paise)
            };
            let amount = Paise::ZERO - off;
            self.push(FareLineKind::Discount, &discount.code, quantity, rate, amount);
            left = left - off;
        }
        charges - left
    }

    fn tax(&mut self, tariff: &Tariff, charges: Paise, extras: Paise) {
        for tax in &tariff.taxes {
            let taxed = if tax.on_extras { charges + extras } else { charges };
            let (bp, amount) = (u64::from(tax.rate_bp), share(taxed, tax.rate_bp.into(), 10_000));
            self.push(FareLineKind::Tax, &tax.name, bp, taxed, amount);
        }
    }

    /// To the nearest step, but never from the minimum or above to below it.
    fn round(&mut self, tariff: &Tariff) {
        let (total, step) = (sum(&self.0), tariff.rounding_paise);
        let mut payable = rounded(total, step);
        if total >= tariff.minimum_paise && payable < tariff.minimum_paise {
            payable += step;
        }
        self.push(FareLineKind::Rounding, "", 1, step, payable - total);
    }
}

fn sum(lines: &[FareLine]) -> Paise {
    lines.iter().fold(Paise::ZERO, |sum, line| sum + line.amount)
}

/// `rate` for every `unit` of `quantity`, to the nearest paisa, halves up.
fn share(rate: Paise, quantity: u64, unit: u64) -> Paise {
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

/// Whether two places lie within [`DROP_M_MAX`] of each other. On a plane: exact enough over half a
/// kilometre, and the same on every machine.
fn is_near(a: Position, b: Position) -> bool {
    const M_PER_E7: f64 = 0.011_131_949;
    let north_m = f64::from(a.lat_e7().abs_diff(b.lat_e7())) * M_PER_E7;
    let round = a.lon_e7().abs_diff(b.lon_e7());
    let east_e7 = round.min(3_600_000_000_u32.saturating_sub(round));
    let east_m = f64::from(east_e7) * M_PER_E7 * libm::cos(a.lat_deg().to_radians());
    #[expect(clippy::cast_precision_loss, reason = "a few hundred metres")]
    let most_m = DROP_M_MAX as f64;
    north_m * north_m + east_m * east_m <= most_m * most_m
}

/// What the rider is charged when vehicle and platform each computed a fare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The lower of the two.
    pub charged: Fare,
    /// Vehicle's total minus platform's; zero when they agree.
    pub difference: Paise,
}

impl Settlement {
    /// Settles on the lower fare and records by how much they differed.
    pub fn of(device: Fare, backend: Fare) -> Self {
        let difference = device.total() - backend.total();
        let charged = if difference < Paise::ZERO { device } else { backend };
        Self { charged, difference }
    }

    /// Of one fare alone: nobody else computed it.
    pub const fn alone(charged: Fare) -> Self {
        Self { charged, difference: Paise::ZERO }
    }
}

#[cfg(test)]
mod tests;
