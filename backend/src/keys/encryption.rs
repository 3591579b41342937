//! X25519 keys: ours, with which a registry's challenge is read, and the registry's own.
//!
//! Networks write them as Base64 of 32 raw bytes or of DER. Of DER these forms are taken, byte for byte,
//! and no other:
//!
//! | key | length | form |
//! |---|---|---|
//! | private | 48 | PKCS#8 (RFC 5958) with the algorithm of RFC 8410 and no public key. The version may be 0, as it must, or 1, as keys in the field have it. |
//! | private | 83 | the same, version 1, with the public key, which must belong to the private one |
//! | public | 44 | `SubjectPublicKeyInfo` (RFC 8410) |

use std::fmt;
use std::str::FromStr;

use tripline_protocol::signing::{decode_base64, encode_base64};
use x25519_dalek::{PublicKey, SharedSecret, StaticSecret};

/// PKCS#8 up to its version.
const PRIVATE_HEAD: [u8; 4] = [0x30, 0x2e, 0x02, 0x01];

/// The same with a public key behind the private one.
const PRIVATE_HEAD_WITH_PUBLIC: [u8; 4] = [0x30, 0x51, 0x02, 0x01];

/// What stands between version and private key: the algorithm X25519, and an OCTET STRING in another.
const PRIVATE_MIDDLE: [u8; 11] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20];

/// What stands between private and public key: an implicit `[1]`, a BIT STRING.
const PUBLIC_HEAD: [u8; 3] = [0x81, 0x21, 0x00];

/// `SubjectPublicKeyInfo` up to its key.
const SPKI_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00];

/// A text that is no encryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionKeyError {
    /// Not a private key.
    #[error("a private encryption key is the Base64 of 32 raw bytes, or of PKCS#8 DER with X25519")]
    Private,
    /// Its two halves do not belong together.
    #[error("the public half of the private encryption key does not belong to it")]
    Halves,
    /// Not a public key.
    #[error("a public encryption key is the Base64 of 32 raw bytes, or of SPKI DER with X25519")]
    Public,
}

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

    /// The public half as Base64 of its DER, which some registries' portals want.
    pub fn public_der_base64(&self) -> String {
        encode_base64(&[&SPKI_HEAD[..], PublicKey::from(&self.0).as_bytes()].concat())
    }

    /// The private half as Base64, for a file of mode 0600.
    pub fn secret_base64(&self) -> String {
        encode_base64(&self.0.to_bytes())
    }

    /// What we share with the registry; `None` if its key makes that the same for everybody.
    pub fn shared_with(&self, registry: &RegistryPublicKey) -> Option<SharedSecret> {
        let shared = self.0.diffie_hellman(&registry.0);
        shared.was_contributory().then_some(shared)
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
        let bytes = decode_base64(text.trim()).ok_or(EncryptionKeyError::Private)?;
        let (key, public) = private_of(&bytes).ok_or(EncryptionKeyError::Private)?;
        let key = Self::from_bytes(key);
        if public.is_some_and(|public| public != PublicKey::from(&key.0).as_bytes()) {
            return Err(EncryptionKeyError::Halves);
        }
        Ok(key)
    }
}

/// The private key in these bytes, and the public one where there is one.
fn private_of(bytes: &[u8]) -> Option<([u8; 32], Option<&[u8; 32]>)> {
    if let Ok(raw) = bytes.try_into() {
        return Some((raw, None));
    }
    let without = bytes.strip_prefix(&PRIVATE_HEAD);
    let with = bytes.strip_prefix(&PRIVATE_HEAD_WITH_PUBLIC);
    let (version, rest) = without.or(with)?.split_first()?;
    let (key, rest) = rest.strip_prefix(&PRIVATE_MIDDLE)?.split_first_chunk::<32>()?;
    if without.is_some() {
        return (*version <= 1 && rest.is_empty()).then_some((*key, None));
    }
    let public = rest.strip_prefix(&PUBLIC_HEAD)?.try_into().ok()?;
    (*version == 1).then_some((*key, Some(public)))
}

/// A registry's public encryption key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistryPublicKey(PublicKey);

impl FromStr for RegistryPublicKey {
    type Err = EncryptionKeyError;
    fn from_str(text: &str) -> Result<Self, EncryptionKeyError> {
        let bytes = decode_base64(text.trim()).ok_or(EncryptionKeyError::Public)?;
        let raw = bytes.strip_prefix(&SPKI_HEAD).unwrap_or(&bytes);
        let raw: [u8; 32] = raw.try_into().map_err(|_| EncryptionKeyError::Public)?;
        Ok(Self(PublicKey::from(raw)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Alice's private and public key of RFC 7748, section 6.1.
    const PRIVATE: [u8; 32] = [
        0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66,
        0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9,
        0x2c, 0x2a,
    ];
    const PUBLIC: [u8; 32] = [
        0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e, 0xf7,
        0x5a, 0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38, 0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b,
        0x4e, 0x6a,
    ];

    fn read(bytes: &[u8]) -> Result<String, EncryptionKeyError> {
        encode_base64(bytes).parse::<EncryptionKey>().map(|key| key.public_base64())
    }

    fn pkcs8(version: u8) -> Vec<u8> {
        [&PRIVATE_HEAD[..], &[version], &PRIVATE_MIDDLE, &PRIVATE].concat()
    }

    fn with_public(version: u8, public: &[u8]) -> Vec<u8> {
        let head = [&PRIVATE_HEAD_WITH_PUBLIC[..], &[version], &PRIVATE_MIDDLE, &PRIVATE].concat();
        [&head[..], &PUBLIC_HEAD, public].concat()
    }

    #[test]
    fn private_keys_are_read_raw_and_in_each_form_of_der_that_is_written_down() {
        let expected = Ok(encode_base64(&PUBLIC));
        for bytes in [PRIVATE.to_vec(), pkcs8(0), pkcs8(1), with_public(1, &PUBLIC)] {
            assert_eq!(read(&bytes), expected, "{} bytes", bytes.len());
        }
        assert_eq!((pkcs8(0).len(), with_public(1, &PUBLIC).len()), (48, 83));
    }

    #[test]
    fn no_other_bytes_are_a_private_key() {
        assert_eq!(read(&with_public(1, &[9; 32])), Err(EncryptionKeyError::Halves));
        let mut wrong = vec![pkcs8(2), with_public(0, &PUBLIC), with_public(1, &PUBLIC[..31])];
        let mut ed25519 = pkcs8(0);
        ed25519[11] = 0x70;
        wrong.push(ed25519);
        wrong.push([&[0; 16][..], &PRIVATE].concat());
        wrong.extend([vec![], vec![0; 31], vec![0; 33], vec![0; 64]]);
        for form in [pkcs8(0), with_public(1, &PUBLIC)] {
            wrong.extend((0..form.len()).map(|len| form[..len].to_vec()).filter(|b| b.len() != 32));
            wrong.push([&form[..], &[0]].concat());
        }
        for bytes in wrong {
            assert_eq!(read(&bytes), Err(EncryptionKeyError::Private), "{bytes:02x?}");
        }
        assert!("no Base64".parse::<EncryptionKey>().is_err());
    }

    #[test]
    fn public_keys_are_read_raw_and_in_der_and_ours_is_written_in_both() {
        let ours = EncryptionKey::from_bytes(PRIVATE);
        let raw: Result<RegistryPublicKey, _> = ours.public_base64().parse();
        assert_eq!(raw, Ok(RegistryPublicKey(PublicKey::from(PUBLIC))));
        assert_eq!(ours.public_der_base64().parse(), raw);
        let der = decode_base64(&ours.public_der_base64()).expect("Base64");
        for bytes in [&der[..43], &der[1..], &[&der[..], &[0]].concat(), &[0; 44]] {
            let read = encode_base64(bytes).parse::<RegistryPublicKey>();
            assert_eq!(read, Err(EncryptionKeyError::Public), "{bytes:02x?}");
        }
    }

    #[test]
    fn a_private_key_does_not_print_itself() {
        assert_eq!(format!("{:?}", EncryptionKey::from_bytes(PRIVATE)), "EncryptionKey(..)");
    }
}
