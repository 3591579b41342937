//! `tripline-bpp vehicle rekey`

use clap::Args;

use super::super::ConfigPath;
use super::super::opened::Opened;
use super::printed::Printed;
use crate::audit::{AuditKind, Entry};
use crate::enrol::revoke::rekey_in;
use crate::error::BppError;

#[derive(Debug, Args)]
pub(in crate::cli) struct RekeyArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Device id or registration
    device: String,
    /// Draw the command to type on the device as a QR code
    #[arg(long, conflicts_with = "json")]
    qr: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &RekeyArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let vehicle = opened.vehicle(&args.device).await?;
    let ca = opened.authorities()?.serving().fingerprint();
    let device = vehicle.device.clone();
    let code = opened.change(async |tx, actor, now| {
        let entry = Entry::of_device(AuditKind::Rekeyed, &device, "a new code").by(&actor.name);
        Ok(rekey_in(tx, &device, &ca, entry, now).await?)
    });
    let code = code.await?;
    opened.store.close().await;
    let url = opened.config.enrol_url();
    let (device, registration) = (&vehicle.device, vehicle.registration.as_str());
    let printed = Printed { device, registration, url: &url, code: &code };
    if args.json {
        println!("{}", printed.as_json());
        return Ok(());
    }
    println!("A new code for {registration}, device {device}; older ones are worth nothing now.");
    println!("What the device has goes on until it, or another one, enrols with the code.");
    printed.print(args.qr)
}
