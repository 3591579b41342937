//! Fare tables that a fare inspector could read: tariffs as a rider would be told them, rides, and every
//! line of what they cost. If one of these changes, fares change.

use std::fmt::Write as _;

use tripline_protocol::fare::{Extra, ExtraKind, Fare, Usage};
use tripline_protocol::tariff::{
    Band, Cancellation, Night, Outstation, Package, Surcharge, Tariff, Tax,
};
use tripline_protocol::terms::{Discount, Estimate, Span, Terms};
use tripline_protocol::unit::{Paise, Position, Timestamp};

const HOUR_S: u64 = 3_600;

/// Ten in the evening of 10 March 2026 in Kolkata; the night there is from then to five in the morning.
const NIGHTFALL: Timestamp = Timestamp::from_unix_ms(1_773_160_200_000);

fn bare(code: &str, base_paise: i64) -> Tariff {
    Tariff {
        code: code.into(),
        version: 1,
        base_paise: Paise(base_paise),
        base_distance_m: 0,
        bands: Vec::new(),
        per_minute_paise: Paise::ZERO,
        pickup_paise: Paise::ZERO,
        minimum_paise: Paise::ZERO,
        waiting_per_minute_paise: Paise::ZERO,
        waiting_free_s: 0,
        night: None,
        package: None,
        outstation: None,
        taxes: Vec::new(),
        cancellation: Cancellation::default(),
        range_percent: 0,
        rounding_paise: Paise(1),
    }
}

fn band(from_m: u32, rupees: i64) -> Band {
    Band { from_m, per_km_paise: Paise(rupees * 100) }
}

fn from_ten_to_five(surcharge: Surcharge) -> Night {
    Night { from_minute: 1_320, until_minute: 300, time_zone: "Asia/Kolkata".into(), surcharge }
}

fn terms(tariff: Tariff) -> Terms {
    tariff.check().expect("a sound tariff");
    let place = |lat_e7| Position::new(lat_e7, 775_900_000).expect("on the globe");
    Terms {
        tariff,
        nights: vec![Span { from: NIGHTFALL, until: NIGHTFALL.plus_ms(7 * 3_600_000) }],
        discounts: Vec::new(),
        estimate: Estimate {
            distance_m: 10_000,
            duration_s: 1_800,
            start_at: NIGHTFALL.plus_ms(-3_600_000),
            pickup: place(129_700_000),
            drop: place(130_400_000),
        },
    }
}

/// A ride by day; the distance in metres, times in seconds.
fn ride(distance_m: u64, riding_s: u64, waiting_s: u64, paused_s: u64) -> Usage {
    let started_at = Some(NIGHTFALL.plus_ms(-1));
    Usage { distance_m, riding_s, waiting_s, paused_s, started_at, ..Usage::default() }
}

fn by_night(usage: Usage) -> Usage {
    Usage { started_at: Some(NIGHTFALL), ..usage }
}

fn account(title: &str, fare: &Fare) -> String {
    let mut text = format!("{title}  [{}]\n", fare.reason);
    for line in &fare.lines {
        let _ = writeln!(text, "    {:<52} {:>12}", line.in_words(), line.amount.to_string());
    }
    let _ = writeln!(text, "    {:<52} {:>12}", "TOTAL", fare.total().to_string());
    text
}

fn table(rows: &[(&str, Fare)]) -> String {
    rows.iter().map(|(title, fare)| account(title, fare)).collect::<Vec<_>>().join("\n")
}

/// Mobility guide for core 0.9.4, `groups/1` and `groups/2` of its catalog: 30 up to 2 km, 15 a km above,
/// 10 for the pickup, 1.5 times by night, 22:00 to 05:00. (Its text says 5 PM; its field says 05:00:00.)
fn of_the_guide() -> Terms {
    terms(Tariff {
        base_distance_m: 2_000,
        bands: vec![band(2_000, 15)],
        pickup_paise: Paise(1_000),
        night: Some(from_ten_to_five(Surcharge::FactorPercent(150))),
        ..bare("guide-0-9-4", 3_000)
    })
}

#[test]
fn the_tariff_of_the_mobility_guide() {
    let terms = of_the_guide();
    let of = |usage| terms.metered(usage);
    insta::assert_snapshot!(table(&[
        ("0 m", of(ride(0, 0, 0, 0))),
        ("2 km, the last metre of the base", of(ride(2_000, 400, 0, 0))),
        ("2 km and a metre: 1.5 paise, halves up", of(ride(2_001, 400, 0, 0))),
        ("5.4 km by day", of(ride(5_400, 1_200, 0, 0))),
        ("5.4 km, started at 21:59:59.999", of(ride(5_400, 1_200, 0, 0))),
        ("5.4 km, started at 22:00:00.000", of(by_night(ride(5_400, 1_200, 0, 0)))),
        ("5.4 km by night with 20 minutes of waiting", of(by_night(ride(5_400, 1_200, 1_200, 0)))),
        ("estimated, 10 km", terms.estimated()),
    ]));
}

#[test]
fn an_auto_rickshaw_with_bands_time_waiting_and_a_minimum() {
    let terms = terms(Tariff {
        base_distance_m: 1_500,
        bands: vec![band(1_500, 15), band(8_000, 18), band(20_000, 25)],
        per_minute_paise: Paise(100),
        minimum_paise: Paise(4_000),
        waiting_per_minute_paise: Paise(200),
        waiting_free_s: 180,
        rounding_paise: Paise(100),
        ..bare("auto", 3_000)
    });
    let of = |usage| terms.metered(usage);
    insta::assert_snapshot!(table(&[
        ("300 m: the minimum", of(ride(300, 120, 0, 0))),
        ("4 km, 12 minutes", of(ride(4_000, 720, 0, 0))),
        ("4 km, 2 minutes at the pickup and a pause of 3", of(ride(4_000, 720, 120, 180))),
        ("25 km through all bands", of(ride(25_000, 3_000, 0, 0))),
    ]));
}

#[test]
fn a_cab_with_taxes_tolls_and_offers() {
    let tax = |name: &str, rate_bp, on_extras| Tax { name: name.into(), rate_bp, on_extras };
    let mut terms = terms(Tariff {
        base_distance_m: 4_000,
        bands: vec![band(4_000, 21)],
        night: Some(from_ten_to_five(Surcharge::FlatPaise(Paise(5_000)))),
        taxes: vec![tax("CGST", 250, false), tax("SGST", 250, false)],
        cancellation: Cancellation {
            free_s: 120,
            charge_paise: Paise(3_000),
            no_show_paise: Paise(6_000),
        },
        rounding_paise: Paise(100),
        ..bare("cab", 10_000)
    });
    let toll = Extra { kind: ExtraKind::Toll, amount: Paise(8_500), note: "airport road".into() };
    let parking = Extra { kind: ExtraKind::Parking, amount: Paise(2_000), note: String::new() };
    let to_the_airport = Usage { extras: vec![toll, parking], ..ride(35_250, 3_900, 0, 0) };
    let plain = terms.metered(to_the_airport.clone());
    let night = terms.metered(by_night(to_the_airport.clone()));
    let (cancelled, no_show) = (terms.cancelled(300), terms.no_show());
    terms.discounts = vec![Discount {
        code: "MONSOON10".into(),
        percent_bp: 1_000,
        flat_paise: Paise::ZERO,
        max_paise: Some(Paise(5_000)),
        least_paise: Paise(30_000),
    }];
    let with_offer = terms.metered(to_the_airport);
    terms.discounts[0] = Discount {
        code: "FREE".into(),
        percent_bp: 10_000,
        flat_paise: Paise::ZERO,
        max_paise: None,
        least_paise: Paise::ZERO,
    };
    let free = terms.metered(ride(3_000, 600, 0, 0));
    insta::assert_snapshot!(table(&[
        ("to the airport", plain),
        ("to the airport by night", night),
        ("to the airport with an offer of 10 %, at most 50", with_offer),
        ("an offer of everything", free),
        ("cancelled five minutes after the acceptance", cancelled),
        ("did not come", no_show),
    ]));
}

#[test]
fn a_rental_package_of_four_hours_and_forty_kilometres() {
    let terms = terms(Tariff {
        package: Some(Package {
            included_s: 4 * 3_600,
            included_m: 40_000,
            per_km_over_paise: Paise(1_400),
            per_minute_over_paise: Paise(200),
        }),
        rounding_paise: Paise(100),
        ..bare("rental-4-40", 90_000)
    });
    let of = |usage| terms.metered(usage);
    insta::assert_snapshot!(table(&[
        ("30 km in 3 hours, one of them paused", of(ride(30_000, 2 * HOUR_S, 0, HOUR_S))),
        ("40 km in 4 hours", of(ride(40_000, 3 * HOUR_S, 0, HOUR_S))),
        ("55.2 km in 5 hours 10 minutes", of(ride(55_200, 4 * HOUR_S, 0, HOUR_S + 600))),
    ]));
}

#[test]
fn out_of_town_by_days() {
    let terms = terms(Tariff {
        bands: vec![band(0, 13)],
        outstation: Some(Outstation {
            minimum_m_per_day: 250_000,
            allowance_per_day_paise: Paise(30_000),
        }),
        rounding_paise: Paise(100),
        ..bare("outstation", 0)
    });
    let of = |usage| terms.metered(usage);
    insta::assert_snapshot!(table(&[
        ("180 km in 8 hours", of(ride(180_000, 8 * HOUR_S, 0, 0))),
        ("180 km in 24 hours", of(ride(180_000, 8 * HOUR_S, 0, 16 * HOUR_S))),
        ("180 km in 24 hours and a second", of(ride(180_000, 8 * HOUR_S, 0, 16 * HOUR_S + 1))),
        ("900 km in 3 days", of(ride(900_000, 30 * HOUR_S, 0, 42 * HOUR_S))),
    ]));
}

#[test]
fn distances_that_cannot_be_trusted() {
    let terms = of_the_guide();
    let drop = Position::new(130_400_000, 775_900_000).expect("on the globe");
    let elsewhere = Position::new(130_000_000, 775_900_000).expect("on the globe");
    let gaps = |stopped_at| Usage { bridged_m: 6_000, stopped_at, ..ride(14_000, 2_400, 0, 0) };
    let refused = Usage { fixes: 600, refused: 301, bridged_m: 0, ..gaps(Some(drop)) };
    insta::assert_snapshot!(table(&[
        (
            "14 km, 6 of them bridged, stopped where it was booked to",
            terms.metered(gaps(Some(drop)))
        ),
        ("the same, stopped elsewhere", terms.metered(gaps(Some(elsewhere)))),
        ("301 of 600 fixes refused, stopped where it was booked to", terms.metered(refused)),
        ("closed without its vehicle after 14 km", terms.silent(ride(14_000, 2_400, 0, 0))),
    ]));
}
