//! A registry's challenge: a text that only the holder of a key can read.
//!
//! Beckn leaves the cipher open. This is the one that networks use: the raw X25519 shared secret, without a
//! key derivation, is the key of AES-256 in ECB mode with PKCS#7 padding, and all of it is Base64. ECB hides
//! no repetition and nothing is authenticated. That is the networks' choice, not ours: for a random text
//! that is read once it does, and another mode would read no challenge.
//!
//! It is read and nothing else. Nothing that comes in is ever signed: a peer whose `on_subscribe` signs
//! what is posted to it signs requests for everybody.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt as _, KeyInit as _};
use tripline_protocol::signing::decode_base64;

use super::encryption::{EncryptionKey, RegistryPublicKey};

/// Length of a block of AES, in bytes.
const BLOCK_LEN: usize = 16;

/// Longest challenge read, in bytes. Those of registries have two or three blocks.
pub const CHALLENGE_LEN_MAX: usize = 1_024;

/// Longest answer given, in bytes of UTF-8.
pub const ANSWER_LEN_MAX: usize = 512;

/// Why a challenge is not read. Whoever sent it is not told which of these it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// Not Base64.
    #[error("the challenge is no Base64")]
    Base64,
    /// Not whole blocks, none, or too many.
    #[error("the challenge is not of 1 to {} blocks of 16 bytes", CHALLENGE_LEN_MAX / BLOCK_LEN)]
    Length,
    /// What is shared with this public key is known to everybody.
    #[error("the registry's encryption key is a point of low order")]
    LowOrder,
    /// Made for another key, by another registry, or changed on its way.
    #[error("the challenge was not made for this key")]
    Padding,
    /// What it holds is nothing that a registry asks for.
    #[error("the challenge is not a text of at most {ANSWER_LEN_MAX} bytes")]
    Text,
}

impl EncryptionKey {
    /// The text that the registry put into a challenge for this key.
    pub fn read_challenge(
        &self,
        registry: &RegistryPublicKey,
        challenge_base64: &str,
    ) -> Result<String, ChallengeError> {
        let mut bytes = decode_base64(challenge_base64.trim()).ok_or(ChallengeError::Base64)?;
        let (blocks, rest) = bytes.as_chunks_mut::<BLOCK_LEN>();
        let (len, is_whole) = (blocks.len() * BLOCK_LEN, rest.is_empty());
        if !is_whole || len == 0 || len > CHALLENGE_LEN_MAX {
            return Err(ChallengeError::Length);
        }
        let shared = self.shared_with(registry).ok_or(ChallengeError::LowOrder)?;
        let cipher = Aes256::new(&Array::from(*shared.as_bytes()));
        for block in blocks {
            cipher.decrypt_block(block.into());
        }
        let text = unpadded(&bytes).ok_or(ChallengeError::Padding)?;
        let text = std::str::from_utf8(text).map_err(|_| ChallengeError::Text)?;
        if text.is_empty() || text.len() > ANSWER_LEN_MAX || text.contains(char::is_control) {
            return Err(ChallengeError::Text);
        }
        Ok(text.to_owned())
    }
}

/// What stands before the PKCS#7 padding of whole blocks. All of the last block is looked at, whatever is
/// found in it, so that the time does not tell how much of it was right.
fn unpadded(blocks: &[u8]) -> Option<&[u8]> {
    let (before, last) = blocks.split_last_chunk::<BLOCK_LEN>()?;
    let padding = last[BLOCK_LEN - 1];
    let padding_len = usize::from(padding);
    let mut wrong = u8::from(padding_len == 0) | u8::from(padding_len > BLOCK_LEN);
    for (behind, byte) in last.iter().rev().enumerate() {
        let is_padding = u8::from(behind < padding_len);
        wrong |= is_padding * (byte ^ padding);
    }
    // Of no length that is beyond the block if it is wrong.
    let len = before.len() + BLOCK_LEN.saturating_sub(padding_len);
    if wrong == 0 { blocks.get(..len) } else { None }
}

#[cfg(test)]
mod tests {
    use aes::cipher::BlockCipherEncrypt as _;
    use tripline_protocol::signing::encode_base64;

    use super::*;

    fn keys() -> (EncryptionKey, RegistryPublicKey) {
        let registry = EncryptionKey::from_bytes([2; 32]);
        (EncryptionKey::from_bytes([1; 32]), registry.public_base64().parse().expect("a key"))
    }

    /// A challenge of whole blocks as they are, without padding.
    fn challenge_of(plain: &[u8]) -> String {
        let (ours, registry) = keys();
        let shared = ours.shared_with(&registry).expect("a secret");
        let cipher = Aes256::new(&Array::from(*shared.as_bytes()));
        let mut bytes = plain.to_vec();
        for block in bytes.as_chunks_mut::<BLOCK_LEN>().0 {
            cipher.encrypt_block(block.into());
        }
        encode_base64(&bytes)
    }

    fn padded(text: &[u8]) -> Vec<u8> {
        let padding = BLOCK_LEN - text.len() % BLOCK_LEN;
        let byte = u8::try_from(padding).expect("at most a block");
        [text, &vec![byte; padding]].concat()
    }

    fn read(challenge: &str) -> Result<String, ChallengeError> {
        let (ours, registry) = keys();
        ours.read_challenge(&registry, challenge)
    }

    #[test]
    fn a_text_of_any_length_that_fits_is_read() {
        for len in [1, 15, 16, 17, 31, 32, ANSWER_LEN_MAX] {
            let text = "x".repeat(len);
            assert_eq!(read(&challenge_of(&padded(text.as_bytes()))), Ok(text));
        }
        let hindi = "नमस्ते";
        let spaced = format!("\n {} ", challenge_of(&padded(hindi.as_bytes())));
        assert_eq!(read(&spaced).as_deref(), Ok(hindi));
    }

    #[test]
    fn what_is_no_challenge_is_refused_by_what_is_wrong_with_it() {
        use ChallengeError::{Base64, Length, Padding, Text};
        let block = |last: u8| [&[b'a'; 15][..], &[last]].concat();
        let mut uneven = block(4);
        uneven[12] = 3;
        let long = "x".repeat(ANSWER_LEN_MAX + 1);
        let too_long = vec![b'x'; CHALLENGE_LEN_MAX + BLOCK_LEN];
        for (challenge, expected) in [
            ("not Base64!".into(), Base64),
            (String::new(), Length),
            (encode_base64(&[0; 15]), Length),
            (encode_base64(&[0; 17]), Length),
            (challenge_of(&too_long), Length),
            (challenge_of(&block(0)), Padding),
            (challenge_of(&block(17)), Padding),
            (challenge_of(&block(255)), Padding),
            (challenge_of(&uneven), Padding),
            (challenge_of(&padded(b"")), Text),
            (challenge_of(&padded(b"a\nb")), Text),
            (challenge_of(&padded(b"\xff\xfe")), Text),
            (challenge_of(&padded(long.as_bytes())), Text),
        ] {
            assert_eq!(read(&challenge), Err(expected), "{challenge}");
        }
    }

    #[test]
    fn a_challenge_for_another_key_or_by_another_registry_is_not_read() {
        let challenge = challenge_of(&padded(b"a random text of a registry"));
        let (ours, registry) = keys();
        let other = EncryptionKey::from_bytes([3; 32]);
        assert!(other.read_challenge(&registry, &challenge).is_err());
        let stranger = other.public_base64().parse().expect("a key");
        assert!(ours.read_challenge(&stranger, &challenge).is_err());
    }

    #[test]
    fn a_registrys_key_of_low_order_shares_nothing() {
        let (ours, _) = keys();
        let challenge = encode_base64(&[0; BLOCK_LEN]);
        let mut one = [0; 32];
        one[0] = 1;
        for point in [[0; 32], one] {
            let registry = encode_base64(&point).parse().expect("32 bytes");
            let read = ours.read_challenge(&registry, &challenge);
            assert_eq!(read, Err(ChallengeError::LowOrder));
        }
    }
}
