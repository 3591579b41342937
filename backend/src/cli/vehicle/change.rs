//! `tripline-bpp vehicle change`, `assign`, `retire` and `reinstate`.

use clap::Args;

use super::super::fleet::How;
use super::super::opened::Opened;
use super::add::Look;
use crate::error::BppError;
use crate::operate::vehicle::{self, VehicleChange, VehicleView};

#[derive(Debug, Args)]
pub(in crate::cli) struct ChangeArgs {
    /// Device id or registration
    vehicle: String,
    /// Registration plate
    #[arg(long)]
    registration: Option<String>,
    /// Category; items name it
    #[arg(long)]
    category: Option<String>,
    /// For whom it drives; "" for every provider
    #[arg(long)]
    provider: Option<String>,
    #[command(flatten)]
    look: Look,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AssignArgs {
    /// Device id or registration
    vehicle: String,
    /// Who drives it while nobody is signed in, by id; nobody if not given
    driver: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NamedArgs {
    /// Device id or registration
    vehicle: String,
    #[command(flatten)]
    how: How,
}

pub(super) async fn run(args: ChangeArgs) -> Result<(), BppError> {
    let ChangeArgs { vehicle, registration, category, provider, look, how } = args;
    let change = VehicleChange {
        registration,
        category,
        provider,
        make: look.make,
        model: look.model,
        color: look.color,
        variant: look.variant,
        energy: look.energy,
        capacity: look.capacity,
        ..VehicleChange::default()
    };
    carry_out(&vehicle, change, &how).await
}

pub(super) async fn assign(args: AssignArgs) -> Result<(), BppError> {
    let driver = Some(args.driver.unwrap_or_default());
    let change = VehicleChange { driver, ..VehicleChange::default() };
    carry_out(&args.vehicle, change, &args.how).await
}

pub(super) async fn set_active(args: &NamedArgs, active: bool) -> Result<(), BppError> {
    let change = VehicleChange { active: Some(active), ..VehicleChange::default() };
    carry_out(&args.vehicle, change, &args.how).await
}

async fn carry_out(name: &str, change: VehicleChange, how: &How) -> Result<(), BppError> {
    let opened: Opened = how.open().await?;
    let changed = opened
        .change(async |tx, actor, now| vehicle::change(tx, actor, name, change.clone(), now).await);
    how.print(&changed.await?, as_text)
}

fn as_text(view: &VehicleView) -> String {
    let words = [&view.make, &view.model, &view.variant, &view.color, &view.energy];
    let look: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
    let driver = view.driver.as_deref().unwrap_or("no driver");
    let provider = view.provider.as_deref().unwrap_or("-");
    let VehicleView { registration, device, category, .. } = view;
    let retired = if view.active { "" } else { "(retired)" };
    let line = format!(
        "{registration:<14} {device:<20} {category:<16} {provider:<16} {driver:<20} {} {retired}",
        look.join(" ")
    );
    line.trim_end().to_owned()
}
