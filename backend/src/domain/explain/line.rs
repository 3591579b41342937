//! The lines of a fare, each with its formula in words.

use jiff::tz::TimeZone;
use serde::Serialize;
use tripline_protocol::fare::{Fare, FareLine, FareLineKind};
use tripline_protocol::tariff::{Surcharge, Tariff};
use tripline_protocol::terms::Terms;
use tripline_protocol::unit::Paise;

use crate::domain::words::{clock, duration, grouped, local, metres, percent, rupees};

/// A line with its formula.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineAccount {
    /// What it is for.
    pub kind: &'static str,
    /// What it is called, for people.
    pub title: String,
    /// How it is computed.
    pub formula: String,
    /// What it comes to.
    pub amount_paise: Paise,
}

/// The lines of a fare, in its order.
pub(super) fn accounts(terms: &Terms, fare: &Fare, zone: &TimeZone) -> Vec<LineAccount> {
    let mut bands = terms.tariff.bands.iter();
    let mut before = Paise::ZERO;
    let account = |line: &FareLine| {
        // A band that comes to nothing has no line.
        let mut band = || bands.find(|band| band.per_km_paise == line.rate);
        let is_band = line.kind == FareLineKind::Distance;
        let from_m = is_band.then(&mut band).flatten().map(|band| band.from_m);
        let formula = formula(terms, fare, line, Known { from_m, before, zone });
        before += line.amount;
        LineAccount {
            kind: line.kind.code(),
            title: title(line),
            formula,
            amount_paise: line.amount,
        }
    };
    fare.lines.iter().map(account).collect()
}

/// What a formula needs beside its line.
#[derive(Clone, Copy)]
struct Known<'z> {
    /// Where the line's band begins.
    from_m: Option<u32>,
    /// The sum of the lines before.
    before: Paise,
    zone: &'z TimeZone,
}

/// What a line is called, for people.
pub(crate) fn title(line: &FareLine) -> String {
    match line.kind {
        FareLineKind::Base => "Base fare".into(),
        FareLineKind::Pickup => "Pickup charge".into(),
        FareLineKind::Distance => "Distance".into(),
        FareLineKind::Time => "Time".into(),
        FareLineKind::Allowance => "Driver's allowance".into(),
        FareLineKind::Waiting => "Waiting".into(),
        FareLineKind::Night => "Night charge".into(),
        FareLineKind::Minimum => "To the minimum".into(),
        FareLineKind::Extra => format!("Extra: {}", line.name),
        FareLineKind::Discount => format!("Offer {}", line.name),
        FareLineKind::Tax => line.name.clone(),
        FareLineKind::Rounding => "Rounding".into(),
        FareLineKind::Cancellation => "Cancellation charge".into(),
        FareLineKind::NoShow => "No-show charge".into(),
    }
}

fn formula(terms: &Terms, fare: &Fare, line: &FareLine, known: Known<'_>) -> String {
    let tariff = &terms.tariff;
    let (quantity, rate) = (line.quantity, rupees(line.rate));
    match line.kind {
        FareLineKind::Base => base(tariff),
        FareLineKind::Pickup => "for coming to the pickup, on every ride".into(),
        FareLineKind::Distance => format!(
            "{}{} at {rate} per km",
            metres(quantity),
            beyond(tariff, known.from_m, quantity, fare.billed_m)
        ),
        FareLineKind::Time => {
            let package = tariff.package.map(|of| u64::from(of.included_s));
            let over = package.map_or_else(String::new, |s| format!(" beyond {}", duration(s)));
            format!("{}{over} at {rate} per minute", seconds(quantity))
        }
        FareLineKind::Allowance => format!("{quantity} days begun at {rate} each"),
        FareLineKind::Waiting => {
            let free_s = u64::from(tariff.waiting_free_s);
            format!(
                "{} beyond {} free, at the pickup and in pauses, at {rate} per minute",
                seconds(quantity),
                duration(free_s)
            )
        }
        FareLineKind::Night => night(tariff, fare, line, known.zone),
        FareLineKind::Minimum => {
            format!("the charges, {}, are lifted to the minimum of {rate}", rupees(known.before))
        }
        FareLineKind::Extra => "paid by the driver for the rider, as entered".into(),
        FareLineKind::Discount => discount(terms, line),
        FareLineKind::Tax => {
            let extras = tariff.taxes.iter().any(|tax| tax.name == line.name && tax.on_extras);
            let of = if extras { "charges less offers, and extras" } else { "charges less offers" };
            format!("{} of {rate} ({of})", percent(quantity))
        }
        FareLineKind::Rounding => format!("{} to a multiple of {rate}", rupees(known.before)),
        FareLineKind::Cancellation => format!(
            "called off more than {} after a driver had accepted",
            duration(u64::from(tariff.cancellation.free_s))
        ),
        FareLineKind::NoShow => "the rider did not come".into(),
    }
}

fn seconds(s: u64) -> String {
    if s < 60 { format!("{s} s") } else { format!("{} s ({})", grouped(s), duration(s)) }
}

fn base(tariff: &Tariff) -> String {
    match &tariff.package {
        Some(package) => format!(
            "the package: {} and {}",
            duration(package.included_s.into()),
            metres(package.included_m.into())
        ),
        None if tariff.base_distance_m > 0 => {
            format!("covers the first {}", metres(tariff.base_distance_m.into()))
        }
        None => "on every ride".into(),
    }
}

fn beyond(tariff: &Tariff, from_m: Option<u32>, quantity: u64, billed_m: u64) -> String {
    let from_m = tariff.package.map(|of| of.included_m).or(from_m).unwrap_or(0);
    let least = tariff.outstation.filter(|_| quantity + u64::from(from_m) > billed_m);
    let least = least.map_or_else(String::new, |of| {
        format!(", at least {} a day charged,", metres(of.minimum_m_per_day.into()))
    });
    if from_m == 0 { least } else { format!(" beyond {}{least}", metres(from_m.into())) }
}

fn night(tariff: &Tariff, fare: &Fare, line: &FareLine, zone: &TimeZone) -> String {
    let Some(night) = &tariff.night else { return "by night".into() };
    let started = fare.usage.started_at.map_or_else(|| "-".into(), |at| local(at, zone));
    let (from, until) = (clock(night.from_minute), clock(night.until_minute));
    let hours = format!("started {started}, within {from} to {until} in {}", night.time_zone);
    match night.surcharge {
        Surcharge::FlatPaise(_) => format!("{} on a ride by night; {hours}", rupees(line.rate)),
        Surcharge::FactorPercent(factor) => format!(
            "{} % of {} (base, distance and time: {factor} % in all); {hours}",
            line.quantity,
            rupees(line.rate)
        ),
    }
}

fn discount(terms: &Terms, line: &FareLine) -> String {
    let found = terms.discounts.iter().find(|discount| discount.code == line.name);
    let Some(discount) = found else { return "taken off".into() };
    let mut parts = Vec::new();
    if discount.percent_bp > 0 {
        parts.push(format!("{} of {}", percent(line.quantity), rupees(line.rate)));
    }
    if discount.flat_paise > Paise::ZERO {
        parts.push(rupees(discount.flat_paise));
    }
    let most =
        discount.max_paise.map_or_else(String::new, |max| format!(", at most {}", rupees(max)));
    let from = match discount.least_paise {
        Paise::ZERO => String::new(),
        least => format!("; for charges of {} or more", rupees(least)),
    };
    format!("{}{most}, and no more than the charges{from}", parts.join(" and "))
}
