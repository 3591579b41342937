//! `tripline-bpp trip explain`

use clap::Args;

use crate::cli::ConfigPath;
use crate::cli::opened::Opened;
use crate::error::BppError;
use crate::operate::explain::explain;

#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The order's id, or its trip's
    id: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: ExplainArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let explained = async { explain(&mut opened.store.read().await?, &args.id).await }.await;
    let explanation = explained.map_err(|error| opened.not_operated(error))?;
    if args.json {
        let json = serde_json::to_string(&explanation);
        println!("{}", json.map_err(|error| BppError::Internal(error.to_string()))?);
    } else {
        print!("{explanation}");
    }
    opened.store.close().await;
    match explanation.difference() {
        None => Ok(()),
        Some(message) => Err(BppError::Refused { message }),
    }
}
