//! `tripline-bpp vehicle add`

use clap::Args;

use super::super::ConfigPath;
use super::super::opened::Opened;
use super::new::{Checked, Described, insert};
use super::printed::Printed;
use crate::error::BppError;
use crate::operate::item::only_category;
use crate::operate::{Actor, OperateError};
use crate::store::retry::retry;
use crate::time;

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Registration plate, unique in the fleet
    #[arg(long)]
    registration: String,
    /// Category; that of the items if not given, where they have one and the same
    #[arg(long)]
    category: Option<String>,
    /// Name of its standing driver, as riders see it: one with this name and phone is found or added
    #[arg(long, requires = "driver_phone", conflicts_with = "driver")]
    driver_name: Option<String>,
    /// The driver's phone, as riders see it
    #[arg(long, requires = "driver_name")]
    driver_phone: Option<String>,
    /// Its standing driver, by id
    #[arg(long)]
    driver: Option<String>,
    /// For whom it drives; for every provider if not given
    #[arg(long)]
    provider: Option<String>,
    /// Device id: a-z, 0-9 and '-'; made from the registration if not given
    #[arg(long)]
    device: Option<String>,
    #[command(flatten)]
    look: Look,
    /// Draw the command to type on the device as a QR code
    #[arg(long, conflicts_with = "json")]
    qr: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// What a vehicle is, beside its plate.
#[derive(Debug, Args)]
pub(super) struct Look {
    /// Who made it
    #[arg(long)]
    pub(super) make: Option<String>,
    /// The model
    #[arg(long)]
    pub(super) model: Option<String>,
    /// The colour
    #[arg(long)]
    pub(super) color: Option<String>,
    /// The variant of the model
    #[arg(long)]
    pub(super) variant: Option<String>,
    /// What moves it: petrol, diesel, cng, lpg, electric, hybrid or none
    #[arg(long)]
    pub(super) energy: Option<String>,
    /// How many riders it carries
    #[arg(long)]
    pub(super) capacity: Option<u16>,
}

pub(super) async fn run(args: AddArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let category = opened.look(async |tx| only_category(tx).await).await?;
    let described = Described {
        registration: args.registration,
        driver_name: args.driver_name,
        driver_phone: args.driver_phone,
        driver: args.driver,
        provider: args.provider,
        category: args.category,
        device: args.device,
        make: args.look.make,
        model: args.look.model,
        color: args.look.color,
        variant: args.look.variant,
        energy: args.look.energy,
        capacity: args.look.capacity,
    };
    let checked = described.check(category.as_deref()).map_err(|error| option(&opened, error))?;
    let ca = opened.authorities()?.serving().fingerprint();
    let code = retry(|| async {
        let mut tx = opened.store.write().await?;
        let code = insert(&mut tx, &Actor::cli(), &checked, &ca, time::now()).await?;
        if code.is_some() {
            tx.commit().await?;
        }
        Ok::<_, OperateError>(code)
    });
    let code = code.await.map_err(|error| option(&opened, error))?;
    let code = code.ok_or_else(|| taken(&checked))?;
    opened.store.close().await;
    let url = opened.config.enrol_url();
    let (device, registration) = (&checked.record.device, &checked.record.registration);
    let printed = Printed { device, registration, url: &url, code: &code };
    if args.json {
        println!("{}", printed.as_json());
        return Ok(());
    }
    println!("Added {registration}, device {device}.");
    printed.print(args.qr)
}

/// What is wrong, named by the option.
fn option(opened: &Opened, error: OperateError) -> BppError {
    match error {
        OperateError::Invalid { field, problem } => {
            let message = format!("--{} {problem}", field.replace('_', "-"));
            BppError::Refused { message }
        }
        other @ (OperateError::NotFound { .. }
        | OperateError::Unusable { .. }
        | OperateError::Conflict { .. }
        | OperateError::Stale { .. }
        | OperateError::Refused { .. }
        | OperateError::Service(_)) => opened.not_operated(other),
    }
}

fn taken(checked: &Checked) -> BppError {
    let message = format!(
        "a vehicle with registration {} or device {} exists already; \
         `tripline-bpp vehicle list` shows it",
        checked.record.registration, checked.record.device
    );
    BppError::Refused { message }
}
