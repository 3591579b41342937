//! Vehicles as the fleet's records have them.

use tripline_protocol::id::{DeviceId, DriverId};

use super::id::ProviderId;

coded! {
    /// What moves a vehicle.
    Energy {
        /// Petrol.
        Petrol => "petrol",
        /// Diesel.
        Diesel => "diesel",
        /// Compressed natural gas.
        Cng => "cng",
        /// Liquefied petroleum gas.
        Lpg => "lpg",
        /// A battery.
        Electric => "electric",
        /// An engine and a battery.
        Hybrid => "hybrid",
        /// Muscles.
        None => "none",
    }
}

/// Most people a vehicle may carry.
pub const CAPACITY_MAX: u16 = 200;

/// A vehicle. Its stable id is that of the device it carries, which a new unit in it takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VehicleRecord {
    /// The device.
    pub device: DeviceId,
    /// Registration plate, unique in the fleet.
    pub registration: String,
    /// Category, in the operator's words; items name it.
    pub category: String,
    /// Who made it.
    pub make: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The colour.
    pub color: Option<String>,
    /// The variant of the model.
    pub variant: Option<String>,
    /// What moves it.
    pub energy: Option<Energy>,
    /// How many riders it carries.
    pub capacity: Option<u16>,
    /// For whom it drives; for every provider if for none in particular.
    pub provider: Option<ProviderId>,
    /// Who drives it while nobody is signed in.
    pub driver: Option<DriverId>,
    /// Whether it is in use; one that was retired is offered nothing.
    pub active: bool,
}

impl VehicleRecord {
    /// One of which only this is known.
    pub fn new(device: DeviceId, registration: String, category: String) -> Self {
        Self {
            device,
            registration,
            category,
            make: None,
            model: None,
            color: None,
            variant: None,
            energy: None,
            capacity: None,
            provider: None,
            driver: None,
            active: true,
        }
    }
}
