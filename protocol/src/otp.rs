//! The rider's one-time password: what the vehicle can check without knowing it.
//!
//! The assignment carries a keyed verifier and never the OTP, so that no screen, log or backup of the
//! vehicle shows it and a start can still be checked with no network. Four digits can be guessed by
//! whoever holds the verifier and a computer: the verifier protects against a glance, not against a
//! laboratory. The typed OTP travels in the start event, and the backend checks it again.

use alloc::string::String;

use blake2::Blake2sMac;
use blake2::digest::consts::U16;
use blake2::digest::{KeyInit, Mac};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::id::OrderId;

/// Bytes of the verifier's key and of its tag.
pub const OTP_KEY_LEN: usize = 16;

/// BLAKE2s-128 MAC of order and OTP under a random key of its own.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtpVerifier {
    key: [u8; OTP_KEY_LEN],
    tag: [u8; OTP_KEY_LEN],
}

impl OtpVerifier {
    /// The verifier of `otp` for `order`, under a fresh random `key` from the caller.
    pub fn new(order: OrderId, otp: &str, key: [u8; OTP_KEY_LEN]) -> Self {
        Self { key, tag: tag(&key, order, otp) }
    }

    /// Whether `typed` is the OTP. Blanks around it are ignored; takes the same time for any wrong one.
    pub fn verify(&self, order: OrderId, typed: &str) -> bool {
        tag(&self.key, order, typed.trim()).ct_eq(&self.tag).into()
    }
}

impl core::fmt::Debug for OtpVerifier {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OtpVerifier(..)")
    }
}

/// An OTP as the driver typed it. It does not print itself, so that no log shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TypedOtp(pub String);

impl core::fmt::Debug for TypedOtp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TypedOtp(..)")
    }
}

fn tag(key: &[u8; OTP_KEY_LEN], order: OrderId, otp: &str) -> [u8; OTP_KEY_LEN] {
    let mut mac =
        Blake2sMac::<U16>::new_from_slice(key).expect("a key of 16 bytes is within 1..=32");
    mac.update(order.as_bytes());
    mac.update(otp.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn only_the_right_otp_of_the_right_order_passes() {
        let order = OrderId::from_bytes([1; 16]);
        let verifier = OtpVerifier::new(order, "4711", [9; 16]);
        assert!(verifier.verify(order, "4711"));
        assert!(verifier.verify(order, " 4711\n"));
        for wrong in ["", "4712", "47110", "0471"] {
            assert!(!verifier.verify(order, wrong), "{wrong:?}");
        }
        assert!(!verifier.verify(OrderId::from_bytes([2; 16]), "4711"));
    }

    #[test]
    fn neither_a_verifier_nor_a_typed_otp_prints_itself() {
        assert_eq!(format!("{:?}", TypedOtp("4711".into())), "TypedOtp(..)");
        let verifier = OtpVerifier::new(OrderId::from_bytes([1; 16]), "4711", [9; 16]);
        assert_eq!(format!("{verifier:?}"), "OtpVerifier(..)");
    }
}
