//! What nobody honest sends.

use crate::world::{BAP, FORM, answer, encoded, on_each};

#[tokio::test]
async fn what_is_typed_is_shown_as_text_and_does_nothing() {
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let nonce = world.nonce(&url).await;
        let name = "\"><script>alert(1)</script>";
        let note = "</textarea><img src=x onerror=alert(1)>";
        let fields = [("nonce", nonce.as_str()), ("name", name), ("note", note), ("<b>", "<i>")];
        let page = world.browse(&url, &fields).await;
        assert_eq!(page.status, 422);
        assert!(!page.text.contains("<script") && !page.text.contains("<img"), "{}", page.text);
        assert!(page.text.contains("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.text.contains("&lt;/textarea&gt;&lt;img"));
        assert!(page.text.contains("&lt;b&gt;: is no field of this form"));
        crate::page::check(&page.text);
        assert_eq!(page.nonce(), nonce, "it is still good");
        // Kept as it is, and as text everywhere.
        let fields =
            [("nonce", nonce.as_str()), ("name", name), ("phone", "98000 00000"), ("note", note)];
        let id = world.post(&url, &fields).await.taken();
        let mut tx = world.platform.store.read().await.expect("begins");
        let row = tx.submission(id.parse().expect("a UUID")).await.expect("reads").expect("there");
        assert_eq!(row.submission.answers[0].value, name);
    })
    .await;
}

#[tokio::test]
async fn bodies_that_are_none_are_refused_and_nothing_is_kept() {
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let nonce = world.nonce(&url).await;
        let good = encoded(&[("nonce", &nonce), ("name", "Asha"), ("phone", "98000 00000")]);
        let many = "&f=x".repeat(10_000);
        let long = format!("{good}&note={}", "z".repeat(200_000));
        let multipart = "multipart/form-data; boundary=b";
        for (media, body, status) in [
            (FORM, format!("{good}{many}"), 413),
            (FORM, long, 413),
            ("text/plain", good.clone(), 415),
            (multipart, format!("--b\r\n{good}"), 415),
            ("application/x-www-form-urlencoded; charset=iso-8859-1", good.clone(), 415),
            ("application/json", good.clone(), 400),
            ("application/json", "{\"name\":\"a\",\"name\":\"b\"}".to_owned(), 400),
            ("application/json", "[".repeat(50_000), 400),
        ] {
            let sent = answer(world.client.post(&url).header("content-type", media).body(body));
            let refused = sent.await;
            assert_eq!(
                (refused.status, &refused.json()["status"]),
                (status, &false.into()),
                "{media}"
            );
        }
        let bare = answer(world.client.post(&url).body(good.clone())).await;
        assert_eq!(bare.status, 415, "of no kind at all");
        let packed = world.client.post(&url).header("content-type", FORM);
        let packed = packed.header("content-encoding", "gzip").body(good.clone());
        assert_eq!(answer(packed).await.status, 415);
        for (fields, wrong) in [
            (format!("{good}&name=Ravi"), vec!["name"]),
            (format!("{good}&nonce=x"), vec!["nonce"]),
            (format!("{good}&seat=%FF%FE"), vec!["seat"]),
        ] {
            let request = world.client.post(&url).header("content-type", FORM).body(fields);
            assert_eq!(answer(request).await.wrong(), wrong);
        }
        let put = answer(world.client.put(&url).header("content-type", FORM).body(good.clone()));
        assert_eq!(put.await.status, 405);
        let mut tx = world.platform.store.read().await.expect("begins");
        let token = &url[url.len() - 64..];
        assert_eq!(tx.submissions_of_page(token).await.expect("counted"), 0);
        drop(tx);
        let request = world.client.post(&url).header("content-type", FORM).body(good);
        assert!(!answer(request).await.taken().is_empty(), "the nonce is as good as before");
    })
    .await;
}
