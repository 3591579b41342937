//! The gateway in software against a client that is simpler still: it takes what the document asks for, and
//! refuses the rest by field.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tripline_tests::gateway::Gateway;

use crate::office::{PDF_BASE64, SOON, gateway, sample_info};

const AT: &str = "2026-11-29T10:00:00Z";

async fn ask(gateway: &Gateway, path: &str, header: &Value, body: &Value) -> Result<Value> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().timeout(SOON).build()?;
    let asked = json!({ "header": header, "body": body });
    let url = format!("{}{path}", gateway.url());
    let answer = client.post(url).body(asked.to_string()).send().await?;
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}

fn header(action: &str, token: &str) -> Value {
    json!({ "Action": action, "Token": token, "Timestamp": AT })
}

fn signup() -> Value {
    json!({ "info": sample_info(), "documents": [{ "name": "c", "data": PDF_BASE64 }],
        "api": { "endpoint_url": "https://bpp.example" } })
}

#[tokio::test]
async fn what_is_as_the_document_says_is_taken_and_what_is_not_is_refused_by_field() -> Result<()> {
    let city = gateway().await?;
    let action = "Provider/signup";
    let ask_signup =
        async |body: &Value| ask(&city, "/Provider/signup", &header(action, ""), body).await;
    for (pointer, value) in [
        ("/info/name", json!("")),
        ("/info/phone", json!("080")),
        ("/info/email", json!("x")),
        ("/info/company_id", Value::Null),
        ("/documents/0/name", json!("")),
        ("/documents/0/data", json!("aGVsbG8=")),
        ("/api/endpoint_url", json!("bpp")),
    ] {
        let mut body = signup();
        *body.pointer_mut(pointer).expect("it is there") = value;
        let told = ask_signup(&body).await?;
        ensure!(told["header"]["action"] == "NACK", "{pointer}: {told:#}");
        let words = told["body"].pointer(pointer).and_then(Value::as_str);
        ensure!(words.is_some_and(|words| words.starts_with("must")), "{pointer}: {told:#}");
    }
    let told = ask_signup(&signup()).await?;
    ensure!(told["header"]["action"] == "ACK", "{told:#}");
    let (id, token) = (&told["body"]["registration"]["id"], &told["body"]["auth"]["token"]);
    let about = json!({ "registration": { "id": id } });
    let token = token.as_str().unwrap_or_default();
    let get = header("Provider/get", token);
    ensure!(ask(&city, "/Provider/get", &get, &about).await?["header"]["action"] == "ACK");

    let refused = async |path: &str, header: &Value, body: &Value, words: &str| {
        let told = ask(&city, path, header, body).await?;
        ensure!(told["header"]["action"] == "NACK" && told.to_string().contains(words), "{told:#}");
        anyhow::Ok(())
    };
    refused("/Provider/signup", &get, &about, "not that of the endpoint").await?;
    let timeless = json!({ "Action": "Provider/get", "Token": token, "Timestamp": "today" });
    refused("/Provider/get", &timeless, &about, "timestamp").await?;
    refused("/Provider/get", &header("Provider/get", "x"), &about, "the token is not").await?;
    let other = json!({ "registration": { "id": "x" } });
    refused("/Provider/get", &get, &other, "there is no such registration").await?;
    let add = header("Provider/documents/add", token);
    refused("/Provider/documents/add", &add, &about, "some documents").await?;
    let update = header("Provider/info/update", token);
    refused("/Provider/info/update", &update, &about, "UPDATE-FAIL").await?;
    city.expire_tokens();
    refused("/Provider/get", &get, &about, "the token has expired").await?;
    ensure!(city.asked().iter().filter(|asked| asked.acked == Some(true)).count() == 2);
    Ok(())
}
