//! `tripline-bpp store`: the store as a whole.

mod check;
mod copy;

use clap::Subcommand;

use crate::error::BppError;

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Say how large the store is, table by table, and whether it is sound
    Check(check::CheckArgs),
    /// Copy an SQLite store into an empty PostgreSQL database, while no platform serves from either
    Copy(copy::CopyArgs),
}

pub(super) async fn run(command: StoreCommand) -> Result<(), BppError> {
    match command {
        StoreCommand::Check(args) => check::run(&args).await,
        StoreCommand::Copy(args) => copy::run(&args).await,
    }
}
