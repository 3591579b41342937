//! What the trail and a live position cost on the link, and what coding them costs.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use tripline_agent_core::stream::{Decoder, Heard};
use tripline_protocol::fix::Fix;
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::live::Live;
use tripline_protocol::link::trail::{TrailBatch, TrailEntry};
use tripline_protocol::unit::Timestamp;

use crate::{Data, Row};

/// Fixes in a batch, as the agent sends them.
const BATCH_LEN: usize = 60;
/// Each is measured so often; the quickest round is the one least disturbed.
const ROUNDS: usize = 9;
/// Logs of other receivers with some fixes in them.
const OTHERS: [&str; 8] = [
    "quectel-l76k-nmea",
    "nmea-rtk",
    "ublox-neo-m9n-nmea",
    "gpsdf",
    "neo-m8n",
    "unicore-um621",
    "bt451",
    "st-teseo-liv4f",
];

pub(super) fn rows(data: &Data) -> Vec<Row> {
    let drive = recorded(data);
    let batches = batches(&drive);
    let payloads: Vec<_> = batches.iter().map(encode).collect();
    let writing = quickest(|| batches.iter().for_each(|batch| drop(black_box(encode(batch)))));
    let reading = quickest(|| payloads.iter().for_each(|bytes| drop(black_box(read(bytes)))));
    let each = |took: Duration| took.as_nanos() / drive.len() as u128;
    let live = drive.first().map_or(0, |fix| encode(&Live::from(fix)).len());
    vec![
        Row {
            measure: "F9K drive: trail payload a fix, batches of 60",
            reach: "<= 3.3 bytes",
            measured: format!("{} bytes of {} fixes", bytes_a_fix(&drive), drive.len()),
        },
        Row {
            measure: "gpsd logs: the same",
            reach: "",
            measured: OTHERS.map(|name| other(data, name)).join(", "),
        },
        Row {
            measure: "F9K drive: coding a fix of the trail, and reading it",
            reach: "",
            measured: format!("{} ns, {} ns", each(writing), each(reading)),
        },
        Row { measure: "live position", reach: "a few bytes", measured: format!("{live} bytes") },
    ]
}

/// The fixes of the recorded drive.
pub(crate) fn recorded(data: &Data) -> Vec<Fix> {
    fixes(&data.0.join("traces/MTV.Local1.ublox-F9K.20200206-181434.nmea"))
}

/// The fixes of a recording, by the agent's own code.
fn fixes(path: &Path) -> Vec<Fix> {
    let bytes = fs::read(path).expect("a recording");
    let mut decoder = Decoder::new(Timestamp::from_unix_ms(0));
    let mut fixes: Vec<Fix> = Vec::new();
    let mut on_heard = |heard| {
        if let Heard::Observation(observation) = heard {
            fixes.extend(observation.at.map(|at| observation.fix(at)));
        }
    };
    decoder.push(&bytes, &mut on_heard);
    decoder.finish(&mut on_heard);
    fixes
}

fn batches(fixes: &[Fix]) -> Vec<TrailBatch> {
    let mut after = Sequence(86_400);
    let mut batches = Vec::new();
    for fixes in fixes.chunks(BATCH_LEN) {
        let entries = fixes.iter().map(|fix| TrailEntry::Fix(fix.into())).collect();
        let batch = TrailBatch { epoch: JournalEpoch(0x93ab_cdef_1234_5678), after, entries };
        after = batch.last();
        batches.push(batch);
    }
    batches
}

fn read(payload: &[u8]) -> TrailBatch {
    decode(payload).expect("a batch")
}

fn bytes_a_fix(fixes: &[Fix]) -> String {
    let mut len = 0;
    for batch in batches(fixes) {
        let payload = encode(&batch);
        assert_eq!(read(&payload), batch, "reads back");
        len += payload.len();
    }
    let hundredths = (len * 100 + fixes.len() / 2) / fixes.len().max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn other(data: &Data, name: &str) -> String {
    let fixes = fixes(&data.0.join(format!("nmea/{name}.log")));
    format!("{name} {} ({} fixes)", bytes_a_fix(&fixes), fixes.len())
}

fn quickest(work: impl Fn()) -> Duration {
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    rounds.min().unwrap_or_default()
}
