//! Texts that people read: names, phones, plates.

/// Longest name, phone, plate or category, in bytes.
pub const TEXT_LEN_MAX: usize = 100;

/// A text that cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {TEXT_LEN_MAX} printable characters")]
pub struct TextError;

/// Least digits of a phone: fewer reach nobody.
const PHONE_DIGITS_MIN: usize = 5;

/// A text that is no phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a phone: at least {PHONE_DIGITS_MIN} digits, and {TEXT_LEN_MAX} characters at most"
)]
pub struct PhoneError;

/// Whether it can be dialled, however it is written.
pub fn check_phone(text: &str) -> Result<(), PhoneError> {
    check_text(text).map_err(|_| PhoneError)?;
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if digits < PHONE_DIGITS_MIN { Err(PhoneError) } else { Ok(()) }
}

/// Whether people can read it: something, in one line, not too long.
pub fn check_text(text: &str) -> Result<(), TextError> {
    let bad =
        text.trim().is_empty() || text.len() > TEXT_LEN_MAX || text.contains(char::is_control);
    if bad { Err(TextError) } else { Ok(()) }
}
