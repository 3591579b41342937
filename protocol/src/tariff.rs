//! The tariff: what a ride costs, as data. How a fare comes of it is in [`crate::fare`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::unit::Paise;

/// Largest amount in a tariff, and largest extra a driver may enter: a million rupees.
pub const AMOUNT_MAX: Paise = Paise(100_000_000);

/// Longest code of a tariff, in characters.
pub const CODE_LEN_MAX: usize = 36;

/// Most bands of distance.
pub const BANDS_MAX: usize = 8;

/// Most taxes.
pub const TAXES_MAX: usize = 8;

/// Longest name of a tax, in bytes: a line of a receipt.
pub const TAX_NAME_LEN_MAX: usize = 40;

/// Minutes in a day.
const DAY_MINUTES: u16 = 24 * 60;

/// What a ride costs. A tariff never changes: a change makes a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// The operator's code for it, `auto-day` for instance: a-z, 0-9 and `-`.
    pub code: String,
    /// Grows with every change of the code's terms, from 1.
    pub version: u32,
    /// Charged on every ride; of a rental package its price.
    pub base_paise: Paise,
    /// Distance the base covers, in metres.
    #[serde(default)]
    pub base_distance_m: u32,
    /// What distance costs, band by band, each from where the one before it ends.
    #[serde(default)]
    pub bands: Vec<Band>,
    /// Per minute of riding, pauses excluded.
    #[serde(default)]
    pub per_minute_paise: Paise,
    /// For coming to the pickup.
    #[serde(default)]
    pub pickup_paise: Paise,
    /// No ride costs less before extras, discounts and taxes.
    #[serde(default)]
    pub minimum_paise: Paise,
    /// Per minute of waiting, at the pickup and in pauses, beyond the free time.
    #[serde(default)]
    pub waiting_per_minute_paise: Paise,
    /// Waiting that costs nothing, in seconds.
    #[serde(default)]
    pub waiting_free_s: u32,
    /// What a ride that starts at night costs beside.
    #[serde(default)]
    pub night: Option<Night>,
    /// A rental package: time and distance that the base covers, and what more costs.
    #[serde(default)]
    pub package: Option<Package>,
    /// A ride out of town, by days.
    #[serde(default)]
    pub outstation: Option<Outstation>,
    /// Taxes, each a line of its own.
    #[serde(default)]
    pub taxes: Vec<Tax>,
    /// What calling a ride off costs.
    #[serde(default)]
    pub cancellation: Cancellation,
    /// How much more than the estimate a ride may cost, in percent, where the price is told as a range; 0
    /// for a single price.
    #[serde(default)]
    pub range_percent: u16,
    /// The total is rounded to the nearest multiple of this, halves up; 1 or less leaves it alone.
    #[serde(default)]
    pub rounding_paise: Paise,
}

/// What distance costs from somewhere on, up to where the next band begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Where it begins, in metres of the ride.
    pub from_m: u32,
    /// Per kilometre within it.
    pub per_km_paise: Paise,
}

/// What is charged for a ride that starts at night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Night {
    /// When it begins, in minutes after local midnight, 0 to 1439.
    pub from_minute: u16,
    /// When it ends, likewise, not itself in it. Before `from_minute`: on the day after.
    pub until_minute: u16,
    /// The city's time zone by its IANA name, `Asia/Kolkata` for instance. The vehicle does not know it: it
    /// gets nights as spans of time, see [`crate::terms::Terms`].
    pub time_zone: String,
    /// How much.
    pub surcharge: Surcharge,
}

/// How much the night costs beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surcharge {
    /// Base, distance and time by this factor, in percent: 150 for half as much again.
    FactorPercent(u32),
    /// So much on every ride.
    FlatPaise(Paise),
}

/// A rental package. The ride's time is all of it, pauses included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Time that the base covers, in seconds.
    pub included_s: u32,
    /// Distance that the base covers, in metres.
    pub included_m: u32,
    /// Per kilometre beyond.
    pub per_km_over_paise: Paise,
    /// Per minute beyond.
    pub per_minute_over_paise: Paise,
}

/// A ride out of town. A day is each 24 hours begun since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outstation {
    /// Distance that is charged for each day, driven or not, in metres.
    pub minimum_m_per_day: u32,
    /// The driver's allowance for each day.
    pub allowance_per_day_paise: Paise,
}

/// A tax on the ride.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tax {
    /// Its name, as receipts show it.
    pub name: String,
    /// Its rate in basis points, hundredths of a percent: 500 for 5 %.
    pub rate_bp: u32,
    /// Whether tolls and other extras are taxed as well.
    #[serde(default)]
    pub on_extras: bool,
}

/// What calling a ride off costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cancellation {
    /// How long after a driver accepted it costs nothing, in seconds.
    pub free_s: u32,
    /// What it costs the rider after that.
    pub charge_paise: Paise,
    /// What it costs not to come.
    pub no_show_paise: Paise,
}

/// What is wrong with a tariff.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct TariffError {
    /// Which field, by its path.
    pub field: String,
    /// What it must be.
    pub problem: String,
}

impl Tariff {
    /// Whether it makes sense. The time zone is checked by whoever knows zones.
    pub fn check(&self) -> Result<(), TariffError> {
        check_code(&self.code)?;
        within("version", u64::from(self.version), 1, u64::from(u32::MAX))?;
        for (field, amount) in self.amounts() {
            check_amount(&field, amount)?;
        }
        self.check_bands()?;
        self.check_kind()?;
        if let Some(night) = &self.night {
            check_night(night)?;
        }
        within("taxes", self.taxes.len() as u64, 0, TAXES_MAX as u64)?;
        for (place, tax) in self.taxes.iter().enumerate() {
            let len = tax.name.trim().len() as u64;
            within(&format!("taxes[{place}].name"), len, 1, TAX_NAME_LEN_MAX as u64)?;
            within(&format!("taxes[{place}].rate_bp"), u64::from(tax.rate_bp), 0, 10_000)?;
        }
        within("range_percent", u64::from(self.range_percent), 0, 200)
    }

    /// Every amount of it, by name.
    fn amounts(&self) -> Vec<(String, Paise)> {
        let mut amounts = Vec::from([
            ("base_paise".into(), self.base_paise),
            ("per_minute_paise".into(), self.per_minute_paise),
            ("pickup_paise".into(), self.pickup_paise),
            ("minimum_paise".into(), self.minimum_paise),
            ("waiting_per_minute_paise".into(), self.waiting_per_minute_paise),
            ("cancellation.charge_paise".into(), self.cancellation.charge_paise),
            ("cancellation.no_show_paise".into(), self.cancellation.no_show_paise),
            ("rounding_paise".into(), self.rounding_paise),
        ]);
        let bands = self.bands.iter().enumerate();
        amounts.extend(
            bands.map(|(at, band)| (format!("bands[{at}].per_km_paise"), band.per_km_paise)),
        );
        if let Some(package) = &self.package {
            amounts.push(("package.per_km_over_paise".into(), package.per_km_over_paise));
            amounts.push(("package.per_minute_over_paise".into(), package.per_minute_over_paise));
        }
        if let Some(outstation) = &self.outstation {
            let allowance = outstation.allowance_per_day_paise;
            amounts.push(("outstation.allowance_per_day_paise".into(), allowance));
        }
        amounts
    }

    fn check_bands(&self) -> Result<(), TariffError> {
        within("bands", self.bands.len() as u64, 0, BANDS_MAX as u64)?;
        let mut least = u64::from(self.base_distance_m);
        for (at, band) in self.bands.iter().enumerate() {
            let field = format!("bands[{at}].from_m");
            within(&field, u64::from(band.from_m), least, u64::from(u32::MAX))?;
            least = u64::from(band.from_m) + 1;
        }
        Ok(())
    }

    /// A rental package has its own distance and time, and is not out of town as well.
    fn check_kind(&self) -> Result<(), TariffError> {
        if self.package.is_none() {
            return Ok(());
        }
        let strange = if self.outstation.is_some() {
            "outstation"
        } else if !self.bands.is_empty() {
            "bands"
        } else if self.per_minute_paise != Paise::ZERO {
            "per_minute_paise"
        } else {
            return Ok(());
        };
        Err(error(strange, "must be left out of a tariff with a package, which has its own"))
    }
}

fn check_code(code: &str) -> Result<(), TariffError> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=CODE_LEN_MAX).contains(&code.len()) && code.bytes().all(letter) {
        return Ok(());
    }
    Err(error("code", &format!("must have 1 to {CODE_LEN_MAX} characters out of a-z, 0-9 and '-'")))
}

/// Whether it is one that somebody may state: 0 to [`AMOUNT_MAX`].
pub fn is_amount(amount: Paise) -> bool {
    (Paise::ZERO..=AMOUNT_MAX).contains(&amount)
}

fn check_amount(field: &str, amount: Paise) -> Result<(), TariffError> {
    if is_amount(amount) {
        return Ok(());
    }
    Err(error(field, &format!("must be between 0 and {} paise", AMOUNT_MAX.0)))
}

fn check_night(night: &Night) -> Result<(), TariffError> {
    let last = u64::from(DAY_MINUTES - 1);
    within("night.from_minute", u64::from(night.from_minute), 0, last)?;
    within("night.until_minute", u64::from(night.until_minute), 0, last)?;
    if night.from_minute == night.until_minute {
        return Err(error("night.until_minute", "must differ from night.from_minute"));
    }
    within("night.time_zone", night.time_zone.len() as u64, 1, 64)?;
    match night.surcharge {
        Surcharge::FactorPercent(factor) => {
            within("night.surcharge.factor_percent", u64::from(factor), 100, 1_000)
        }
        Surcharge::FlatPaise(amount) => check_amount("night.surcharge.flat_paise", amount),
    }
}

fn within(field: &str, value: u64, least: u64, most: u64) -> Result<(), TariffError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(error(field, &format!("is or counts {value}; it must be between {least} and {most}")))
}

fn error(field: &str, problem: &str) -> TariffError {
    TariffError { field: field.into(), problem: problem.into() }
}
