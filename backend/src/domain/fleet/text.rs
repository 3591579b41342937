//! Texts that people read: names, phones, plates.

/// Longest name, phone, plate or category, in bytes.
pub const TEXT_LEN_MAX: usize = 100;

/// A text that cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {TEXT_LEN_MAX} printable characters")]
pub struct TextError;

/// Whether people can read it: something, in one line, not too long.
pub fn check_text(text: &str) -> Result<(), TextError> {
    let bad =
        text.trim().is_empty() || text.len() > TEXT_LEN_MAX || text.contains(char::is_control);
    if bad { Err(TextError) } else { Ok(()) }
}
