//! `tripline-bpp import`: a whole fleet from files, all or none.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::opened::{Opened, print_json};
use super::How;
use crate::error::BppError;
use crate::operate::import::{FILE_LEN_MAX, Imported, Source, import};
use crate::operate::{Actor, OperateError};
use crate::time;

#[derive(Debug, Args)]
#[command(after_help = "\
A TOML file has rows of any kind: [[provider]], [[tariff]], [[form]], [[item]], [[promotion]], [[area]],
[[driver]], [[vehicle]], [[document]]; `init` writes one to begin with, fleet.toml. A CSV file has drivers, vehicles or documents, as its
name or --rows says, under a header with the names of fields:
  drivers    id, name, phone, provider, active
  vehicles   registration, category, device, make, model, color, variant, energy, capacity, provider, driver,
             active
  documents  owner (driver:ID or vehicle:DEVICE), kind, number, expires
An area's shape stands in `geojson`, or in the file that `geojson_file` names, relative to the TOML file.

Files are taken in together, whole: a bad row is named with its line, and then nothing is changed. Rows that are
there just so change nothing, so that a file may be taken in again; rows that differ change what is there.
A new vehicle's device needs a code to enrol: `tripline-bpp vehicle rekey` makes one.")]
pub(in crate::cli) struct ImportArgs {
    /// The files, TOML or CSV
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
    /// What the rows of CSV files are, where their names do not say it
    #[arg(long, value_parser = ["drivers", "vehicles", "documents"])]
    pub(super) rows: Option<String>,
    /// Only say what would be done, and what is wrong
    #[arg(long)]
    pub(super) check: bool,
    #[command(flatten)]
    pub(super) how: How,
}

pub(in crate::cli) async fn run(args: ImportArgs) -> Result<(), BppError> {
    take_in(&args).await
}

pub(super) async fn take_in(args: &ImportArgs) -> Result<(), BppError> {
    let opened = args.how.open().await?;
    let sources: Vec<Source> =
        args.files.iter().map(|file| source(file, args.rows.as_ref())).collect::<Result<_, _>>()?;
    let folders: Vec<&Path> = args.files.iter().filter_map(|file| file.parent()).collect();
    let imported = carry_out(&opened, &sources, &folders, args.check).await?;
    opened.store.close().await;
    if args.how.json {
        return print_json(&imported);
    }
    print(&imported, args.check);
    Ok(())
}

/// Takes files in, and commits unless it is only to be checked.
pub(in crate::cli) async fn carry_out(
    opened: &Opened,
    sources: &[Source],
    folders: &[&Path],
    check: bool,
) -> Result<Imported, BppError> {
    let read = |name: &str| read_beside(folders, name);
    let done = async {
        let mut tx = opened.store.write().await?;
        let imported = import(&mut tx, &Actor::cli(), sources, &read, time::now()).await?;
        if !check {
            tx.commit().await?;
        }
        Ok(imported)
    };
    done.await.map_err(|error| match error {
        OperateError::Unusable { problems } => {
            for one in &problems {
                eprintln!("{} {}", one.field, one.problem);
            }
            let message = format!(
                "{} wrong, as told above; nothing was changed",
                super::super::opened::counted(problems.len() as u64, "thing")
            );
            BppError::Refused { message }
        }
        other @ (OperateError::NotFound { .. }
        | OperateError::Invalid { .. }
        | OperateError::Conflict { .. }
        | OperateError::Stale { .. }
        | OperateError::Refused { .. }
        | OperateError::Service(_)) => opened.not_operated(other),
    })
}

pub(in crate::cli) fn source(file: &Path, rows: Option<&String>) -> Result<Source, BppError> {
    let failed = |reason: String| BppError::File {
        path: file.into(),
        reason: format!("cannot be read: {reason}"),
    };
    let mut text = String::new();
    let opened = fs::File::open(file).map_err(|error| failed(error.to_string()))?;
    let most = FILE_LEN_MAX as u64 + 1;
    opened.take(most).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    Ok(Source { name: file.display().to_string(), rows: rows.cloned(), text })
}

/// A file that a row names, beside one of the files that are imported.
fn read_beside(folders: &[&Path], name: &str) -> Result<String, String> {
    let mut paths = folders.iter().map(|folder| folder.join(name));
    let path = paths.find(|path| path.is_file());
    let path = path.ok_or_else(|| format!("{name:?}: there is no such file beside this one"))?;
    fs::read_to_string(&path).map_err(|error| format!("{name:?}: {error}"))
}

fn print(imported: &Imported, check: bool) {
    for (kind, counts) in &imported.0 {
        let (added, changed, same) = (counts.added, counts.changed, counts.same);
        println!("{kind:<10} {added} added, {changed} changed, {same} the same");
    }
    if check {
        println!("Nothing was changed: --check.");
    }
}
