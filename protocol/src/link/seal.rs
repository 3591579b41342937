//! The seal on what tells a device to act: a signature of the backend, so that a broker in between
//! cannot start or stop trips.
//!
//! A sealed payload is the version byte, the 64 bytes of an Ed25519 signature (RFC 8032), and the
//! message as it would stand unsealed. The signature covers the topic, a zero byte and the message: a
//! command to one device is none to another. What is sealed is not secret.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use ed25519_dalek::{Signature, Signer as _};

use super::envelope::{DecodeError, Message, PAYLOAD_LEN_MAX, VERSION};
use super::topic::Topic;
use crate::signing::{PublicKey, SecretKey};

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// Why a sealed payload is not to be obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is no message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// None of the pinned keys signed it for this topic.
    #[error("the signature is not one of this device's backend")]
    Signature,
}

/// The payload of `message` for `topic`, sealed with `key`.
pub fn seal<M: Message>(message: &M, topic: &Topic, key: &SecretKey) -> Vec<u8> {
    let body = message.append(Vec::new());
    let signature = key.0.sign(&signed_bytes(topic, &body));
    let mut payload = Vec::with_capacity(1 + SIGNATURE_LEN + body.len());
    payload.push(VERSION);
    payload.extend(signature.to_bytes());
    payload.extend(body);
    payload
}

/// The message of a payload that came on `topic` and that one of `keys` sealed; total over any input.
pub fn open<M: Message>(payload: &[u8], topic: &Topic, keys: &[PublicKey]) -> Result<M, SealError> {
    if payload.len() > PAYLOAD_LEN_MAX {
        return Err(DecodeError::TooLong { len: payload.len() }.into());
    }
    let (version, rest) = payload.split_first().ok_or(DecodeError::Empty)?;
    if *version != VERSION {
        return Err(DecodeError::Version { found: *version }.into());
    }
    let (signature, body) =
        rest.split_first_chunk::<SIGNATURE_LEN>().ok_or(DecodeError::Malformed)?;
    let (signature, signed) = (Signature::from_bytes(signature), signed_bytes(topic, body));
    // `verify_strict` also refuses keys and signatures of small order, which match many messages.
    if !keys.iter().any(|key| key.0.verify_strict(&signed, &signature).is_ok()) {
        return Err(SealError::Signature);
    }
    Ok(M::read(body)?)
}

fn signed_bytes(topic: &Topic, body: &[u8]) -> Vec<u8> {
    let mut bytes = topic.to_string().into_bytes();
    bytes.push(0);
    bytes.extend(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::CommandNumber;
    use crate::link::down::{Command, CommandBody};
    use crate::link::settings::DeviceSettings;
    use crate::link::topic::Lane;

    fn topic(device: &str) -> Topic {
        Topic { device: device.parse().expect("valid"), lane: Lane::Command }
    }

    fn command() -> Command {
        let body = CommandBody::Configure(DeviceSettings::default());
        Command { number: CommandNumber(7), expires_at: None, body }
    }

    #[test]
    fn a_sealed_command_opens_with_either_pinned_key_and_for_its_device_only() {
        let (old, new) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let pinned = [old.public(), new.public()];
        for key in [&old, &new] {
            let payload = seal(&command(), &topic("a"), key);
            assert_eq!(open(&payload, &topic("a"), &pinned), Ok(command()));
            let elsewhere: Result<Command, _> = open(&payload, &topic("b"), &pinned);
            assert_eq!(elsewhere, Err(SealError::Signature));
        }
        let forged = seal(&command(), &topic("a"), &SecretKey::from_seed(&[3; 32]));
        let opened: Result<Command, _> = open(&forged, &topic("a"), &pinned);
        assert_eq!(opened, Err(SealError::Signature));
    }

    #[test]
    fn any_changed_bit_and_any_lost_byte_breaks_the_seal() {
        let key = SecretKey::from_seed(&[1; 32]);
        let payload = seal(&command(), &topic("a"), &key);
        let keys = [key.public()];
        for bit in 0..payload.len() * 8 {
            let mut damaged = payload.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open::<Command>(&damaged, &topic("a"), &keys).is_err(), "bit {bit}");
        }
        for len in 0..payload.len() {
            assert!(open::<Command>(&payload[..len], &topic("a"), &keys).is_err(), "{len} bytes");
        }
    }
}
