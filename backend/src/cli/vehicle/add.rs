//! `tripline-bpp vehicle add`

use clap::Args;
use tripline_protocol::id::DeviceId;

use super::super::ConfigPath;
use super::super::opened::Opened;
use super::new::{NewVehicle, insert};
use super::printed::Printed;
use crate::domain::order::Vehicle;
use crate::enrol::code::NewCode;
use crate::error::BppError;
use crate::identity::authority::Fingerprint;
use crate::service::ServiceError;
use crate::time;

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Registration plate, unique in the fleet
    #[arg(long)]
    registration: String,
    /// Category; that of the configured item if not given
    #[arg(long)]
    category: Option<String>,
    /// The driver's name, as riders see it
    #[arg(long)]
    driver_name: String,
    /// The driver's phone, as riders see it
    #[arg(long)]
    driver_phone: String,
    /// Device id: a-z, 0-9 and '-'; made from the registration if not given
    #[arg(long)]
    device: Option<String>,
    /// Draw the command to type on the device as a QR code
    #[arg(long, conflicts_with = "json")]
    qr: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: AddArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let new = NewVehicle {
        registration: args.registration,
        driver_name: args.driver_name,
        driver_phone: args.driver_phone,
        category: args.category,
        device: args.device,
    };
    let vehicle = new.check(&opened.config.item.vehicle_category).map_err(|bad| {
        let message = format!("--{} {}", bad.field.replace('_', "-"), bad.problem);
        BppError::Refused { message }
    })?;
    let (device, registration) = (vehicle.device.clone(), vehicle.registration.clone());
    let ca = opened.authorities()?.serving().fingerprint();
    let code = store(&opened, vehicle, &ca).await.map_err(|error| opened.not_done(error))?;
    let code = code.ok_or_else(|| taken(&registration, &device))?;
    opened.store.close().await;
    let url = opened.config.enrol_url();
    let printed = Printed { device: &device, registration: &registration, url: &url, code: &code };
    if args.json {
        println!("{}", printed.as_json());
        return Ok(());
    }
    println!("Added {registration}, device {device}.");
    printed.print(args.qr)
}

async fn store(
    opened: &Opened,
    vehicle: Vehicle,
    ca: &Fingerprint,
) -> Result<Option<NewCode>, ServiceError> {
    let mut tx = opened.store.write().await?;
    let code = insert(&mut tx, vehicle, ca, time::now()).await?;
    tx.commit().await?;
    Ok(code)
}

fn taken(registration: &str, device: &DeviceId) -> BppError {
    let message = format!(
        "a vehicle with registration {registration} or device {device} exists already; \
         `tripline-bpp vehicle list` shows it"
    );
    BppError::Refused { message }
}
