//! `tripline-bpp trip receipt`

use std::path::PathBuf;

use clap::Args;

use crate::cli::ConfigPath;
use crate::cli::opened::Opened;
use crate::error::BppError;
use crate::operate::explain::receipt;

#[derive(Debug, Args)]
pub(in crate::cli) struct ReceiptArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The order's id, or its trip's
    id: String,
    /// Write it as PDF into this file
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
}

pub(super) async fn run(args: ReceiptArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let made = async { receipt(&mut opened.store.read().await?, &args.id).await }.await;
    let receipt = made.map_err(|error| opened.not_operated(error))?;
    opened.store.close().await;
    let Some(path) = args.pdf else {
        print!("{}", receipt.text());
        return Ok(());
    };
    std::fs::write(&path, receipt.pdf())
        .map_err(|error| BppError::File { reason: format!("cannot be written: {error}"), path })
}
