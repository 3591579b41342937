//! What an operator may ask for, and what is refused by its place in the file.

use tripline_backend::operate::form::{self, NewForm};
use tripline_backend::operate::{Actor, Page};
use tripline_backend::time;

use crate::world::on_each;

#[tokio::test]
async fn a_form_or_an_item_that_cannot_be_used_is_refused_by_its_field() {
    on_each(|world| async move {
        let form = |fields: &str| {
            format!("[[form]]\nid = \"f\"\ntitle = \"F\"\nfields = [{fields}]\n")
        };
        for (file, said) in [
            (form(""), "form f, fields are 0; there must be 1 to 40"),
            (form("{ id = \"a\" }"), "fields[0].label is missing"),
            (form("{ id = \"a b\", label = \"A\" }"), "form f, fields.0.id must have 1 to 64"),
            (form("{ id = \"nonce\", label = \"A\" }"), "fields.0.id must not be \"nonce\""),
            (
                form("{ id = \"a\", label = \"A\", kind = \"colour\" }"),
                "fields.0.kind \"colour\": must be one of text, long-text, number, date, email, phone, choice",
            ),
            (
                form("{ id = \"a\", label = \"A\", kind = \"choice\" }"),
                "fields.0.options are 0; a choice has 1 to 60",
            ),
            (
                form("{ id = \"a\", label = \"A\", length_max = 5000 }"),
                "fields.0.length_max is 5000; it must be between 1 and 4000",
            ),
            (form("{ id = \"a\", label = \"A\", style = \"red\" }"), "style is not a field here"),
            (
                form("{ id = \"a\", label = \"A\" }") + "required = \"perhaps\"\n",
                "required is not usable: must be true or false",
            ),
            ("[[form]]\nid = \"f\"\nfields = []\n".into(), "title is missing"),
            (
                "[[item]]\nid = \"plain\"\nform = \"nobody\"\n".into(),
                "form nobody: there is no such form",
            ),
            ("[[item]]\nid = \"plain\"\nform = \"a/b\"\n".into(), "form \"a/b\": must have"),
        ] {
            let refused = world.import(&file).await.expect_err("it cannot be used");
            assert!(refused.contains(said), "{file}: {refused}");
            assert!(refused.contains("fleet.toml line 1"), "{refused}");
        }
    })
    .await;
}

#[tokio::test]
async fn forms_are_listed_as_they_are_and_added_once() {
    on_each(|world| async move {
        let mut tx = world.platform.store.write().await.expect("begins");
        let listed = form::list(&mut tx, &Page::default()).await.expect("listed").items;
        let ids: Vec<_> = listed.iter().map(|it| (it.id.as_str(), it.required)).collect();
        assert_eq!(ids, [("survey", false), ("traveller", true)]);
        let traveller = form::show(&mut tx, "traveller").await.expect("shown");
        assert_eq!(traveller.fields[6].options, ["Front", "Back & left"]);
        assert_eq!(
            (traveller.fields[0].length_max, traveller.fields[6].length_max),
            (Some(40), None)
        );
        // What is shown can be given back.
        let given = serde_json::to_value(&traveller).expect("JSON");
        let new: NewForm = serde_json::from_value(given).expect("read");
        let twice = form::add(&mut tx, &Actor::cli(), new.clone(), time::now()).await;
        assert!(twice.expect_err("refused").to_string().contains("is there already"));
        let put = form::put(&mut tx, &Actor::cli(), "traveller", new, time::now()).await;
        assert_eq!(put.expect("the same"), traveller);
        assert!(form::show(&mut tx, "nobody").await.is_err());
    })
    .await;
}
