//! The decoder on whole streams: any bytes, any cut, and recordings of u-blox receivers against what
//! gpsd made of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use tripline_agent_core::observation::Observation;
use tripline_agent_core::stream::{Counts, Decoder, Faults, Heard};
use tripline_protocol::fix::FixType;
use tripline_protocol::unit::Timestamp;

const FLOOR: Timestamp = Timestamp::from_unix_ms(946_684_800_000); // 2000-01-01

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Heard>, Counts, Faults) {
    let mut decoder = Decoder::new(FLOOR);
    let mut heard = Vec::new();
    for chunk in chunks {
        decoder.push(chunk, |one| heard.push(one));
    }
    decoder.finish(|one| heard.push(one));
    (heard, decoder.counts(), decoder.faults())
}

fn observations(heard: &[Heard]) -> Vec<Observation> {
    let observation = |one: &Heard| match one {
        Heard::Observation(observation) => Some(*observation),
        Heard::Identity(_) | Heard::Ack(_) => None,
    };
    heard.iter().filter_map(observation).collect()
}

fn frame(class: u8, id: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).expect("short").to_le_bytes();
    let mut frame = vec![0xb5, 0x62, class, id, len[0], len[1]];
    frame.extend_from_slice(payload);
    let (mut a, mut b) = (0_u8, 0_u8);
    for byte in &frame[2..] {
        a = a.wrapping_add(*byte);
        b = b.wrapping_add(a);
    }
    frame.extend([a, b]);
    frame
}

fn sentence(inside: &str) -> Vec<u8> {
    let sum = inside.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("${inside}*{sum:02X}\r\n").into_bytes()
}

/// RMC and GGA of a second after 2020-02-07T00:00:00Z.
fn epoch(second: u32) -> Vec<u8> {
    let time = format!("{:02}{:02}{:02}.00", second / 3600, second / 60 % 60, second % 60);
    let rmc = format!("GPRMC,{time},A,3725.58362,N,12205.61915,W,10.0,65.13,070220,,,A");
    let gga = format!("GPGGA,{time},3725.58362,N,12205.61915,W,1,12,0.76,4.4,M,-30.0,M,,");
    [sentence(&rmc), sentence(&gga)].concat()
}

/// NAV-PVT of such a second, 2 m/s towards 90 degrees.
fn pvt(second: u32) -> Vec<u8> {
    let mut payload = [0; 92];
    let time = [second / 3600, second / 60 % 60, second % 60].map(|part| part.to_le_bytes()[0]);
    let mut put = |at: usize, bytes: &[u8]| payload[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &(second * 1000).to_le_bytes());
    put(4, &2020_u16.to_le_bytes());
    put(6, &[2, 7, time[0], time[1], time[2], 0b111]);
    put(16, &(-400_000_i32).to_le_bytes());
    put(20, &[3, 0b01, 0, 11]);
    put(24, &(-1_220_936_526_i32).to_le_bytes());
    put(28, &374_263_938_i32.to_le_bytes());
    put(36, &4_321_i32.to_le_bytes());
    put(40, &1_500_u32.to_le_bytes());
    put(60, &2_000_i32.to_le_bytes());
    put(64, &8_999_500_i32.to_le_bytes());
    frame(0x01, 0x07, &payload)
}

fn with(pvt_frame: &[u8], at: usize, value: u8) -> Vec<u8> {
    let mut payload = pvt_frame[6..98].to_vec();
    payload[at] = value;
    frame(0x01, 0x07, &payload)
}

#[test]
fn a_nav_pvt_becomes_an_observation_to_the_last_digit() {
    let (heard, counts, faults) = decode([pvt(3_723).as_slice()]);
    let [one] = observations(&heard)[..] else { panic!("one observation: {heard:?}") };
    assert_eq!(one.at, Some(Timestamp::from_unix_ms((18_299 * 86_400 + 3_723) * 1000)));
    assert_eq!((one.position.lat_e7(), one.position.lon_e7()), (374_263_938, -1_220_936_526));
    assert_eq!((one.speed_mmps, one.course_cdeg), (Some(2_000), Some(9_000)));
    assert_eq!((one.altitude_mm, one.accuracy_mm), (Some(4_321), Some(1_500)));
    assert_eq!((one.satellites, one.hdop_c), (Some(11), None));
    assert_eq!(one.fix_type, FixType::ThreeD);
    assert_eq!((counts.frames, counts.pvts, faults.lost()), (1, 1, 0));
}

#[test]
fn fix_type_and_flags_say_how_the_position_came_about() {
    let fix_type = |fix_type, flags| {
        let changed = with(&with(&pvt(1), 20, fix_type), 21, flags);
        observations(&decode([changed.as_slice()]).0).first().map(|one| one.fix_type)
    };
    for (code, flags, expected) in [
        (0, 0b01, None),
        (5, 0b01, None),
        (3, 0b00, None),
        (9, 0b01, None),
        (1, 0b11, Some(FixType::Estimated)),
        (2, 0b01, Some(FixType::TwoD)),
        (3, 0b11, Some(FixType::Differential)),
        (4, 0b01, Some(FixType::ThreeD)),
        (3, 0b0100_0011, Some(FixType::RtkFloat)),
        (4, 0b1000_0011, Some(FixType::RtkFixed)),
    ] {
        assert_eq!(fix_type(code, flags), expected, "fixType {code}, flags {flags:#b}");
    }
    assert_eq!(observations(&decode([with(&pvt(1), 78, 1).as_slice()]).0), [], "invalidLlh");
}

#[test]
fn a_time_that_is_not_known_is_not_told() {
    let valid = |flags| {
        let one = observations(&decode([with(&pvt(1), 11, flags).as_slice()]).0)[0];
        (one.at.is_some(), one.time_of_day.is_some())
    };
    assert_eq!(valid(0b00), (false, false));
    assert_eq!(valid(0b01), (false, false));
    assert_eq!(valid(0b10), (false, true));
    assert_eq!(valid(0b11), (true, true));
    // No month 13.
    assert_eq!(observations(&decode([with(&pvt(1), 6, 13).as_slice()]).0)[0].at, None);
}

#[test]
fn hdop_comes_from_a_nav_dop_of_the_same_solution() {
    let dop = |second: u32| {
        let mut payload = (second * 1000).to_le_bytes().to_vec();
        payload.extend([0; 14]);
        payload[12..14].copy_from_slice(&123_u16.to_le_bytes());
        frame(0x01, 0x04, &payload)
    };
    let stream = [dop(1), pvt(1), dop(1), pvt(2)].concat();
    let hdops: Vec<_> =
        observations(&decode([stream.as_slice()]).0).iter().map(|one| one.hdop_c).collect();
    assert_eq!(hdops, [Some(123), None]);
}

#[test]
fn identity_and_acknowledgements_are_handed_on() {
    let mut version = vec![0; 100];
    for (at, text) in
        [(0, "EXT CORE 3.01"), (30, "00080000"), (40, "PROTVER=18.00"), (70, "MOD=NEO-M8N-0")]
    {
        version[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    let stream =
        [frame(0x0a, 0x04, &version), frame(5, 1, &[6, 1]), frame(5, 0, &[6, 0x8a])].concat();
    let (heard, ..) = decode([stream.as_slice()]);
    let [Heard::Identity(identity), Heard::Ack(taken), Heard::Ack(refused)] = &heard[..] else {
        panic!("{heard:?}")
    };
    assert_eq!((identity.protocol(), identity.model()), (Some((18, 0)), Some("NEO-M8N-0")));
    assert_eq!((taken.command, taken.ok), ((6, 1), true));
    assert_eq!((refused.command, refused.ok), ((6, 0x8a), false));
}

#[test]
fn a_payload_is_never_taken_for_a_sentence_and_a_sentence_never_for_a_frame() {
    let inside = epoch(7);
    let stream = [frame(0x02, 0x15, &inside), epoch(8), frame(0x04, 0x02, b"$GPTXT,x*00\r\n")];
    let (heard, counts, faults) = decode([stream.concat().as_slice()]);
    assert_eq!(observations(&heard).len(), 1);
    assert_eq!((counts.sentences, counts.frames, faults.lost()), (2, 2, 0));
}

#[test]
fn a_frame_of_the_wrong_length_is_unreadable_and_the_next_is_not() {
    let stream = [frame(0x01, 0x07, &[0; 84]), pvt(2)].concat();
    let (heard, _, faults) = decode([stream.as_slice()]);
    assert_eq!((observations(&heard).len(), faults.ubx.unreadable), (1, 1));
}

#[test]
fn a_damaged_frame_costs_itself_and_neither_neighbour() {
    for damaged in 0..100 {
        let mut middle = pvt(2);
        middle[damaged] ^= 0x10;
        let stream = [pvt(1), middle, epoch(3), pvt(4)].concat();
        let (heard, ..) = decode([stream.as_slice()]);
        let seconds: Vec<_> = observations(&heard)
            .iter()
            .map(|one| one.time_of_day.expect("a time").ms / 1000)
            .collect();
        assert_eq!(seconds, [1, 3, 4], "byte {damaged}");
    }
}

/// Pieces of a stream: whole, damaged, and noise that likes to look like a beginning.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (0..60_u32).prop_map(epoch),
        3 => (0..60_u32).prop_map(pvt),
        1 => (any::<u8>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..300))
            .prop_map(|(class, id, payload)| frame(class, id, &payload)),
        1 => (pvt_damaged(), any::<bool>()).prop_map(|(bytes, cut)| {
            if cut { bytes[..40].to_vec() } else { bytes }
        }),
        2 => prop::collection::vec(
            prop_oneof![any::<u8>(), Just(0xb5), Just(0x62), Just(b'$'), Just(b'\n'), Just(0xd3)],
            0..200
        ),
    ]
}

fn pvt_damaged() -> impl Strategy<Value = Vec<u8>> {
    (0..60_u32, 0..100_usize, 1..=255_u8).prop_map(|(second, at, mask)| {
        let mut bytes = pvt(second);
        bytes[at] ^= mask;
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_make_no_panic_and_any_cut_the_same(
        pieces in prop::collection::vec(piece(), 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let stream = pieces.concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
        let whole = decode([stream.as_slice()]);
        prop_assert_eq!(&decode(chunks), &whole);
        prop_assert_eq!(&decode(stream.chunks(1)), &whole);
    }

    #[test]
    fn frames_between_sentences_leave_both_whole(
        order in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..120)), 1..30),
    ) {
        let (mut stream, mut sentences, mut frames) = (Vec::new(), 0, 0);
        for (second, (text, payload)) in (0_u32..).zip(&order) {
            if *text {
                stream.extend(epoch(second));
                sentences += 2;
            } else {
                stream.extend(frame(0x02, 0x13, payload));
                frames += 1;
            }
        }
        let (heard, counts, faults) = decode([stream.as_slice()]);
        prop_assert_eq!((counts.sentences, counts.frames), (sentences, frames));
        prop_assert_eq!(observations(&heard).len() as u64, sentences / 2);
        prop_assert_eq!(faults, Faults::default());
    }
}

/// A recording and gpsd's opinion of it: the positions of each instant, in e-9 degree.
struct Recording {
    log: Vec<u8>,
    instants: BTreeMap<i64, Vec<(i64, i64)>>,
}

/// `None` where there is no folder of recordings.
fn recording(name: &str) -> Option<Recording> {
    let Some(dir) = std::env::var_os("TRIPLINE_DATA_DIR") else {
        eprintln!("SKIPPED: TRIPLINE_DATA_DIR is not set, {name} is not compared");
        return None;
    };
    let path = PathBuf::from(dir).join("nmea").join(name);
    let log = std::fs::read(&path).expect("the recording");
    let check = std::fs::read(path.with_extension("log.chk")).expect("its check file");
    let mut instants = BTreeMap::<i64, Vec<(i64, i64)>>::new();
    for line in String::from_utf8_lossy(&check).lines().filter(|line| line.starts_with('{')) {
        let report: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let nano = |key: &str| report[key].as_f64().map(|degrees| (degrees * 1e9).round());
        let (Some(time), Some(lat), Some(lon)) =
            (report["time"].as_str(), nano("lat"), nano("lon"))
        else {
            continue;
        };
        #[expect(clippy::cast_possible_truncation, reason = "at most 180e9")]
        instants.entry(unix_ms(time)).or_default().push((lat as i64, lon as i64));
    }
    Some(Recording { log, instants })
}

/// `2017-07-19T08:50:01.200Z`, on a day of the recordings.
fn unix_ms(text: &str) -> i64 {
    let days = match &text[..10] {
        "2017-07-19" => 17_366,
        "2024-03-24" => 19_806,
        other => panic!("another day: {other}"),
    };
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().expect("digits");
    ((days * 24 + part(11, 13)) * 60 + part(14, 16)) * 60_000 + part(17, 19) * 1000 + part(20, 23)
}

/// Every observation is an instant of gpsd's, within 1 ms and 1e-7 degree, and every instant of gpsd's
/// is one observation. So many before gpsd's first and after its last are left out.
fn compare(name: &str, before: usize, after: usize) {
    let Some(Recording { log, instants }) = recording(name) else { return };
    let (heard, counts, _) = decode([log.as_slice()]);
    let told = observations(&heard);
    assert_eq!(Ok(told.len()), usize::try_from(counts.observations));
    assert_eq!(told.len(), instants.len() + before + after, "{name}: {told:#?}");
    for (one, (unix_ms, places)) in told.iter().skip(before).zip(&instants) {
        let at = one.at.expect("a time");
        assert!((at.unix_ms - unix_ms).abs() <= 1, "{name}: {} is not {unix_ms}", at.unix_ms);
        let near = |(lat, lon): &(i64, i64)| {
            let (lat_e7, lon_e7) = (one.position.lat_e7(), one.position.lon_e7());
            (i64::from(lat_e7) * 100 - lat).abs() <= 100
                && (i64::from(lon_e7) * 100 - lon).abs() <= 100
        };
        assert!(places.iter().any(near), "{name} at {unix_ms}: {one:?} is none of {places:?}");
    }
}

#[test]
fn a_recording_of_ubx_alone_agrees_with_gpsd() {
    // gpsd takes the first frame to know a u-blox receiver by, and reports an instant when the next one
    // begins, which the last one never sees.
    compare("ublox-neo-m8n.log", 1, 1);
}

#[test]
fn a_recording_that_mixes_ubx_and_nmea_agrees_with_gpsd() {
    compare("ublox8-uniqid-monhw.log", 0, 0);
}
