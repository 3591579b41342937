//! Against the published specification: known signatures, challenges and keys.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tripline_backend::keys::encryption::{EncryptionKey, RegistryPublicKey};
use tripline_protocol::signing::{
    PublicKey, SecretKey, SignatureError, SignatureHeader, digest, encode_base64, sign, verify,
};
use tripline_tests::spec::spec_dir;

fn text<'v>(vector: &'v Value, key: &str) -> Result<&'v str> {
    vector[key].as_str().with_context(|| format!("{key} in {}", vector["name"]))
}

#[test]
fn the_published_signatures_are_reproduced_and_verified() -> Result<()> {
    let Some(dir) = spec_dir() else { return Ok(()) };
    let vectors: Value = serde_json::from_slice(&std::fs::read(dir.join("signing/vectors.json"))?)?;
    let body = std::fs::read(dir.join("signing/bap_search_body.json"))?;

    for vector in vectors["blake2b512"].as_array().context("digests")? {
        ensure!(digest(text(vector, "input_utf8")?.as_bytes()) == text(vector, "base64")?);
    }
    let mut verified = 0;
    for vector in vectors["authorization"].as_array().context("signatures")? {
        let key: SecretKey = text(vector, "signing_private_key_b64_64bytes")?.parse()?;
        let public: PublicKey = text(vector, "signing_public_key_b64")?.parse()?;
        ensure!(key.public() == public, "the halves of {}", vector["name"]);
        // The gateway's example carries a wrong signature; its correction stands beside it.
        let signature =
            text(vector, "signature_b64").or_else(|_| text(vector, "correct_signature_b64"))?;
        let created = vector["created"].as_i64().context("created")?;
        let expires = vector["expires"].as_i64().context("expires")?;
        let key_id = tripline_protocol::signing::KeyId {
            subscriber_id: "example-bap.com".into(),
            unique_key_id: Some("ae3ea24b-cfec-495e-81f8-044aaef164ac".into()),
        };
        let ours = sign(&body, &key, &key_id, created, expires);
        ensure!(ours.contains(signature), "{}: {ours}", vector["name"]);
        if let Ok(published) = text(vector, "header") {
            let header = SignatureHeader::parse(published)?;
            verify(&header, &body, &public, created)?;
            ensure!(
                verify(&header, &body, &public, expires + 1)
                    == Err(SignatureError::Expired { ago_s: 1 })
            );
            verified += 1;
        }
        if text(vector, "name")?.contains("official worked example") {
            ensure!(ours == text(vector, "header")?, "we write the header as published: {ours}");
        }
    }
    ensure!(verified >= 2, "only {verified} published headers were verified");
    Ok(())
}

/// The header of a gateway as the vectors have it, with this signature and end.
fn gateway_header(vector: &Value, signature: &str, expires: i64) -> Result<SignatureHeader> {
    let text = format!(
        "Signature keyId=\"example-bg.com|bg3|ed25519\",algorithm=\"ed25519\",created=\"{}\",\
         expires=\"{expires}\",headers=\"(created) (expires) digest\",signature=\"{signature}\"",
        vector["created"]
    );
    Ok(SignatureHeader::parse(&text)?)
}

#[test]
fn the_published_gateway_signature_is_refused_and_its_correction_taken() -> Result<()> {
    let Some(dir) = spec_dir() else { return Ok(()) };
    let vectors: Value = serde_json::from_slice(&std::fs::read(dir.join("signing/vectors.json"))?)?;
    let body = std::fs::read(dir.join("signing/bap_search_body.json"))?;
    let all = vectors["authorization"].as_array().context("signatures")?;
    let published = "published_signature_b64_INVALID";
    let vector =
        all.iter().find(|vector| vector.get(published).is_some()).context("the gateway's")?;
    let key: PublicKey = text(vector, "signing_public_key_b64")?.parse()?;
    let created = vector["created"].as_i64().context("created")?;
    let expires = vector["expires"].as_i64().context("expires")?;
    let check = |signature: &str, expires: i64| -> Result<_> {
        Ok(verify(&gateway_header(vector, signature, expires)?, &body, &key, created))
    };
    let (wrong, right) = (text(vector, published)?, text(vector, "correct_signature_b64")?);
    ensure!(
        check(wrong, expires)? == Err(SignatureError::Mismatch),
        "a private key for a signature"
    );
    ensure!(check(right, created)? == Err(SignatureError::Empty), "no time to hold in");
    ensure!(check(right, expires)? == Ok(()), "the correction");
    Ok(())
}

#[test]
fn the_published_challenges_are_read_and_the_published_secrets_shared() -> Result<()> {
    let Some(dir) = spec_dir() else { return Ok(()) };
    let vectors: Value = serde_json::from_slice(&std::fs::read(dir.join("signing/vectors.json"))?)?;
    let shared = |private: &str, public: &str| -> Result<String> {
        let (ours, theirs): (EncryptionKey, RegistryPublicKey) =
            (private.parse()?, public.parse()?);
        let secret = ours.shared_with(&theirs).context("a secret")?;
        Ok(encode_base64(secret.as_bytes()))
    };
    for vector in vectors["x25519_challenge_ondc"].as_array().context("challenges")? {
        let private = text(vector, "private_key_pkcs8_der_b64")?;
        let public = text(vector, "peer_public_key_spki_der_b64")?;
        ensure!(shared(private, public)? == text(vector, "shared_secret_b64")?);
        let ours: EncryptionKey = private.parse()?;
        let read = ours.read_challenge(&public.parse()?, text(vector, "ciphertext_b64")?)?;
        ensure!(read == text(vector, "plaintext")?, "{read}");
    }
    for vector in vectors["x25519_dh"].as_array().context("secrets")? {
        let secret = text(vector, "shared_secret_b64")?;
        for (private, public) in [
            ("np1_private_der_b64", "np2_public_der_b64"),
            ("np2_private_der_b64", "np1_public_der_b64"),
        ] {
            ensure!(shared(text(vector, private)?, text(vector, public)?)? == secret, "{private}");
        }
        for (private, public) in [
            ("np1_private_der_b64", "np1_public_der_b64"),
            ("np2_private_der_b64", "np2_public_der_b64"),
        ] {
            let key: EncryptionKey = text(vector, private)?.parse()?;
            ensure!(key.public_der_base64() == text(vector, public)?, "the halves: {public}");
        }
    }
    let registries = &vectors["ondc_registry_encryption_public_keys"];
    for registry in ["prod", "preprod", "staging"] {
        let key = registries[registry].as_str().context("a key")?;
        key.parse::<RegistryPublicKey>().with_context(|| registry.to_owned())?;
    }
    Ok(())
}
