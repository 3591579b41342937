//! What `tripline-bpp trip` is told.

use clap::Args;
use tripline_protocol::id::{DeviceId, DriverId};

use crate::cli::ConfigPath;
use crate::store::listing::OrderFilter;

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    pub(super) config: ConfigPath,
    /// Those that are over too
    #[arg(long)]
    all: bool,
    /// Only those whose devices are not heard
    #[arg(long)]
    pub(super) silent: bool,
    /// Only those of this provider, by its id
    #[arg(long, value_name = "ID")]
    provider: Option<String>,
    /// Only those of this driver, by their id
    #[arg(long, value_name = "ID")]
    driver: Option<DriverId>,
    /// Only those of this device's vehicle
    #[arg(long, value_name = "ID")]
    device: Option<DeviceId>,
    /// Print as JSON, one object a line
    #[arg(long)]
    pub(super) json: bool,
}

impl ListArgs {
    pub(super) fn filter(&self) -> OrderFilter {
        OrderFilter {
            provider: self.provider.clone(),
            driver: self.driver.clone(),
            device: self.device.clone(),
            under_way: !self.all,
            with_trip: true,
            ..OrderFilter::default()
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    #[command(flatten)]
    pub(super) config: ConfigPath,
    /// The trip's id, or its order's
    pub(super) trip: String,
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DriveArgs {
    #[command(flatten)]
    pub(super) config: ConfigPath,
    /// The trip's id, or its order's
    pub(super) trip: String,
    /// Why; the driver reads it, and the audit trail has it
    #[arg(long)]
    pub(super) reason: String,
    /// How long to wait for the device's report, in s; 0 does not wait
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=600))]
    pub(super) wait_s: u64,
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ActArgs {
    #[command(flatten)]
    pub(super) config: ConfigPath,
    /// The trip's id, or its order's
    pub(super) trip: String,
    /// Why; the driver and the rider's platform may read it, and the audit trail has it
    #[arg(long)]
    pub(super) reason: String,
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
}
