//! The fleet: what is kept of it, how it is taken in from files, who is signed in, and what a platform has of
//! it in memory. On both databases.

#[path = "../both/mod.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod both;
#[path = "../offer/mod.rs"]
mod offer;
#[path = "../quoted/mod.rs"]
mod quoted;

mod duty;
mod imports;
mod memory;
mod stores;

use tripline_backend::domain::fleet::{Driver, Rating, VehicleRecord};
use tripline_backend::store::Tx;
use tripline_protocol::id::{DeviceId, DriverId};
use tripline_protocol::unit::Timestamp;

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

fn device(id: &str) -> DeviceId {
    id.parse().expect("a device id")
}

fn driver_id(id: &str) -> DriverId {
    id.parse().expect("a driver id")
}

fn driver(id: &str) -> Driver {
    Driver {
        id: driver_id(id),
        provider: None,
        name: format!("Name of {id}"),
        phone: "+91-98".into(),
        active: true,
        rating: Rating::default(),
    }
}

/// Adds a vehicle, which `standing` drives.
async fn add_vehicle(tx: &mut Tx, id: &str, standing: Option<&str>) {
    let plate = format!("KA {id}");
    let mut record = VehicleRecord::new(device(id), plate, "AUTO_RICKSHAW".into());
    record.driver = standing.map(driver_id);
    assert!(tx.add_vehicle_record(&record, NOW).await.expect("added"));
}

async fn add_driver(tx: &mut Tx, id: &str) {
    assert!(tx.add_driver(&driver(id), NOW).await.expect("added"));
}
