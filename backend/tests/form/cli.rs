//! Forms on the command line.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tripline_backend::domain::form::{Answer, Submission};
use tripline_backend::store::Store;
use tripline_backend::store::submission::SubmissionRow;
use tripline_backend::time;
use uuid::Uuid;

use crate::quoted;

/// Runs a command; gives its exit code, standard output and standard error.
fn bpp(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tripline-bpp"))
        .args(arguments)
        .env("TRIPLINE_CONFIG", dir.join("bpp.toml"))
        .output()
        .expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("ends"), text(output.stdout), text(output.stderr))
}

const FIELDS: &str = r#"
[[field]]
id = "name"
label = "Name"
length_max = 80
[[field]]
id = "seat"
label = "Seat"
kind = "choice"
required = false
options = ["Front", "Back"]
"#;

#[tokio::test]
async fn forms_and_what_was_answered_are_on_the_command_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let good = |arguments: &[&str]| {
        let (code, out, err) = bpp(dir, arguments);
        assert_eq!(code, 0, "{arguments:?}: {err}");
        out
    };
    good(&["init", "--dir", dir.to_str().expect("UTF-8")]);
    let file = dir.join("fields.toml");
    std::fs::write(&file, FIELDS).expect("written");
    let file = file.to_str().expect("UTF-8");
    let add = ["form", "add", "traveller", "--title", "Who?", "--fields", file];
    let shown = good(&add);
    assert!(shown.contains("required") && shown.contains("(Front | Back)"), "{shown}");
    let (code, _, err) = bpp(dir, &add);
    assert!(code == 9 && err.contains("is there already"), "{code}: {err}");
    good(&["form", "add", "survey", "--title", "Why?", "--required", "false", "--fields", file]);
    assert_eq!(good(&["form", "list"]).lines().count(), 2);
    let survey: Value =
        serde_json::from_str(&good(&["form", "show", "survey", "--json"])).expect("JSON");
    assert_eq!((&survey["required"], &survey["fields"][0]["id"]), (&json!(false), &json!("name")));
    std::fs::write(file, "[[field]]\nid = 7\n").expect("written");
    let (code, _, err) = bpp(dir, &["form", "add", "bad", "--title", "Bad", "--fields", file]);
    assert!(code == 4 && err.contains("fields.toml"), "{code}: {err}");

    let item = good(&["item", "change", "auto", "--form", "traveller"]);
    assert!(item.contains("form traveller"), "{item}");
    let (code, _, err) = bpp(dir, &["item", "change", "auto", "--form", "nobody"]);
    assert!(code == 9 && err.contains("form nobody: there is no such form"), "{code}: {err}");

    let url = format!("sqlite:{}", dir.join("data/tripline.db").display());
    let store = Store::open(&url).await.expect("opens");
    let id = Uuid::from_bytes([5; 16]);
    let mut order = quoted::order(1, time::now());
    order.submission = Some(id);
    let answer = |field: &str, value: &str| Answer {
        field: field.into(),
        label: field.to_uppercase(),
        value: value.into(),
    };
    let submission = Submission {
        id,
        subscriber_id: "bap.example".into(),
        transaction_id: "t-1".into(),
        item_id: "auto".into(),
        form: "traveller".parse().expect("an id"),
        answers: vec![answer("name", "Asha"), answer("note", "one\ntwo")],
    };
    let mut tx = store.write().await.expect("begins");
    let row = SubmissionRow { submission, page_token: "0".repeat(64), at: time::now() };
    tx.add_submission(&row).await.expect("added");
    tx.add_order(&order).await.expect("added");
    tx.commit().await.expect("commits");
    store.close().await;

    let listed = good(&["form", "submissions", "traveller"]);
    assert!(listed.contains("  NAME: Asha\n  NOTE: one\n      two"), "{listed}");
    let listed: Value =
        serde_json::from_str(&good(&["form", "submissions", "traveller", "--json"])).expect("JSON");
    assert_eq!(listed["answers"][0]["value"], "Asha");
    let id = order.id.to_string();
    let shown = good(&["order", "show", &id]);
    assert!(shown.contains("NAME: Asha"), "{shown}");
    let shown: Value =
        serde_json::from_str(&good(&["order", "show", &id, "--json"])).expect("JSON");
    assert_eq!(shown["form"]["answers"][1]["value"], "one\ntwo");
    assert_eq!(shown["submission"], shown["form"]["id"]);
    let audit = good(&["audit"]);
    assert!(audit.contains("form-changed"), "{audit}");
}
