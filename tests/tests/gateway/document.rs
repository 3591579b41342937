//! Each example of the published document, which is read from outside: what it asks for is what the gateway
//! gets, and what it answers is read.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tripline_tests::gateway::Behavior;
use tripline_tests::spec::spec_dir;

use crate::office::{Office, gateway};

/// The words of the document where a refusal is meant.
const WORDS: &str = "field specific error message";

/// One endpoint of the document.
#[derive(Debug)]
struct Endpoint {
    path: String,
    request: (String, String),
    success: (String, String),
    failure: (String, String),
}

/// The four endpoints: each has three pairs of header and body, in JSON that is not always valid.
fn endpoints() -> Result<Option<Vec<Endpoint>>> {
    let Some(dir) = spec_dir() else { return Ok(None) };
    let text = std::fs::read_to_string(dir.join("seed/001-gateway-registration-api.md"))?;
    let mut blocks: Vec<String> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(code) if is_inside => blocks.last_mut().context("a block")?.push_str(code),
            Some(code) => {
                blocks.push(code.to_owned());
                is_inside = true;
            }
            None => is_inside = false,
        }
    }
    ensure!(blocks.len() == 4 * 7, "{} blocks: is this still the document?", blocks.len());
    let endpoint = |blocks: &[String]| {
        let pair = |n: usize| (blocks[n].clone(), blocks[n + 1].clone());
        let path = blocks[0].trim().to_owned();
        Endpoint { path, request: pair(1), success: pair(3), failure: pair(5) }
    };
    Ok(Some(blocks.chunks(7).map(endpoint).collect()))
}

/// An example, which may have commas that JSON does not have.
fn json(text: &str) -> Result<Value> {
    let squeezed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let squeezed = squeezed.replace(",}", "}").replace(",]", "]");
    serde_json::from_str(&squeezed).with_context(|| text.to_owned())
}

/// Where values stand, lists by their first element.
fn paths(of: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, at: &str, paths: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    walk(value, &format!("{at}.{key}"), paths);
                }
            }
            Value::Array(elements) => {
                for value in elements {
                    walk(value, &format!("{at}[]"), paths);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                paths.insert(at.to_owned());
            }
        }
    }
    let mut paths_found = BTreeSet::new();
    walk(of, "", &mut paths_found);
    paths_found
}

/// An answer of the document, as a gateway would send it whole.
fn answer((header, body): &(String, String)) -> Behavior {
    Behavior::Answer(200, format!("{{\"header\": {header}, \"body\": {body}}}"))
}

#[tokio::test]
async fn what_is_sent_has_the_members_of_the_documents_requests_and_no_others() -> Result<()> {
    let Some(endpoints) = endpoints()? else { return Ok(()) };
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    let (company, paper) = (office.text("company.toml")?, office.text("paper.pdf")?);
    office.sign_up("city").await?;
    office.told(&["get", "city"]).await?;
    office.told(&["update-info", "city", "--from", &company]).await?;
    office.told(&["add-document", "city", &paper, "--title", "b"]).await?;
    let asked = city.asked();
    ensure!(asked.len() == endpoints.len());
    for (asked, endpoint) in asked.iter().zip(&endpoints) {
        let (header, body) = (json(&endpoint.request.0)?, json(&endpoint.request.1)?);
        ensure!(asked.path == endpoint.path, "{asked:?}");
        ensure!(asked.header["Action"] == header["Action"], "{asked:?}");
        ensure!(paths(&asked.header) == paths(&header), "{asked:?}");
        ensure!(paths(&asked.body) == paths(&body), "{asked:?}");
        ensure!(asked.acked == Some(true));
    }
    Ok(())
}

#[tokio::test]
async fn every_answer_of_the_document_is_read() -> Result<()> {
    let Some(endpoints) = endpoints()? else { return Ok(()) };
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    let (company, paper) = (office.text("company.toml")?, office.text("paper.pdf")?);
    let commands = [
        &["signup", "city", "--from", &company][..],
        &["get", "city"],
        &["update-info", "city", "--from", &company],
        &["add-document", "city", &paper],
    ];
    for (endpoint, command) in endpoints.iter().zip(commands) {
        city.set_behavior(answer(&endpoint.failure));
        let refused = office.gateway(&[command, &["--json"]].concat()).await?;
        refused.is(9, &["Error message string"])?;
        let fields = paths(&json(&endpoint.failure.1)?);
        for field in fields.iter().filter(|field| !field.ends_with(".status")) {
            let path = field.trim_start_matches('.').replace("[]", "[0]");
            ensure!(refused.said.contains(&format!("\n  {path}: {WORDS}")), "{path}: {refused:?}");
        }
        let told = refused.json()?;
        let of_fields: BTreeSet<_> =
            fields.iter().filter(|field| !field.ends_with(".status")).cloned().collect();
        ensure!(paths(&told["body"]) == of_fields, "{told:#}");

        city.set_behavior(answer(&endpoint.success));
        let told = office.told(command).await?;
        let body = json(&endpoint.success.1)?;
        let registration = &told["registration"];
        ensure!(told["message"] == "Success Message string", "{told:#}");
        ensure!(registration["id"] == body["registration"]["id"], "{told:#}");
        ensure!(registration["status"]["status"] == body["registration"]["status"], "{told:#}");
        ensure!(registration["token"] == "unknown", "its `exp` is no time: {told:#}");
        let documents = body["documents"].as_array().context("documents")?;
        let shown = registration["documents"].as_array().context("documents")?;
        ensure!(shown.len() == documents.len(), "{told:#}");
        for (shown, document) in shown.iter().zip(documents) {
            ensure!(shown["name"] == document["name"] && shown["id"] == document["id"], "{told:#}");
            if document.get("status").is_some() {
                ensure!(shown["status"]["status"] == document["status"], "{told:#}");
            }
        }
        if let Some(status) = body["api"].get("status") {
            ensure!(registration["endpoint_status"]["status"] == *status, "{told:#}");
        }
    }
    Ok(())
}
