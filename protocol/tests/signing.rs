//! Signing without the published vectors, which `tests/tests/spec_signing.rs` checks.
#![cfg(feature = "signing")]

use proptest::prelude::*;
use tripline_protocol::signing::{
    HeaderError, KeyError, KeyId, PublicKey, SecretKey, SignatureError, SignatureHeader,
    decode_base64, encode_base64, sign, verify,
};

const BODY: &[u8] = br#"{"context":{"action":"search"}}"#;
const CREATED_S: i64 = 1_700_000_000;
const EXPIRES_S: i64 = CREATED_S + 30;

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn key_id() -> KeyId {
    KeyId { subscriber_id: "bpp.example".into(), unique_key_id: Some("k1".into()) }
}

fn signed() -> String {
    sign(BODY, &key(), &key_id(), CREATED_S, EXPIRES_S)
}

#[test]
fn what_is_signed_verifies_within_its_time_only() {
    let header = SignatureHeader::parse(&signed()).expect("parses");
    assert_eq!(header.key_id, key_id());
    let at = |now_s| verify(&header, BODY, &key().public(), now_s);
    assert_eq!(at(CREATED_S), Ok(()));
    assert_eq!(at(EXPIRES_S), Ok(()));
    assert_eq!(at(CREATED_S - 10), Ok(()), "within the permitted skew");
    assert_eq!(at(CREATED_S - 11), Err(SignatureError::NotYetValid { ahead_s: 11 }));
    assert_eq!(at(EXPIRES_S + 1), Err(SignatureError::Expired { ago_s: 1 }));
}

#[test]
fn another_key_or_body_is_a_mismatch() {
    let header = SignatureHeader::parse(&signed()).expect("parses");
    let stranger = SecretKey::from_seed(&[8; 32]).public();
    assert_eq!(verify(&header, BODY, &stranger, CREATED_S), Err(SignatureError::Mismatch));
    let body = [BODY, b" "].concat();
    assert_eq!(verify(&header, &body, &key().public(), CREATED_S), Err(SignatureError::Mismatch));
}

#[test]
fn parameters_come_in_any_order_with_commas_or_spaces() {
    let strict = SignatureHeader::parse(&signed()).expect("parses");
    let parameters: Vec<_> = signed()["Signature ".len()..].split(',').map(String::from).collect();
    let reversed: Vec<_> = parameters.iter().rev().cloned().collect();
    for text in [
        format!("Signature {}", parameters.join(" ")),
        format!("signature  {}", parameters.join(", ")),
        format!("Signature {}", reversed.join(" , ")),
        signed().replace("(created) (expires) digest", "(created)(expires)digest"),
        signed().replace(&format!("created=\"{CREATED_S}\""), &format!("created={CREATED_S}")),
    ] {
        assert_eq!(SignatureHeader::parse(&text).as_ref(), Ok(&strict), "{text}");
    }
}

#[test]
fn a_header_that_is_not_exactly_one_signature_is_refused_by_name() {
    use HeaderError::{Missing, Scheme, Syntax, TooLong, Twice, Unknown, Value};
    let good = signed();
    let refused = |text: &str| SignatureHeader::parse(text).expect_err("refused");
    assert_eq!(refused(""), Scheme);
    assert_eq!(refused("Bearer abc"), Scheme);
    assert_eq!(refused("Signatures keyId=\"a\""), Scheme);
    assert_eq!(refused("Signature garbage"), Syntax);
    assert_eq!(refused(&format!("{good}x")), Syntax);
    assert_eq!(refused(&format!("{good},nonce=\"1\"")), Unknown);
    assert_eq!(refused(&format!("{good},created=\"1\"")), Twice { parameter: "created" });
    assert_eq!(refused("Signature keyId=\"a\""), Missing { parameter: "algorithm" });
    assert_eq!(refused(&format!("Signature {}", "x".repeat(3000))), TooLong);
    for (from, to, parameter) in [
        ("algorithm=\"ed25519\"", "algorithm=\"rsa\"", "algorithm"),
        ("|ed25519\"", "|rsa\"", "keyId"),
        ("bpp.example|", "|", "keyId"),
        ("created=\"1", "created=\"-1", "created"),
        (" digest\"", " digest host\"", "headers"),
        ("signature=\"", "signature=\"AAAA", "signature"),
    ] {
        match refused(&good.replace(from, to)) {
            Value { parameter: named, .. } => assert_eq!(named, parameter),
            other @ (TooLong | Scheme | Syntax | Unknown | Twice { .. } | Missing { .. }) => {
                panic!("{from}: {other}")
            }
        }
    }
}

#[test]
fn both_spellings_of_a_private_key_are_read_and_halves_must_match() {
    let seed = key().seed_base64();
    assert_eq!(seed.parse::<SecretKey>().expect("seed").public(), key().public());
    assert!("AAAA".parse::<SecretKey>().is_err());
    assert!("not base64!".parse::<PublicKey>().is_err());
    let public = key().public().to_string();
    assert_eq!(public.parse::<PublicKey>(), Ok(key().public()));
    assert_eq!(format!("{:?}", key()), "SecretKey(..)");
}

#[test]
fn a_public_key_is_read_raw_or_in_der_and_one_of_small_order_is_none() {
    let raw = decode_base64(&key().public().to_string()).expect("Base64");
    let der = [&decode_base64("MCowBQYDK2VwAyEA").expect("Base64")[..], &raw].concat();
    assert_eq!(encode_base64(&der).parse::<PublicKey>(), Ok(key().public()), "in DER");
    for (wrong, error) in [
        (&der[1..], KeyError::Public),
        (&der[..43], KeyError::Public),
        (&[0; 32][..], KeyError::Weak),
        (&[&[1][..], &[0; 31]].concat(), KeyError::Weak),
    ] {
        assert_eq!(encode_base64(wrong).parse::<PublicKey>(), Err(error));
    }
}

proptest! {
    #[test]
    fn no_mutated_header_verifies(index in 0_usize..300, byte in 32_u8..127) {
        let mut text = signed().into_bytes();
        let index = index % text.len();
        prop_assume!(text[index] != byte);
        text[index] = byte;
        let text = String::from_utf8(text).expect("printable ASCII");
        if let Ok(header) = SignatureHeader::parse(&text) {
            let verdict = verify(&header, BODY, &key().public(), CREATED_S);
            // Only what the signature does not cover may change and still verify: the key's name and
            // the separators.
            let same = SignatureHeader { key_id: key_id(), ..header };
            let original = SignatureHeader::parse(&signed()).expect("parses");
            prop_assert_eq!(verdict.is_ok(), same == original);
        }
    }
}
