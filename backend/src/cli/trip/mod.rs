//! `tripline-bpp trip`: what rides came to.

mod explain;
mod receipt;

use clap::Subcommand;

use crate::error::BppError;

#[derive(Debug, Subcommand)]
pub(super) enum TripCommand {
    /// Say why a ride's fare was charged: each line, where its figures come from, and whether it comes out the
    /// same when it is computed once more from the events. Exit code 9 if not
    Explain(explain::ExplainArgs),
    /// Print a ride's receipt, or write it as PDF
    Receipt(receipt::ReceiptArgs),
}

pub(super) async fn run(command: TripCommand) -> Result<(), BppError> {
    match command {
        TripCommand::Explain(args) => explain::run(args).await,
        TripCommand::Receipt(args) => receipt::run(args).await,
    }
}
