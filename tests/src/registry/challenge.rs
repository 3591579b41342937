//! The challenge to whoever wants to subscribe: X25519, then AES-256-ECB with PKCS#7 under the raw shared
//! secret, as Beckn's largest network does it (the specification leaves the cipher open).

use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};
use anyhow::Context as _;
use tripline_protocol::signing::{decode_base64, encode_base64};
use x25519_dalek::{PublicKey, StaticSecret};

const BLOCK_LEN: usize = 16;

/// The registry's private encryption key. It does not print itself.
pub(super) struct EncryptionKey(StaticSecret);

impl std::fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EncryptionKey(..)")
    }
}

impl EncryptionKey {
    pub(super) fn of_seed(seed: [u8; 32]) -> Self {
        Self(StaticSecret::from(seed))
    }

    /// The public half, as Base64 of 32 bytes.
    pub(super) fn public_base64(&self) -> String {
        encode_base64(PublicKey::from(&self.0).as_bytes())
    }

    /// The text as only the owner of that public key, raw or in DER, can read it.
    pub(super) fn seal(&self, text: &str, public_base64: &str) -> anyhow::Result<String> {
        let public = decode_base64(public_base64).context("encr_public_key is not Base64")?;
        let public = public.last_chunk::<32>().context("encr_public_key is too short")?;
        let shared = self.0.diffie_hellman(&PublicKey::from(*public));
        let cipher = Aes256::new(&Array::from(*shared.as_bytes()));
        let mut padded = pad(text.as_bytes());
        for block in padded.as_chunks_mut::<BLOCK_LEN>().0 {
            let mut sealed = Array::from(*block);
            cipher.encrypt_block(&mut sealed);
            *block = sealed.into();
        }
        Ok(encode_base64(&padded))
    }
}

/// PKCS#7: a whole block more where the last one is full.
fn pad(bytes: &[u8]) -> Vec<u8> {
    let missing = BLOCK_LEN - bytes.len() % BLOCK_LEN;
    let value = u8::try_from(missing).expect("at most a block");
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len() + missing, value);
    padded
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::spec::spec_dir;

    #[test]
    fn a_text_is_padded_to_whole_blocks_and_never_by_nothing() {
        assert_eq!(pad(b"abc"), [&b"abc"[..], &[13; 13]].concat());
        assert_eq!(pad(&[7; 16]), [[7; 16], [16; 16]].concat());
    }

    #[test]
    fn the_published_vector_comes_out() -> anyhow::Result<()> {
        let Some(dir) = spec_dir() else { return Ok(()) };
        let text = std::fs::read_to_string(dir.join("signing/vectors.json"))?;
        let vectors: Value = serde_json::from_str(&text)?;
        let vector = &vectors["x25519_challenge_ondc"][0];
        let text = |name: &str| vector[name].as_str().context("a text");
        let private = decode_base64(text("private_key_pkcs8_der_b64")?).context("Base64")?;
        let key = EncryptionKey::of_seed(*private.last_chunk().context("32 bytes")?);
        let sealed = key.seal(text("plaintext")?, text("peer_public_key_spki_der_b64")?)?;
        assert_eq!(sealed, text("ciphertext_b64")?);
        Ok(())
    }
}
