//! The page that a rider sees: what is in it, what is not, and that it is HTML.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::world::{BAP, on_each};

/// Tags that have no end.
const VOID: [&str; 4] = ["meta", "input", "br", "!DOCTYPE"];

/// Tags that a page may have.
const ALLOWED: [&str; 17] = [
    "html", "head", "title", "body", "h1", "p", "ul", "li", "form", "label", "select", "option",
    "textarea", "output", "meta", "input", "br",
];

/// Looks through a page: every tag is one that may be there, ends where it must, and has every attribute once;
/// ids are there once, labels name one, and nothing runs.
pub(crate) fn check(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{page}");
    let (mut open, mut ids, mut named): (Vec<&str>, BTreeSet<&str>, Vec<&str>) = Default::default();
    let mut rest = page;
    while let Some((_, tag)) = rest.split_once('<') {
        let (tag, after) = tag.split_once('>').expect("a tag ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "in {page}");
            continue;
        }
        let name = tag.split([' ', '\n']).next().expect("a name");
        assert!(name == "!DOCTYPE" || ALLOWED.contains(&name), "<{name}> in {page}");
        let mut seen = BTreeSet::new();
        for (attribute, value) in attributes(&tag[name.len()..]) {
            assert!(seen.insert(attribute), "{attribute} is there twice: {tag}");
            assert!(!attribute.starts_with("on") && attribute != "style", "{tag}");
            assert!(!value.to_ascii_lowercase().contains("javascript:"), "{tag}");
            match attribute {
                "id" => assert!(ids.insert(value), "two have the id {value}"),
                "for" => named.push(value),
                _ => {}
            }
        }
        if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0], "all are closed");
    assert!(named.iter().all(|id| ids.contains(id)), "{named:?} of {ids:?}");
}

/// The attributes of a tag, with their values in double quotes or none.
fn attributes(mut text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    loop {
        text = text.trim_start();
        let end = text.find([' ', '=', '\n']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name.is_empty() {
            return found;
        }
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let (value, after) = quoted.split_once('"').expect("quotes end");
            found.push((name, value));
            text = after;
        } else {
            found.push((name, ""));
            text = rest;
        }
    }
}

#[tokio::test]
async fn the_page_is_a_plain_form_and_nothing_else() {
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let page = world.get(&url).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        for (header, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            (
                "content-security-policy",
                "default-src 'none'; form-action 'self'; base-uri 'none'",
            ),
            ("referrer-policy", "no-referrer"),
            ("x-robots-tag", "noindex, nofollow"),
        ] {
            assert_eq!(page.header(header), value, "{header}");
        }
        check(&page.text);
        for tag in ["<script", "<style", "<button", "<link", "<img", "<iframe", "<!--"] {
            assert!(!page.text.contains(tag), "{tag}");
        }
        let nonce = page.nonce();
        assert!(nonce.parse::<uuid::Uuid>().is_ok(), "{nonce}");
        for part in [
            format!("<form action=\"{url}\" method=\"post\" accept-charset=\"utf-8\">"),
            "<h1>Who &lt;i&gt;travels&lt;/i&gt;?</h1>".into(),
            "<label for=\"name\">Name of &lt;script&gt;alert(1)&lt;/script&gt; &quot;whoever&quot; travels</label>".into(),
            "<input type=\"text\" id=\"name\" name=\"name\" required maxlength=\"40\" value=\"\">".into(),
            "<input type=\"tel\" id=\"phone\" name=\"phone\" required maxlength=\"30\"".into(),
            "<textarea id=\"note\" name=\"note\" maxlength=\"200\"".into(),
            "<input type=\"number\" id=\"bags\" name=\"bags\"".into(),
            "<input type=\"date\" id=\"day\" name=\"day\"".into(),
            "<input type=\"email\" id=\"mail\" name=\"mail\"".into(),
            "<option value=\"Back &amp; left\">Back &amp; left</option>".into(),
            format!("<input type=\"hidden\" id=\"nonce\" name=\"nonce\" value=\"{nonce}\">"),
            "<input type=\"submit\" value=\"Send\">".into(),
        ] {
            assert!(page.text.contains(&part), "{part} in {}", page.text);
        }
        let gone = world.get(&url.replace(&url[url.len() - 64..], &"0".repeat(64))).await;
        check(&gone.text);
        assert_eq!((gone.status, gone.header("cache-control")), (404, "no-store"));
    })
    .await;
}

#[tokio::test]
async fn a_rider_in_a_browser_corrects_a_form_and_sees_that_it_is_in() {
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let nonce = world.nonce(&url).await;
        let seat = ("seat", "Back & left");
        let first = [("nonce", nonce.as_str()), ("name", "Asha"), ("phone", "x"), seat];
        let page = world.browse(&url, &first).await;
        assert_eq!((page.status, page.header("cache-control")), (422, "no-store"));
        check(&page.text);
        assert!(page.text.contains("<li>Phone: must be a phone number"), "{}", page.text);
        assert!(page.text.contains("value=\"Asha\"") && page.text.contains("value=\"x\""));
        assert!(page.text.contains("<option value=\"Back &amp; left\" selected>"), "{}", page.text);
        let second =
            [("nonce", page.nonce()), ("name", "Asha".into()), ("phone", "98000 00000".into())];
        let second: Vec<_> = second.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let done = world.browse(&url, &second).await;
        assert_eq!(done.status, 200, "{done:?}");
        check(&done.text);
        let (_, id) = done.text.split_once("<output id=\"submission_id\">").expect("the id");
        let id = id.split('<').next().expect("its end");
        assert_eq!(world.post(&url, &second).await.taken(), id);
        // With a nonce of long ago there is a fresh one, and nothing has to be typed again.
        let stale = [("nonce", "00000000-0000-4000-8000-000000000000"), ("name", "Ravi")];
        let page = world.browse(&url, &stale).await;
        assert_eq!(page.status, 422);
        assert!(page.text.contains("value=\"Ravi\""), "{}", page.text);
        let again =
            [("nonce", page.nonce()), ("name", "Ravi".into()), ("phone", "98000 00001".into())];
        let again: Vec<_> = again.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(world.browse(&url, &again).await.status, 200);
    })
    .await;
}

/// The real browser, where there is one: it finds every field where it was put, and no script in a label.
#[tokio::test]
async fn a_browser_shows_the_form() {
    let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let Some(browser) = browser.into_iter().find(|path| Path::new(path).exists()) else {
        eprintln!("\n*** SKIPPED: there is no Chromium on this machine ***\n");
        return;
    };
    on_each(|world| async move {
        let url = world.link(BAP, "t-1", "auto").await;
        let profile = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(browser);
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--dump-dom"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(&url);
        let shown = tokio::task::spawn_blocking(move || command.output());
        let shown = shown.await.expect("joined").expect("it runs");
        let dom = String::from_utf8(shown.stdout).expect("UTF-8");
        let told = || format!("{dom}\n{}", String::from_utf8_lossy(&shown.stderr));
        for id in ["name", "phone", "note", "bags", "day", "mail", "seat", "nonce"] {
            assert!(dom.contains(&format!("id=\"{id}\"")), "{id}: {}", told());
        }
        // As the browser writes text that it took for text.
        assert!(
            dom.contains("Name of &lt;script&gt;alert(1)&lt;/script&gt; \"whoever\""),
            "{}",
            told()
        );
        assert!(!dom.contains("<script") && !dom.contains("<style"), "{}", told());
        assert!(dom.contains(&format!("action=\"{url}\"")), "{}", told());
    })
    .await;
}
