//! What `doctor` says of gateways, and what a platform does that serves.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tripline_tests::gateway::Behavior;

use crate::office::{Office, SOON, gateway};

/// The findings of `doctor` about gateways.
async fn findings(office: &Office, arguments: &[&str]) -> Result<(i32, Vec<Value>)> {
    let ended = office.run(&[&["doctor", "--json"], arguments].concat()).await?;
    let report = ended.json()?;
    let all = report["findings"].as_array().context("findings")?.clone();
    let good: Vec<_> = all.iter().filter(|finding| finding["level"] == "good").collect();
    for check in ["configuration", "keys", "device-ca", "store", "network"] {
        ensure!(good.iter().any(|finding| finding["check"] == check), "{check}: {report:#}");
    }
    let of = all.into_iter().filter(|finding| finding["check"] == "gateway").collect();
    Ok((ended.code, of))
}

fn is(finding: &Value, level: &str, words: &[&str]) -> Result<()> {
    ensure!(finding["level"] == level, "not {level}: {finding:#}");
    for word in words {
        let text = finding.to_string();
        ensure!(text.contains(word), "{word:?} is not in {text}");
    }
    Ok(())
}

#[tokio::test]
async fn doctor_says_who_knows_us_with_which_status_and_when_the_token_runs_out() -> Result<()> {
    let (city, state) = (gateway().await?, gateway().await?);
    let office = Office::with(&[("city", &city, ""), ("state", &state, "")])?;
    office.sign_up("city").await?;
    let (code, found) = findings(&office, &[]).await?;
    ensure!(code == 0 && found.len() == 2, "{found:#?}");
    let words =
        ["city knows us as reg-1", "PENDING-VERIFICATION", "holds until 2099-12-31T23:59:59Z"];
    is(&found[0], "note", &words)?;
    is(&found[1], "note", &["state: we are not registered", "gateway signup state"])?;
    city.verify_all();
    let (_, found) = findings(&office, &[]).await?;
    is(&found[0], "good", &["registration VERIFIED"])?;

    let asked = city.asked().len();
    let (_, found) = findings(&office, &["--offline"]).await?;
    is(&found[0], "good", &["city knew us when it was asked last", "VERIFIED"])?;
    ensure!(city.asked().len() == asked, "it is not asked");

    city.change(|account| "REJECTED".clone_into(&mut account.status));
    let (code, found) = findings(&office, &[]).await?;
    ensure!(code == 11);
    is(&found[0], "fault", &["REJECTED", "update-info city"])?;
    city.forget();
    is(
        &findings(&office, &[]).await?.1[0],
        "fault",
        &["there is no such registration", "--again"],
    )?;
    city.set_behavior(Behavior::HangUp);
    is(&findings(&office, &[]).await?.1[0], "fault", &["cannot be asked", "outage"])?;

    let broken = office.path("bpp.toml");
    let text = std::fs::read_to_string(&broken)?;
    std::fs::write(&broken, text.replace("radius_m =", "radius_km ="))?;
    office
        .run(&["doctor"])
        .await?
        .is(11, &["FAULT  configuration", "radius_km", "1 fault found."])?;
    Ok(())
}

/// What the platform's admin listener answers to a GET of its metrics.
async fn metrics(admin: SocketAddr) -> Result<String> {
    let client = reqwest::Client::builder().no_proxy().timeout(SOON).build()?;
    Ok(client.get(format!("http://{admin}/metrics")).send().await?.text().await?)
}

#[tokio::test]
async fn a_platform_that_serves_asks_now_and_then_and_warns_of_a_token_that_runs_out() -> Result<()>
{
    let _ = rustls::crypto::ring::default_provider().install_default();
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    let ends = jiff::Timestamp::now().as_second() + 3 * 86_400;
    city.set_exp(ends);
    office.sign_up("city").await?;
    city.verify_all();
    // As if it had been asked long ago.
    let mut kept: Value = serde_json::from_str(&std::fs::read_to_string(office.state("city"))?)?;
    kept["registration"]["told_at_unix_ms"] = json!(1);
    std::fs::write(office.state("city"), kept.to_string())?;

    let (config, log) = (office.text("bpp.toml")?, office.path("bpp.log"));
    let arguments = ["serve", "--config", &config, "--json"];
    let mut serving = office.binaries().spawn("tripline-bpp", &arguments, &log)?;
    let addresses: Value = serde_json::from_str(&serving.line().await?)?;
    let admin: SocketAddr = addresses["admin"].as_str().context("an address")?.parse()?;
    city.wait_for_asked(2, SOON).await?;
    ensure!(city.last()?.path == "/Provider/get");
    let told = [
        "tripline_gateway_known{gateway=\"city\"} 1".to_owned(),
        format!("tripline_gateway_token_ends_timestamp_seconds{{gateway=\"city\"}} {ends}"),
        "tripline_gateway_looks_total{reason=\"told\"} 1".to_owned(),
    ];
    let deadline = Instant::now() + SOON;
    loop {
        let counted = metrics(admin).await?;
        if told.iter().all(|line| counted.contains(line.as_str())) {
            break;
        }
        ensure!(Instant::now() < deadline, "{told:?} is not in {counted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = office.told(&["list"]).await?;
    ensure!(told["registration"]["status"]["status"] == "VERIFIED", "what it heard is kept");
    let (code, found) = findings(&office, &[]).await?;
    ensure!(code == 0);
    is(&found[0], "note", &["our token runs out", "--token-file"])?;
    drop(serving);
    let log = std::fs::read_to_string(log)?;
    ensure!(log.contains("our token of a gateway runs out soon"), "{log}");
    ensure!(!log.contains(&city.account("reg-1")?.token), "{log}");
    Ok(())
}
