//! Dispatch: who is offered an order next.

use std::collections::BTreeSet;

use tripline_protocol::id::DeviceId;

use super::live::Near;

/// How orders are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DispatchRules {
    /// How far a vehicle may be from the pickup, in metres.
    pub radius_m: u32,
    /// How long a driver has to answer, in ms.
    pub offer_ms: i64,
    /// How long a driver is looked for at all, in ms.
    pub search_ms: i64,
}

/// The candidates for an order, best first: the nearest that is free and was not asked before.
pub fn candidates(
    near: Vec<Near>,
    held: &BTreeSet<DeviceId>,
    asked: &BTreeSet<DeviceId>,
) -> Vec<DeviceId> {
    near.into_iter()
        .map(|near| near.device)
        .filter(|device| !held.contains(device) && !asked.contains(device))
        .collect()
}
