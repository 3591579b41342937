//! A signed request with any byte of it changed: nobody's.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use tripline_backend::network::authenticate::bap;
use tripline_backend::network::directory::Look;
use tripline_backend::network::subscriber::normalized_id;
use tripline_backend::time;
use tripline_protocol::signing::SignatureHeader;

use crate::world::{Ask, BAP, World};

/// Who is taken to have sent these bytes under this header; `None` if nobody is.
async fn sender(world: &World, header: &[u8], body: &[u8]) -> Option<String> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_bytes(header).ok()?);
    let found = bap(&world.directory, &headers, body, Look::Cached, time::now()).await;
    found.ok().map(|authenticated| authenticated.sender[0].id.clone())
}

#[tokio::test]
async fn no_byte_of_a_signed_request_can_be_changed() {
    let world = World::fresh().await;
    let mut ask = Ask::select("m", &World::item_id());
    ask.life_s = 3_600;
    let (body, header) = ask.signed();
    assert_eq!(sender(&world, header.as_bytes(), &body).await.as_deref(), Some(BAP));
    for index in 0..body.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut body = body.clone();
            body[index] ^= flip;
            assert_eq!(sender(&world, header.as_bytes(), &body).await, None, "byte {index}");
        }
    }
    for cut in [&body[1..], &body[..body.len() - 1], &[&body[..], b" "].concat()] {
        assert_eq!(sender(&world, header.as_bytes(), cut).await, None);
    }
    let original = SignatureHeader::parse(&header).expect("parses");
    for index in 0..header.len() {
        for byte in (0x20..0x7f).step_by(5).chain([b' ', b',', b'"', b'0', b'|', 0x80, b'\t']) {
            let mut changed = header.clone().into_bytes();
            changed[index] = byte;
            let Some(sender) = sender(&world, &changed, &body).await else { continue };
            // Only what says the same in other letters.
            let text = String::from_utf8(changed).expect("taken only if it is ASCII");
            let mut parsed = SignatureHeader::parse(&text).expect("taken");
            parsed.key_id.subscriber_id = normalized_id(&parsed.key_id.subscriber_id);
            assert_eq!((parsed, &*sender), (original.clone(), BAP), "{text}");
        }
    }
}
