//! The device's key. It is made on the device and never leaves it.

use std::fmt;

use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};

/// A private key for ECDSA over P-256, in PEM (PKCS #8). It does not print itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key {
    pem: String,
}

/// A key cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[error("the device's key: {0}")]
pub struct KeyError(#[from] rcgen::Error);

impl Key {
    /// A new one, from the system's random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self { pem: KeyPair::generate()?.serialize_pem() })
    }

    /// A certificate signing request (RFC 2986) in PEM. It names nobody: who the device is says the
    /// backend.
    pub fn csr_pem(&self) -> Result<String, KeyError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(&KeyPair::from_pem(&self.pem)?)?.pem()?)
    }

    /// For TLS.
    pub(crate) fn der(&self) -> Result<PrivateKeyDer<'static>, rustls::pki_types::pem::Error> {
        PrivateKeyDer::from_pem_slice(self.pem.as_bytes())
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;

    fn try_from(pem: String) -> Result<Self, KeyError> {
        KeyPair::from_pem(&pem)?;
        Ok(Self { pem })
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.pem
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_requests_reads_back_and_does_not_print_itself() {
        let key = Key::generate().expect("a key");
        assert!(key.csr_pem().expect("a request").contains("BEGIN CERTIFICATE REQUEST"));
        assert_eq!(Key::try_from(String::from(key.clone())).expect("a key"), key);
        assert_eq!(format!("{key:?}"), "Key(..)");
        assert_ne!(Key::generate().expect("another"), key);
    }
}
