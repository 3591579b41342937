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

use compare::Deviation;
use deviations::EXPECTED;

pub(super) fn rows(data: &Data) -> Vec<Row> {
    let (mut instants, mut equal, mut listed) = (0, 0, 0);
    for entry in fs::read_dir(data.0.join("nmea")).expect("a folder of logs") {
        let path = entry.expect("an entry").path();
        if path.extension() != Some("log".as_ref()) {
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let log = fs::read(&path).expect("a log");
        let chk = fs::read(path.with_extension("log.chk")).expect("its reports");
        let ours = recording::observations(&recording::pieces(&log));
        let comparison = compare::compare(&ours, &report::reports(&chk));
        instants += comparison.instants;
        equal += comparison.equal();
        let deviations = comparison.deviations.iter();
        listed += deviations.filter(|(deviation, _)| is_listed(name, *deviation)).count();
    }
    let unlisted = instants - equal - listed;
    let agreement = Row {
        measure: "gpsd logs: position epochs equal to gpsd's within 1e-7 degree and 1 ms",
        reach: "100 %, deviations listed",
        measured: format!("{equal} of {instants} equal, {listed} listed, {unlisted} neither"),
    };
    let reasons = EXPECTED.iter().map(|expected| Row {
        measure: expected.log,
        reach: expected.reason,
        measured: format!("{} {:?}", expected.instants, expected.deviation),
    });
    std::iter::once(agreement).chain(reasons).collect()
}

fn is_listed(log: &str, deviation: Deviation) -> bool {
    EXPECTED.iter().any(|expected| expected.log == log && expected.deviation == deviation)
}
