//! `tripline-bpp store copy`

use clap::Args;
use serde_json::{Map, Value, json};

use super::super::lock::Lock;
use super::super::{ConfigPath, without_password};
use crate::config::Config;
use crate::error::BppError;
use crate::store::copy::{CopyError, Progress};
use crate::store::{Store, StoreError};

#[derive(Debug, Args)]
pub(in crate::cli) struct CopyArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The SQLite store to copy, if it is not the one that the configuration names or has in its data folder
    #[arg(long, value_name = "PATH")]
    from: Option<String>,
    /// The empty database to copy into: `postgres://USER:PASSWORD@HOST/DATABASE`
    #[arg(long, value_name = "URL", env = "TRIPLINE_COPY_TO", hide_env_values = true)]
    to: String,
    /// Print what was copied as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &CopyArgs) -> Result<(), BppError> {
    let config = Config::load(&args.config.config)?;
    let from = source_url(&config, args.from.as_deref());
    // Held until the end: what a platform took in meanwhile would be missing from the copy.
    let _lock = Lock::take_folder(&config)?;
    let source = opened(&from, Store::open_as_is(&from).await)?;
    let target = opened(&args.to, Store::open(&args.to).await)?;
    let copied = source.copy_to(&target, tell).await;
    source.close().await;
    target.close().await;
    let copied = copied.map_err(|error| refused(error, &args.to))?;
    print(&from, &args.to, &copied, args.json);
    Ok(())
}

/// The configuration may name the new store already.
fn source_url(config: &Config, from: Option<&str>) -> String {
    let named = config.store_url();
    match from {
        Some(path) if path.starts_with("sqlite:") => path.to_owned(),
        Some(path) => format!("sqlite:{path}"),
        None if Store::is_for_one_backend(&named) => named,
        None => config.sqlite_url(),
    }
}

fn opened(url: &str, store: Result<Store, StoreError>) -> Result<Store, BppError> {
    store.map_err(|source| BppError::Store { url: without_password(url), source })
}

fn refused(error: CopyError, to: &str) -> BppError {
    match error {
        CopyError::Store(source) => BppError::Store { url: without_password(to), source },
        error @ (CopyError::Kind
        | CopyError::NotEmpty { .. }
        | CopyError::Schema { .. }
        | CopyError::Count { .. }) => BppError::Refused { message: error.to_string() },
    }
}

/// What is under way stands on standard error: a million rows take a minute or so.
fn tell(progress: &Progress) {
    let Progress { table, rows, of } = progress;
    eprintln!("{table}: {rows} of {of}");
}

fn print(from: &str, to: &str, copied: &[Progress], json: bool) {
    let to = without_password(to);
    if json {
        let rows: Map<String, Value> =
            copied.iter().map(|table| (table.table.clone(), table.rows.into())).collect();
        println!("{}", json!({ "from": from, "to": to, "rows": rows }));
        return;
    }
    let rows: i64 = copied.iter().map(|table| table.rows).sum();
    println!("Copied {rows} rows of {} tables from {from} to {to}.", copied.len());
    println!("Set [store] url to serve from there. The old store is as it was.");
}
