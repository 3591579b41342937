//! Where vehicles are at this moment.

use serde::{Deserialize, Serialize};
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;
use utoipa::ToSchema;

use super::{Cursor, Listed, OperateError, Page};
use crate::domain::live::{LIVE_AGE_MS_MAX, LiveFleet, LivePosition};

/// A vehicle's newest position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiveView {
    /// Which device it is of.
    pub device: String,
    /// Latitude, in degrees times ten million.
    pub lat_e7: i32,
    /// Longitude, in degrees times ten million.
    pub lon_e7: i32,
    /// Speed, in mm/s, where the receiver tells it.
    pub speed_mmps: Option<u32>,
    /// Course over ground, in hundredths of a degree, where the receiver tells it.
    pub course_cdeg: Option<u16>,
    /// When the device was there, by its own clock, in Unix milliseconds.
    pub at_unix_ms: i64,
    /// When that was received.
    pub received_at_unix_ms: i64,
    /// Whether it is new enough for the vehicle to be offered rides.
    pub fresh: bool,
}

impl LiveView {
    fn of(device: &DeviceId, seen: &LivePosition, now: Timestamp) -> Self {
        let live = seen.live;
        Self {
            device: device.to_string(),
            lat_e7: live.position.lat_e7(),
            lon_e7: live.position.lon_e7(),
            speed_mmps: live.speed_mmps,
            course_cdeg: live.course_cdeg,
            at_unix_ms: live.at.unix_ms,
            received_at_unix_ms: seen.received_at.unix_ms,
            fresh: seen.age_ms(now) <= LIVE_AGE_MS_MAX,
        }
    }
}

/// A page of the vehicles that were heard since this backend started, by device.
pub fn list(
    fleet: &LiveFleet,
    page: &Page,
    now: Timestamp,
) -> Result<Listed<LiveView>, OperateError> {
    let after: Option<DeviceId> = page.after().map(Cursor::key).transpose()?;
    let rows = usize::try_from(page.rows()).unwrap_or(usize::MAX);
    let rows = fleet.page(after.as_ref(), rows);
    let cursor = |(device, _): &(&DeviceId, &LivePosition)| Cursor::new(device, "");
    Ok(Listed::of(page, rows, cursor, |(device, seen)| LiveView::of(device, seen, now)))
}

/// Where one vehicle is.
pub fn show(
    fleet: &LiveFleet,
    device: &DeviceId,
    now: Timestamp,
) -> Result<LiveView, OperateError> {
    let seen = fleet.get(device).ok_or_else(|| OperateError::NotFound {
        what: "live position of device",
        id: device.to_string(),
    })?;
    Ok(LiveView::of(device, seen, now))
}
