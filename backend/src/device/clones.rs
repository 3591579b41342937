//! Whether there may be two of a device: two units with one identity take the place from each other
//! again and again, and one that merely lost its network does not. Pure: time is an argument.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use tripline_protocol::id::DeviceId;

/// So many take-overs of one device within [`WITHIN`] are suspicious.
const TAKE_OVERS: usize = 5;

/// See [`TAKE_OVERS`]. A device that is still suspected then is reported again.
const WITHIN: Duration = Duration::from_mins(1);

/// Devices remembered before those with no recent take-over are looked for and forgotten.
const DEVICES_BEFORE_FORGETTING: usize = 1_024;

/// A device's recent take-overs.
#[derive(Debug, Default)]
struct Recent {
    take_overs: VecDeque<Instant>,
    reported: Option<Instant>,
}

/// Every device's recent take-overs.
#[derive(Debug, Default)]
pub(super) struct Clones {
    devices: HashMap<DeviceId, Recent>,
}

impl Clones {
    /// A device was taken over; whether that is to be reported as suspicious.
    pub(super) fn handle_take_over(&mut self, device: &DeviceId, now: Instant) -> bool {
        let is_recent = |at: Instant| now.duration_since(at) < WITHIN;
        if self.devices.len() >= DEVICES_BEFORE_FORGETTING {
            self.devices.retain(|_, r| r.take_overs.back().is_some_and(|at| is_recent(*at)));
        }
        let recent = self.devices.entry(device.clone()).or_default();
        recent.take_overs.push_back(now);
        if recent.take_overs.len() > TAKE_OVERS {
            recent.take_overs.pop_front();
        }
        let suspicious = recent.take_overs.len() == TAKE_OVERS
            && recent.take_overs.front().is_some_and(|at| is_recent(*at));
        let report = suspicious && !recent.reported.is_some_and(is_recent);
        if report {
            recent.reported = Some(now);
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_within_a_minute_are_reported_once_a_minute_and_a_bad_network_is_not() {
        let (mut clones, start) = (Clones::default(), Instant::now());
        let device = "a".parse().expect("valid");
        let mut reports = |every_s: u64, count: u64, from_s: u64| {
            let at = |n| start + Duration::from_secs(from_s + n * every_s);
            (0..count).filter(|n| clones.handle_take_over(&device, at(*n))).count()
        };
        assert_eq!(reports(20, 100, 0), 0, "one every twenty seconds");
        assert_eq!(reports(1, 4, 10_000), 0);
        assert_eq!(reports(1, 100, 20_000), 2, "in a hundred seconds");
    }
}
