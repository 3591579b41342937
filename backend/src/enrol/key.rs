//! The key of a certificate signing request, and nothing else of it.

use rcgen::{CertificateSigningRequestParams, PublicKey, PublicKeyData as _};

use crate::identity::authority::{Fingerprint, sha256};

/// Length of an uncompressed point of P-256, with the byte that says so.
const P256_LEN: usize = 65;

/// Length of an Ed25519 public key.
const ED25519_LEN: usize = 32;

/// A device's public key, of whose private half the device has shown that it has it.
#[derive(Debug, Clone)]
pub(super) struct DeviceKey {
    /// The key.
    pub(super) public: PublicKey,
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub(super) hash: Fingerprint,
}

/// Why a request brings no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    /// It cannot be read, or its signature is not of its key.
    #[error("csr_pem holds no certificate signing request that its own key has signed")]
    Request,
    /// A key of another kind.
    #[error("the key must be one for ECDSA on P-256, or for Ed25519")]
    Kind,
}

impl DeviceKey {
    /// The key of a request in PEM, whose signature is checked. What it asks for is not looked at: who
    /// the device is and what its certificate may do is decided here.
    pub(super) fn of_request(csr_pem: &str) -> Result<Self, KeyError> {
        let request =
            CertificateSigningRequestParams::from_pem(csr_pem).map_err(|_| KeyError::Request)?;
        let public = request.public_key;
        // The algorithm is that of the signature: a key on P-384 may have signed with SHA-256, too.
        let raw = public.der_bytes();
        let p256 = public.algorithm() == &rcgen::PKCS_ECDSA_P256_SHA256
            && raw.len() == P256_LEN
            && raw.first() == Some(&4);
        let ed25519 = public.algorithm() == &rcgen::PKCS_ED25519 && raw.len() == ED25519_LEN;
        if !p256 && !ed25519 {
            return Err(KeyError::Kind);
        }
        let hash = sha256(&public.subject_public_key_info());
        Ok(Self { public, hash })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn request(key: &KeyPair) -> String {
        let request = CertificateParams::default().serialize_request(key).expect("a request");
        request.pem().expect("PEM")
    }

    #[test]
    fn keys_on_p256_and_ed25519_are_taken_and_others_are_not() {
        for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).expect("a key");
            let found = DeviceKey::of_request(&request(&key)).expect("taken");
            assert_eq!(found.hash, sha256(&key.subject_public_key_info()));
        }
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
        assert_eq!(DeviceKey::of_request(&request(&key)).expect_err("refused"), KeyError::Kind);
    }

    #[test]
    fn a_request_that_its_key_has_not_signed_brings_no_key() {
        let pem = request(&KeyPair::generate().expect("a key"));
        let mut request = pem::parse(&pem).expect("PEM").into_contents();
        let last = request.last_mut().expect("a signature");
        *last ^= 1;
        let forged = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", request));
        for text in [forged.as_str(), "", "-----BEGIN CERTIFICATE REQUEST-----", "x"] {
            assert_eq!(DeviceKey::of_request(text).expect_err("refused"), KeyError::Request);
        }
    }
}
