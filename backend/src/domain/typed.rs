//! What people type on a device: it is compared once, and is nobody's afterwards.

use tripline_protocol::link::up::EventBody;
use tripline_protocol::trip::TripStep;

/// Clears the PIN of a sign-in and the OTP of a start; says whether there was one.
pub fn clear_typed(body: &mut EventBody) -> bool {
    let typed = match body {
        EventBody::SignedIn { pin, .. } => &mut pin.0,
        EventBody::Trip { step: TripStep::Start { otp: Some(otp) }, .. } => &mut otp.0,
        EventBody::Trip { .. }
        | EventBody::Booted { .. }
        | EventBody::Answered { .. }
        | EventBody::CommandDone { .. }
        | EventBody::Lost
        | EventBody::Motion { .. }
        | EventBody::Overspeed { .. }
        | EventBody::Near { .. }
        | EventBody::Sos { .. }
        | EventBody::Trouble { .. }
        | EventBody::Running { .. }
        | EventBody::OtpTried { .. }
        | EventBody::Duty { .. } => return false,
    };
    let found = !typed.is_empty();
    typed.clear();
    found
}
