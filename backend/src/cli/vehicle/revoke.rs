//! `tripline-bpp vehicle revoke`

use clap::Args;

use super::super::ConfigPath;
use super::super::opened::{Opened, counted, print_json};
use crate::error::BppError;
use crate::operate::device::{self, Revocation};

#[derive(Debug, Args)]
pub(in crate::cli) struct RevokeArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Device id or registration
    device: String,
    /// Why, for the audit trail
    #[arg(long)]
    reason: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &RevokeArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let device = opened.vehicle(&args.device).await?.device;
    let why = Revocation { reason: args.reason.clone() };
    let revoked = opened
        .change(async |tx, actor, now| device::revoke(tx, actor, device.as_str(), &why, now).await);
    let revoked = revoked.await?;
    opened.store.close().await;
    if args.json {
        return print_json(&revoked);
    }
    println!(
        "Revoked device {device}, vehicle {}: {} and {} ended.",
        revoked.registration,
        counted(revoked.certificates, "certificate"),
        counted(revoked.codes, "code"),
    );
    println!("It is out within 5 s. `tripline-bpp vehicle rekey {device}` lets it enrol anew.");
    Ok(())
}
