//! `tripline-bpp vehicle`: the fleet's vehicles and their devices.

mod new;
mod printed;

mod add;
mod change;
mod configure;
mod import;
mod list;
mod rekey;
mod revoke;
mod show;

use clap::Subcommand;

use crate::error::BppError;

#[derive(Debug, Subcommand)]
pub(super) enum VehicleCommand {
    /// Add a vehicle; prints a code with which its device enrols within 10 minutes, once
    Add(add::AddArgs),
    /// Add many vehicles at once, all or none, from JSON lines
    Import(import::ImportArgs),
    /// List the vehicles: who is connected, and whose certificate counts
    List(list::ListArgs),
    /// Show all that is known of a vehicle's device
    Show(show::ShowArgs),
    /// Change what is on record of a vehicle: plate, category, provider, make, model
    Change(change::ChangeArgs),
    /// Say who drives a vehicle while nobody is signed in on its device; nobody if no driver is named
    Assign(change::AssignArgs),
    /// Take a vehicle out of use: it is offered nothing any more. `revoke` also puts its device out
    Retire(change::NamedArgs),
    /// Take a vehicle into use again
    Reinstate(change::NamedArgs),
    /// Put a device out within 5 s: its certificates and codes end
    Revoke(revoke::RevokeArgs),
    /// Print a new code: for a device that comes in place of another, and the way back after a revocation
    Rekey(rekey::RekeyArgs),
    /// Send settings to devices: cadences, fences, thresholds
    Configure(configure::ConfigureArgs),
}

pub(super) async fn run(command: VehicleCommand) -> Result<(), BppError> {
    match command {
        VehicleCommand::Add(args) => add::run(args).await,
        VehicleCommand::Import(args) => import::run(&args).await,
        VehicleCommand::List(args) => list::run(&args).await,
        VehicleCommand::Show(args) => show::run(&args).await,
        VehicleCommand::Change(args) => change::run(args).await,
        VehicleCommand::Assign(args) => change::assign(args).await,
        VehicleCommand::Retire(args) => change::set_active(&args, false).await,
        VehicleCommand::Reinstate(args) => change::set_active(&args, true).await,
        VehicleCommand::Revoke(args) => revoke::run(&args).await,
        VehicleCommand::Rekey(args) => rekey::run(&args).await,
        VehicleCommand::Configure(args) => configure::run(&args).await,
    }
}
