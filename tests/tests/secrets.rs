//! What a log must never hold, whatever happens: keys, OTPs, names, phones, places, bodies.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tripline_tests::bap::Behavior;
use tripline_tests::world::{Booking, PATIENCE, Plan, World, drop_near};

/// Something secret, and what it is called.
struct Secret {
    name: &'static str,
    text: String,
}

impl Secret {
    fn new(name: &'static str, text: &str) -> Self {
        Self { name, text: text.into() }
    }

    /// A word is looked for as a word of its own: four digits of an OTP are in many a longer number.
    fn is_in(&self, line: &str) -> bool {
        let is_word = self.text.chars().all(char::is_alphanumeric);
        line.match_indices(&self.text).any(|(at, found)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            let after = line.get(at + found.len()..).and_then(|text| text.chars().next());
            let is_part = |next: Option<char>| next.is_some_and(char::is_alphanumeric);
            !is_word || !is_part(before) && !is_part(after)
        })
    }
}

/// The beginning of a coordinate as it may be written, in degrees or in their ten-millionths. A hundredth of
/// a degree is a kilometre.
struct Place(String);

impl Place {
    fn of(gps: &str) -> Result<Vec<Self>> {
        let mut places = Vec::new();
        for text in gps.split(',') {
            let value: f64 = text.trim().parse()?;
            let (whole, hundredths) = (value.trunc(), (value.abs() * 100.0).trunc() % 100.0);
            places.push(Self(format!("{whole:.0}.{hundredths:02.0}")));
            places.push(Self(format!("{whole:.0}{hundredths:02.0}")));
        }
        Ok(places)
    }

    /// Written out further than to its hundredths, at the beginning of a number.
    fn is_in(&self, line: &str) -> bool {
        line.match_indices(&self.0).any(|(at, found)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            let rest = line.get(at + found.len()..).unwrap_or_default();
            let digits = rest.chars().take_while(char::is_ascii_digit).count();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '.') && digits >= 2
        })
    }
}

/// The secrets of a ride.
fn secrets(world: &World, otp: &str, link: &str) -> Result<Vec<Secret>> {
    let data = world.folder().join("bpp/data");
    let keys: Value = serde_json::from_str(&std::fs::read_to_string(data.join("keys.json"))?)?;
    let command_key = std::fs::read_to_string(data.join("command.key"))?;
    let key = |name| keys[0][name].as_str().unwrap_or_default();
    let secrets = vec![
        Secret::new("the signing key", key("signing_key")),
        Secret::new("the encryption key", key("encryption_key")),
        Secret::new("the command key", command_key.trim()),
        Secret::new("the OTP", otp),
        Secret::new("the tracking link", link.rsplit('/').next().unwrap_or_default()),
        Secret::new("the rider's name", "Asha Rao"),
        Secret::new("the rider's phone", "9800000000"),
        Secret::new("the driver's name", "Raghav"),
        Secret::new("the driver's phone", "9800000001"),
        Secret::new("a body", "\"bap_uri"),
        Secret::new("a body", "\"gps"),
        Secret::new("a signature", "signature=\""),
    ];
    ensure!(secrets.iter().all(|secret| secret.text.len() >= 4), "an empty text is in every line");
    Ok(secrets)
}

/// What is refused, and what goes wrong, is told of in the log, too.
async fn have_trouble(world: &World, booking: &Booking) -> Result<()> {
    let bap = &world.bap;
    bap.request_raw("search", b"{ not json, and +91-9800000000".to_vec(), None).await?;
    let body = b"{\"context\": {}, \"message\": {\"phone\": \"+91-9800000000\"}}".to_vec();
    let signed = bap.sign(&body);
    bap.request_raw("search", body, Some(signed)).await?;
    bap.set_behavior(Behavior::Error500);
    bap.request("status", json!({ "order_id": booking.order_id })).await?;
    bap.wait_for_arrival("an attempt", PATIENCE, |all| {
        all.iter().find(|entry| entry.answered != Behavior::Ack).map(drop)
    })
    .await?;
    bap.set_behavior(Behavior::Ack);
    Ok(())
}

#[tokio::test]
async fn the_log_of_a_whole_ride_holds_no_secret() -> Result<()> {
    let mut world = World::start(Plan::with_registry()).await?;
    let pickup = world.wait_for_position().await?;
    let booking = world.start_ride().await?;
    let otp = world.otp(&booking).await?;
    let tracked = world.bap.track(&booking.order_id).await?;
    let link = tracked.pointer("/message/tracking/url").and_then(Value::as_str);
    let link = link.context("a link")?;
    reqwest::get(link).await?;
    have_trouble(&world, &booking).await?;
    world.finish_ride().await?;
    world.check_told(&booking).await?;
    let secrets = secrets(&world, &otp, link)?;
    world.stop().await?;

    let log = world.bpp_log()?;
    for said in ["request acknowledged", "request refused", "callback put off"] {
        ensure!(log.contains(said), "the log does not say `{said}`: {log}");
    }
    let mut places = Place::of(&pickup)?;
    places.extend(Place::of(&drop_near(&pickup)?)?);
    for line in log.lines() {
        // The time at its beginning is no secret, and has digits like any OTP.
        let said = line.split_once(' ').map_or(line, |(_, said)| said);
        let found = secrets.iter().find(|secret| secret.is_in(said));
        ensure!(found.is_none(), "{} is in the log: {line}", found.map_or("", |s| s.name));
        ensure!(
            !places.iter().any(|place| place.is_in(said)),
            "a coordinate is in the log: {line}"
        );
    }
    Ok(())
}

#[test]
fn what_is_looked_for_would_be_found() -> Result<()> {
    let otp = Secret::new("the OTP", "4711");
    assert!(otp.is_in("otp=4711") && otp.is_in("\"4711\""));
    assert!(!otp.is_in("port 14711") && !otp.is_in("id=4711ab"));
    let key = Secret::new("a key", "AbC+/=");
    assert!(key.is_in("key=xAbC+/=y"));
    let places = Place::of("37.4248123,-122.0764000")?;
    let is_in = |line: &str| places.iter().any(|place| place.is_in(line));
    assert!(is_in("at 37.4248") && is_in("lat_e7=374248123") && is_in("-122.0764,"));
    assert!(!is_in("elapsed=37.42ms") && !is_in("id=a374248123"));
    Ok(())
}
