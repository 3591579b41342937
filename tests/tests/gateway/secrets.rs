//! Neither tokens nor what is in a document is printed or logged, whatever a gateway says.

use anyhow::{Result, ensure};
use serde_json::json;
use tripline_tests::gateway::Behavior;

use crate::office::{Ended, Office, PDF_BASE64, gateway};

fn is_silent(ended: &Ended, token: &str) -> Result<()> {
    for secret in [token, PDF_BASE64, "not for everybody"] {
        ensure!(!ended.out.contains(secret) && !ended.said.contains(secret), "{ended:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_gateway_that_says_everything_back_puts_nothing_before_others_eyes() -> Result<()> {
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    let (company, paper) = (office.text("company.toml")?, office.text("paper.pdf")?);
    city.set_behavior(Behavior::Talkative);
    let mut ended = Vec::new();
    let signup = ["signup", "city", "--from", &company];
    ended.push(office.gateway(&signup).await?);
    ensure!(ended[0].code == 0, "{ended:?}");
    let token = city.account("reg-1")?.token;
    let commands = [
        &["get", "city"][..],
        &["get", "city", "--json"],
        &["add-document", "city", &paper, "--json"],
        &["add-document", "city", &paper, "--title", "x"],
        &["update-info", "city", "--from", &company],
        &["list"],
        &["list", "--json"],
    ];
    for command in commands {
        ended.push(office.gateway(command).await?);
    }
    for offline in [&["doctor"][..], &["doctor", "--json"], &["doctor", "--offline"]] {
        ended.push(office.run(offline).await?);
    }
    city.forget();
    for command in commands {
        ended.push(office.gateway(command).await?);
    }
    let said = json!({ "registration": { "id": format!("{token} {PDF_BASE64}") } });
    city.set_behavior(Behavior::Refuse(said));
    ended.push(office.gateway(&["get", "city"]).await?);
    ended.push(office.gateway(&["get", "city", "--json"]).await?);
    for one in &ended {
        is_silent(one, &token)?;
    }
    ensure!(ended.iter().any(|one| one.said.contains("[...]")), "nothing was said back: {ended:?}");
    let kept = std::fs::read_to_string(office.state("city"))?;
    ensure!(kept.contains(&token) && !kept.contains(PDF_BASE64));
    Ok(())
}
