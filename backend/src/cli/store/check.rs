//! `tripline-bpp store check`

use clap::Args;
use serde_json::json;

use super::super::opened::Opened;
use super::super::{ConfigPath, without_password};
use crate::error::BppError;
use crate::store::check::Health;

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &CheckArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let health = opened.store.health().await.map_err(|source| opened.failed(source))?;
    opened.store.close().await;
    let url = without_password(&opened.config.store_url());
    if args.json {
        print_json(&url, &health);
    } else {
        print(&url, &health);
    }
    if health.findings.is_empty() {
        return Ok(());
    }
    let message = "the store is damaged: restore a copy (docs/store.md)".into();
    Err(BppError::Refused { message })
}

fn print_json(url: &str, health: &Health) {
    let table = |size: &crate::store::check::Size| json!({ "table": size.table, "rows": size.rows, "bytes": size.bytes });
    let tables: Vec<_> = health.sizes.iter().map(table).collect();
    let told = json!({ "store": url, "schema_version": health.version, "tables": tables,
        "findings": health.findings });
    println!("{told}");
}

fn print(url: &str, health: &Health) {
    println!("{url}, schema version {}", health.version);
    println!("{:<22} {:>12} {:>14}", "table", "rows", "bytes");
    for size in &health.sizes {
        println!("{:<22} {:>12} {:>14}", size.table, size.rows, size.bytes);
    }
    for finding in &health.findings {
        println!("damaged: {finding}");
    }
}
