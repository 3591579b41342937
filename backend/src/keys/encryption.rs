//! The X25519 key with which a registry's challenge is read.

use std::fmt;
use std::str::FromStr;

use tripline_protocol::signing::{decode_base64, encode_base64};
use x25519_dalek::{PublicKey, StaticSecret};

/// A text that is no encryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an encryption key is the Base64 of 32 bytes, raw or in DER")]
pub struct EncryptionKeyError;

/// Our private encryption key. It does not print itself.
#[derive(Clone)]
pub struct EncryptionKey(StaticSecret);

impl EncryptionKey {
    /// The key of these random bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(StaticSecret::from(bytes))
    }

    /// The public half, as Base64 of 32 bytes.
    pub fn public_base64(&self) -> String {
        encode_base64(PublicKey::from(&self.0).as_bytes())
    }

    /// The private half as Base64, for a file of mode 0600.
    pub fn secret_base64(&self) -> String {
        encode_base64(&self.0.to_bytes())
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(..)")
    }
}

impl FromStr for EncryptionKey {
    type Err = EncryptionKeyError;
    fn from_str(text: &str) -> Result<Self, EncryptionKeyError> {
        let bytes = decode_base64(text.trim()).ok_or(EncryptionKeyError)?;
        // DER has the key in its last bytes, whichever of the versions in the field wrote it.
        let raw = bytes.last_chunk::<32>().ok_or(EncryptionKeyError)?;
        Ok(Self::from_bytes(*raw))
    }
}
