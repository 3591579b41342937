//! What a rider has to fill in, and may take up, before a booking.

use serde_json::{Value, json};
use tripline_backend::operate::Actor;
use tripline_backend::operate::import::{Source, import};
use tripline_backend::time;

use crate::bap::Bap;
use crate::world::route;

/// The sample's item with a form, and a promotion of a tenth.
const MORE: &str = r#"
[[form]]
id = "traveller"
title = "Who travels"
required = true
fields = [{ id = "bags", label = "How many bags?", kind = "number", required = true }]

[[item]]
id = "auto"
provider = "example-cabs"
name = "Auto ride"
vehicle_category = "AUTO_RICKSHAW"
tariff = "auto"
form = "traveller"

[[item]]
id = "auto-free"
provider = "example-cabs"
name = "Auto ride, nothing asked"
vehicle_category = "AUTO_RICKSHAW"
tariff = "auto"

[[promotion]]
id = "TENTH"
title = "A tenth off"
percent_bp = 1000
items = ["auto-free"]
"#;

async fn world() -> Bap {
    let bap = Bap::fresh().await;
    let mut tx = bap.world.platform.store.write().await.expect("begins");
    let source = Source { name: "more.toml".into(), rows: None, text: MORE.into() };
    let read = |name: &str| Err(format!("{name} is not there"));
    import(&mut tx, &Actor::cli(), &[source], &read, time::now()).await.expect("taken in");
    tx.commit().await.expect("commits");
    bap
}

fn choice(item: &str, more: &Value) -> Value {
    let mut order = json!({ "items": [{ "id": item }], "fulfillment": route() });
    order.as_object_mut().expect("one").extend(more.as_object().expect("one").clone());
    json!({ "order": order })
}

/// The item of a catalog.
async fn listed(bap: &Bap, id: &str) -> Value {
    let told = bap.ask("search", &json!({ "intent": { "fulfillment": route() } })).await;
    let provider = &told.callback()["message"]["catalog"]["bpp/providers"][0];
    let items = provider["items"].as_array().expect("items");
    items.iter().find(|item| item["id"] == id).expect("listed").clone()
}

#[tokio::test]
async fn nothing_is_quoted_or_booked_before_a_required_form_is_in() {
    let bap = world().await;
    let item = listed(&bap, "auto").await;
    assert_eq!(item["xinput"]["required"], true);
    assert_eq!(item["xinput"]["form"]["mime_type"], "text/html");
    assert!(listed(&bap, "auto-free").await.get("xinput").is_none());
    let path = "message.order.items.0.xinput.form.submission_id";
    let early = bap.ask("select", &choice("auto", &json!({}))).await;
    assert_eq!(
        (early.answer.named(), &early.answer.body["error"]["code"]),
        (path, &json!("50000"))
    );
    // What the platform says of it itself does not count.
    let bold = json!({ "items": [{ "id": "auto", "xinput": { "required": "false" } }] });
    assert_eq!(bap.ask("select", &choice("auto", &bold)).await.answer.named(), path);
    for made_up in ["8a3c1c0e-52f4-4d0c-9d6e-2f5e0a5b7f10", "yes"] {
        let named = json!({ "items": [{ "id": "auto", "xinput": { "form": { "submission_id": made_up } } }] });
        assert_eq!(bap.ask("select", &choice("auto", &named)).await.answer.named(), path);
    }
    // A rider who was sent there fills it in.
    let url = item["xinput"]["form"]["url"].as_str().expect("an address");
    let token = url.rsplit('/').next().expect("a token");
    let here = format!("http://{}/form/{token}", bap.world.address);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let page = client.get(&here).send().await.expect("answered").text().await.expect("a page");
    let (_, rest) = page.split_once("name=\"nonce\" value=\"").expect("a nonce");
    let nonce = rest.split('"').next().expect("its end");
    let sent = client
        .post(&here)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("bags=2&nonce={nonce}"))
        .send()
        .await
        .expect("answered");
    let taken: Value = serde_json::from_slice(&sent.bytes().await.expect("a body")).expect("JSON");
    assert_eq!(taken["status"], true, "{taken}");
    // By its id in whatever transaction, and without it in the one of the search.
    let named = json!({
        "items": [{ "id": "auto", "xinput": { "form": { "submission_id": taken["submission_id"] } } }],
    });
    let elsewhere = |context: &mut Value| context["transaction_id"] = json!("another");
    assert!(bap.ask("select", &choice("auto", &json!({}))).await.order()["quote"].is_object());
    let alone = bap.ask_as("select", &choice("auto", &json!({})), elsewhere).await;
    assert_eq!(alone.answer.named(), path, "another transaction, and no id");
    let told = bap.ask_as("select", &choice("auto", &named), elsewhere).await;
    let initialized = bap.init(told.order()).await.order().clone();
    assert!(bap.confirm(&initialized).await.callbacks.is_empty(), "booked");
    let kept = bap.order(initialized["id"].as_str().expect("an id")).await.submission;
    assert_eq!(kept.map(|id| id.to_string()).as_deref(), taken["submission_id"].as_str());
}

#[tokio::test]
async fn a_promotion_is_listed_and_comes_off_as_a_line_of_its_own() {
    let bap = world().await;
    let told = bap
        .ask("search", &json!({ "intent": { "fulfillment": route(), "offer": { "id": "TENTH" } } }))
        .await;
    let provider = &told.callback()["message"]["catalog"]["bpp/providers"][0];
    assert_eq!(provider["items"].as_array().map(Vec::len), Some(1), "those that it is for");
    assert_eq!(provider["offers"][0]["id"], "TENTH");
    assert_eq!(provider["offers"][0]["item_ids"], json!(["auto-free"]));
    let plain = bap.ask("select", &choice("auto-free", &json!({}))).await;
    let offers = json!({ "offers": [{ "id": "TENTH" }] });
    let taken = bap.ask("select", &choice("auto-free", &offers)).await;
    let paise = |order: &Value| -> i64 {
        let value = order["quote"]["price"]["value"].as_str().expect("a price");
        value.replace('.', "").parse().expect("a number")
    };
    assert!(paise(taken.order()) < paise(plain.order()));
    let lines = taken.order()["quote"]["breakup"].as_array().expect("lines");
    let off = lines.iter().find(|line| line["title"] == "Offer TENTH").expect("a line");
    assert!(off["price"]["value"].as_str().is_some_and(|value| value.starts_with('-')), "{off}");
    assert_eq!(taken.order()["offers"], json!([{ "id": "TENTH" }]));
    let elsewhere = bap.ask("select", &choice("auto", &offers)).await;
    assert!(elsewhere.answer.is_nack() || elsewhere.error_code() == "30006", "{elsewhere:?}");
}
