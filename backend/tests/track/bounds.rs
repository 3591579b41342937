//! How many may watch, and how often may be asked.

use std::sync::Arc;
use std::time::Duration;

use tripline_backend::service::track::{
    Shown, Tracked, TrackedRide, WATCHERS_MAX, WATCHERS_PER_LINK_MAX,
};
use tripline_protocol::id::OrderId;

use crate::http::{World, generous};
use crate::town::{PATIENCE, Town, token};
use crate::unit::Unit;

#[tokio::test]
async fn so_many_watch_a_ride_and_whoever_goes_makes_room() {
    let town = Town::new(2).await;
    town.accepted(1, &mut Unit::new(1), 1).await;
    town.accepted(2, &mut Unit::new(2), 2).await;
    let mut streams = Vec::new();
    for _ in 0..WATCHERS_PER_LINK_MAX {
        streams.push(town.follow(1).await);
    }
    let events = format!("{}/events", town.link(1));
    let refused = town.get(&events, "*/*").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "5"));
    assert!(refused.json()["message"].as_str().is_some_and(|it| it.contains("watchers")));
    let page = town.get(&town.link(1), "text/html").await;
    assert_eq!(page.status, 200, "it is shown all the same, as a page that asks again");
    drop(town.follow(2).await);
    streams.pop();
    let came = async {
        while town.open(&events, "*/*").await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, came).await.expect("there is room");
}

#[tokio::test]
async fn so_many_watch_in_all_and_the_rides_are_shown_all_the_same() {
    let town = Town::new(1).await;
    town.accepted(1, &mut Unit::new(1), 1).await;
    let platform = &town.world.platform;
    let Ok(Tracked::Active(shown)) = platform.tracked(&token(1)).await else { panic!("a ride") };
    let of = |n: usize| {
        let id = OrderId::from_bytes((n as u128).to_be_bytes());
        let ride = TrackedRide { order: id, ..(*shown.ride).clone() };
        Shown { ride: Arc::new(ride), ..shown.clone() }
    };
    let watchers: Vec<_> =
        (0..WATCHERS_MAX).map(|n| platform.watch(&of(n)).expect("room")).collect();
    let events = town.get(&format!("{}/events", town.link(1)), "*/*").await;
    assert_eq!((events.status, events.header("retry-after")), (503, "5"));
    assert_eq!(town.get(&town.link(1), "*/*").await.status, 200);
    drop(watchers);
    assert_eq!(town.open(&format!("{}/events", town.link(1)), "*/*").await.status(), 200);
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_when_to_come_again() {
    let mut rules = generous();
    rules.per_address_per_s = 1;
    let world = World::with_rules(rules).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("http://{}/track/{}", world.address, "0".repeat(64));
    let mut refused = Vec::new();
    for _ in 0..50 {
        let request = client.get(&url).header("accept", "text/html");
        let answer = request.send().await.expect("answered");
        if answer.status() == 429 {
            refused.push(answer);
        }
    }
    let refused = refused.pop().expect("one too many");
    assert_eq!(refused.headers()["retry-after"], "5");
    assert!(refused.text().await.expect("a body").contains("Too many requests"));
}
