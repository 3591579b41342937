//! From an empty folder to a registered provider, and what the gateway's record shows of it.

use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tripline_tests::gateway::{Asked, Behavior};

use crate::office::{Office, PDF_BASE64, SOON, gateway, sample_info, write_pdf};

const URI: &str = "http://127.0.0.1:8080/beckn";

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .map(|members| members.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

/// A request with the header that the document has, and this body.
fn is_asked(asked: &Asked, action: &str, token: &str, body: &Value) -> Result<()> {
    ensure!(asked.method == "POST" && asked.path == format!("/{action}"), "{asked:?}");
    ensure!(asked.content_type == "application/json", "{asked:?}");
    ensure!(asked.in_document && keys(&asked.header) == ["Action", "Timestamp", "Token"]);
    ensure!(asked.header["Action"] == action && asked.header["Token"] == token, "{asked:?}");
    let at = asked.header["Timestamp"].as_str().context("a time")?;
    let at: jiff::Timestamp = at.parse()?;
    let age_s = jiff::Timestamp::now().as_second() - at.as_second();
    ensure!((0..120).contains(&age_s), "{at}");
    ensure!(asked.body == *body, "{:#} is not {body:#}", asked.body);
    Ok(())
}

#[tokio::test]
async fn a_provider_signs_up_is_verified_changes_and_hands_more_in() -> Result<()> {
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    ensure!(office.gateway(&["list"]).await?.out.contains("registration  none"));
    let company = office.text("company.toml")?;
    let checked = office.told(&["signup", "city", "--from", &company, "--check"]).await?;
    ensure!(checked["documents"] == json!([{ "name": "Compliance Certificate", "bytes": 42 }]));
    ensure!(city.asked().is_empty(), "nothing is sent by --check");

    let told = office.sign_up("city").await?;
    let body = json!({
        "info": sample_info(),
        "documents": [{ "name": "Compliance Certificate", "data": PDF_BASE64 }],
        "api": { "endpoint_url": URI },
    });
    is_asked(&city.last()?, "Provider/signup", "", &body)?;
    let account = city.account("reg-1")?;
    let registration = &told["registration"];
    ensure!(registration["id"] == "reg-1" && registration["token"] == "holds", "{told:#}");
    ensure!(registration["token_ends_unix_ms"] == 4_102_444_799_000_i64, "{told:#}");
    ensure!(registration["documents"][0]["status"]["status"] == "PENDING-VERIFICATION");
    ensure!(registration["endpoint_status"]["status"] == "PENDING-VERIFICATION");
    ensure!(registration["is_waiting"] == true && told["message"] == "done", "{told:#}");
    let mode = std::fs::metadata(office.state("city"))?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "{mode:o}");
    ensure!(std::fs::read_to_string(office.state("city"))?.contains(&account.token));

    city.verify_all();
    let told = office.told(&["get", "city"]).await?;
    is_asked(
        &city.last()?,
        "Provider/get",
        &account.token,
        &json!({ "registration": { "id": "reg-1" } }),
    )?;
    let registration = &told["registration"];
    ensure!(registration["status"]["status"] == "VERIFIED", "{told:#}");
    // `get` answers no status of documents: the last one that was told stays, with its time.
    let document = &registration["documents"][0]["status"];
    ensure!(document["status"] == "PENDING-VERIFICATION" && registration["is_waiting"] == false);
    let text = office.gateway(&["list"]).await?.out;
    ensure!(
        text.contains("registration  reg-1: VERIFIED") && text.contains("and not since"),
        "{text}"
    );

    office.write_company(&[("+91-8000000000", "+91-8000000001-22")])?;
    let told = office.told(&["update-info", "city", "--from", &company]).await?;
    let mut info = sample_info();
    info["phone"] = json!("+91-8000000001-22");
    let body = json!({ "registration": { "id": "reg-1" }, "info": info });
    is_asked(&city.last()?, "Provider/info/update", &account.token, &body)?;
    ensure!(told["registration"]["status"]["status"] == "UPDATE-PENDING", "{told:#}");
    ensure!(told["registration"]["info"] == info && city.account("reg-1")?.info == info);
    ensure!(told["registration"]["documents"][0]["status"]["status"] == "VERIFIED");

    std::fs::write(office.path("permit.JPG"), [0xff, 0xd8, 0xff, 0xe0])?;
    let permit = office.text("permit.JPG")?;
    let told = office.told(&["add-document", "city", &permit]).await?;
    let body = json!({ "registration": { "id": "reg-1" },
        "documents": [{ "name": "permit.JPG", "data": "/9j/4A==" }] });
    is_asked(&city.last()?, "Provider/documents/add", &account.token, &body)?;
    let ids: Vec<_> = told["registration"]["documents"]
        .as_array()
        .context("documents")?
        .iter()
        .map(|document| (document["id"].as_str(), document["status"]["status"].as_str()))
        .collect();
    let expected =
        [(Some("reg-1-d1"), Some("VERIFIED")), (Some("reg-1-d2"), Some("PENDING-VERIFICATION"))];
    ensure!(ids == expected, "{told:#}");
    let again = office.gateway(&["signup", "city", "--from", &company]).await?;
    again.is(9, &["registered at city as reg-1", "--again"])?;
    ensure!(city.asked().len() == 4, "four requests, one for each command that asks");
    Ok(())
}

#[tokio::test]
async fn several_gateways_are_kept_apart_each_in_the_form_that_it_wants() -> Result<()> {
    let (city, state, terse) = (gateway().await?, gateway().await?, gateway().await?);
    let gateways =
        [("city", &city, ""), ("state", &state, "form = \"headers\""), ("terse", &terse, "")];
    let office = Office::with(&gateways)?;
    state.set_behavior(Behavior::Bare);
    terse.set_behavior(Behavior::Terse);
    for name in ["city", "state", "terse"] {
        ensure!(office.sign_up(name).await?["registration"]["id"] == "reg-1", "{name}");
        office.told(&["get", name]).await?;
    }
    let [signup, get] = &state.asked()[..] else { anyhow::bail!("not two") };
    ensure!(!signup.in_document && keys(&signup.header) == ["action", "timestamp"], "{signup:?}");
    ensure!(keys(&signup.body) == ["api", "documents", "info"], "{signup:?}");
    ensure!(get.header["action"] == "Provider/get", "{get:?}");
    ensure!(get.header["token"] == state.account("reg-1")?.token.as_str(), "{get:?}");
    ensure!(get.body == json!({ "registration": { "id": "reg-1" } }), "{get:?}");

    // Of a gateway that tells next to nothing, what we sent is known.
    let company = office.text("company.toml")?;
    office.told(&["update-info", "terse", "--from", &company]).await?;
    let paper = office.text("paper.pdf")?;
    let add = ["add-document", "terse", &paper, &paper, "--title", "a", "--title", "b"];
    let told = office.told(&add).await?;
    let names: Vec<_> = told["registration"]["documents"]
        .as_array()
        .context("documents")?
        .iter()
        .map(|document| document["name"].as_str().unwrap_or_default())
        .collect();
    ensure!(names == ["Compliance Certificate", "a", "b"], "{told:#}");
    ensure!(told["registration"]["info"] == sample_info(), "{told:#}");

    let listed = office.gateway(&["list", "--json"]).await?;
    let lines: Vec<Value> =
        listed.out.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let names: Vec<_> = lines.iter().map(|line| line["gateway"].as_str().unwrap_or("")).collect();
    ensure!(names == ["city", "state", "terse"]);
    let unknown = office.gateway(&["get", "elsewhere"]).await?;
    unknown.is(9, &["[gateways.elsewhere]", "gateway list"])?;
    Ok(())
}

#[tokio::test]
async fn a_document_of_ten_megabytes_goes_there_whole_and_one_that_is_too_long_does_not()
-> Result<()> {
    const LEN: usize = 10 * 1024 * 1024;
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    office.sign_up("city").await?;
    let (large, larger) = (office.path("large.pdf"), office.path("larger.pdf"));
    write_pdf(&large, LEN)?;
    write_pdf(&larger, 16 * 1024 * 1024 + 1)?;
    let large = office.text("large.pdf")?;
    let told = office.told(&["add-document", "city", &large]).await?;
    ensure!(told["registration"]["documents"][1]["name"] == "large.pdf", "{told:#}");
    let paper = &city.account("reg-1")?.papers[1];
    let sent = tripline_protocol::signing::decode_base64(&paper.data).context("Base64")?;
    ensure!(sent == std::fs::read(&large)?, "it is not what was sent");
    ensure!(city.last()?.len > LEN * 4 / 3, "{}", city.last()?.len);
    let state = std::fs::metadata(office.state("city"))?.len();
    ensure!(state < 10_000, "documents are not kept: {state} bytes");
    // Its answer brings the document back, and is as good.
    office.told(&["get", "city"]).await?;

    let (before, larger) = (city.asked().len(), office.text("larger.pdf")?);
    let refused = office.gateway(&["add-document", "city", &larger]).await?;
    refused.is(9, &["nothing was sent", "documents[0].data: must have at most 16777216 bytes"])?;
    ensure!(city.asked().len() == before);
    Ok(())
}

#[tokio::test]
async fn get_waits_until_all_is_looked_at_and_says_what_was_not_taken() -> Result<()> {
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    office.sign_up("city").await?;
    let waiting = async {
        let ended = office.gateway(&["get", "city", "--wait", "--json"]).await?;
        ended.is(0, &["registration PENDING-VERIFICATION"])?;
        ensure!(ended.json()?["registration"]["status"]["status"] == "VERIFIED", "{ended:?}");
        anyhow::Ok(())
    };
    let looking = async {
        city.wait_for_asked(2, SOON).await?;
        // One that is away for a moment is asked again.
        city.set_behavior(Behavior::HangUp);
        city.wait_for_asked(3, SOON).await?;
        city.set_behavior(Behavior::Honest);
        city.verify_all();
        anyhow::Ok(())
    };
    let (waited, looked) = tokio::join!(waiting, looking);
    looked?;
    waited?;

    city.change(|account| "UPDATE-PENDING".clone_into(&mut account.status));
    let ended = office.gateway(&["get", "city", "--wait=1"]).await?;
    ended.is(10, &["city has not looked at everything within 1 s", "reg-1: UPDATE-PENDING"])?;
    city.change(|account| "UPDATE-FAIL".clone_into(&mut account.status));
    let ended = office.gateway(&["get", "city", "--wait"]).await?;
    ended.is(9, &["city did not take everything: registration UPDATE-FAIL"])?;
    office.gateway(&["get", "city"]).await?.is(0, &["UPDATE-FAIL"])?;
    Ok(())
}
