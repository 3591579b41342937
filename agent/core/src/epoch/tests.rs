use super::*;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use proptest::prelude::*;
use tripline_protocol::fix::FixType;
use tripline_protocol::unit::Position;

const FLOOR: Timestamp = Timestamp::from_unix_ms(946_684_800_000);

/// A receiver at rest that counts tenths of minutes north, so that each instant has its own place.
fn rmc(second: u32) -> String {
    format!("GPRMC,0000{second:02}.00,A,37{second:02}.0,N,12205.61915,W,10.0,65.13,070220,,,A")
}

fn gga(second: u32) -> String {
    format!("GPGGA,0000{second:02}.00,37{second:02}.0,N,12205.61915,W,1,12,0.76,4.4,M,-30.0,M,,")
}

fn gns(second: u32) -> String {
    format!("GNGNS,0000{second:02}.00,37{second:02}.0,N,12205.61915,W,AAN,17,0.76,4.4,-30.0,,,V")
}

fn gll(second: u32) -> String {
    format!("GPGLL,37{second:02}.0,N,12205.61915,W,0000{second:02}.00,A,A")
}

fn gst(second: u32) -> String {
    format!("GPGST,0000{second:02}.00,6.1,4.0,4.0,61.0,3.0,4.0,4.8")
}

fn zda(second: u32) -> String {
    format!("GPZDA,0000{second:02}.00,07,02,2020,00,00")
}

const VTG: &str = "GPVTG,65.13,T,52.07,M,10.0,N,18.5,K,A";
const GSA: &str = "GNGSA,A,2,21,30,46,,,,,,,,,,0.98,0.49,0.84";

fn take(assembler: &mut Assembler, text: &str) -> Vec<Observation> {
    let sentence = Sentence::parse(text.as_bytes()).expect("a sentence");
    let mut observations = Vec::new();
    assembler.push(&sentence, |observation| observations.push(observation));
    observations
}

fn all(sentences: &[String]) -> Vec<Observation> {
    let mut assembler = Assembler::new(FLOOR);
    let mut observations: Vec<_> =
        sentences.iter().flat_map(|text| take(&mut assembler, text)).collect();
    observations.extend(assembler.idle());
    observations
}

fn second(observation: &Observation) -> u32 {
    observation.time_of_day.expect("a time").ms / 1000
}

fn seconds(sentences: &[String]) -> Vec<(u32, bool)> {
    all(sentences).iter().map(|o| (second(o), o.altitude_mm.is_some())).collect()
}

/// How many sentences of `cycle` the observation of an instant needs, once the habit is known.
fn sentences_until_emission(cycle: impl Fn(u32) -> Vec<String>) -> Option<usize> {
    let mut assembler = Assembler::new(FLOOR);
    for second in 0..5 {
        for text in cycle(second) {
            take(&mut assembler, &text);
        }
    }
    cycle(5).iter().position(|text| !take(&mut assembler, text).is_empty()).map(|at| at + 1)
}

#[test]
fn either_order_and_repetitions_make_one_observation() {
    let sentences = [rmc(1), gga(1), gga(2), rmc(2), rmc(2), gga(2), rmc(3), rmc(3), gga(3)];
    assert_eq!(seconds(&sentences), [(1, true), (2, true), (3, true)]);
}

#[test]
fn a_missing_sentence_costs_only_what_it_alone_tells() {
    let sentences = [rmc(1), rmc(2), gga(2), gga(3), rmc(4), gga(4), gll(5)];
    let observations = all(&sentences);
    assert_eq!(seconds(&sentences), [(1, false), (2, true), (3, true), (4, true), (5, false)]);
    assert!(observations.iter().all(|observation| observation.at.is_some()));
    assert_eq!(observations[2].speed_mmps, None);
}

#[test]
fn a_late_sentence_of_an_instant_that_has_left_is_dropped() {
    let sentences = [rmc(1), gga(1), rmc(2), gga(2), gga(1), rmc(2), rmc(3), gga(3), gll(2)];
    assert_eq!(seconds(&sentences), [(1, true), (2, true), (3, true)]);
}

#[test]
fn an_observation_leaves_with_the_last_sentence_that_usually_comes() {
    let full = |s| vec_of([rmc(s), VTG.into(), gga(s), GSA.into(), gll(s)]);
    assert_eq!(sentences_until_emission(full), Some(5));
    assert_eq!(sentences_until_emission(|s| vec_of([gga(s)])), Some(1));
    assert_eq!(sentences_until_emission(|s| vec_of([gll(s)])), Some(1));
    // Untimed sentences at the end may as well be the beginning of the next cycle.
    assert_eq!(sentences_until_emission(|s| vec_of([gga(s), rmc(s), GSA.into()])), Some(2));
    // Unless the speed comes with one of them.
    assert_eq!(sentences_until_emission(|s| vec_of([gga(s), VTG.into()])), Some(2));
    // Two receivers' worth of sentences: the kinds are all there with the second.
    assert_eq!(sentences_until_emission(|s| vec_of([gga(s), rmc(s), gga(s)])), Some(2));
}

#[test]
fn where_one_is_lost_the_last_of_the_cycle_still_ends_it() {
    let mut assembler = Assembler::new(FLOOR);
    for s in 0..5 {
        for text in [rmc(s), gga(s), gll(s)] {
            take(&mut assembler, &text);
        }
    }
    assert!(take(&mut assembler, &rmc(5)).is_empty());
    assert_eq!(take(&mut assembler, &gll(5)).len(), 1);
    // And where the last is lost, the next instant does, or the line that falls silent.
    take(&mut assembler, &rmc(6));
    assert!(take(&mut assembler, &gga(6)).is_empty());
    assert_eq!(take(&mut assembler, &rmc(7)).iter().map(second).collect::<Vec<_>>(), [6]);
    assert_eq!(assembler.idle().as_ref().map(second), Some(7));
    assert_eq!(assembler.idle(), None);
    assert!(take(&mut assembler, &gga(7)).is_empty());
}

#[test]
fn a_receiver_that_changes_its_habit_is_followed() {
    let mut assembler = Assembler::new(FLOOR);
    for s in 0..4 {
        take(&mut assembler, &rmc(s));
    }
    for s in 4..8 {
        take(&mut assembler, &rmc(s));
        take(&mut assembler, &gga(s));
    }
    assert!(take(&mut assembler, &rmc(8)).is_empty());
    assert!(take(&mut assembler, &gga(8))[0].altitude_mm.is_some());
}

#[test]
fn no_position_comes_out_while_any_sentence_denies_it() {
    let sentences = [
        [rmc(1).replace(",A,37", ",V,37"), gga(1)],
        [rmc(2), gga(2).replace(",W,1,", ",W,0,")],
        [gns(3), gll(3).replace(",A,A", ",V,N")],
        [gns(4).replace("AAN", "NNN"), gga(4)],
        [gga(5), GSA.replace("A,2", "A,1")],
        [gga(6), "GPRMC,,V,,,,,,,,,,N".into()],
    ];
    assert_eq!(seconds(&sentences.concat()), []);
}

#[test]
fn one_constellation_without_a_fix_does_not_deny_the_others() {
    let without = "GLGGA,000001.00,,,,,0,00,99.99,,,,,,";
    assert_eq!(seconds(&[without.into(), gga(1)]), [(1, true)]);
    let none = "GLGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99";
    assert_eq!(seconds(&[gga(1), none.into(), GSA.into()]), [(1, true)]);
}

#[test]
fn each_value_comes_from_the_sentence_that_tells_it() {
    let sentences = [gns(1), VTG.into(), GSA.into(), gst(1), zda(1)];
    let [observation] = all(&sentences)[..] else { panic!("one observation") };
    assert_eq!(
        observation,
        Observation {
            at: Some(Timestamp::from_unix_ms(18_299 * 86_400_000 + 1_000)),
            time_of_day: Some(TimeOfDay { ms: 1_000 }),
            position: Position::new(370_166_667, -1_220_936_525).expect("on the globe"),
            speed_mmps: Some(5_144),
            course_cdeg: Some(6_513),
            altitude_mm: Some(4_400),
            satellites: Some(17),
            hdop_c: Some(76),
            accuracy_mm: Some(5_000),
            fix_type: FixType::TwoD,
        }
    );
}

#[test]
fn dead_reckoning_is_told_wherever_one_sentence_says_so() {
    let estimated = gga(1).replace(",W,1,", ",W,6,");
    assert_eq!(all(&[rmc(1), estimated])[0].fix_type, FixType::Estimated);
}

#[test]
fn without_a_date_there_is_a_time_of_day_and_a_date_is_carried_over_midnight() {
    let at = |text: &str| gga(0).replace("000000.00", text);
    let undated = all(&[at("235958.00"), at("235959.00")]);
    assert!(undated.iter().all(|o| o.at.is_none() && o.time_of_day.is_some()));

    let dated = zda(0).replace("000000.00", "235958.00");
    let sentences = [at("235958.00"), dated, at("235959.00"), at("000000.00"), at("235959.50")];
    let midnight = 18_300 * 86_400_000;
    let at: Vec<_> =
        all(&sentences).iter().filter_map(|o| Some(o.at?.unix_ms - midnight)).collect();
    assert_eq!(at, [-2_000, -1_000, 0, -500]);
}

#[test]
fn a_date_told_without_a_position_is_not_believed() {
    let before = [zda(0).replace("2020", "2006"), rmc(0).replace(",A,37", ",V,37"), gga(1)];
    assert_eq!(all(&before).iter().map(|o| o.at).collect::<Vec<_>>(), [None]);
}

#[test]
fn a_date_before_the_floor_is_a_rollover() {
    let text = "GPRMC,000231.42,A,4829.0005,N,00022.0016,E,0.16,212.28,220899,,,A";
    let at = Date::new(2019, 4, 7).map(|date| date.at(TimeOfDay { ms: 151_420 }));
    assert_eq!(all(&[text.into()])[0].at, at);
}

#[test]
fn a_leap_second_lies_between_its_neighbours() {
    let at = |text: &str| rmc(0).replace("000000.00", text).replace("070220", "311216");
    let sentences = [at("235959.50"), at("235960.00"), at("235960.50")];
    let times: Vec<_> = all(&sentences).iter().filter_map(|o| o.at).collect();
    assert_eq!(times.len(), 3);
    assert!(times.is_sorted());
}

#[test]
fn the_sky_tells_a_blind_antenna_from_one_that_hears() {
    let mut assembler = Assembler::new(FLOOR);
    let blind = ["GPRMC,,V,,,,,,,,,,N", "GPGGA,,,,,,0,00,99.99,,,,,,", "GPGSV,1,1,00"];
    for text in blind {
        take(&mut assembler, text);
    }
    let sky = assembler.sky();
    assert_eq!((sky.in_view(), sky.used(), sky.cn0_max()), (0, Some(0), None));
    assert!(!sky.has_time() && !sky.has_fix());

    let hears = [
        "GPGSV,2,1,05,01,53,280,36,03,29,301,24,04,55,223,37,08,38,166,16,1",
        "GPGSV,2,2,05,11,40,245,29,1",
        "GPGSV,1,1,03,01,53,280,41,03,29,301,24,04,55,223,37,6",
        "GLGSV,1,1,02,66,37,078,27,67,62,349,26",
    ];
    for text in hears {
        take(&mut assembler, text);
    }
    take(&mut assembler, &rmc(1));
    let sky = assembler.sky();
    assert_eq!((sky.in_view(), sky.cn0_max()), (7, Some(41)));
    assert!(sky.has_time() && sky.has_fix());
}

fn vec_of<const N: usize>(sentences: [String; N]) -> Vec<String> {
    sentences.into()
}

/// An instant's sentences: each kind with its time that a receiver may send.
fn of_instant(second: u32) -> Vec<String> {
    vec_of([rmc(second), gga(second), gns(second), gll(second), gst(second), zda(second)])
}

proptest! {
    #[test]
    fn any_order_loss_and_repetition_within_an_instant_gives_one_observation_of_it(
        instants in prop::collection::vec(
            prop::collection::vec(0_usize..6, 0..12), 1..20,
        ),
        idle in prop::collection::vec(any::<bool>(), 20),
    ) {
        let mut assembler = Assembler::new(FLOOR);
        let mut observations = Vec::new();
        let mut with_position = Vec::new();
        for (second, picks) in (0..).zip(&instants) {
            let sentences = of_instant(second);
            for pick in picks {
                observations.extend(take(&mut assembler, &sentences[*pick]));
            }
            if picks.iter().any(|pick| *pick < 4) {
                with_position.push(second);
            }
            // A pause comes between instants, never within one.
            if idle[second as usize] {
                observations.extend(assembler.idle());
            }
        }
        observations.extend(assembler.idle());
        let seconds: Vec<_> = observations.iter().map(second_of_place).collect();
        prop_assert_eq!(seconds, with_position);
        for observation in &observations {
            prop_assert_eq!(second(observation), second_of_place(observation));
        }
    }

    #[test]
    fn shuffled_instants_give_at_most_one_observation_each(
        order in Just((0_u32..8).flat_map(|s| of_instant(s / 2)).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut seconds: Vec<_> = all(&order).iter().map(second_of_place).collect();
        let emitted = seconds.len();
        seconds.sort_unstable();
        seconds.dedup();
        prop_assert_eq!(seconds.len(), emitted);
    }

    #[test]
    fn the_order_within_an_instant_changes_nothing(
        order in Just(of_instant(1)).prop_shuffle(),
    ) {
        prop_assert_eq!(all(&order), all(&of_instant(1)));
    }
}

/// The instant whose place the observation has: every instant has its own.
fn second_of_place(observation: &Observation) -> u32 {
    let minutes_e7 = i64::from(observation.position.lat_e7() - 370_000_000) * 60;
    u32::try_from((minutes_e7 + 5_000_000) / 10_000_000).expect("in the test's range")
}
