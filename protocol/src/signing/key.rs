//! Keys as Beckn networks write them: Base64 of raw bytes.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{SigningKey, VerifyingKey};

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a private key.
    #[error(
        "a private signing key is the Base64 of 32 bytes (seed) or 64 bytes (seed and public key)"
    )]
    Secret,
    /// Its two halves do not belong together.
    #[error("the public half of the private signing key does not belong to its seed")]
    Halves,
    /// Not a public key.
    #[error(
        "a public signing key is the Base64 of 32 bytes that are a point of Ed25519, raw or in DER"
    )]
    Public,
    /// A point of small order, under which anybody's signature may hold.
    #[error("the public signing key is of small order: it proves nothing")]
    Weak,
}

/// What stands before the 32 bytes of a public key in DER (`SubjectPublicKeyInfo`, RFC 8410, section 4).
const SPKI_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// An Ed25519 private key. It does not print itself.
#[derive(Clone)]
pub struct SecretKey(pub(crate) SigningKey);

impl SecretKey {
    /// The key of this seed; the caller brings the randomness.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The seed as Base64, for a key file of mode 0600.
    pub fn seed_base64(&self) -> String {
        BASE64.encode(self.0.to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = BASE64.decode(text.trim()).map_err(|_| KeyError::Secret)?;
        let (seed, public) = bytes.split_first_chunk::<32>().ok_or(KeyError::Secret)?;
        let key = Self::from_seed(seed);
        match public.len() {
            0 => Ok(key),
            32 if public == key.0.verifying_key().as_bytes() => Ok(key),
            32 => Err(KeyError::Halves),
            _ => Err(KeyError::Secret),
        }
    }
}

/// An Ed25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub(crate) VerifyingKey);

impl FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = BASE64.decode(text.trim()).map_err(|_| KeyError::Public)?;
        let raw = bytes.strip_prefix(&SPKI_HEAD).unwrap_or(&bytes);
        let raw: &[u8; 32] = raw.try_into().map_err(|_| KeyError::Public)?;
        let key = VerifyingKey::from_bytes(raw).map_err(|_| KeyError::Public)?;
        if key.is_weak() { Err(KeyError::Weak) } else { Ok(Self(key)) }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0.as_bytes()))
    }
}

/// Base64 as keys and digests are written.
pub fn encode_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// The bytes of a Base64 text; `None` if it is none.
pub fn decode_base64(text: &str) -> Option<alloc::vec::Vec<u8>> {
    BASE64.decode(text).ok()
}
