//! Enrolment: the code that an installer types, and what device and backend say over HTTPS.
//!
//! A device posts an [`EnrolRequest`] to [`ENROL_PATH`] once, and a [`RenewRequest`] to [`RENEW_PATH`]
//! whenever two thirds of its certificate's life are over. Both are JSON, and so are the answers: an
//! [`Enrolled`] with status 200, or an [`EnrolFailure`].

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use blake2::{Blake2s256, Digest as _};
use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

use crate::coded::coded_enum;
use crate::id::DeviceId;
use crate::link::settings::DeviceSettings;

/// Where a device enrols; POST.
pub const ENROL_PATH: &str = "/v1/enrol";

/// Where a device renews its certificate, over TLS with that certificate; POST.
pub const RENEW_PATH: &str = "/v1/renew";

/// Largest body of a request or an answer, in bytes.
pub const BODY_LEN_MAX: usize = 32 * 1024;

const SECRET_LEN: usize = 16;
const FINGERPRINT_LEN: usize = 16;
const CHECK_LEN: usize = 3;
const CODE_LEN: usize = SECRET_LEN + FINGERPRINT_LEN + CHECK_LEN;

/// Characters between two dashes of a printed code.
const GROUP_LEN: usize = 7;

/// A single-use enrolment code: a secret of 128 bits, the first 128 bits of the SHA-256 of the
/// certificate of the CA that the device is to trust, and a check against slips of the pen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EnrolCode {
    /// Who knows it may enrol.
    pub secret: [u8; SECRET_LEN],
    /// Pins the CA.
    pub ca_fingerprint: [u8; FINGERPRINT_LEN],
}

/// A text that is no enrolment code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolCodeError {
    /// Too short, too long, or with a character that no code has.
    #[error(
        "an enrolment code has 8 groups of 7 letters and digits, as `tripline-bpp vehicle add` printed it"
    )]
    Form,
    /// Its check does not fit.
    #[error("the enrolment code has a typing error; compare it with what was printed")]
    Check,
}

impl EnrolCode {
    /// What the backend keeps of a code: it can recognise it, and nobody can use what it keeps.
    pub fn hash(&self) -> [u8; 32] {
        Blake2s256::new()
            .chain_update(b"tripline enrolment code")
            .chain_update(self.secret)
            .finalize()
            .into()
    }

    /// Whether a CA certificate with this SHA-256 is the pinned one.
    pub fn pins(&self, sha256_of_ca: &[u8; 32]) -> bool {
        sha256_of_ca.starts_with(&self.ca_fingerprint)
    }

    fn check(secret_and_fingerprint: &[u8]) -> [u8; CHECK_LEN] {
        let digest = Blake2s256::digest(secret_and_fingerprint);
        core::array::from_fn(|index| digest[index])
    }
}

/// It does not print its secret by accident.
impl fmt::Debug for EnrolCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolCode(..)")
    }
}

impl fmt::Display for EnrolCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(CODE_LEN);
        bytes.extend(self.secret);
        bytes.extend(self.ca_fingerprint);
        bytes.extend(Self::check(&bytes));
        let text = BASE32_NOPAD.encode(&bytes);
        for (index, character) in text.chars().enumerate() {
            if index > 0 && index % GROUP_LEN == 0 {
                f.write_str("-")?;
            }
            write!(f, "{character}")?;
        }
        Ok(())
    }
}

impl FromStr for EnrolCode {
    type Err = EnrolCodeError;

    /// Spaces, dashes and case do not matter; 0, 1 and 8, which no code has, are read as O, I and B.
    fn from_str(text: &str) -> Result<Self, EnrolCodeError> {
        let letters: String = text
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '-')
            .map(|c| match c.to_ascii_uppercase() {
                '0' => 'O',
                '1' => 'I',
                '8' => 'B',
                other => other,
            })
            .collect();
        let bytes = BASE32_NOPAD.decode(letters.as_bytes()).map_err(|_| EnrolCodeError::Form)?;
        let bytes: [u8; CODE_LEN] = bytes.try_into().map_err(|_| EnrolCodeError::Form)?;
        let (content, check) = bytes.split_at(SECRET_LEN + FINGERPRINT_LEN);
        if check != Self::check(content) {
            return Err(EnrolCodeError::Check);
        }
        let (secret, ca_fingerprint) = content.split_at(SECRET_LEN);
        Ok(Self {
            secret: secret.try_into().map_err(|_| EnrolCodeError::Form)?,
            ca_fingerprint: ca_fingerprint.try_into().map_err(|_| EnrolCodeError::Form)?,
        })
    }
}

/// A device asks to be enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolRequest {
    /// The code, as printed.
    pub code: String,
    /// A certificate signing request (RFC 2986) in PEM. Only its key counts; its signature shows that
    /// the device has the private half.
    pub csr_pem: String,
    /// Version of the agent.
    pub agent_version: String,
}

/// A device asks for its next certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// A certificate signing request in PEM, with the key of the certificate it connects with.
    pub csr_pem: String,
    /// Version of the agent.
    pub agent_version: String,
}

/// What an enrolled device gets. An older agent ignores fields it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// Who it is: its client id, and the level of its topics.
    pub device: DeviceId,
    /// Its certificate, in PEM.
    pub certificate_pem: String,
    /// The certificates of the CAs it is to trust, in PEM: one, or two while they are rotated.
    pub ca_pems: Vec<String>,
    /// Host of the device endpoint.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Ed25519 public keys that may seal its commands, each the Base64 of 32 bytes.
    pub command_keys: Vec<String>,
    /// When the certificate was issued, in ms since 1970.
    pub issued_at_unix_ms: i64,
    /// From when on it is to be renewed, in ms since 1970.
    pub renew_at_unix_ms: i64,
    /// When it expires, in ms since 1970.
    pub expires_at_unix_ms: i64,
    /// The first configuration.
    #[serde(default)]
    pub settings: DeviceSettings,
}

coded_enum! {
    /// Why a device is not enrolled, or its certificate not renewed.
    EnrolRefusal {
        /// The request is not understood.
        Malformed => "malformed",
        /// No such code.
        UnknownCode => "unknown-code",
        /// The code's time is over.
        ExpiredCode => "expired-code",
        /// The code was used with another key.
        UsedCode => "used-code",
        /// The certificate, or its device, was revoked.
        Revoked => "revoked",
        /// No certificate came with the request to renew one, or it is not known.
        NoCertificate => "no-certificate",
        /// The key of the request is not that of the certificate.
        OtherKey => "other-key",
        /// Too many requests.
        Busy => "busy",
        /// The backend cannot, for a reason of its own.
        Unavailable => "unavailable",
    }
}

/// Why not, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolFailure {
    /// The kind.
    pub refusal: EnrolRefusal,
    /// In a sentence, with a way out.
    pub message: String,
}

impl EnrolFailure {
    /// A failure of this kind.
    pub fn new(refusal: EnrolRefusal, message: &str) -> Self {
        Self { refusal, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn code() -> EnrolCode {
        EnrolCode {
            secret: core::array::from_fn(|n| n.to_le_bytes()[0]),
            ca_fingerprint: [0xC5; FINGERPRINT_LEN],
        }
    }

    #[test]
    fn a_code_prints_and_reads_back_however_it_is_typed() {
        let text = code().to_string();
        assert_eq!(text.len(), 8 * GROUP_LEN + 7, "{text}");
        assert_eq!(text.parse(), Ok(code()));
        let typed = text.to_lowercase().replace('-', " ").replace('o', "0").replace('b', "8");
        assert_eq!(typed.parse(), Ok(code()));
        assert_eq!(alloc::format!("{:?}", code()), "EnrolCode(..)");
    }

    #[test]
    fn one_wrong_character_is_noticed_and_so_is_a_missing_one() {
        let text = code().to_string();
        for (at, right) in text.char_indices().filter(|(_, c)| *c != '-') {
            let wrong = if right == 'A' { "C" } else { "A" };
            let mut typed = text.clone();
            typed.replace_range(at..=at, wrong);
            assert_eq!(typed.parse::<EnrolCode>(), Err(EnrolCodeError::Check), "{typed}");
            typed.remove(at);
            assert_eq!(typed.parse::<EnrolCode>(), Err(EnrolCodeError::Form), "{typed}");
        }
    }

    #[test]
    fn a_code_pins_its_ca_and_its_hash_tells_codes_apart() {
        let mut sha256 = [0xC5; 32];
        assert!(code().pins(&sha256));
        sha256[3] ^= 1;
        assert!(!code().pins(&sha256));
        let other = EnrolCode { secret: [9; SECRET_LEN], ..code() };
        assert_ne!(other.hash(), code().hash());
    }
}
