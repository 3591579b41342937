//! What a device is to run from its enrolment on.

use tripline_protocol::id::DeviceId;
use tripline_protocol::link::settings::DeviceSettings;

use super::{Platform, ServiceError};
use crate::store::Tx;

impl Platform {
    /// The settings that a device gets with its certificate.
    #[expect(clippy::unused_async, reason = "what is wanted of a device is read from the store")]
    pub async fn first_settings(
        &self,
        _tx: &mut Tx,
        _device: &DeviceId,
    ) -> Result<DeviceSettings, ServiceError> {
        Ok(DeviceSettings::default())
    }
}
