//! `tripline-bpp duty`: who is signed in on which vehicle.

use clap::{Args, Subcommand};

use super::{How, when};
use crate::error::BppError;
use crate::operate::duty::{self, DutyChange, DutyView};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DutyCommand {
    /// List who is signed in, by driver
    List(How),
    /// Set a driver's duty on their behalf, without their PIN; the vehicle is told
    Set(SetArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SetArgs {
    /// The driver's id
    driver: String,
    /// on: takes rides; break: is offered none; off: signed out
    #[arg(value_parser = ["on", "break", "off"])]
    state: String,
    /// On which vehicle, by device or registration; needed for whoever is not signed in
    #[arg(long)]
    vehicle: Option<String>,
    #[command(flatten)]
    how: How,
}

pub(in crate::cli) async fn run(command: DutyCommand) -> Result<(), BppError> {
    match command {
        DutyCommand::List(how) => {
            how.print_all(async |tx, page| duty::list(tx, page).await, as_text).await
        }
        DutyCommand::Set(args) => {
            let opened = args.how.open().await?;
            let change = DutyChange { state: args.state, vehicle: args.vehicle };
            let set = opened.change(async |tx, actor, now| {
                duty::set(tx, actor, &args.driver, change.clone(), now).await
            });
            args.how.print(&set.await?, as_text)
        }
    }
}

fn as_text(view: &DutyView) -> String {
    let DutyView { driver, device, state, since_unix_ms } = view;
    format!("{driver:<20} {state:<6} {device:<20} since {}", when(Some(*since_unix_ms)))
}
