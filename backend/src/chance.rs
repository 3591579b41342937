//! The system's random numbers, drawn here and nowhere else.

use uuid::Uuid;

/// Digits of a rider's OTP.
const OTP_DIGITS: u32 = 4;

/// The system has no random numbers: nothing secret can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoChance;

/// Random bytes.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoChance> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoChance)?;
    Ok(bytes)
}

/// A random UUID.
pub fn uuid() -> Result<Uuid, NoChance> {
    bytes().map(|bytes| uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// Characters of a [`token`].
pub const TOKEN_LEN: usize = 64;

/// Whether a text can be a [`token`].
pub fn is_token(text: &str) -> bool {
    text.len() == TOKEN_LEN && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A capability or token: 256 random bits in hexadecimal.
pub fn token() -> Result<String, NoChance> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes: [u8; 32] = bytes()?;
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    Ok(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect())
}

/// A rider's OTP.
pub fn otp() -> Result<String, NoChance> {
    let range = 10_u64.pow(OTP_DIGITS);
    // 2^64 is no multiple of the range, but the bias is under one in 10^15.
    let number = u64::from_le_bytes(bytes()?) % range;
    Ok(format!("{number:0width$}", width = OTP_DIGITS as usize))
}

/// A random number below `bound`, or `bound` itself where there is no randomness: for jitter.
pub fn below(bound: u64) -> u64 {
    bytes().map_or(bound, |bytes| u64::from_le_bytes(bytes) % bound.max(1))
}
