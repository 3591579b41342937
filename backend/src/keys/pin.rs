//! The key under which drivers' PINs are kept. A PIN has few digits: whoever has the store and not the key
//! learns nothing of it.

use std::path::Path;

use ring::hmac::{HMAC_SHA256, Key, sign, verify};
use tripline_protocol::id::DriverId;
use tripline_protocol::signing::SecretKey;

use super::file;
use crate::error::BppError;

/// What the key is used for, so that no digest of it is one for something else.
const PURPOSE: &[u8] = b"tripline driver pin";

/// The key.
#[derive(Debug, Clone)]
pub struct PinKey(Key);

impl PinKey {
    /// The key of this secret.
    pub fn new(secret: &SecretKey) -> Self {
        Self(Key::new(HMAC_SHA256, secret.seed_base64().as_bytes()))
    }

    /// The key of a file of mode 0600, which is made if it is not there.
    pub fn load_or_make(path: &Path) -> Result<Self, BppError> {
        let secret = if path.exists() { file::load(path)? } else { file::create(path)? };
        Ok(Self::new(&secret))
    }

    /// What is kept of a driver's PIN.
    pub fn mac(&self, driver: &DriverId, pin: &str) -> Vec<u8> {
        sign(&self.0, &message(driver, pin)).as_ref().to_vec()
    }

    /// Whether that is the PIN of which `mac` was kept; takes as long whether it is or not.
    pub fn is_right(&self, driver: &DriverId, pin: &str, mac: &[u8]) -> bool {
        verify(&self.0, &message(driver, pin), mac).is_ok()
    }
}

/// Every part ends before the next begins: no id holds a zero.
fn message(driver: &DriverId, pin: &str) -> Vec<u8> {
    [PURPOSE, driver.as_str().as_bytes(), pin.as_bytes()].join(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_known_again_by_its_own_driver_and_key_only() {
        let id = |text: &str| text.parse::<DriverId>().expect("an id");
        let key = PinKey::new(&SecretKey::from_seed(&[1; 32]));
        let mac = key.mac(&id("asha"), "1234");
        assert!(key.is_right(&id("asha"), "1234", &mac));
        assert!(!key.is_right(&id("asha"), "1235", &mac));
        assert!(!key.is_right(&id("ravi"), "1234", &mac));
        assert!(!PinKey::new(&SecretKey::from_seed(&[2; 32])).is_right(&id("asha"), "1234", &mac));
    }

    #[test]
    fn the_file_is_made_once_and_read_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("pin.key");
        let id: DriverId = "asha".parse().expect("an id");
        let mac = PinKey::load_or_make(&path).expect("made").mac(&id, "1234");
        assert!(PinKey::load_or_make(&path).expect("read").is_right(&id, "1234", &mac));
    }
}
