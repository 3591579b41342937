use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_unix_ms(100_000_000);

fn live(second: i64, position: Position) -> Live {
    let at = Timestamp::from_unix_ms(second * 1000);
    Live { at, position, speed_mmps: None, course_cdeg: None }
}

fn position(lat_e7: i32, lon_e7: i32) -> Position {
    Position::new(lat_e7, lon_e7).expect("on the globe")
}

fn equator(lat_e7: i32) -> Position {
    position(lat_e7, 0)
}

fn device(name: &str) -> DeviceId {
    name.parse().expect("valid")
}

fn names(fleet: &LiveFleet, place: Position, radius_m: u32, now: Timestamp) -> Vec<String> {
    fleet.near(place, radius_m, now).map(|near| near.device.to_string()).collect()
}

#[test]
fn the_nearest_live_device_comes_first_and_stale_or_far_ones_not_at_all() {
    let mut fleet = LiveFleet::default();
    fleet.update(&device("far"), live(1, equator(500_000)), NOW);
    fleet.update(&device("b"), live(1, equator(20_000)), NOW);
    fleet.update(&device("a"), live(1, equator(10_000)), NOW);
    fleet.update(&device("stale"), live(1, equator(0)), NOW.plus_ms(-LIVE_AGE_MS_MAX - 1));
    assert_eq!(names(&fleet, equator(0), 3_000, NOW), ["a", "b"]);
    let all: Vec<_> = fleet.around(equator(0), 3_000, NOW).collect();
    assert_eq!((all[0].is_stale, all[1].distance_m, all.len()), (true, 111, 3));
}

#[test]
fn a_device_that_is_forgotten_is_near_nothing() {
    let mut fleet = LiveFleet::default();
    for name in ["a", "b", "c"] {
        fleet.update(&device(name), live(1, equator(0)), NOW);
    }
    fleet.forget(&device("a"));
    fleet.forget(&device("unheard-of"));
    assert_eq!(names(&fleet, equator(0), 3_000, NOW), ["b", "c"]);
    assert!(fleet.get(&device("a")).is_none() && fleet.get(&device("c")).is_some());
}

#[test]
fn an_older_position_that_comes_late_changes_nothing() {
    let mut fleet = LiveFleet::default();
    fleet.update(&device("a"), live(10, equator(1)), NOW);
    fleet.update(&device("a"), live(9, equator(2)), NOW.plus_ms(5));
    assert_eq!(fleet.get(&device("a")).map(|seen| seen.live), Some(live(10, equator(1))));
}

#[test]
fn who_is_silent_leaves_the_map_and_is_then_forgotten() {
    let mut fleet = LiveFleet::default();
    fleet.update(&device("silent"), live(1, equator(0)), NOW);
    let mut hear_others = |at: Timestamp| {
        for name in ["a", "b", "c", "d"] {
            fleet.update(&device(name), live(1, equator(0)), at);
        }
        let on_map = fleet.around(equator(0), 100, at).any(|it| it.device.as_str() == "silent");
        (on_map, fleet.get(&device("silent")).is_some())
    };
    assert_eq!(hear_others(NOW.plus_ms(OFF_THE_MAP_MS)), (true, true));
    assert_eq!(hear_others(NOW.plus_ms(OFF_THE_MAP_MS + 1)), (false, true));
    assert_eq!(hear_others(NOW.plus_ms(FORGOTTEN_MS + 1)), (false, false));
}

/// The same, without an index.
fn by_brute_force(
    fleet: &BTreeMap<DeviceId, (Position, Timestamp)>,
    place: Position,
    radius_m: u32,
) -> Vec<(u32, String)> {
    let mut near: Vec<_> = fleet
        .iter()
        .filter(|(_, (_, at))| NOW.since_ms(*at) <= LIVE_AGE_MS_MAX)
        .map(|(device, (position, _))| (distance_m(*position, place), device.to_string()))
        .filter(|(distance_m, _)| *distance_m <= radius_m)
        .collect();
    near.sort();
    near
}

/// Places where a map is hard: the poles, the antimeridian, pentagons of the grid, borders of its base
/// cells; and Bengaluru.
fn hard_places() -> impl Strategy<Value = Position> {
    let pentagons: Vec<_> = h3o::Resolution::Eight
        .pentagons()
        .map(|cell| {
            let middle = h3o::LatLng::from(cell);
            #[expect(clippy::cast_possible_truncation, reason = "degrees times 1e7 fit")]
            let e7 = |degrees: f64| (degrees * 1e7) as i32;
            position(e7(middle.lat()), e7(middle.lng()))
        })
        .collect();
    prop_oneof![
        Just(position(900_000_000, 0)),
        Just(position(-900_000_000, 1_000_000)),
        Just(position(0, 1_800_000_000)),
        Just(position(660_000_000, -1_799_999_000)),
        Just(position(129_715_987, 775_945_627)),
        proptest::sample::select(pentagons),
        (-900_000_000..=900_000_000, -1_800_000_000..=1_800_000_000)
            .prop_map(|(lat_e7, lon_e7)| position(lat_e7, lon_e7)),
    ]
}

/// A place some way off another; over a pole or the antimeridian it comes out on the other side.
fn moved(from: Position, north_m: i32, east_m: i32) -> Position {
    let mut lat_e7 = i64::from(from.lat_e7()) + i64::from(north_m) * 90;
    let shrink = from.lat_deg().to_radians().cos().max(0.01);
    #[expect(clippy::cast_possible_truncation, reason = "some millions")]
    let east_e7 = (f64::from(east_m) * 90.0 / shrink) as i64;
    let mut lon_e7 = i64::from(from.lon_e7()) + east_e7;
    if lat_e7.abs() > 900_000_000 {
        lat_e7 = lat_e7.signum() * 1_800_000_000 - lat_e7;
        lon_e7 += 1_800_000_000;
    }
    let lon_e7 = (lon_e7 + 1_800_000_000).rem_euclid(3_600_000_000) - 1_800_000_000;
    let fits = |e7: i64| i32::try_from(e7).expect("within the globe");
    position(fits(lat_e7), fits(lon_e7))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_index_finds_what_a_look_at_everybody_finds(
        centre in hard_places(),
        steps in proptest::collection::vec(
            (0_u16..900, -9_000_i32..9_000, -9_000_i32..9_000, 0_u8..20), 1..1_200),
        off in (-3_000_i32..3_000, -3_000_i32..3_000),
        radius_m in 0_u32..4_500,
        enough in 1_usize..40,
    ) {
        let (mut fleet, mut model) = (LiveFleet::default(), BTreeMap::new());
        for (second, (n, north_m, east_m, what)) in (1..).zip(steps) {
            let name = device(&format!("d{n}"));
            if what == 0 {
                fleet.forget(&name);
                model.remove(&name);
                continue;
            }
            let age_ms = if what == 1 { LIVE_AGE_MS_MAX + 1 } else { 0 };
            let (position, at) = (moved(centre, north_m, east_m), NOW.plus_ms(-age_ms));
            fleet.update(&name, live(second, position), at);
            model.insert(name, (position, at));
        }
        let place = moved(centre, off.0, off.1);
        let expected = by_brute_force(&model, place, radius_m);
        let near = fleet.near(place, radius_m, NOW);
        let found: Vec<_> = near.map(|it| (it.distance_m, it.device.to_string())).collect();
        prop_assert_eq!(&found, &expected);
        let first = fleet.near(place, radius_m, NOW).take(enough);
        let first: Vec<_> = first.map(|it| (it.distance_m, it.device.to_string())).collect();
        prop_assert_eq!(&first[..], &expected[..enough.min(expected.len())]);
        prop_assert_eq!(fleet.len(), model.len());
    }
}
