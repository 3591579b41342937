//! The figures of the README, measured: `cargo bench -p tripline-tests --bench figures -- [SECTION]...`.
//!
//! Prints a table a section, with what is to be reached beside what was measured on this machine. The
//! recordings are read from `TRIPLINE_DATA_DIR`; a section that has none says so.

use std::path::PathBuf;

mod agent;
mod bookings;
mod corpus;
mod dispatch;
mod door;
mod ingest;
mod journal;
mod month;
mod network;
mod odometer;
mod parse;
mod platform;
mod restart;
mod running;
mod search;
mod trail;

/// A section's name and what prints its rows.
type Section = (&'static str, fn(&Data) -> Vec<Row>);

/// Every section. One line each.
const SECTIONS: &[Section] = &[
    ("agent", agent::rows),
    ("bookings", bookings::rows),
    ("corpus", corpus::rows),
    ("dispatch", dispatch::rows),
    ("door", door::rows),
    ("ingest", ingest::rows),
    ("journal", journal::rows),
    ("month", month::rows),
    ("network", network::rows),
    ("odometer", odometer::rows),
    ("parse", parse::rows),
    ("restart", restart::rows),
    ("search", search::rows),
    ("trail", trail::rows),
];

/// A row of the table.
struct Row {
    measure: &'static str,
    reach: &'static str,
    measured: String,
}

/// The folder of recordings.
struct Data(PathBuf);

fn main() {
    let Some(data) = std::env::var_os("TRIPLINE_DATA_DIR").map(|dir| Data(dir.into())) else {
        eprintln!("\n*** SKIPPED: TRIPLINE_DATA_DIR does not name the recordings ***\n");
        return;
    };
    // Cargo adds flags of its own.
    let asked: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    println!("| measure | reach | measured |\n|---|---|---|");
    for (name, rows) in SECTIONS {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            for Row { measure, reach, measured } in rows(&data) {
                println!("| {measure} | {reach} | {measured} |");
            }
        }
    }
}
