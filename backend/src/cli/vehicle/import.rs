//! `tripline-bpp vehicle import`: many vehicles from JSON lines, all or none.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::ConfigPath;
use super::super::opened::{Opened, counted};
use super::new::{Checked, Described, insert};
use super::printed::Printed;
use crate::domain::fleet::VehicleRecord;
use crate::enrol::code::NewCode;
use crate::error::BppError;
use crate::identity::authority::Fingerprint;
use crate::operate::item::only_category;
use crate::operate::{Actor, OperateError};
use crate::time;

/// Lines of one import: they are one transaction, for which SQLite has everybody else wait, a few seconds
/// at most, and in memory at once.
const LINES_MAX: usize = 20_000;

/// Longest line, in bytes; a vehicle with the longest fields has a quarter of it.
const LINE_LEN_MAX: u64 = 4_096;

/// Between two words on the progress, in vehicles.
const PROGRESS_EVERY: usize = 1_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The file, or - for standard input. A line is an object with `registration` and, if wanted,
    /// `driver_name` and `driver_phone` (or `driver`, an id), `category`, `device`, `provider`, `make`,
    /// `model`, `color`, `variant`, `energy` and `capacity`
    file: PathBuf,
    /// Print a JSON object for every vehicle, with its code
    #[arg(long)]
    json: bool,
}

/// Lines that cannot be taken, each with its number and why.
#[derive(Debug, Default)]
struct BadLines(Vec<(usize, String)>);

pub(super) async fn run(args: &ImportArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let ca = opened.authorities()?.serving().fingerprint();
    let mut bad = BadLines::default();
    let category = opened.look(async |tx| only_category(tx).await).await?;
    let vehicles = read(&args.file, category.as_deref(), &mut bad)?;
    let total = vehicles.len() + bad.0.len();
    bad.refuse(total)?;
    let added = store(&opened, vehicles, &ca, &mut bad).await;
    let added = added.map_err(|error| opened.not_operated(error))?;
    bad.refuse(total)?;
    opened.store.close().await;
    print(&added, &opened.config.enrol_url(), args.json)
        .map_err(|error| BppError::Internal(format!("standard output: {error}")))?;
    eprintln!("{} added", counted(added.len() as u64, "vehicle"));
    Ok(())
}

impl BadLines {
    /// Names every bad line on standard error, if there is one.
    fn refuse(&mut self, total: usize) -> Result<(), BppError> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort();
        for (line, problem) in &self.0 {
            eprintln!("line {line}: {problem}");
        }
        let message = format!(
            "{} of {} cannot be taken, for the reasons above; nothing was added",
            self.0.len(),
            counted(total as u64, "line")
        );
        Err(BppError::Refused { message })
    }
}

/// The vehicles of a file, each with its line's number.
fn read(
    path: &Path,
    category: Option<&str>,
    bad: &mut BadLines,
) -> Result<Vec<(usize, Checked)>, BppError> {
    let failed = |error: io::Error| BppError::File {
        path: path.into(),
        reason: format!("cannot be read: {error}"),
    };
    let mut reader: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(failed)?))
    };
    let mut vehicles = Vec::new();
    for number in 1.. {
        let mut line = Vec::new();
        let mut limited = io::Read::take(&mut reader, LINE_LEN_MAX);
        if limited.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        if number > LINES_MAX || line.len() as u64 == LINE_LEN_MAX {
            let message = format!(
                "line {number}: an import has at most {LINES_MAX} lines of {LINE_LEN_MAX} bytes; \
                 nothing was added; import larger files in parts"
            );
            return Err(BppError::Refused { message });
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        match parse(&line, category) {
            Ok(vehicle) => vehicles.push((number, vehicle)),
            Err(problem) => bad.0.push((number, problem)),
        }
    }
    Ok(vehicles)
}

fn parse(line: &[u8], category: Option<&str>) -> Result<Checked, String> {
    let new: Described = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    new.check(category).map_err(|bad| bad.to_string())
}

/// Adds them in one transaction; with a bad line it ends without effect.
async fn store(
    opened: &Opened,
    vehicles: Vec<(usize, Checked)>,
    ca: &Fingerprint,
    bad: &mut BadLines,
) -> Result<Vec<(Checked, NewCode)>, OperateError> {
    let actor = Actor::cli();
    let total = vehicles.len();
    let mut added = Vec::with_capacity(total);
    let mut tx = opened.store.write().await?;
    for (done, (line, vehicle)) in (1..).zip(vehicles) {
        match insert(&mut tx, &actor, &vehicle, ca, time::now()).await {
            Ok(Some(code)) => added.push((vehicle, code)),
            Ok(None) => bad.0.push((line, taken(&vehicle))),
            Err(error @ OperateError::Invalid { .. }) => bad.0.push((line, error.to_string())),
            Err(error) => return Err(error),
        }
        if done % PROGRESS_EVERY == 0 {
            eprintln!("{done} of {total}");
        }
    }
    if bad.0.is_empty() {
        tx.commit().await?;
    }
    Ok(added)
}

fn taken(vehicle: &Checked) -> String {
    let VehicleRecord { registration, device, .. } = &vehicle.record;
    format!("registration {registration} or device {device} is there already, or twice in the file")
}

fn print(added: &[(Checked, NewCode)], url: &str, json: bool) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for (vehicle, code) in added {
        let (device, registration) = (&vehicle.record.device, vehicle.record.registration.as_str());
        let printed = Printed { device, registration, url, code };
        if json {
            writeln!(out, "{}", printed.as_json())?;
        } else {
            writeln!(out, "{registration:<14} {device:<20} {}", printed.command())?;
        }
    }
    out.flush()
}
