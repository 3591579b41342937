//! New enrolment codes.

use tripline_protocol::enrol::EnrolCode;
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use crate::chance;
use crate::identity::authority::Fingerprint;
use crate::service::ServiceError;
use crate::store::Tx;

/// How long a code may be used, in ms: 10 minutes, enough to walk to the vehicle and type it.
pub const CODE_LIFE_MS: i64 = 600_000;

/// A code, which is shown once and not kept.
#[derive(Debug, Clone)]
pub struct NewCode {
    /// The code.
    pub code: EnrolCode,
    /// Until when it may be used.
    pub expires_at: Timestamp,
}

/// Makes a code for a vehicle's device. It pins the CA with this fingerprint: the one whose certificate
/// the enrolment listener shows.
pub async fn new_code(
    tx: &mut Tx,
    device: &DeviceId,
    ca: &Fingerprint,
    now: Timestamp,
) -> Result<NewCode, ServiceError> {
    let mut code = EnrolCode { secret: chance::bytes()?, ca_fingerprint: [0; 16] };
    code.ca_fingerprint.copy_from_slice(&ca[..16]);
    let expires_at = now.plus_ms(CODE_LIFE_MS);
    tx.add_code(&code.hash(), device, now, expires_at).await?;
    Ok(NewCode { code, expires_at })
}
