//! What is refused, by us or by the gateway: field by field, in one shape, and nothing is changed by it.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tripline_tests::gateway::Behavior;

use crate::office::{Office, gateway};

#[tokio::test]
async fn every_field_is_judged_before_it_is_sent() -> Result<()> {
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    let company = office.text("company.toml")?;
    let signup = ["signup", "city", "--from", &company];
    for (from, to, field) in [
        ("name = \"Example Mobility Private Limited\"", "name = \" \"", "info.name"),
        ("+91-8000000000", "08000000000", "info.phone"),
        ("operations@example.com", "operations", "info.email"),
        ("company_id = \"U0", "# company_id = \"U0", "info.company_id"),
        ("# endpoint_url = \"https", "endpoint_url = \"ftp", "api.endpoint_url"),
        ("name = \"Compliance Certificate\"", "name = \"\"", "documents[0].name"),
        ("name = \"Compliance Certificate\"", "name = \"a.jpg\"", "documents[0].name"),
        ("file = \"paper.pdf\"", "file = \"bpp.toml\"", "documents[0].data"),
        ("file = \"paper.pdf\"", "file = \"none.pdf\"", "documents[0].data"),
    ] {
        office.write_company(&[(from, to)])?;
        let refused = office.gateway(&signup).await?;
        refused.is(9, &["nothing was sent to city", &format!("\n  {field}: ")])?;
        let fields = refused.said.lines().filter(|line| line.starts_with("  ")).count();
        ensure!(fields == 1, "{field}: {refused:?}");
    }
    // All of them at once, in the gateway's own shape.
    office.write_company(&[
        ("+91-8000000000", "x"),
        ("operations@example.com", "x"),
        ("file = \"paper.pdf\"", "file = \"bpp.toml\""),
    ])?;
    let refused = office.gateway(&[&signup[..], &["--json"]].concat()).await?;
    let told = refused.json()?;
    ensure!(refused.code == 9 && told["refused_by"] == "tripline", "{refused:?}");
    let shape = |of: &Value| {
        let text = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("must be"));
        text(&of["info"]["phone"])
            && text(&of["info"]["email"])
            && text(&of["documents"][0]["data"])
    };
    ensure!(shape(&told["body"]), "{told:#}");
    ensure!(city.asked().is_empty() && !office.state("city").exists());

    office.write_company(&[("company_id = \"U0", "company_idd = \"U0")])?;
    office.gateway(&signup).await?.is(4, &["company.toml", "company_idd"])?;
    let nowhere = office.gateway(&["signup", "city", "--from", "/nowhere/c.toml"]).await?;
    nowhere.is(4, &["/nowhere/c.toml", "gateway sample"])?;
    for command in [&["get", "city"][..], &["update-info", "city", "--from", &company]] {
        office.write_company(&[])?;
        office.gateway(command).await?.is(9, &["not registered at city", "gateway signup city"])?;
    }
    Ok(())
}

#[tokio::test]
async fn what_the_gateway_refuses_is_shown_field_by_field_and_changes_nothing() -> Result<()> {
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    let (company, paper) = (office.text("company.toml")?, office.text("paper.pdf")?);
    let signup = ["signup", "city", "--from", &company];
    let update = ["update-info", "city", "--from", &company];
    let add = ["add-document", "city", &paper];
    let refusals = |fields: &[&str]| -> Vec<(Value, String)> {
        let with = |field: &&str| {
            let words = format!("{field} is not to my liking");
            let mut path = field.split('.');
            let (object, key) = (path.next().unwrap_or(""), path.next().unwrap_or(""));
            let body = match object {
                "documents[1]" => json!({ "documents": [{}, { key: words }] }),
                "documents[0]" => json!({ "documents": [{ key: words }] }),
                _ => json!({ object: { key: words } }),
            };
            (body, format!("\n  {field}: {field} is not to my liking"))
        };
        fields.iter().map(with).collect()
    };
    let info = ["info.name", "info.phone", "info.email", "info.company_id"];
    let documents = ["documents[0].name", "documents[0].data", "documents[1].data"];
    let all = [&info[..], &documents, &["api.endpoint_url"]].concat();
    for (body, line) in refusals(&all) {
        city.set_behavior(Behavior::Refuse(body.clone()));
        office.gateway(&signup).await?.is(9, &["city refused: not today", &line])?;
        ensure!(!office.state("city").exists(), "a refused signup leaves nothing");
        let json = office.gateway(&[&signup[..], &["--json"]].concat()).await?.json()?;
        ensure!(json["refused_by"] == "gateway" && json["body"] == body, "{json:#}");
    }
    city.set_behavior(Behavior::Honest);
    office.sign_up("city").await?;
    let kept = std::fs::read(office.state("city"))?;
    let of =
        |command, fields: &[&str]| (command, refusals(&[fields, &["registration.id"]].concat()));
    for (command, refusals) in
        [of(&update[..], &info), of(&add, &documents), of(&["get", "city"], &[])]
    {
        for (mut body, line) in refusals {
            body["registration"]["status"] = json!("UPDATE-FAIL");
            city.set_behavior(Behavior::Refuse(body));
            let words = [line.as_str(), "the registration's status is UPDATE-FAIL"];
            office.gateway(command).await?.is(9, &words)?;
            ensure!(std::fs::read(office.state("city"))? == kept, "{command:?} changed something");
        }
    }
    // The honest gateway refuses what the document says it refuses.
    city.set_behavior(Behavior::Honest);
    city.forget();
    let words = ["city refused: nobody is registered so", "registration.id: there is no such"];
    office.gateway(&["get", "city"]).await?.is(9, &words)?;
    office.gateway(&update).await?.is(9, &[words[0], words[1], "UPDATE-FAIL"])?;
    office.gateway(&add).await?.is(9, &words)?;
    ensure!(std::fs::read(office.state("city"))? == kept);
    Ok(())
}
