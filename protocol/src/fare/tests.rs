use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::tariff::{Band, Cancellation, Night, Outstation, Package, Tax};
use crate::terms::{Estimate, Span};

fn auto() -> Tariff {
    Tariff {
        code: "auto".into(),
        version: 1,
        base_paise: Paise(3000),
        base_distance_m: 2000,
        bands: vec![Band { from_m: 2000, per_km_paise: Paise(1500) }],
        per_minute_paise: Paise(100),
        pickup_paise: Paise::ZERO,
        minimum_paise: Paise(4000),
        waiting_per_minute_paise: Paise(200),
        waiting_free_s: 180,
        night: None,
        package: None,
        outstation: None,
        taxes: Vec::new(),
        cancellation: Cancellation::default(),
        range_percent: 0,
        rounding_paise: Paise(100),
    }
}

fn place(lat_e7: i32) -> Position {
    Position::new(lat_e7, 776_000_000).expect("on the globe")
}

fn terms(tariff: Tariff) -> Terms {
    Terms {
        tariff,
        nights: Vec::new(),
        discounts: Vec::new(),
        estimate: Estimate {
            distance_m: 6_000,
            duration_s: 900,
            start_at: Timestamp::from_unix_ms(0),
            pickup: place(129_000_000),
            drop: place(129_500_000),
        },
    }
}

fn usage(distance_m: u64, riding_s: u64, waiting_s: u64) -> Usage {
    Usage { distance_m, riding_s, waiting_s, ..Usage::default() }
}

fn lines(fare: &Fare) -> Vec<(FareLineKind, i64)> {
    fare.lines.iter().map(|line| (line.kind, line.amount.0)).collect()
}

fn night(surcharge: Surcharge) -> Night {
    Night { from_minute: 1320, until_minute: 300, time_zone: "Asia/Kolkata".into(), surcharge }
}

#[test]
fn a_long_ride_pays_base_distance_time_and_waiting() {
    use FareLineKind::{Base, Distance, Rounding, Time, Waiting};
    let fare = terms(auto()).metered(usage(5_333, 610, 240));
    // 3,333 m at 15 a km is 49.995 rupees: halves of a paisa go up.
    assert_eq!(
        lines(&fare),
        [(Base, 3000), (Distance, 5000), (Time, 1017), (Waiting, 200), (Rounding, -17)]
    );
    assert_eq!(fare.total(), Paise(9200));
    assert_eq!((fare.lines[1].quantity, fare.lines[1].rate), (3_333, Paise(1500)));
}

#[test]
fn a_short_ride_is_lifted_to_the_minimum() {
    use FareLineKind::{Base, Minimum};
    let fare = terms(auto()).metered(usage(300, 0, 0));
    assert_eq!(lines(&fare), [(Base, 3000), (Minimum, 1000)]);
}

#[test]
fn rounding_never_takes_a_fare_below_the_minimum() {
    let tariff = Tariff { minimum_paise: Paise(4040), ..auto() };
    assert_eq!(terms(tariff).metered(Usage::default()).total(), Paise(4100));
}

#[test]
fn every_band_charges_what_lies_in_it() {
    let band = |from_m, paise| Band { from_m, per_km_paise: Paise(paise) };
    let bands = vec![band(2_000, 1500), band(10_000, 1200), band(25_000, 2000)];
    let terms = terms(Tariff { bands, per_minute_paise: Paise::ZERO, ..auto() });
    let of = |distance_m| -> Vec<_> {
        let fare = terms.metered(usage(distance_m, 0, 0));
        let distance = fare.lines.iter().filter(|line| line.kind == FareLineKind::Distance);
        distance.map(|line| (line.quantity, line.amount.0)).collect()
    };
    assert_eq!(of(2_000), []);
    assert_eq!(of(10_000), [(8_000, 12_000)]);
    assert_eq!(of(10_001), [(8_000, 12_000), (1, 1)]);
    assert_eq!(of(30_000), [(8_000, 12_000), (15_000, 18_000), (5_000, 10_000)]);
}

#[test]
fn the_night_is_decided_by_the_moment_of_the_start_to_the_millisecond() {
    use FareLineKind::{Base, Distance, Night, Rounding};
    let tariff = Tariff {
        night: Some(night(Surcharge::FactorPercent(150))),
        per_minute_paise: Paise::ZERO,
        ..auto()
    };
    let mut terms = terms(tariff);
    let ms = Timestamp::from_unix_ms;
    terms.nights = vec![Span { from: ms(1_000), until: ms(2_000) }];
    let at = |terms: &Terms, unix_ms| {
        let usage = Usage { started_at: Some(ms(unix_ms)), ..usage(4_000, 0, 0) };
        lines(&terms.metered(usage))
    };
    let by_day = vec![(Base, 3000), (Distance, 3000)];
    assert_eq!((at(&terms, 999), at(&terms, 2_000)), (by_day.clone(), by_day.clone()));
    let by_night = vec![(Base, 3000), (Distance, 3000), (Night, 3000)];
    assert_eq!((at(&terms, 1_000), at(&terms, 1_999)), (by_night.clone(), by_night));
    assert_eq!(lines(&terms.metered(usage(4_000, 0, 0))), by_day, "no start, no night");
    terms.tariff.night = Some(night(Surcharge::FlatPaise(Paise(2_550))));
    assert_eq!(at(&terms, 1_500), [(Base, 3000), (Distance, 3000), (Night, 2550), (Rounding, 50)]);
}

#[test]
fn a_package_charges_only_what_goes_beyond_it_and_its_time_is_the_whole_ride() {
    use FareLineKind::{Base, Distance, Time};
    let package = Package {
        included_s: 4 * 3600,
        included_m: 40_000,
        per_km_over_paise: Paise(1400),
        per_minute_over_paise: Paise(200),
    };
    let tariff = Tariff {
        base_paise: Paise(90_000),
        base_distance_m: 0,
        bands: Vec::new(),
        per_minute_paise: Paise::ZERO,
        package: Some(package),
        ..auto()
    };
    let terms = terms(tariff);
    let within = Usage { paused_s: 3 * 3600, ..usage(40_000, 3600, 0) };
    assert_eq!(lines(&terms.metered(within.clone())), [(Base, 90_000)]);
    let beyond = Usage { paused_s: within.paused_s + 600, distance_m: 42_000, ..within };
    assert_eq!(lines(&terms.metered(beyond)), [(Base, 90_000), (Distance, 2_800), (Time, 2_000)]);
}

#[test]
fn out_of_town_every_day_begun_has_its_least_distance_and_its_allowance() {
    use FareLineKind::{Allowance, Base, Distance};
    let outstation =
        Outstation { minimum_m_per_day: 250_000, allowance_per_day_paise: Paise(30_000) };
    let tariff = Tariff {
        base_paise: Paise(50_000),
        base_distance_m: 0,
        bands: vec![Band { from_m: 0, per_km_paise: Paise(1_200) }],
        per_minute_paise: Paise::ZERO,
        outstation: Some(outstation),
        ..auto()
    };
    let terms = terms(tariff);
    let of = |distance_m, riding_s, paused_s| {
        lines(&terms.metered(Usage { paused_s, ..usage(distance_m, riding_s, 0) }))
    };
    let one = [(Base, 50_000), (Distance, 300_000), (Allowance, 30_000)];
    assert_eq!(of(180_000, 20_000, 66_400), one, "24 hours are one day");
    let two = [(Base, 50_000), (Distance, 600_000), (Allowance, 60_000)];
    assert_eq!(of(180_000, 20_000, 66_401), two);
    let far = [(Base, 50_000), (Distance, 720_000), (Allowance, 60_000)];
    assert_eq!(of(600_000, 20_000, 66_401), far);
}

#[test]
fn offers_come_off_the_charges_and_never_below_nothing_and_extras_are_paid_in_full() {
    use FareLineKind::{Base, Discount, Distance, Extra};
    let tariff = Tariff { per_minute_paise: Paise::ZERO, ..auto() };
    let mut terms = terms(tariff);
    let toll = super::Extra { kind: ExtraKind::Toll, amount: Paise(4_500), note: String::new() };
    let ride = Usage { extras: vec![toll], ..usage(4_000, 0, 0) };
    let offer = |percent_bp, flat_paise, max_paise| super::Discount {
        code: "FIRST".into(),
        percent_bp,
        flat_paise: Paise(flat_paise),
        max_paise,
        least_paise: Paise::ZERO,
    };
    let from = |least_paise| super::Discount {
        least_paise: Paise(least_paise),
        ..offer(2_000, 100, Some(Paise(1_250)))
    };
    let rows = [
        (vec![offer(2_000, 0, None)], -1_200),
        (vec![offer(2_000, 0, Some(Paise(500)))], -500),
        (vec![offer(0, 2_500, None)], -2_500),
        (vec![from(6_000)], -1_250),
        (vec![from(6_001)], 0),
        (vec![from(6_001), offer(1_000, 0, None)], -600),
        (vec![offer(0, 99_900, None)], -6_000),
        (vec![offer(5_000, 0, None), offer(9_000, 0, None)], -6_000),
    ];
    for (discounts, off) in rows {
        terms.discounts = discounts;
        let fare = terms.metered(ride.clone());
        let first = lines(&fare)[..3].to_vec();
        assert_eq!(first, [(Base, 3000), (Distance, 3000), (Extra, 4_500)]);
        let taken: i64 =
            lines(&fare).iter().filter(|line| line.0 == Discount).map(|line| line.1).sum();
        assert_eq!(taken, off);
    }
}

#[test]
fn taxes_are_lines_of_their_own_on_charges_less_offers_and_on_extras_where_they_say_so() {
    let tax = |name: &str, rate_bp, on_extras| Tax { name: name.into(), rate_bp, on_extras };
    let tariff = Tariff {
        taxes: vec![tax("CGST 2.5 %", 250, false), tax("Cess", 100, true)],
        per_minute_paise: Paise::ZERO,
        rounding_paise: Paise(1),
        ..auto()
    };
    let mut terms = terms(tariff);
    let offer = super::Discount {
        code: "X".into(),
        percent_bp: 0,
        flat_paise: Paise(1_000),
        max_paise: None,
        least_paise: Paise::ZERO,
    };
    terms.discounts = vec![offer];
    let toll = super::Extra { kind: ExtraKind::Toll, amount: Paise(4_500), note: "NICE".into() };
    let fare = terms.metered(Usage { extras: vec![toll], ..usage(4_000, 0, 0) });
    let taxes: Vec<_> = fare
        .lines
        .iter()
        .filter(|line| line.kind == FareLineKind::Tax)
        .map(|line| (line.name.as_str(), line.rate.0, line.amount.0))
        .collect();
    assert_eq!(taxes, [("CGST 2.5 %", 5_000, 125), ("Cess", 9_500, 95)]);
}

#[test]
fn a_distance_that_is_mostly_bridged_falls_back_to_the_estimate_where_the_ride_was_booked_to() {
    let terms = terms(Tariff { per_minute_paise: Paise::ZERO, ..auto() });
    let gaps = |bridged_m, stopped_at| Usage { bridged_m, stopped_at, ..usage(9_000, 0, 0) };
    let there = Some(place(129_500_000));
    let elsewhere = Some(place(129_600_000));
    for (usage, billed_m, reason) in [
        (gaps(1_800, there), 9_000, FareReason::Metered),
        (gaps(1_801, there), 6_000, FareReason::GapsEstimated),
        (gaps(1_801, elsewhere), 9_000, FareReason::GapsMetered),
        (gaps(1_801, None), 9_000, FareReason::GapsMetered),
    ] {
        let fare = terms.metered(usage.clone());
        assert_eq!((fare.billed_m, fare.reason), (billed_m, reason), "{usage:?}");
        assert_eq!(fare.usage, usage, "what was measured stays on record");
    }
    let short = Usage { bridged_m: 500, ..usage(600, 0, 0) };
    assert_eq!(terms.metered(short).reason, FareReason::Metered, "a tunnel is no reason");
}

#[test]
fn a_ride_with_most_fixes_refused_is_not_trusted_either() {
    let counted = |fixes, refused| Usage { fixes, refused, ..Usage::default() };
    assert!(counted(60, 30).is_trusted());
    assert!(!counted(60, 31).is_trusted());
    assert!(counted(59, 59).is_trusted(), "so few say nothing");
}

#[test]
fn near_the_drop_is_half_a_kilometre_across_the_date_line_too() {
    let at = |lat: i32, lon: i32| Position::new(lat, lon).expect("on the globe");
    assert!(is_near(at(0, 0), at(44_900, 0)));
    assert!(!is_near(at(0, 0), at(45_000, 0)));
    assert!(is_near(at(0, 1_799_990_000), at(0, -1_799_990_000)));
    assert!(is_near(at(600_000_000, 0), at(600_000_000, 89_000)), "degrees are half as wide there");
    assert!(!is_near(at(0, 0), at(0, 89_000)));
}

#[test]
fn calling_off_costs_after_the_free_time_and_not_coming_costs_with_tax() {
    let tax = Tax { name: "GST".into(), rate_bp: 500, on_extras: false };
    let cancellation =
        Cancellation { free_s: 120, charge_paise: Paise(2_000), no_show_paise: Paise(5_000) };
    let terms =
        terms(Tariff { cancellation, taxes: vec![tax], minimum_paise: Paise(9_000), ..auto() });
    assert_eq!(terms.cancelled(120).total(), Paise::ZERO);
    assert_eq!(terms.cancelled(121).total(), Paise(2_100));
    assert_eq!(terms.no_show().total(), Paise(5_300), "52.50 to whole rupees");
}

#[test]
fn a_ride_closed_without_its_vehicle_costs_no_more_distance_than_was_estimated() {
    let terms = terms(auto());
    assert_eq!(terms.silent(usage(2_500, 0, 0)).billed_m, 2_500);
    let fare = terms.silent(usage(60_000, 0, 0));
    assert_eq!((fare.billed_m, fare.reason), (6_000, FareReason::Silent));
}

#[test]
fn a_range_is_told_where_the_tariff_has_one() {
    assert_eq!(terms(auto()).estimated_max(), None);
    let ranged = terms(Tariff { range_percent: 20, ..auto() });
    assert_eq!(ranged.estimated().total(), Paise(10_500));
    assert_eq!(ranged.estimated_max(), Some(Paise(12_600)));
}

#[test]
fn the_lower_fare_is_charged_and_the_difference_kept() {
    let terms = terms(auto());
    let at = |distance_m| terms.metered(usage(distance_m, 0, 0));
    let settled = Settlement::of(at(10_000), at(9_000));
    assert_eq!((settled.charged, settled.difference), (at(9_000), Paise(1500)));
    let settled = Settlement::of(at(9_000), at(10_000));
    assert_eq!((settled.charged, settled.difference), (at(9_000), Paise(-1500)));
}

#[test]
fn a_tariff_that_makes_no_sense_is_refused_by_field() {
    let of = |change: &dyn Fn(&mut Tariff)| {
        let mut tariff = auto();
        change(&mut tariff);
        tariff.check().expect_err("refused").field
    };
    auto().check().expect("sound");
    assert_eq!(of(&|t| t.code = "Auto".into()), "code");
    assert_eq!(of(&|t| t.version = 0), "version");
    assert_eq!(of(&|t| t.base_paise = Paise(-1)), "base_paise");
    assert_eq!(of(&|t| t.bands[0].per_km_paise = Paise(100_000_001)), "bands[0].per_km_paise");
    assert_eq!(of(&|t| t.bands[0].from_m = 1_999), "bands[0].from_m");
    assert_eq!(of(&|t| t.bands.push(t.bands[0])), "bands[1].from_m");
    assert_eq!(of(&|t| t.range_percent = 201), "range_percent");
    let zero = night(Surcharge::FactorPercent(99));
    assert_eq!(of(&|t| t.night = Some(zero.clone())), "night.surcharge.factor_percent");
    let none = Night { until_minute: 1320, ..night(Surcharge::FlatPaise(Paise(1))) };
    assert_eq!(of(&|t| t.night = Some(none.clone())), "night.until_minute");
    let package = Package {
        included_s: 1,
        included_m: 1,
        per_km_over_paise: Paise(1),
        per_minute_over_paise: Paise(1),
    };
    assert_eq!(of(&|t| t.package = Some(package)), "bands");
    let nameless = Tax { name: " ".into(), rate_bp: 1, on_extras: false };
    assert_eq!(of(&|t| t.taxes = vec![nameless.clone()]), "taxes[0].name");
}

fn any_tariff() -> impl Strategy<Value = Tariff> {
    let paise = || (0..100_000_i64).prop_map(Paise);
    let bands = prop::collection::btree_map(2_000..90_000_u32, paise(), 0..5);
    let surcharge = prop_oneof![
        (100..300_u32).prop_map(Surcharge::FactorPercent),
        paise().prop_map(Surcharge::FlatPaise),
    ];
    (paise(), bands, paise(), paise(), surcharge, 0..2_000_u32, 1..500_i64).prop_map(
        |(base_paise, bands, per_minute_paise, minimum_paise, surcharge, rate_bp, step)| Tariff {
            base_paise,
            bands: bands
                .into_iter()
                .map(|(from_m, per_km_paise)| Band { from_m, per_km_paise })
                .collect(),
            per_minute_paise,
            minimum_paise,
            night: Some(night(surcharge)),
            taxes: vec![Tax { name: "GST".into(), rate_bp, on_extras: true }],
            rounding_paise: Paise(step),
            ..auto()
        },
    )
}

proptest! {
    #[test]
    fn more_of_anything_never_costs_less_and_lines_add_up_to_a_multiple_of_the_step(
        tariff in any_tariff(),
        by_night in any::<bool>(),
        less in (0..200_000_u64, 0..90_000_u64, 0..9_000_u64),
        more in (0..200_000_u64, 0..90_000_u64, 0..9_000_u64),
    ) {
        prop_assert_eq!(tariff.check(), Ok(()));
        let mut terms = terms(tariff);
        let start = Timestamp::from_unix_ms(7);
        terms.nights = vec![Span { from: start, until: start.plus_ms(1) }];
        let started_at = by_night.then_some(start);
        let at = |a: (u64, u64, u64)| Usage { started_at, ..usage(a.0, a.1, a.2) };
        let small = terms.metered(at(less));
        let large = terms.metered(at((less.0 + more.0, less.1 + more.1, less.2 + more.2)));
        prop_assert!(small.total() <= large.total());
        prop_assert!(small.total() >= terms.tariff.minimum_paise);
        // A fare that stands above a minimum that is no multiple is one all the same.
        prop_assert_eq!(small.total().0 % terms.tariff.rounding_paise.0, 0);
    }

    #[test]
    fn no_input_overflows(
        tariff in any_tariff(),
        a in any::<(u64, u64, u64)>(),
        b in any::<(u64, u64, u64)>(),
    ) {
        let usage = Usage { bridged_m: b.0, fixes: b.1, refused: b.2, paused_s: a.2, ..usage(a.0, a.1, a.2) };
        let terms = terms(tariff);
        prop_assert!(terms.metered(usage.clone()).total() >= Paise::ZERO);
        prop_assert!(terms.silent(usage).total() >= Paise::ZERO);
    }
}
