//! `tripline-bpp vehicle revoke`

use clap::Args;
use serde_json::json;

use super::super::ConfigPath;
use super::super::opened::{Opened, counted};
use crate::audit::DETAIL_LEN_MAX;
use crate::enrol::revoke::{Revoked, revoke};
use crate::error::BppError;
use crate::time;

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
    let reason = args.reason.trim();
    if reason.is_empty() || reason.len() > DETAIL_LEN_MAX || reason.contains(char::is_control) {
        let message = format!("--reason must have 1 to {DETAIL_LEN_MAX} printable characters");
        return Err(BppError::Refused { message });
    }
    let opened = Opened::open(&args.config).await?;
    let vehicle = opened.vehicle(&args.device).await?;
    let revoked = revoke(&opened.store, &vehicle.device, reason, time::now()).await;
    let Revoked { certificates, codes } = revoked.map_err(|error| opened.not_done(error))?;
    opened.store.close().await;
    let device = vehicle.device.as_str();
    if args.json {
        let done = json!({ "device": device, "registration": vehicle.registration,
            "reason": reason, "certificates": certificates, "codes": codes });
        println!("{done}");
        return Ok(());
    }
    println!(
        "Revoked device {device}, vehicle {}: {} and {} ended.",
        vehicle.registration,
        counted(certificates, "certificate"),
        counted(codes, "code"),
    );
    println!("It is out within 5 s. `tripline-bpp vehicle rekey {device}` lets it enrol anew.");
    Ok(())
}
