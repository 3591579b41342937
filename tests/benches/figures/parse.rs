//! Cost of a sentence: checksum and fields, against the `nmea` crate over the same sentences.

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use tripline_agent_core::epoch::Assembler;
use tripline_agent_core::nmea::Reader;
use tripline_protocol::unit::Timestamp;

use crate::{Data, Row};

/// Each is measured so often, by turns; the quickest round is the one least disturbed.
const ROUNDS: usize = 9;

pub(super) fn rows(data: &Data) -> Vec<Row> {
    let path = data.0.join("traces/MTV.Local1.ublox-F9K.20200206-181434.nmea");
    let drive = fs::read(path).expect("the recorded drive");
    let lines = sentences(&drive);
    let stream = lines.join("\r\n") + "\r\n";
    let (mut reader, mut agent, mut peer) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        reader = reader.min(timed(|| read(stream.as_bytes())));
        agent = agent.min(timed(|| assemble(stream.as_bytes())));
        peer = peer.min(timed(|| parse_with_peer(&lines)));
    }
    let each = |took: Duration| took.as_nanos() / lines.len() as u128;
    vec![
        Row {
            measure: "F9K drive: framing, checksum and fields of a sentence",
            reach: "below the `nmea` crate's",
            measured: format!("{} ns, nmea 0.8: {} ns", each(reader), each(peer)),
        },
        Row {
            measure: "F9K drive: a sentence with its share of epoch assembly",
            reach: "below the `nmea` crate's",
            measured: format!("{} ns", each(agent)),
        },
    ]
}

/// The intact sentences that both understand, so that neither is timed at refusing.
fn sentences(drive: &[u8]) -> Vec<&str> {
    let lines = drive.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
    lines.map(str::trim_end).filter(|line| nmea::parse_str(line).is_ok() && is_read(line)).collect()
}

fn is_read(line: &str) -> bool {
    let mut read = false;
    Reader::default().push(line.as_bytes(), |_| read = true);
    read
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn read(stream: &[u8]) {
    let mut reader = Reader::default();
    reader.push(black_box(stream), |sentence| {
        black_box(sentence);
    });
    black_box(reader.tally());
}

fn assemble(stream: &[u8]) {
    let mut reader = Reader::default();
    let mut assembler = Assembler::new(Timestamp::from_unix_ms(0));
    reader.push(black_box(stream), |sentence| {
        assembler.push(sentence, |observation| {
            black_box(observation);
        });
    });
}

fn parse_with_peer(lines: &[&str]) {
    for line in lines {
        let _ = black_box(nmea::parse_str(black_box(line)));
    }
}
