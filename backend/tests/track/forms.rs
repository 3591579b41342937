//! Before, during and after a ride, in every form; and what is on none of them.

use serde_json::{Value, json};

use crate::town::{ADDRESS, Answer, DRIVER_PHONE, SURNAME, Town, token};
use crate::unit::Unit;
use crate::world::OTP;

const JSON: &str = "application/json";
const PAGE: &str = "text/html";
const EVENTS: &str = "text/event-stream";
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// What every answer of the link says.
fn is_strict(answer: &Answer) {
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("vary"), "accept");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("x-robots-tag"), "noindex, nofollow");
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    for loose in ["unsafe", "http", "*", "data:"] {
        assert!(!policy.contains(loose), "{policy}");
    }
    let is_page = answer.header("content-type") == "text/html; charset=utf-8";
    assert_eq!(policy.contains("script-src 'sha256-"), is_page, "{policy}");
}

/// That a link shows no ride in any form, and why.
async fn is_closed(town: &Town, url: &str, status: u16, message: &str, heading: &str) {
    for accept in ["*/*", JSON, EVENTS] {
        let answer = town.get(url, accept).await;
        is_strict(&answer);
        assert_eq!((answer.status, &answer.json()["message"]), (status, &json!(message)));
        assert_eq!(answer.json().get("location"), None);
    }
    let events = town.get(&format!("{url}/events"), "*/*").await;
    is_strict(&events);
    assert_eq!((events.status, &events.json()["message"]), (status, &json!(message)));
    let page = town.get(url, BROWSER).await;
    is_strict(&page);
    assert_eq!(page.status, status);
    assert!(page.text.contains(heading), "{}", page.text);
}

#[tokio::test]
async fn a_link_shows_its_ride_from_acceptance_to_end_and_nothing_before_and_after() {
    let town = Town::new(1).await;
    let mut unit = Unit::new(1);
    let ride = town.offered(1, 1).await;
    let link = town.link(1);
    let waits = "no driver has taken the ride yet";
    is_closed(&town, &link, 410, waits, "<h1 id=\"says\" role=\"status\">No driver").await;

    let event = unit.accept(ride.offer);
    town.world.tell(&mut unit, vec![event]).await;
    let first = town.get(&link, "*/*").await;
    is_strict(&first);
    assert_eq!((first.status, &first.json()["status"]), (200, &json!("active")));
    assert_eq!(first.json()["phase"], "assigned");
    town.seen(&unit, (9_000, 0));
    let shown = town.get(&link, JSON).await.json();
    let location = &shown["location"];
    assert_eq!(location["gps"], "12.9009000,77.6000000");
    assert_eq!((&location["speed_mmps"], &location["course_cdeg"]), (&json!(2_500), &json!(9_000)));
    assert!(location["age_ms"].as_i64().is_some_and(|ms| (0..60_000).contains(&ms)), "{location}");
    assert!(location["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{location}");
    let mut known = shown.clone();
    known["location"] = Value::Null;
    let expected = json!({
        "status": "active", "phase": "assigned", "says": "A driver has taken the ride",
        "location": null, "driver": "Raghav",
        "next": { "place": "pickup", "distance_m": 100,
                  "says": "100 m in a straight line to the pickup" },
        "vehicle": { "registration": "KA 1", "make": "<b>Maruti</b>", "model": "Dzire",
                     "color": "white", "category": "AUTO" },
        "pickup": { "gps": "12.9000000,77.6000000", "address": ADDRESS },
        "drop": { "gps": "12.9100000,77.6050000", "address": "somewhere" },
    });
    assert_eq!(known, expected);

    town.step(&mut unit, ride, tripline_protocol::trip::TripStep::Arrive).await;
    assert_eq!(town.get(&link, JSON).await.json()["phase"], "at-pickup");
    town.step(&mut unit, ride, crate::unit::start(OTP)).await;
    let under_way = town.get(&link, JSON).await.json();
    assert_eq!(
        (&under_way["phase"], &under_way["next"]["place"]),
        (&json!("started"), &json!("drop"))
    );
    town.stop(&mut unit, ride).await;
    is_closed(
        &town,
        &link,
        410,
        "the ride is over",
        "<h1 id=\"says\" role=\"status\">The ride is over</h1>",
    )
    .await;
    assert_eq!(town.get(&link, JSON).await.json()["status"], "inactive");
}

#[tokio::test]
async fn a_page_is_whole_plain_and_holds_nothing_that_is_not_for_its_reader() {
    let town = Town::new(1).await;
    let mut unit = Unit::new(1);
    let ride = town.accepted(1, &mut unit, 1).await;
    let unseen = town.get(&town.link(1), PAGE).await;
    assert!(unseen.text.contains("It is not known where the vehicle is</p>"), "{}", unseen.text);
    town.seen(&unit, (9_000, 0));
    let page = town.get(&town.link(1), BROWSER).await;
    is_strict(&page);
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    for part in [
        "<html lang=\"en\">",
        "<noscript><meta http-equiv=\"refresh\" content=\"15\"></noscript>",
        "role=\"status\">A driver has taken the ride</h1>",
        "100 m in a straight line to the pickup",
        "class=\"fresh\"",
        ">Seen 0 s ago</p>",
        "<svg id=\"sketch\"",
        ">N</text>",
        "<dd>&lt;b&gt;Maruti&lt;/b&gt; Dzire</dd>",
        "<dd>white</dd>",
        "<dd>Raghav</dd>",
        "KA 1</p>",
        "<dd>12 &quot;Lake&quot; Road &amp; more</dd>",
    ] {
        assert!(page.text.contains(part), "{part} is not in {}", page.text);
    }
    assert!(!page.text.contains("{{"), "all of it is filled in");
    assert!(!page.text.contains("://"), "nothing comes from elsewhere");
    let mut stream = town.follow(1).await;
    let event = stream.next().await.expect("the first").data.to_string();
    let json = town.get(&town.link(1), JSON).await.text;
    let order = town.world.order(ride).await;
    let rider = order.rider.as_ref().expect("a rider");
    for told in [&page.text, &event, &json] {
        for secret in
            [SURNAME, DRIVER_PHONE, &rider.phone, &rider.name, &order.track_token, "bap.example"]
        {
            assert!(!told.contains(secret), "{secret} is in {told}");
        }
        for id in [ride.order.to_string(), ride.trip.to_string(), unit.device().to_string()] {
            assert!(!told.contains(&format!("\"{id}\"")), "{id} is in {told}");
        }
    }
    let is_otp = |value: &Value| value == OTP;
    let shown: Value = serde_json::from_str(&json).expect("JSON");
    assert!(!shown.as_object().expect("an object").values().any(is_otp));
    assert!(!json.contains(&format!("\"{OTP}\"")) && !page.text.contains(&format!(">{OTP}<")));
}

#[tokio::test]
async fn the_form_is_what_is_accepted_most() {
    let town = Town::new(1).await;
    town.accepted(1, &mut Unit::new(1), 1).await;
    for (accept, kind) in [
        ("*/*", JSON),
        (BROWSER, "text/html; charset=utf-8"),
        ("text/html;q=0.8, application/json;q=0.9", JSON),
        ("text/html;q=0.8, application/json;q=0", "text/html; charset=utf-8"),
        ("text/event-stream;q=0.3, text/html;q=0.2", EVENTS),
    ] {
        let answer = town.open(&town.link(1), accept).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], kind, "{accept}");
    }
    let refused = town.get(&town.link(1), "image/png").await;
    is_strict(&refused);
    assert!(refused.status == 406 && refused.text.contains("text/event-stream"), "{refused:?}");
}

#[tokio::test]
async fn a_link_shows_its_own_ride_and_what_is_no_link_nothing() {
    let town = Town::new(2).await;
    let (mut one, mut other) = (Unit::new(1), Unit::new(2));
    town.accepted(1, &mut one, 1).await;
    let over = town.started(2, &mut other, 2).await;
    town.seen(&one, (9_000, 0));
    town.seen(&other, (50_000, 0));
    let shown = |n| {
        let link = town.link(n);
        let town = &town;
        async move { town.get(&link, JSON).await.json() }
    };
    let (first, second) = (shown(1).await, shown(2).await);
    assert_eq!(
        (&first["vehicle"]["registration"], &first["location"]["gps"]),
        (&json!("KA 1"), &json!("12.9009000,77.6000000"))
    );
    assert_eq!(
        (&second["vehicle"]["registration"], &second["location"]["gps"]),
        (&json!("KA 2"), &json!("12.9050000,77.6000000"))
    );
    // What is over for one is not for the other.
    town.stop(&mut other, over).await;
    assert_eq!(town.get(&town.link(2), JSON).await.status, 410);
    assert_eq!(shown(1).await["status"], "active");
    let near = format!("{}0", &token(1)[..63]);
    let upper = token(1).to_uppercase();
    for no_link in [near.as_str(), upper.as_str(), "1", "r1", "%00", "..", &"f".repeat(4_096)] {
        let url = format!("http://{}/track/{no_link}", town.http.address);
        assert_eq!(town.get(&url, JSON).await.status, 404, "{no_link}");
    }
    let url = format!("http://{}/track/{near}", town.http.address);
    is_closed(&town, &url, 404, "no such link", "There is no such link").await;
}
