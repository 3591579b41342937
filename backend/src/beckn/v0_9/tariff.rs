//! A tariff spelled out as tags, for people.

use tripline_protocol::tariff::{Surcharge, Tariff};
use tripline_protocol::unit::Paise;

use super::tags::Tags;
use crate::domain::words::{clock, percent};

/// Adds what a ride costs by this tariff.
pub(super) fn spell_out(tags: &mut Tags, tariff: &Tariff) {
    charges(tags, tariff);
    package(tags, tariff);
    night(tags, tariff);
    taxes(tags, tariff);
    cancelling(tags, tariff);
}

fn charges(tags: &mut Tags, tariff: &Tariff) {
    tags.group("Charges");
    tags.entry("Tariff", format!("{}, version {}", tariff.code, tariff.version));
    if tariff.package.is_none() {
        let base = match tariff.base_distance_m {
            0 => rupees(tariff.base_paise),
            m => format!("{} up to {}", rupees(tariff.base_paise), km(m)),
        };
        tags.entry("Base fare", base);
    }
    let bands = tariff.bands.iter().filter(|band| band.per_km_paise != Paise::ZERO);
    for band in bands {
        let price = format!("{} / km", rupees(band.per_km_paise));
        let from = band.from_m.max(tariff.base_distance_m);
        let name = if from == 0 { "Per km".into() } else { format!("Per km above {}", km(from)) };
        tags.entry(&name, price);
    }
    let amounts = [
        ("Riding time", tariff.per_minute_paise, " / min"),
        ("Pickup charge", tariff.pickup_paise, ""),
        ("Minimum fare", tariff.minimum_paise, ""),
    ];
    for (name, amount, per) in amounts {
        if amount != Paise::ZERO {
            tags.entry(name, format!("{}{per}", rupees(amount)));
        }
    }
    if tariff.waiting_per_minute_paise != Paise::ZERO {
        let per_minute = rupees(tariff.waiting_per_minute_paise);
        let free_min = tariff.waiting_free_s / 60;
        tags.entry("Waiting", format!("{per_minute} / min after {free_min} min"));
    }
}

fn package(tags: &mut Tags, tariff: &Tariff) {
    if let Some(package) = tariff.package {
        tags.group("Package");
        tags.entry("Price", rupees(tariff.base_paise));
        tags.entry("Hours", hours(package.included_s));
        tags.entry("Distance", km(package.included_m));
        tags.entry("Per km beyond", format!("{} / km", rupees(package.per_km_over_paise)));
        tags.entry("Per minute beyond", format!("{} / min", rupees(package.per_minute_over_paise)));
    }
    if let Some(outstation) = tariff.outstation {
        tags.group("Out of town");
        tags.entry("Charged for each day at least", km(outstation.minimum_m_per_day));
        tags.entry(
            "Driver's allowance",
            format!("{} / day", rupees(outstation.allowance_per_day_paise)),
        );
    }
}

fn night(tags: &mut Tags, tariff: &Tariff) {
    let Some(night) = &tariff.night else { return };
    tags.group("Night charges");
    let surcharge = match night.surcharge {
        Surcharge::FactorPercent(factor) => {
            format!("{}.{:02} times base, distance and time", factor / 100, factor % 100)
        }
        Surcharge::FlatPaise(amount) => format!("{} more", rupees(amount)),
    };
    tags.entry("Night charges", surcharge);
    tags.entry("Night begins", clock(night.from_minute));
    tags.entry("Night ends", clock(night.until_minute));
}

fn taxes(tags: &mut Tags, tariff: &Tariff) {
    if tariff.taxes.is_empty() {
        return;
    }
    tags.group("Taxes");
    for tax in &tariff.taxes {
        tags.entry(&tax.name, percent(tax.rate_bp.into()));
    }
}

fn cancelling(tags: &mut Tags, tariff: &Tariff) {
    let terms = tariff.cancellation;
    if terms.charge_paise == Paise::ZERO && terms.no_show_paise == Paise::ZERO {
        return;
    }
    tags.group("Cancellation");
    if terms.charge_paise != Paise::ZERO {
        tags.entry("Free after a driver accepted", format!("{} min", terms.free_s / 60));
        tags.entry("Cancellation charges", rupees(terms.charge_paise));
    }
    if terms.no_show_paise != Paise::ZERO {
        tags.entry("No-show charges", rupees(terms.no_show_paise));
    }
}

/// `₹ 30`, `₹ 7.50`.
fn rupees(amount: Paise) -> String {
    let text = amount.to_string();
    format!("₹ {}", text.strip_suffix(".00").unwrap_or(&text))
}

/// `2 km`, `1.5 km`.
fn km(m: u32) -> String {
    let (whole, rest) = (m / 1000, m % 1000);
    match rest {
        0 => format!("{whole} km"),
        _ => format!("{whole}.{} km", format!("{rest:03}").trim_end_matches('0')),
    }
}

/// `4 h`, `4 h 30 min`.
fn hours(s: u32) -> String {
    crate::domain::words::duration(s.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(tariff: &str) -> Vec<String> {
        let mut tags = Tags::default();
        spell_out(&mut tags, &serde_json::from_str(tariff).expect("a tariff"));
        let entries = super::super::tags::entries(Some(&tags.into_json()));
        entries.into_iter().map(|it| format!("{} | {}: {}", it.group, it.name, it.value)).collect()
    }

    #[test]
    fn every_part_of_a_tariff_is_told_in_words() {
        let spot = spelled(
            r#"{"code":"auto","version":3,"base_paise":3000,"base_distance_m":2000,
                "bands":[{"from_m":2000,"per_km_paise":1500},{"from_m":10500,"per_km_paise":1250}],
                "pickup_paise":1000,"waiting_per_minute_paise":150,"waiting_free_s":180,
                "night":{"from_minute":1320,"until_minute":300,"time_zone":"Asia/Kolkata",
                         "surcharge":{"factor_percent":150}},
                "taxes":[{"name":"CGST","rate_bp":250}],
                "cancellation":{"free_s":120,"charge_paise":2000,"no_show_paise":3000}}"#,
        );
        insta::assert_snapshot!(spot.join("\n"));
    }

    #[test]
    fn a_package_tells_hours_distance_and_what_more_costs() {
        let rental = spelled(
            r#"{"code":"auto-4h","version":1,"base_paise":60000,"package":{"included_s":14400,
                "included_m":40000,"per_km_over_paise":1400,"per_minute_over_paise":200}}"#,
        );
        insta::assert_snapshot!(rental.join("\n"));
    }
}
