//! Runs each fuzz body over seeds and seeded mutations of them, on the stable toolchain.

use tripline_agent_core::segment::{FORMAT, Fate, Header, head};
use tripline_protocol::fix::FixType;
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::down::CommitAck;
use tripline_protocol::link::envelope::encode;
use tripline_protocol::link::trail::{GapReason, TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::link::up::{Presence, Stream};
use tripline_protocol::unit::{Position, Timestamp};
use tripline_tests::fuzz::BODIES;
use tripline_tests::world::committed_trace;

/// Mutated inputs a body, and the seed they follow from: the same in every run.
const MUTATIONS: u32 = 20_000;
const SEED: u64 = 0x5eed_0000_0000_0001;

/// Splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound.max(1) as u64)).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// Flips, cuts, repeats or inserts, a few times.
    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 if !bytes.is_empty() => bytes[at] = self.byte(),
                2 => bytes.truncate(at),
                3 => bytes.insert(at, self.byte()),
                _ => {
                    let end = (at + self.below(16)).min(bytes.len());
                    let piece = bytes[at.min(end)..end].to_vec();
                    bytes.extend(piece);
                }
            }
        }
        bytes
    }
}

/// A few seconds of driving, and a gap.
fn trail() -> TrailBatch {
    let fix = |n: i32| TrailFix {
        at: Timestamp::from_unix_ms(1_700_000_000_000 + i64::from(n) * 1_000),
        position: Position::new(129_716_000 + n * n * 40, 775_946_000).expect("on the globe"),
        speed_cmps: Some(n.unsigned_abs() * 90),
        course_ddeg: None,
        altitude_mm: Some(912_300),
        fix_type: FixType::ThreeD,
        refused: None,
    };
    let mut entries: Vec<_> = (0..20).map(|n| TrailEntry::Fix(fix(n))).collect();
    entries.insert(9, TrailEntry::Gap { fixes: 30, reason: GapReason::Damaged });
    TrailBatch { epoch: JournalEpoch(77), after: Sequence(120), entries }
}

fn seeds() -> Vec<Vec<u8>> {
    let trace = std::fs::read(committed_trace()).expect("the trace is committed");
    let commit_ack =
        CommitAck { epoch: JournalEpoch(1), stream: Stream::Event, through: Sequence(9) };
    let mut journal = Vec::new();
    for sequence in 1..5 {
        let record = tripline_agent_core::record::Record::Gap {
            through: Sequence(sequence * 9),
            fixes: 8,
            reason: GapReason::Thinned,
        };
        tripline_agent_core::record::write_frame(&record, &mut journal).expect("fits");
    }
    // A NAV-PVT of a u-blox receiver between its sentences: 2020-02-07, 02:14:17, near 37 N 122 W.
    let mut payload = [0; 92];
    payload[4..12].copy_from_slice(&[0xe4, 0x07, 2, 7, 2, 14, 17, 7]);
    payload[20..24].copy_from_slice(&[3, 1, 0, 12]);
    payload[24..28].copy_from_slice(&(-1_220_936_525_i32).to_le_bytes());
    payload[28..32].copy_from_slice(&374_263_937_i32.to_le_bytes());
    let mut ubx = [&[0xb5, 0x62, 0x01, 0x07, 92, 0][..], &payload].concat();
    let sum = ubx[2..].iter().fold([0_u8; 2], |[a, b], byte| {
        let a = a.wrapping_add(*byte);
        [a, b.wrapping_add(a)]
    });
    ubx.extend(sum);
    ubx.extend_from_slice(&trace[..400]);
    let snapshot = Some(&tripline_agent_core::memory::Memory::default());
    let mut segment = head(&header(), snapshot).expect("fits");
    segment.extend(&journal);
    let request = r#"{"context":{"domain":"d","country":"IND","city":"std:080","action":"select",
        "core_version":"0.9.4","bap_id":"b","bap_uri":"http://b/","transaction_id":"t",
        "message_id":"m","timestamp":"2026-01-01T00:00:00Z"},"message":{"order":{"items":[{"id":
        "auto"}],"fulfillment":{"start":{"location":{"gps":"12.9, 77.6"}},"end":{"location":
        {"gps":"12.8,77.5","address":{"door":null}}}}}}}"#;
    let header = "Signature keyId=\"b|k|ed25519\",algorithm=\"ed25519\",created=\"1\",\
        expires=\"2\",headers=\"(created) (expires) digest\",signature=\"AAAA\"";
    let signed = header.replace("AAAA", &format!("{}==", "A".repeat(86)));
    let url = "https://user@[::ffff:127.0.0.1]:8080/bap/on_search?a=1#b";
    let connect =
        b"\x10\x2a\x00\x04MQTT\x04\x06\x00\x1e\x00\x07ka-01-1\x00\x15v1/d/ka-01-1/presence\
        \x00\x02\x01\x01";
    let device = b"\x82\x16\x00\x01\x00\x11v1/d/ka-01-1/ack\x00\x32\x16\x00\x12v1/d/ka-01-1/live\
        \x00\x02\x01\x40\x02\x00\x01\xc0\x00\xe0\x00";
    vec![
        Vec::new(),
        connect.to_vec(),
        [&connect[..], device].concat(),
        device.to_vec(),
        trace[..3_000].to_vec(),
        ubx,
        journal,
        segment,
        encode(&commit_ack),
        encode(&trail())[1..].to_vec(),
        encode(&Presence::Here { agent_version: "0.1.0".into() }),
        request.into(),
        header.into(),
        signed.into(),
        url.into(),
        b"http://0x7f.1/on_status".to_vec(),
    ]
}

fn header() -> Header {
    Header {
        format: FORMAT,
        device: "ka-01-1".parse().expect("valid"),
        epoch: JournalEpoch(1),
        start: 1,
        stream: Stream::Trail,
        number: 0,
        after: Sequence(0),
        fate: Fate::Whole,
    }
}

/// What `scripts/fuzz` found for a body and somebody committed with the repair.
fn corpus(body: &str) -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(body);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a committed input")).collect()
}

#[test]
fn no_body_panics_on_its_seeds_or_their_mutations() {
    for (name, body) in BODIES {
        let seeds = [seeds(), corpus(name)].concat();
        let mut chance = Chance(SEED);
        for seed in &seeds {
            body(seed);
        }
        for _ in 0..MUTATIONS {
            let seed = &seeds[chance.below(seeds.len())];
            // Long seeds are cut, so that the mutations fall where they matter.
            let from = chance.below(seed.len());
            let piece =
                if seed.len() > 1_000 { &seed[from..(from + 600).min(seed.len())] } else { seed };
            body(&chance.mutate(piece));
        }
        println!("{name}: {} seeds, {MUTATIONS} mutations", seeds.len());
    }
}
