//! What a driver can do on the device, why it may not be possible, and what typed text must be like.

use alloc::string::String;

use tripline_protocol::duty::{Duty, PIN_DIGITS, TypedPin};
use tripline_protocol::fare::{EXTRA_NOTE_LEN_MAX, EXTRAS_MAX, Extra, ExtraError, ExtraKind};
use tripline_protocol::id::DriverId;
use tripline_protocol::machine::Refused;
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::tariff::is_amount;
use tripline_protocol::unit::Paise;

/// Longest reason a driver may give, in bytes. What the backend tells a driver is cut to it.
pub const REASON_LEN_MAX: usize = 200;

/// Most digits of an OTP that is taken.
pub const OTP_DIGITS_MAX: usize = 16;

/// Tries at the OTP of a trip before a dispatcher must unlock it: of the ten thousand that four digits can
/// be, a thief who guesses meets one in two thousand rides.
pub const OTP_TRIES_MAX: u8 = 5;

/// What a driver can do on the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriverAction {
    /// Take the offer.
    Accept,
    /// Decline the offer.
    Reject {
        /// Why, possibly empty.
        reason: String,
    },
    /// Set off for the pickup.
    Depart,
    /// At the pickup.
    Arrive,
    /// The rider is aboard.
    Start {
        /// The rider's OTP, where the ride needs one.
        otp: Option<TypedOtp>,
    },
    /// A stop on the way.
    Pause,
    /// On again.
    Resume,
    /// The rider is dropped.
    Stop,
    /// Call it off.
    Cancel {
        /// Why.
        reason: String,
    },
    /// The rider did not come.
    NoShow,
    /// The driver paid something for the rider.
    Extra(Extra),
    /// The rider paid.
    Collected {
        /// How much; the whole fare if not said.
        amount: Option<Paise>,
    },
    /// The driver calls for help.
    Sos,
    /// Who drives.
    SignIn {
        /// The driver's id.
        driver: DriverId,
        /// The driver's PIN, which the platform checks.
        pin: TypedPin,
    },
    /// Whether rides are taken.
    Duty(Duty),
}

/// Why a driver's action is not possible. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    /// Nothing to answer.
    #[error("there is no offer to answer; wait for one")]
    NoOffer,
    /// Answered too late.
    #[error("the offer has expired; wait for the next one")]
    OfferExpired,
    /// No trip in hand.
    #[error("there is no trip; accept an offer first")]
    NoTrip,
    /// Not at this point.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The OTP is missing.
    #[error("this ride needs the rider's OTP: ask the rider and give it with --otp")]
    OtpNeeded,
    /// It cannot be an OTP, and is no try.
    #[error("an OTP has digits only, at most {OTP_DIGITS_MAX} of them; ask the rider again")]
    OtpMalformed,
    /// The OTP is wrong.
    #[error("the OTP is wrong; ask the rider again ({left} more tries)")]
    OtpWrong {
        /// Tries that are left, at least 1.
        left: u8,
    },
    /// No tries are left.
    #[error(
        "the OTP was wrong {OTP_TRIES_MAX} times; ask your dispatcher to unlock it, or to start the ride"
    )]
    OtpLocked,
    /// Asked to compare an OTP whose try is not in the journal.
    #[error("the try at the OTP could not be recorded; try again")]
    OtpUncounted,
    /// Arrived already, inside the fence.
    #[error("the arrival is recorded already and waiting time runs; start, or report a no-show")]
    ArrivedAlready,
    /// Not while the rider is aboard.
    #[error("an extra is entered between start and stop; after the stop tell your dispatcher")]
    NotRiding,
    /// Not what an extra may cost.
    #[error("an extra costs between 0.01 and 1000000.00")]
    ExtraAmount,
    /// A note that is too long, or no text.
    #[error("the note of an extra is at most {EXTRA_NOTE_LEN_MAX} bytes of text on one line")]
    ExtraNote,
    /// Nobody knows what it was for.
    #[error("an extra of the kind `other` needs a note that says what it was for")]
    ExtraNoteNeeded,
    /// Too many.
    #[error("a trip has at most {EXTRAS_MAX} extras; tell your dispatcher of further ones")]
    ExtrasFull,
    /// Nothing owed.
    #[error("there is nothing to collect before the trip has ended")]
    NothingOwed,
    /// The rider pays otherwise.
    #[error("this ride is not paid to the driver; take no money for it")]
    NotToCollect,
    /// Paid already.
    #[error("the fare has been collected already")]
    CollectedAlready,
    /// Not an amount.
    #[error("the collected amount must be between 0.00 and 1000000.00")]
    Amount,
    /// Too long.
    #[error("the reason is longer than {REASON_LEN_MAX} bytes; shorten it")]
    ReasonTooLong,
    /// Not with a trip in hand: it stays its driver's.
    #[error("there is a trip under way; end it first")]
    TripUnderWay,
    /// It cannot be a PIN.
    #[error("a PIN has {} to {} digits", PIN_DIGITS.start(), PIN_DIGITS.end())]
    PinMalformed,
    /// Nobody who could take rides.
    #[error("nobody is signed in; sign in first")]
    NotSignedIn,
}

pub(super) fn check_reason(reason: String) -> Result<String, DriverError> {
    if reason.len() > REASON_LEN_MAX { Err(DriverError::ReasonTooLong) } else { Ok(reason) }
}

/// Without the blanks around it.
pub(super) fn check_otp(TypedOtp(typed): TypedOtp) -> Result<TypedOtp, DriverError> {
    let typed = typed.trim();
    let possible = (1..=OTP_DIGITS_MAX).contains(&typed.len()) && is_digits(typed);
    if possible { Ok(TypedOtp(typed.into())) } else { Err(DriverError::OtpMalformed) }
}

pub(super) fn check_pin(TypedPin(typed): &TypedPin) -> Result<(), DriverError> {
    let possible = PIN_DIGITS.contains(&typed.len()) && is_digits(typed);
    if possible { Ok(()) } else { Err(DriverError::PinMalformed) }
}

pub(super) fn check_extra(extra: &Extra) -> Result<(), DriverError> {
    extra.check().map_err(|error| match error {
        ExtraError::Amount => DriverError::ExtraAmount,
        ExtraError::Note => DriverError::ExtraNote,
    })?;
    if extra.amount == Paise::ZERO {
        return Err(DriverError::ExtraAmount);
    }
    if extra.kind == ExtraKind::Other && extra.note.trim().is_empty() {
        return Err(DriverError::ExtraNoteNeeded);
    }
    Ok(())
}

pub(super) fn check_collected(amount: Paise) -> Result<(), DriverError> {
    if is_amount(amount) { Ok(()) } else { Err(DriverError::Amount) }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// At most [`REASON_LEN_MAX`] bytes of what the backend tells a driver: it lasts in the snapshot.
pub(super) fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(REASON_LEN_MAX)).unwrap_or_default().into()
}
