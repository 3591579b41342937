//! Signing without the published vectors, which `tests/tests/spec.rs` checks.
#![cfg(feature = "signing")]

use proptest::prelude::*;
use tripline_protocol::signing::{
    HeaderError, KeyError, KeyId, PublicKey, SIGNATURE_LIFE_S_MAX, SecretKey, SignatureError,
    SignatureHeader, decode_base64, encode_base64, sign, verify,
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
fn a_signature_that_never_holds_or_for_too_long_is_refused() {
    let verdict = |created_s, expires_s| {
        let header = sign(BODY, &key(), &key_id(), created_s, expires_s);
        let header = SignatureHeader::parse(&header).expect("parses");
        verify(&header, BODY, &key().public(), CREATED_S)
    };
    assert_eq!(verdict(CREATED_S, CREATED_S), Err(SignatureError::Empty), "as a published example");
    assert_eq!(verdict(CREATED_S, CREATED_S - 1), Err(SignatureError::Empty));
    assert_eq!(verdict(CREATED_S, CREATED_S + SIGNATURE_LIFE_S_MAX), Ok(()));
    let life_s = SIGNATURE_LIFE_S_MAX + 1;
    assert_eq!(verdict(CREATED_S, CREATED_S + life_s), Err(SignatureError::TooLong { life_s }));
    assert_eq!(verdict(0, i64::MAX), Err(SignatureError::TooLong { life_s: i64::MAX }));
    assert_eq!(verdict(CREATED_S - 60, CREATED_S + 3600), Ok(()), "back-dated, for an hour");
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

/// A change of a good header, and why it is refused then.
fn refusals() -> Vec<(&'static str, &'static str, HeaderError)> {
    use HeaderError::{Character, Missing, Scheme, Syntax, Twice, Unknown};
    let value = |parameter, must| HeaderError::Value { parameter, must };
    let seconds = "must be a whole number of Unix seconds";
    let key_id = "must be subscriber_id|unique_key_id|ed25519";
    vec![
        ("Signature ", "Bearer ", Scheme),
        ("Signature ", "Signatures ", Scheme),
        ("Signature ", "Signature,", Scheme),
        ("Signature ", "Signature\t", Character),
        ("Signature ", "Signature garbage ", Unknown),
        ("Signature ", "Signature ,", Unknown),
        ("bpp.example", "bpp\u{e9}.example", Character),
        ("bpp.example", "bpp\0.example", Character),
        ("bpp.example", "bpp\n.example", Character),
        ("bpp.example", "bpp\\\".example", Syntax),
        ("created=\"", "created=\"1\",created=\"", Twice { parameter: "created" }),
        ("algorithm=\"ed25519\",", "", Missing { parameter: "algorithm" }),
        ("algorithm=\"ed25519\",", "algorithm=\"ed25519\",,", Unknown),
        ("algorithm=\"ed25519\",", "algorithm=\"ed25519\"", Syntax),
        ("algorithm=\"ed25519\",", "algorithm=\"ed25519\",nonce=\"1\",", Unknown),
        ("algorithm=\"ed25519\",", "Algorithm=\"ed25519\",", Unknown),
        ("algorithm=\"ed25519\"", "algorithm = \"ed25519\"", Syntax),
        ("algorithm=\"ed25519\"", "algorithm=\"\"", value("algorithm", "must not be empty")),
        ("algorithm=\"ed25519\"", "algorithm=ed25519", Syntax),
        ("algorithm=\"ed25519\"", "algorithm=\"rsa\"", value("algorithm", "must be ed25519")),
        ("algorithm=\"ed25519\"", "algorithm=\"xed25519\"", value("algorithm", "must be ed25519")),
        ("|ed25519\"", "|xed25519\"", value("keyId", key_id)),
        ("|ed25519\"", "|ed25519|\"", value("keyId", key_id)),
        ("|k1|", "||", value("keyId", key_id)),
        ("|k1|", "|k 1|", value("keyId", key_id)),
        ("bpp.example|", "|", value("keyId", key_id)),
        ("created=\"1", "created=\"-1", value("created", seconds)),
        ("created=\"1", "created=\"+1", value("created", seconds)),
        ("created=\"1", "created=\"01", value("created", seconds)),
        ("created=\"1", "created=\" 1", value("created", seconds)),
        ("created=\"1", "created=\"99999999999999999991", value("created", seconds)),
        ("(created) ", "(cre ated) ", value("headers", "must be \"(created) (expires) digest\"")),
        ("(expires) ", "( expires) ", value("headers", "must be \"(created) (expires) digest\"")),
        ("\"(created)", "\" (created)", value("headers", "must be \"(created) (expires) digest\"")),
        (" digest\"", " digest \"", value("headers", "must be \"(created) (expires) digest\"")),
        (" digest\"", " dig est\"", value("headers", "must be \"(created) (expires) digest\"")),
        (" digest\"", " digest host\"", value("headers", "must be \"(created) (expires) digest\"")),
        ("signature=\"", "signature=\"AAAA", value("signature", "must be the Base64 of 64 bytes")),
        ("==\"", "\"", value("signature", "must be the Base64 of 64 bytes")),
        ("==\"", "==\"x", Syntax),
        ("==\"", "==\",", Syntax),
        ("==\"", "==\" ,", Syntax),
        ("==\"", "==", Syntax),
    ]
}

#[test]
fn a_header_that_is_not_exactly_one_signature_is_refused_by_name() {
    let good = signed();
    for (from, to, why) in refusals() {
        assert!(good.contains(from), "{from}");
        let text = good.replacen(from, to, 1);
        assert_eq!(SignatureHeader::parse(&text), Err(why), "{text}");
    }
    let refused = |text: &str| SignatureHeader::parse(text).expect_err("refused");
    assert_eq!(refused(""), HeaderError::Scheme);
    assert_eq!(refused("Signature"), HeaderError::Scheme);
    assert_eq!(refused("Signature garbage"), HeaderError::Syntax);
    assert_eq!(refused(&format!("Signature {}", "x".repeat(3000))), HeaderError::TooLong);
}

#[test]
fn a_key_is_named_in_one_to_three_parts() {
    for (text, unique_key_id) in [
        ("bpp.example", None),
        ("bpp.example|ed25519", None),
        ("bpp.example|k1|ed25519", Some("k1")),
    ] {
        let header = signed().replace("bpp.example|k1|ed25519", text);
        let found = SignatureHeader::parse(&header).expect("parses").key_id;
        assert_eq!(
            (&*found.subscriber_id, found.unique_key_id.as_deref()),
            ("bpp.example", unique_key_id)
        );
    }
}

#[test]
fn no_byte_of_a_signed_request_can_be_changed() {
    let good = signed();
    let original = SignatureHeader::parse(&good).expect("parses");
    let accepted = |header: &str, body: &[u8]| {
        let parsed = SignatureHeader::parse(header).ok()?;
        verify(&parsed, body, &key().public(), CREATED_S).ok().map(|()| parsed)
    };
    assert_eq!(accepted(&good, BODY).as_ref(), Some(&original));
    for index in 0..BODY.len() {
        for flip in [0x01, 0x20, 0x80, 0xff] {
            let mut body = BODY.to_vec();
            body[index] ^= flip;
            assert_eq!(accepted(&good, &body), None, "byte {index} of the body");
        }
    }
    for index in 0..good.len() {
        for byte in 0..128 {
            let mut bytes = good.clone().into_bytes();
            bytes[index] = byte;
            let text = String::from_utf8(bytes).expect("ASCII");
            let Some(parsed) = accepted(&text, BODY) else { continue };
            // The key's name is not signed: whose key is tried depends on it.
            let same = SignatureHeader { key_id: key_id(), ..parsed };
            assert_eq!(same, original, "{text}");
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
