//! Agreement with gpsd over the logs of its regression suite, by the comparison of the corpus test.

use std::fs;

use crate::{Data, Row};

#[path = "../../../agent/core/tests/corpus/compare.rs"]
mod compare;
#[path = "../../../agent/core/tests/corpus/deviations.rs"]
mod deviations;
#[path = "../../../agent/core/tests/corpus/recording.rs"]
mod recording;
#[path = "../../../agent/core/tests/corpus/report.rs"]
mod report;

pub(super) fn rows(data: &Data) -> Vec<Row> {
    let (mut instants, mut equal) = (0, 0);
    for entry in fs::read_dir(data.0.join("nmea")).expect("a folder of logs") {
        let path = entry.expect("an entry").path();
        if path.extension() != Some("log".as_ref()) {
            continue;
        }
        let log = fs::read(&path).expect("a log");
        let chk = fs::read(path.with_extension("log.chk")).expect("its reports");
        let ours = recording::observations(&recording::pieces(&log));
        let comparison = compare::compare(&ours, &report::reports(&chk));
        instants += comparison.instants;
        equal += comparison.equal();
    }
    // The corpus test holds the list against what is found, log by log.
    let listed: usize = deviations::EXPECTED.iter().map(|expected| expected.instants).sum();
    vec![Row {
        measure: "gpsd logs: position epochs equal to gpsd's within 1e-7 degree and 1 ms",
        reach: "100 %, deviations listed",
        measured: format!(
            "{equal} of {instants} equal, {listed} listed, {} neither",
            instants - equal - listed,
        ),
    }]
}
