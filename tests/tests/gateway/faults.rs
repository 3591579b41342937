//! Gateways that are down, slow, silent, out of their mind, or have forgotten us; and tokens that run out.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use tripline_tests::gateway::{Behavior, Nonsense};

use crate::office::{Office, gateway};

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_told_apart_and_nothing_is_changed() -> Result<()> {
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    let company = office.text("company.toml")?;
    let signup = ["signup", "city", "--from", &company];
    city.stop().await;
    office.gateway(&signup).await?.is(5, &["the gateway city at http://", "cannot be asked"])?;
    ensure!(!office.state("city").exists(), "what was not sent leaves nothing");
    city.start_again().await?;
    city.set_behavior(Behavior::Slow(700));
    office.sign_up("city").await?;

    let kept = std::fs::read(office.state("city"))?;
    let (update, get) = (["update-info", "city", "--from", &company], ["get", "city"]);
    let mut faults = vec![
        (Behavior::Silent, "it was silent for 1500 ms"),
        (Behavior::HangUp, "cannot be asked"),
        (Behavior::Answer(404, "nothing here".into()), "answered 404, and not in JSON"),
        (Behavior::Answer(200, String::new()), "answered 200, and not in JSON"),
        (
            Behavior::Answer(500, r#"{"header":{"action":"ACK"},"body":{}}"#.into()),
            "answered ACK with the HTTP status 500",
        ),
    ];
    for nonsense in Nonsense::ALL {
        let words = match nonsense {
            Nonsense::Html => "answered 200, and not in JSON",
            Nonsense::BadGateway => "answered 502, and not in JSON",
            Nonsense::NoVerdict => "answered 200 with neither ACK nor NACK",
            Nonsense::Endless => "it answered more than",
            Nonsense::HeadOnly => "it was silent for 1500 ms",
            Nonsense::Redirect => "answered 307, and not in JSON",
            Nonsense::AnotherRegistration => "answered ACK with an unusable registration.id",
        };
        faults.push((Behavior::Nonsense(nonsense), words));
    }
    for (behavior, words) in faults {
        city.set_behavior(behavior);
        for command in [&update[..], &get] {
            office.gateway(command).await?.is(5, &["gateway city", words])?;
        }
        ensure!(std::fs::read(office.state("city"))? == kept, "{words}");
    }
    city.stop().await;
    office.gateway(&get).await?.is(5, &["cannot be asked", "[gateways.city] url"])?;
    office.gateway(&["list"]).await?.is(0, &["reg-1"])?;
    Ok(())
}

#[tokio::test]
async fn a_signup_without_an_answer_is_not_sent_twice_by_itself() -> Result<()> {
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    let company = office.text("company.toml")?;
    let signup = ["signup", "city", "--from", &company];
    for behavior in [Behavior::HangUp, Behavior::Nonsense(Nonsense::BadGateway)] {
        city.set_behavior(behavior);
        office.gateway(&[&signup[..], &["--again"]].concat()).await?.is(5, &[])?;
        let asked = city.asked().len();
        office.gateway(&signup).await?.is(9, &["no answer came", "--again"])?;
        office.gateway(&["get", "city"]).await?.is(9, &["no answer came"])?;
        ensure!(city.asked().len() == asked);
    }
    office.gateway(&["list"]).await?.is(0, &["no answer came"])?;
    city.set_behavior(Behavior::Honest);
    let told = office.told(&[&signup[..], &["--again"]].concat()).await?;
    ensure!(told["registration"]["id"] == "reg-1", "{told:#}");
    ensure!(told["unanswered_signup_at_unix_ms"] == Value::Null, "{told:#}");

    // Beside a registration, a second one that fails leaves the first as it is.
    let kept = std::fs::read(office.state("city"))?;
    city.set_behavior(Behavior::Answer(403, "no".into()));
    office.gateway(&[&signup[..], &["--again"]].concat()).await?.is(5, &["answered 403"])?;
    ensure!(std::fs::read(office.state("city"))? == kept);
    city.set_behavior(Behavior::HangUp);
    office.gateway(&[&signup[..], &["--again"]].concat()).await?.is(5, &[])?;
    city.set_behavior(Behavior::Honest);
    office.told(&["get", "city"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_token_that_runs_out_between_two_calls_is_told_and_a_new_one_is_taken_from_a_file()
-> Result<()> {
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    let ends = jiff::Timestamp::now().as_second() + 3;
    city.set_exp(ends);
    office.sign_up("city").await?;
    office.told(&["get", "city"]).await?;
    city.expire_tokens();
    while jiff::Timestamp::now().as_second() <= ends {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let kept = std::fs::read(office.state("city"))?;
    let refused = office.gateway(&["get", "city"]).await?;
    refused.is(9, &["the token has expired", "our token ran out ("])?;
    ensure!(office.gateway(&["list"]).await?.out.contains("token         ran out 20"));
    let doctor = office.run(&["doctor"]).await?;
    doctor.is(11, &["FAULT  gateway", "the token has expired", "gateway signup city --again"])?;

    std::fs::write(office.path("token"), "another-t0ken\n")?;
    let (file, get) = (office.text("token")?, ["get", "city", "--token-file"]);
    let refused = office.gateway(&[&get[..], &[&file]].concat()).await?;
    refused.is(9, &["the token is not that of the registration"])?;
    ensure!(std::fs::read(office.state("city"))? == kept, "a token that is refused is not kept");
    city.give_token("another-t0ken");
    let told = office.told(&[&get[..], &[&file]].concat()).await?;
    ensure!(told["registration"]["token"] == "unknown", "{told:#}");
    office.told(&["get", "city"]).await?;
    ensure!(city.last()?.header["Token"] == "another-t0ken");
    std::fs::write(office.path("token"), "two tokens")?;
    let bad = office.gateway(&[&get[..], &[&file]].concat()).await?;
    bad.is(4, &["a token must have 1 to 8192 visible ASCII characters"])?;
    Ok(())
}

#[tokio::test]
async fn a_token_does_not_go_to_another_address_unless_the_gateway_has_moved() -> Result<()> {
    let (city, other) = (gateway().await?, gateway().await?);
    let office = Office::of_city(&city)?;
    office.sign_up("city").await?;
    let config = office.path("bpp.toml");
    let text = std::fs::read_to_string(&config)?.replace(city.url(), other.url());
    std::fs::write(&config, text)?;
    let refused = office.gateway(&["get", "city"]).await?;
    refused.is(9, &[city.url(), other.url(), "our token does not go there", "--moved"])?;
    ensure!(other.asked().is_empty());
    let kept = std::fs::read(office.state("city"))?;
    office.gateway(&["get", "city", "--moved"]).await?.is(9, &["nobody is registered so"])?;
    ensure!(std::fs::read(office.state("city"))? == kept);
    // It has moved with all that it knew.
    other.take_over(city.account("reg-1")?);
    office.told(&["get", "city", "--moved"]).await?;
    office.told(&["get", "city"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_file_of_ours_that_others_can_read_is_not_used() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let city = gateway().await?;
    let office = Office::of_city(&city)?;
    office.sign_up("city").await?;
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(office.state("city"), open)?;
    for command in [&["get", "city"][..], &["list"]] {
        office.gateway(command).await?.is(4, &["city.json", "chmod 600"])?;
    }
    office.run(&["doctor"]).await?.is(11, &["FAULT  gateway", "chmod 600"])?;
    ensure!(city.asked().len() == 1);
    Ok(())
}
