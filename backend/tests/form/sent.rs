//! A form that is changed while riders have it before them.

use tripline_backend::domain::form::FormState;

use crate::world::{BAP, on_each};

const SHORTER: &str = r#"
[[form]]
id = "traveller"
title = "Who travels?"
fields = [{ id = "name", label = "Name" }, { id = "passport", label = "Passport" }]
"#;

#[tokio::test]
async fn whoever_has_a_form_before_them_sends_it_as_it_was_shown() {
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let nonce = world.nonce(&url).await;
        world.import(SHORTER).await.expect("taken in");
        let fields = [("nonce", nonce.as_str()), ("name", "Asha"), ("phone", "98000 00000")];
        let id = world.post(&url, &fields).await.taken();
        let is_in = FormState::In(id.parse().expect("a UUID"));
        assert_eq!(world.state(BAP, "t-1", "auto", None).await, is_in);
        let newer = world.link(BAP, "t-1", "auto").await;
        assert_ne!(newer, url);
        let page = world.get(&newer).await;
        assert!(page.text.contains("Passport") && !page.text.contains("Seat"), "{}", page.text);
        // What is the same again is no new version.
        world.import(SHORTER).await.expect("taken in");
        assert_eq!(world.link(BAP, "t-1", "auto").await, newer);
    })
    .await;
}

#[tokio::test]
async fn an_item_with_another_form_asks_anew() {
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let nonce = world.nonce(&url).await;
        let fields = [("nonce", nonce.as_str()), ("name", "Asha"), ("phone", "98000 00000")];
        let id = world.post(&url, &fields).await.taken();
        let other = "[[form]]\nid = \"other\"\ntitle = \"Other\"\n\
             fields = [{ id = \"a\", label = \"A\" }]\n[[item]]\nid = \"auto\"\nform = \"other\"\n";
        world.import(other).await.expect("taken in");
        let unknown = FormState::Unknown(id.clone());
        assert_eq!(world.state(BAP, "t-1", "auto", Some(&id)).await, unknown);
        let missing = FormState::Missing("other".parse().expect("an id"));
        assert_eq!(world.state(BAP, "t-1", "auto", None).await, missing);
        world.import("[[item]]\nid = \"auto\"\nform = \"\"\n").await.expect("taken in");
        assert_eq!(world.state(BAP, "t-1", "auto", None).await, FormState::NotAsked);
    })
    .await;
}
