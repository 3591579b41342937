//! What becomes of a PIN that a driver typed.

use super::driver::Driver;

/// Least digits of a PIN.
pub const PIN_LEN_MIN: usize = 4;

/// Most digits of a PIN.
pub const PIN_LEN_MAX: usize = 8;

/// Tries of a PIN, after which its driver is locked until an operator unlocks them. With 10,000 PINs of four
/// digits that leaves a thief one chance in 2,000.
pub const PIN_TRIES_MAX: u32 = 5;

/// A text that cannot be a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have {PIN_LEN_MIN} to {PIN_LEN_MAX} digits")]
pub struct PinError;

/// Whether a text may be a PIN.
pub fn check_pin(text: &str) -> Result<(), PinError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && (PIN_LEN_MIN..=PIN_LEN_MAX).contains(&text.len()) { Ok(()) } else { Err(PinError) }
}

/// What became of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignInRefusal {
    /// There is no such driver, or one who may not drive.
    #[error("this driver is not known, or may not drive")]
    Unknown,
    /// No PIN was set.
    #[error("no PIN is set for this driver: ask the operator for one")]
    NoPin,
    /// Too many tries.
    #[error("too many wrong PINs: ask the operator to unlock")]
    Locked,
    /// Not the PIN.
    #[error("wrong PIN; tries left: {tries_left}")]
    Wrong {
        /// Before the driver is locked.
        tries_left: u32,
    },
}

/// Lets a driver in or not, and says how many tries are then on record. A try counts before it is compared:
/// whoever cuts the power in between has used it. `is_right` is whether the PIN is the one on record.
pub fn judge(
    driver: Option<&Driver>,
    tries: u32,
    is_right: Option<bool>,
) -> (Result<(), SignInRefusal>, u32) {
    if !driver.is_some_and(|driver| driver.active) {
        return (Err(SignInRefusal::Unknown), tries);
    }
    let Some(is_right) = is_right else { return (Err(SignInRefusal::NoPin), tries) };
    if tries >= PIN_TRIES_MAX {
        return (Err(SignInRefusal::Locked), tries);
    }
    if is_right {
        return (Ok(()), 0);
    }
    let tries = tries + 1;
    let tries_left = PIN_TRIES_MAX - tries;
    let refusal =
        if tries_left == 0 { SignInRefusal::Locked } else { SignInRefusal::Wrong { tries_left } };
    (Err(refusal), tries)
}

#[cfg(test)]
mod tests {
    use super::super::driver::Rating;
    use super::*;

    fn driver(active: bool) -> Driver {
        Driver {
            id: "asha".parse().expect("an id"),
            provider: None,
            name: "Asha".into(),
            phone: "+91-98".into(),
            active,
            rating: Rating::default(),
        }
    }

    #[test]
    fn after_five_wrong_tries_the_right_pin_does_not_help_either() {
        let asha = driver(true);
        let mut tries = 0;
        for tries_left in [4, 3, 2, 1] {
            let (outcome, counted) = judge(Some(&asha), tries, Some(false));
            assert_eq!(outcome, Err(SignInRefusal::Wrong { tries_left }));
            tries = counted;
        }
        assert_eq!(judge(Some(&asha), tries, Some(true)), (Ok(()), 0), "the fifth may be right");
        assert_eq!(judge(Some(&asha), tries, Some(false)), (Err(SignInRefusal::Locked), 5));
        assert_eq!(judge(Some(&asha), 5, Some(true)), (Err(SignInRefusal::Locked), 5));
    }

    #[test]
    fn nobody_signs_in_who_may_not_drive_or_has_no_pin() {
        assert_eq!(judge(None, 0, Some(true)).0, Err(SignInRefusal::Unknown));
        assert_eq!(judge(Some(&driver(false)), 0, Some(true)).0, Err(SignInRefusal::Unknown));
        assert_eq!(judge(Some(&driver(true)), 0, None).0, Err(SignInRefusal::NoPin));
    }

    #[test]
    fn a_pin_has_four_to_eight_digits() {
        for text in ["", "123", "123456789", "12a4", " 1234", "\u{664}\u{664}\u{664}\u{664}"] {
            assert_eq!(check_pin(text), Err(PinError), "{text:?}");
        }
        assert_eq!((check_pin("0000"), check_pin("12345678")), (Ok(()), Ok(())));
    }
}
