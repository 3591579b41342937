//! A search inside the platform, with 100,000 vehicles around that move: from the parsed request to the stored
//! answer, and what of it needs no store. Over SQLite; most vehicles are on orders.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tripline_backend::beckn::{Received, Reply, render, v0_9};
use tripline_backend::domain::catalog::{Category, Listing, Look, Nearest, Offered, Serviceable};
use tripline_backend::domain::dispatch::Demand;
use tripline_backend::domain::estimate::terms;
use tripline_backend::domain::order::Route;
use tripline_backend::operate::Actor;
use tripline_backend::operate::import::{Source, import};
use tripline_backend::service::intake::{self, Intake};
use tripline_backend::service::{Asked, Platform};
use tripline_backend::time;
use tripline_protocol::assignment::Place;
use tripline_protocol::unit::{Position, Timestamp};

use crate::dispatch::{self, Dice, Mover, cpu, told};
use crate::{Data, Row};

const SEARCHES: usize = 2_000;

/// What is offered: of the vehicles there are, at three tariffs.
const FLEET: &str = r#"[[provider]]
id = "city-cabs"
name = "City Cabs"

[[item]]
id = "auto"
provider = "city-cabs"
name = "Auto ride"
vehicle_category = "AUTO"
tariff = "auto"

[[item]]
id = "auto-plus"
provider = "city-cabs"
name = "Auto ride with much luggage"
vehicle_category = "AUTO"
tariff = "auto-plus"

[[item]]
id = "auto-night"
provider = "city-cabs"
name = "Auto ride at night"
vehicle_category = "AUTO"
tariff = "auto-night"

[[tariff]]
code = "auto"
version = 1
base_paise = 3000
base_distance_m = 2000
bands = [{ from_m = 2000, per_km_paise = 1500 }]
minimum_paise = 3000

[[tariff]]
code = "auto-plus"
version = 1
base_paise = 4000
base_distance_m = 2000
bands = [{ from_m = 2000, per_km_paise = 1800 }]
minimum_paise = 4000

[[tariff]]
code = "auto-night"
version = 1
base_paise = 4500
base_distance_m = 2000
bands = [{ from_m = 2000, per_km_paise = 2250 }]
minimum_paise = 4500
"#;

pub(super) fn rows(_: &Data) -> Vec<Row> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measured()).expect("a fleet in a store")
}

async fn measured() -> Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let url = format!("sqlite:{}", dir.path().join("bench.db").display());
    let platform = Arc::new(dispatch::platform(&url).await?);
    offer(&platform).await?;
    let mover = Mover::start(Arc::clone(&platform));
    let whole = stored(&platform).await?;
    let pure = unstored(&platform)?;
    let moved_per_s = mover.stop();
    let on = format!("{} with {} processors", cpu(), thread::available_parallelism()?);
    let beside =
        format!("{SEARCHES} searches, 3 items, beside {moved_per_s} positions a second; {on}");
    Ok(vec![
        Row {
            measure: "search: from the parsed request to the stored answer, over 100,000 live vehicles",
            reach: "<= 10 ms",
            measured: format!("{}; {beside}", told(whole)),
        },
        Row {
            measure: "search: of that, who is near, what it costs, and the catalog written out",
            reach: "<= 10 ms",
            measured: format!("{}; {beside}", told(pure)),
        },
    ])
}

async fn offer(platform: &Platform) -> Result<()> {
    let source = Source { name: "fleet.toml".into(), rows: None, text: FLEET.to_owned() };
    let read = |name: &str| Err(format!("{name} is not there"));
    let mut tx = platform.store.write().await?;
    import(&mut tx, &Actor::cli(), &[source], &read, time::now()).await?;
    tx.commit().await?;
    platform.refresh_fleet(time::now()).await?;
    ensure!(platform.catalog().items().count() == 3, "three items");
    Ok(())
}

/// A drop some 4 km from a pickup.
fn drop_of(pickup: Position) -> Result<Position> {
    Position::new(pickup.lat_e7() + 250_000, pickup.lon_e7() + 250_000).context("on the globe")
}

/// A search as it is after its signature was verified and its body was read.
fn search(n: usize, pickup: Position) -> Result<Received> {
    let gps = |position: Position| json!({ "location": { "gps": position.to_string() } });
    let body = json!({
        "context": {
            "domain": "nic2004:60221",
            "country": "IND",
            "city": "std:080",
            "action": "search",
            "core_version": "0.9.4",
            "bap_id": "bap.bench",
            "bap_uri": "https://bap.bench/beckn",
            "transaction_id": format!("t{n}"),
            "message_id": format!("m{n}"),
            "timestamp": jiff::Timestamp::now().to_string(),
        },
        "message": {
            "intent": { "fulfillment": { "start": gps(pickup), "end": gps(drop_of(pickup)?) } },
        },
    });
    let received = v0_9::parse("search", body.to_string().as_bytes());
    received.map_err(|fault| anyhow::anyhow!("{fault:?}"))
}

/// One after the other: each waits for its own commit.
async fn stored(platform: &Arc<Platform>) -> Result<Vec<Duration>> {
    let (intake, waiting) = Intake::new();
    let task = tokio::spawn(intake::run(Arc::clone(platform), waiting));
    let (mut dice, mut took) = (Dice(5), Vec::new());
    for n in 0..SEARCHES {
        let received = search(n, dice.place())?;
        let asked = Asked { subscriber_id: "bap.bench".into(), received, too_late: None };
        let begun = Instant::now();
        let taken = intake.take_in(asked).await;
        took.push(begun.elapsed());
        taken.map_err(|error| anyhow::anyhow!("search {n}: {error:?}"))?;
    }
    drop(intake);
    task.await?;
    Ok(took)
}

/// The same without a store: who is on orders is not looked up.
fn unstored(platform: &Platform) -> Result<Vec<Duration>> {
    let (mut dice, mut took) = (Dice(6), Vec::new());
    for n in 0..SEARCHES {
        let pickup = dice.place();
        let received = search(n, pickup)?;
        let place = |position| Place { position, address: String::new() };
        let drop = Some(place(drop_of(pickup)?));
        let route = Route { pickup: place(pickup), drop, pickup_at: None };
        let (begun, at) = (Instant::now(), time::now());
        let offered = offered(platform, &route, at)?;
        let reply = Serviceable { route, offered };
        let identity = &platform.settings.identity;
        let rendered = render(identity, &received.conversation, Reply::Catalog(&reply), None, at);
        black_box(rendered).map_err(anyhow::Error::msg)?;
        took.push(begun.elapsed());
    }
    Ok(took)
}

fn offered(platform: &Platform, route: &Route, at: Timestamp) -> Result<Vec<Offered>> {
    let (catalog, nobody) = (platform.catalog(), BTreeSet::new());
    let (pickup, drop) = (route.pickup.position, route.drop.as_ref().map(|drop| drop.position));
    let mut offered = Vec::new();
    for item in catalog.items() {
        let tariff = catalog.served(pickup, drop, item)?;
        let provider = catalog.provider(&item.provider).context("a provider")?;
        let listing = Listing::of(provider, item);
        let demand = Demand {
            category: Some(&listing.vehicle_category),
            provider: Some(listing.provider_id.as_str()),
            asked: &nobody,
            held: &nobody,
            wish: None,
        };
        let ranking = platform.survey(pickup, &demand, at);
        let nearest = ranking.ranked.iter().min_by_key(|ranked| ranked.distance_m);
        let nearest = nearest.context("somebody is near")?;
        let estimate = platform.settings.road.estimate(pickup, drop.context("a drop")?, at);
        let terms = terms(tariff.clone(), estimate, Vec::new());
        offered.push(Offered {
            look: Look::default(),
            item_id: item.id.to_string(),
            listing,
            category: Category { kind: item.kind, tariff_code: tariff.code.clone() },
            tariff: tariff.clone(),
            estimate: Some(terms.estimated()),
            estimate_max: terms.estimated_max(),
            nearest: Some(Nearest {
                distance_m: nearest.distance_m,
                pickup_s: platform.settings.road.pickup_s(nearest.distance_m),
                position: platform.fleet().get(&nearest.device).map(|seen| seen.live.position),
            }),
            promotions: Vec::new(),
            form: None,
        });
    }
    Ok(offered)
}
