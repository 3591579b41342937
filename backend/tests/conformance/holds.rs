//! Vehicles, and which order has which: a device is never on two.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tripline_backend::domain::order::Vehicle;
use tripline_backend::store::Tx;
use tripline_protocol::id::DeviceId;

use crate::orders::{self, ORDERS, Orders};
use crate::{Checked, NOW};

pub(crate) const DEVICES: u8 = 3;

#[derive(Debug, Clone)]
pub(crate) enum Op {
    AddVehicles,
    Hold { device: u8, order: u8 },
    Release { device: u8, order: u8 },
    NextNumber(u8),
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let both = || (1..=DEVICES, 1..=ORDERS);
    prop_oneof![
        1 => Just(Op::AddVehicles),
        4 => both().prop_map(|(device, order)| Op::Hold { device, order }),
        3 => both().prop_map(|(device, order)| Op::Release { device, order }),
        1 => (1..=DEVICES).prop_map(Op::NextNumber),
    ]
}

pub(crate) fn device(n: u8) -> DeviceId {
    format!("d{n}").parse().expect("valid")
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Holds {
    /// Numbers that commands of each device had, if the vehicles are there.
    numbers: BTreeMap<u8, u64>,
    held: BTreeMap<u8, u8>,
}

impl Holds {
    /// Adds the vehicles unless they are there: a second time changes nothing.
    pub(crate) async fn add_vehicles(&mut self, tx: &mut Tx) -> Checked {
        for n in 1..=DEVICES {
            let vehicle = Vehicle {
                device: device(n),
                registration: format!("KA {n}"),
                category: "TAXI".into(),
                make: None,
                model: None,
                color: None,
                driver: None,
                driver_name: "Raghav".into(),
                driver_phone: "+91-98".into(),
                driver_rating_centistars: None,
            };
            let added = tx.add_vehicle(vehicle, NOW).await.expect("answers");
            prop_assert_eq!(added, !self.numbers.contains_key(&n));
            self.numbers.entry(n).or_insert(NOW.unix_ms.cast_unsigned());
        }
        Ok(())
    }

    pub(crate) async fn run(&mut self, tx: &mut Tx, op: Op, orders: &Orders) -> Checked {
        match op {
            Op::AddVehicles => self.add_vehicles(tx).await?,
            Op::Hold { device: n, order } => {
                if orders.has(order) && self.numbers.contains_key(&n) {
                    let taken = tx.hold(&device(n), orders::id(order)).await.expect("answers");
                    prop_assert_eq!(taken, !self.held.contains_key(&n), "{} for {}", n, order);
                    self.held.entry(n).or_insert(order);
                }
            }
            Op::Release { device: n, order } => {
                tx.release(&device(n), orders::id(order)).await.expect("answers");
                if self.held.get(&n) == Some(&order) {
                    self.held.remove(&n);
                }
            }
            Op::NextNumber(n) => {
                if let Some(number) = self.numbers.get_mut(&n) {
                    *number += 1;
                    let next = tx.next_command_number(&device(n)).await.expect("answers");
                    prop_assert_eq!(next.0, *number);
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn check(&self, tx: &mut Tx) -> Checked {
        let held: BTreeSet<_> = self.held.keys().map(|n| device(*n)).collect();
        let vehicles = tx.vehicles().await.expect("answers");
        let devices: Vec<_> = vehicles.iter().map(|vehicle| vehicle.device.clone()).collect();
        prop_assert_eq!(tx.held_among(&devices).await.expect("answers"), held);
        prop_assert_eq!(vehicles.len(), self.numbers.len());
        Ok(())
    }
}
