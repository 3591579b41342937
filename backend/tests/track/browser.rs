//! The page in a real browser: it follows its ride with script and without.

use serde_json::json;
use tripline_protocol::trip::TripStep;

use crate::chromium::Browser;
use crate::town::Town;
use crate::unit::Unit;

const AT: &str = "document.getElementById('vehicle')?.getAttribute('transform')";

fn says(text: &str) -> String {
    format!("document.getElementById('says')?.textContent === {}", json!(text))
}

#[tokio::test]
async fn a_page_follows_its_ride_while_it_stays_open() {
    let town = Town::new(1).await;
    let mut unit = Unit::new(1);
    let ride = town.accepted(1, &mut unit, 1).await;
    town.seen(&unit, (90_000, 0));
    let mut browser = Browser::start().await;
    browser.open(&town.link(1)).await;
    browser.until(&says("A driver has taken the ride")).await;
    // Set once; a page that loads itself anew would not have it any more.
    browser.value("window.loadedOnce = true").await;
    let before = browser.value(AT).await;
    town.seen(&unit, (45_000, 0));
    browser.until(&format!("{AT} !== {before}")).await;
    browser.until("document.getElementById('next').textContent.startsWith('500 m ')").await;
    browser.until("/^Seen \\d+ s ago$/.test(document.getElementById('age').textContent)").await;
    // It grows older by itself.
    browser.until("document.getElementById('age').textContent === 'Seen 3 s ago'").await;
    town.step(&mut unit, ride, TripStep::Arrive).await;
    browser.until(&says("The vehicle waits at the pickup")).await;
    town.step(&mut unit, ride, crate::unit::start(crate::world::OTP)).await;
    browser.until(&says("The ride is under way")).await;
    town.stop(&mut unit, ride).await;
    browser.until(&says("the ride is over")).await;
    browser
        .until("document.getElementById('vehicle').getAttribute('visibility') === 'hidden'")
        .await;
    assert_eq!(browser.value("window.loadedOnce").await, true, "all of it on one page");
    let complaints = &browser.complaints;
    assert!(
        !complaints.iter().any(|it| it.to_string().contains("Content Security")),
        "{complaints:?}"
    );
    assert!(!complaints.iter().any(|it| it["exceptionDetails"].is_object()), "{complaints:?}");
}

#[tokio::test]
async fn without_script_the_page_says_where_the_vehicle_was_and_loads_itself_anew() {
    let town = Town::new(1).await;
    let mut unit = Unit::new(1);
    let ride = town.accepted(1, &mut unit, 1).await;
    town.seen(&unit, (90_000, 0));
    let mut browser = Browser::start().await;
    browser.ask("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    browser.open(&town.link(1)).await;
    browser.until(&says("A driver has taken the ride")).await;
    browser.until("document.body.innerText.includes('loads itself anew')").await;
    let before = browser.value(AT).await;
    assert_eq!(browser.value("document.querySelectorAll('svg text').length >= 4").await, true);
    town.seen(&unit, (45_000, 0));
    town.step(&mut unit, ride, TripStep::Arrive).await;
    browser.until(&says("The vehicle waits at the pickup")).await;
    assert_ne!(browser.value(AT).await, before);
}

/// The other driver's vehicle is shown without anybody touching the page.
#[tokio::test]
async fn a_page_that_is_open_shows_whoever_has_the_ride() {
    let town = Town::new(2).await;
    let (mut first, mut second) = (Unit::new(1), Unit::new(2));
    let ride = town.accepted(1, &mut first, 1).await;
    town.seen(&first, (90_000, 0));
    let mut browser = Browser::start().await;
    browser.open(&town.link(1)).await;
    browser.until("document.querySelector('.plate')?.textContent.endsWith('KA 1')").await;
    town.step(&mut first, ride, TripStep::Cancel { reason: "a flat tyre".into() }).await;
    browser.until(&says("No driver has taken the ride yet")).await;
    let other = town.world.offered_too(ride, 2).await;
    let event = second.accept(other.offer);
    town.world.tell(&mut second, vec![event]).await;
    browser.until("document.querySelector('.plate')?.textContent.endsWith('KA 2')").await;
}
