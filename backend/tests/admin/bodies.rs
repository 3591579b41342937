//! Bodies that are too long, too slow, of another kind, or none.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tripline_backend::http::BODY_LEN_MAX;
use tripline_backend::operate::Role;

use crate::world::{World, on_each};

/// What is answered to these bytes, until the other side closes or has said this word.
async fn said(world: &World, bytes: &[u8], word: &str) -> String {
    let mut stream = TcpStream::connect(world.address).await.expect("connects");
    stream.write_all(bytes).await.expect("sent");
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).await.expect("read");
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        if read == 0 || text.contains(word) {
            return text;
        }
    }
}

#[tokio::test]
async fn bodies_of_another_kind_are_refused_as_such() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        let body = json!({"name": "asha", "role": "viewer"}).to_string();
        let post = || world.ask("POST", "/v1/tokens").with(&admin);
        for media in
            ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"]
        {
            let answer = post().raw(media, body.clone()).send().await;
            assert_eq!((answer.status, answer.problem()), (415, "media-type"), "{media}");
        }
        let answer = post().header("content-encoding", "gzip").raw("application/json", "x").send();
        assert_eq!(answer.await.status, 415);
        for bad in ["{", "[1] 2", "\u{feff}{}", "\"\\ud800\""] {
            let answer = post().raw("application/json", bad).send().await;
            assert!(["unreadable", "invalid"].contains(&answer.problem()), "{bad}: {answer:?}");
            assert!([400, 422].contains(&answer.status), "{bad}");
        }
        let twice = r#"{"name":"a","name":"b","role":"viewer"}"#;
        assert_eq!(post().raw("application/json", twice).send().await.status, 422);
        let good = post().raw("application/json; charset=UTF-8", body).send().await;
        assert_eq!(good.status, 201, "{good:?}");
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read_and_one_that_drips_is_given_up() {
    let (_dir, stores) = crate::both::both().await;
    let world = World::of(stores.into_iter().next().expect("SQLite"), true).await;
    let admin = world.token("admin", Role::Admin).await;
    let long = " ".repeat(BODY_LEN_MAX + 1);
    let answer = world.ask("POST", "/v1/tokens").with(&admin).raw("application/json", long);
    let answer = answer.send().await;
    assert_eq!((answer.status, answer.problem()), (413, "too-large"));

    let head = |token: &str| {
        format!(
            "POST /v1/tokens HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: 9\r\n\r\n{{"
        )
    };
    // Whoever has no token is answered before a byte of the body is waited for.
    let answer = said(&world, head("x").as_bytes(), "urn:tripline").await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    // This waits for as long as a body may take.
    let answer = said(&world, head(&admin).as_bytes(), "urn:tripline").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}
