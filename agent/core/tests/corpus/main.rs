//! The agent against gpsd, over the logs of gpsd's own regression suite.

mod compare;
mod deviations;
mod recording;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tripline_agent_core::epoch::Assembler;
use tripline_agent_core::nmea::{Reader, Verdict};

use compare::{Comparison, Deviation, compare};
use deviations::EXPECTED;

/// Names the folder of recordings, which are not ours to copy in here.
const DATA_VARIABLE: &str = "TRIPLINE_DATA_DIR";

/// Instants after which a habit is known: two that agree.
const HABIT_AFTER: usize = 2;

/// Logs of the suite.
const LOGS: usize = 20;

/// The folder of the logs; `None`, with a loud word, where it is not provided.
fn folder() -> Option<PathBuf> {
    let dir = std::env::var_os(DATA_VARIABLE).map(|dir| PathBuf::from(dir).join("nmea"));
    if dir.is_none() {
        eprintln!("\n*** SKIPPED: {DATA_VARIABLE} does not name the recordings ***\n");
    }
    dir
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of logs");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut logs: Vec<_> = paths.filter(|path| path.extension() == Some("log".as_ref())).collect();
    logs.sort();
    logs
}

fn compare_log(path: &Path) -> Comparison {
    let log = fs::read(path).expect("a log");
    let chk = fs::read(path.with_extension("log.chk")).expect("its reports");
    let ours = recording::observations(&recording::pieces(&log));
    compare(&ours, &report::reports(&chk))
}

#[test]
fn every_position_epoch_is_gpsds_but_for_the_deviations_listed() {
    let Some(folder) = folder() else { return };
    let logs = logs(&folder);
    assert_eq!(logs.len(), LOGS);
    let mut found = BTreeMap::new();
    let (mut instants, mut equal) = (0, 0);
    for path in &logs {
        let comparison = compare_log(path);
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        println!("{name}: {} of {} instants equal", comparison.equal(), comparison.instants);
        instants += comparison.instants;
        equal += comparison.equal();
        for (deviation, unix_ms) in comparison.deviations {
            println!("    {deviation:?} at {unix_ms:?}");
            *found.entry((name.to_owned(), deviation)).or_insert(0) += 1;
        }
    }
    println!("all: {equal} of {instants} instants equal");
    assert_eq!(found, expected());
}

fn expected() -> BTreeMap<(String, Deviation), usize> {
    assert!(EXPECTED.iter().all(|expected| !expected.reason.is_empty()));
    EXPECTED
        .iter()
        .map(|expected| ((expected.log.to_owned(), expected.deviation), expected.instants))
        .collect()
}

#[test]
fn a_log_fed_byte_by_byte_gives_the_same() {
    let Some(folder) = folder() else { return };
    for path in logs(&folder) {
        let pieces = recording::pieces(&fs::read(&path).expect("a log"));
        let bytes: Vec<_> = pieces.concat().into_iter().map(|byte| vec![byte]).collect();
        let whole = recording::observations(&pieces);
        assert_eq!(recording::observations(&bytes), whole, "{}", path.display());
    }
}

/// The comparison itself must be able to fail.
#[test]
fn a_place_or_time_that_is_off_is_a_deviation() {
    let Some(folder) = folder() else { return };
    let log = fs::read(folder.join("nmea-rtk.log")).expect("a log");
    let chk = fs::read(folder.join("nmea-rtk.log.chk")).expect("its reports");
    let ours = recording::observations(&recording::pieces(&log));
    let theirs = report::reports(&chk);
    assert_eq!(compare(&ours, &theirs).deviations, []);
    let last = theirs.len() - 1;
    let mut elsewhere = theirs.clone();
    elsewhere[last].lat_deg += 2.1e-7;
    assert_eq!(compare(&ours, &elsewhere).deviations.len(), 2);
    let mut later = theirs.clone();
    later[last].unix_ms = later[last].unix_ms.map(|ms| ms + 2);
    assert_eq!(compare(&ours, &later).deviations.len(), 2);
    assert_eq!(compare(&ours, &theirs[..last]).deviations.len(), 1);
    assert_eq!(compare(&ours[..ours.len() - 1], &theirs).deviations.len(), 1);
}

/// What is learnt of a receiver's habit is worth something only if it holds for a real one, 13 of
/// whose sentences are damaged.
#[test]
fn on_a_real_drive_every_observation_leaves_with_its_own_instant_once_the_habit_is_known() {
    let Some(folder) = folder() else { return };
    let drive = folder.join("../traces/MTV.Local1.ublox-F9K.20200206-181434.nmea");
    let drive = fs::read(drive).expect("the recorded drive");
    let (mut reader, mut assembler) = (Reader::default(), Assembler::new(recording::FLOOR));
    let (mut instants, mut with_fix) = (BTreeSet::new(), BTreeSet::new());
    let mut late = 0;
    reader.push(&drive, |sentence| {
        if let (Verdict::Fix(_), Some(time)) = (sentence.verdict(), sentence.time()) {
            with_fix.insert(time);
        }
        assembler.push(sentence, |observation| {
            late += usize::from(sentence.time() != observation.time_of_day);
            assert!(observation.at.is_some(), "{observation:?}");
            assert!(instants.insert(observation.time_of_day.expect("a time")), "{observation:?}");
        });
    });
    assert_eq!(assembler.idle(), None);
    assert_eq!(instants, with_fix);
    assert_eq!(late, HABIT_AFTER, "of {}", instants.len());
}
