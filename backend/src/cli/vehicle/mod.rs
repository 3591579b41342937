//! `tripline-bpp vehicle`: the fleet's vehicles and their devices.

use clap::{Args, Subcommand};
use serde_json::json;
use tripline_protocol::id::DeviceId;

use super::{ConfigPath, open_store};
use crate::config::Config;
use crate::domain::order::Vehicle;
use crate::error::BppError;
use crate::store::{Store, StoreError};
use crate::time;

/// Longest plate, name and phone, in bytes.
const TEXT_LEN_MAX: usize = 100;

#[derive(Debug, Subcommand)]
pub(super) enum VehicleCommand {
    /// Add a vehicle; prints its device id and the token for its agent, once
    Add(AddArgs),
    /// List the vehicles
    List(ListArgs),
    /// Send settings to devices
    Configure(super::configure::ConfigureArgs),
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
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
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Print as JSON, one object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: VehicleCommand) -> Result<(), BppError> {
    match command {
        VehicleCommand::Add(args) => add(args).await,
        VehicleCommand::List(args) => list(&args).await,
        VehicleCommand::Configure(args) => super::configure::run(&args).await,
    }
}

async fn add(args: AddArgs) -> Result<(), BppError> {
    let config = Config::load(&args.config.config)?;
    for (flag, text) in [
        ("--registration", &args.registration),
        ("--driver-name", &args.driver_name),
        ("--driver-phone", &args.driver_phone),
    ] {
        if text.trim().is_empty() || text.len() > TEXT_LEN_MAX || text.contains(char::is_control) {
            let message = format!("{flag} must have 1 to {TEXT_LEN_MAX} printable characters");
            return Err(BppError::Refused { message });
        }
    }
    let device = device_id(args.device.as_deref(), &args.registration)?;
    let vehicle = Vehicle {
        device: device.clone(),
        registration: args.registration.clone(),
        category: args.category.unwrap_or_else(|| config.item.vehicle_category.clone()),
        driver_name: args.driver_name,
        driver_phone: args.driver_phone,
    };
    let store = open_store(&config).await?;
    let added = insert(&store, vehicle).await.map_err(|source| failed(&config, source))?;
    store.close().await;
    if !added {
        let message = format!(
            "a vehicle with registration {} or device {device} exists already; \
             `tripline-bpp vehicle list` shows it",
            args.registration
        );
        return Err(BppError::Refused { message });
    }
    let listen = config.device.listen;
    if args.json {
        println!("{}", json!({ "device": device.as_str(), "endpoint": listen }));
    } else {
        println!("Added {}, device {device}.", args.registration);
    }
    Ok(())
}

async fn insert(store: &Store, vehicle: Vehicle) -> Result<bool, StoreError> {
    let mut tx = store.write().await?;
    let added = tx.add_vehicle(vehicle, time::now()).await?;
    tx.commit().await?;
    Ok(added)
}

/// The id asked for, or one made of the registration's letters and digits.
fn device_id(asked: Option<&str>, registration: &str) -> Result<DeviceId, BppError> {
    let text = asked.map_or_else(
        || registration.chars().filter(char::is_ascii_alphanumeric).collect::<String>(),
        str::to_owned,
    );
    let text = if asked.is_none() { text.to_ascii_lowercase() } else { text };
    text.parse().map_err(|error| BppError::Refused { message: format!("--device: {error}") })
}

async fn list(args: &ListArgs) -> Result<(), BppError> {
    let config = Config::load(&args.config.config)?;
    let store = open_store(&config).await?;
    let vehicles = async { store.read().await?.vehicles().await }
        .await
        .map_err(|source| failed(&config, source))?;
    for vehicle in vehicles {
        let Vehicle { device, registration, category, driver_name, driver_phone } = vehicle;
        if args.json {
            println!(
                "{}",
                json!({ "device": device.as_str(), "registration": registration,
                    "category": category, "driver_name": driver_name, "driver_phone": driver_phone })
            );
        } else {
            println!(
                "{registration:<14} {device:<20} {category:<16} {driver_name}, {driver_phone}"
            );
        }
    }
    store.close().await;
    Ok(())
}

fn failed(config: &Config, source: StoreError) -> BppError {
    BppError::Store { url: super::without_password(&config.store_url()), source }
}
