use proptest::prelude::*;

use super::super::Weights;
use super::*;

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

fn rules(weights: [u8; 4]) -> DispatchRules {
    let [pickup, idle, acceptance, rating] = weights;
    let weights = Weights { pickup, idle, acceptance, rating };
    DispatchRules { weights, ..DispatchRules::DEFAULT }
}

fn device(n: usize) -> DeviceId {
    format!("d{n:04}").parse().expect("valid")
}

fn good() -> Standing<'static> {
    Standing {
        capacity: None,
        traits: &[],
        category: "AUTO",
        provider: Some("fleet"),
        blocked: None,
        acceptance_permille: None,
        rating_centi: None,
        idle_since: None,
    }
}

/// One vehicle: its distance, whether it is stale, and what is known of it.
type Vehicle = (u32, bool, Option<Standing<'static>>);

fn ranked(vehicles: &[Vehicle], demand: &Demand<'_>, rules: &DispatchRules) -> Ranking {
    let devices: Vec<_> = (0..vehicles.len()).map(device).collect();
    let candidates = devices.iter().zip(vehicles);
    let candidates = candidates.map(|(device, (distance_m, is_stale, standing))| Candidate {
        device,
        distance_m: *distance_m,
        is_stale: *is_stale,
        standing: *standing,
    });
    rank(candidates, demand, rules, NOW)
}

fn nobody() -> &'static BTreeSet<DeviceId> {
    static NOBODY: BTreeSet<DeviceId> = BTreeSet::new();
    &NOBODY
}

fn any_demand() -> Demand<'static> {
    Demand { category: None, provider: None, wish: None, asked: nobody(), held: nobody() }
}

#[test]
fn each_reason_not_to_ask_is_found_and_the_first_of_several_counts() {
    let fine = || (100, false, Some(good()));
    let with = |change: fn(&mut Standing<'_>)| {
        let mut standing = good();
        change(&mut standing);
        (100, false, Some(standing))
    };
    let off = Some(Exclusion::OffDuty);
    let cases: [(Vehicle, Exclusion); 8] = [
        ((100, true, None), Exclusion::Stale),
        ((5_001, false, Some(good())), Exclusion::TooFar),
        ((100, false, None), Exclusion::Unregistered),
        (with(|it| it.provider = Some("other")), Exclusion::WrongProvider),
        (with(|it| it.category = "CAB"), Exclusion::WrongCategory),
        ((100, false, Some(Standing { blocked: off, ..good() })), Exclusion::OffDuty),
        (fine(), Exclusion::AskedBefore),
        (fine(), Exclusion::Held),
    ];
    let (vehicles, reasons): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let (asked, held) =
        (BTreeSet::from([device(5), device(6)]), BTreeSet::from([device(6), device(7)]));
    let (category, provider) = (Some("AUTO"), Some("fleet"));
    let demand = Demand { category, provider, wish: None, asked: &asked, held: &held };
    let ranking = ranked(&vehicles, &demand, &rules([70, 10, 10, 10]));
    assert_eq!(ranking.ranked, []);
    assert_eq!(ranking.excluded, reasons.into_iter().map(|reason| (reason, 1)).collect());
}

#[test]
fn who_waited_longer_accepts_more_and_is_liked_better_goes_before_who_is_a_little_nearer() {
    let rules = rules([70, 10, 10, 10]);
    let nearer = Standing {
        idle_since: Some(NOW),
        acceptance_permille: Some(400),
        rating_centi: Some(300),
        ..good()
    };
    let better = Standing {
        idle_since: Some(NOW.plus_ms(-1_800_000)),
        acceptance_permille: Some(1_000),
        rating_centi: Some(500),
        ..good()
    };
    let vehicles = [(500, false, Some(nearer)), (900, false, Some(better))];
    let ranking = ranked(&vehicles, &any_demand(), &rules);
    assert_eq!(ranking.ranked[0].device, device(1));
    assert_eq!(ranking.ranked[0].score, 70 * 821 + 10 * 1_000 + 10 * 1_000 + 10 * 1_000);
    // Not before who is much nearer.
    let vehicles = [(100, false, Some(nearer)), (2_900, false, Some(better))];
    let ranking = ranked(&vehicles, &any_demand(), &rules);
    assert_eq!(ranking.ranked[0].device, device(0));
}

#[test]
fn a_crowd_is_compared_as_far_as_it_makes_sense() {
    let crowd: Vec<Vehicle> = (0..500).map(|n| (n * 5, n % 2 == 0, Some(good()))).collect();
    let ranking = ranked(&crowd, &any_demand(), &rules([70, 10, 10, 10]));
    assert_eq!((ranking.ranked.len(), ranking.is_cut), (250, false));
    let crowd: Vec<Vehicle> = (0..500).map(|n| (n * 5, false, Some(good()))).collect();
    let ranking = ranked(&crowd, &any_demand(), &rules([70, 10, 10, 10]));
    assert_eq!((ranking.ranked.len(), ranking.is_cut), (RANKED_MAX, true));
}

fn standings() -> impl Strategy<Value = Option<Standing<'static>>> {
    let blocked = prop_oneof![
        4 => Just(None),
        1 => Just(Some(Exclusion::OffDuty)),
        1 => Just(Some(Exclusion::DocumentExpired)),
    ];
    let known = (
        any::<bool>(),
        blocked,
        proptest::option::of(0_u16..=1_000),
        proptest::option::of(0_u16..=600),
        proptest::option::of(-10_000_000_i64..1_000_000),
    );
    let known =
        known.prop_map(|(other, blocked, acceptance_permille, rating_centi, idle)| Standing {
            capacity: None,
            traits: &[],
            category: if other { "CAB" } else { "AUTO" },
            provider: None,
            blocked,
            acceptance_permille,
            rating_centi,
            idle_since: idle.map(|ms| NOW.plus_ms(ms)),
        });
    proptest::option::weighted(0.9, known)
}

proptest! {
    #[test]
    fn whoever_is_ranked_can_be_asked_and_stands_where_the_parts_say(
        mut vehicles in proptest::collection::vec((0_u32..6_000, any::<bool>(), standings()), 0..80),
        weights in any::<[u8; 4]>(),
        category in proptest::option::of(Just("AUTO")),
        unfit in proptest::collection::btree_set(0_usize..80, 0..8),
        turn in 0_usize..80,
    ) {
        vehicles.sort_by_key(|(distance_m, ..)| *distance_m);
        let weights = weights.map(|weight| weight % 101);
        let rules = rules(weights);
        let asked: BTreeSet<_> = unfit.iter().copied().map(device).collect();
        let demand = Demand { category, asked: &asked, ..any_demand() };
        let ranking = ranked(&vehicles, &demand, &rules);
        let excluded: u32 = ranking.excluded.values().sum();
        prop_assert_eq!(ranking.ranked.len() + excluded as usize, vehicles.len(), "each once");
        for it in &ranking.ranked {
            let n: usize = it.device.as_str()[1..].parse().expect("a number");
            let (distance_m, is_stale, standing) = &vehicles[n];
            let standing = standing.as_ref().expect("registered");
            prop_assert!(!is_stale && *distance_m <= rules.radius_m && !unfit.contains(&n));
            prop_assert!(standing.blocked.is_none());
            prop_assert!(category.is_none_or(|it| it == standing.category));
            let parts = it.parts.all();
            prop_assert!(parts.iter().all(|part| part.value <= BEST));
            let by_hand: u32 = parts.iter().zip(weights).map(|(part, weight)| {
                part.value * u32::from(weight)
            }).sum();
            prop_assert_eq!(it.score, by_hand);
        }
        for pair in ranking.ranked.windows(2) {
            let key = |it: &Ranked| (Reverse(it.score), it.distance_m, it.device.clone());
            prop_assert!(key(&pair[0]) < key(&pair[1]), "one order, whatever comes first");
        }
        // A vehicle that comes nearer and changes in nothing else is never asked later for it.
        let Some(before) = ranking.ranked.get(turn) else { return Ok(()) };
        let n: usize = before.device.as_str()[1..].parse().expect("a number");
        vehicles[n].0 /= 2;
        let nearer = ranked(&vehicles, &demand, &rules);
        let place = nearer.ranked.iter().position(|it| it.device == before.device);
        prop_assert!(place.is_some_and(|place| place <= turn));
    }
}
