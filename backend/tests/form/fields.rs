//! Each kind of field, by what will not do for it.

use crate::world::{BAP, on_each};

#[tokio::test]
async fn each_field_that_is_missing_or_wrong_is_named() {
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let nonce = world.nonce(&url).await;
        let long = "x".repeat(41);
        let good = [("name", "Asha"), ("phone", "98000 00000")];
        for (field, value, said) in [
            ("name", "", "name must be filled in"),
            ("name", " \t ", "name must be filled in"),
            ("name", &long, "name must have at most 40 characters"),
            ("name", "two\nlines", "name has characters that cannot be shown"),
            ("phone", "", "phone must be filled in"),
            ("phone", "call me", "phone must be a phone number"),
            ("note", &"y".repeat(201), "note must have at most 200 characters"),
            ("note", "a\u{0}b", "note has characters that cannot be shown"),
            ("bags", "two", "bags must be a number"),
            ("day", "31.03.2027", "day must be a day"),
            ("day", "2027-02-29", "day must be a day"),
            ("mail", "asha@", "mail must be a mail address"),
            ("seat", "Roof", "seat must be one of the options"),
            ("age", "7", "age is no field of this form"),
        ] {
            let mut fields: Vec<_> =
                good.iter().copied().filter(|(name, _)| *name != field).collect();
            fields.extend([(field, value), ("nonce", &nonce)]);
            let answer = world.post(&url, &fields).await;
            assert_eq!(answer.wrong(), [field], "{value:?}");
            let message = answer.json()["errors"][0]["message"].to_string();
            assert!(message.contains(said), "{field} {value:?}: {message}");
        }
        let all_wrong = [("nonce", nonce.as_str()), ("bags", "x"), ("seat", "x")];
        let wrong = world.post(&url, &all_wrong).await.wrong();
        assert_eq!(wrong, ["name", "phone", "bags", "seat"], "all at once, in the form's order");

        let all_good = [
            ("nonce", nonce.as_str()),
            ("name", "\u{906}\u{936}\u{93e} & <Ravi>"),
            ("phone", "+91 (98000) 00000"),
            ("note", "one\r\ntwo"),
            ("bags", "2.5"),
            ("day", "2028-02-29"),
            ("mail", "asha@example.com"),
            ("seat", "Back & left"),
        ];
        let id = world.post(&url, &all_good).await.taken();
        let mut tx = world.platform.store.read().await.expect("begins");
        let row = tx.submission(id.parse().expect("a UUID")).await.expect("reads").expect("there");
        let kept: Vec<_> = row
            .submission
            .answers
            .iter()
            .map(|answer| (answer.field.as_str(), answer.value.as_str()))
            .collect();
        let mut sent = all_good[1..].to_vec();
        sent[2].1 = "one\ntwo";
        assert_eq!(kept, sent, "as they were typed");
    })
    .await;
}
