//! Who is asked, with 100,000 vehicles around that move: a look at who is near and how they rank, as a search
//! takes it, and whole decisions of orders, as they are stored. Over SQLite; while it is measured every
//! vehicle sends a position each 5 s, and most vehicles are on orders.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tripline_backend::audit::Audit;
use tripline_backend::config::Config;
use tripline_backend::domain::dispatch::{Demand, RANKED_MAX};
use tripline_backend::domain::fleet::VehicleRecord;
use tripline_backend::domain::live::LiveFleet;
use tripline_backend::domain::order::{Order, Rider, Vehicle};
use tripline_backend::service::Platform;
use tripline_backend::store::Store;
use tripline_backend::time;
use tripline_protocol::id::{DeviceId, OrderId};
use tripline_protocol::link::up::Live;
use tripline_protocol::signing::SecretKey;
use tripline_protocol::unit::{Position, Timestamp};
use uuid::Uuid;

use crate::{Data, Row};

#[path = "../../../backend/tests/quoted/mod.rs"]
mod quoted;

const VEHICLES: u32 = 100_000;

/// Of a hundred vehicles so many are on orders.
const BUSY_PERCENT: u32 = 60;

/// Over which time every vehicle sends a position.
const ROUND: Duration = Duration::from_secs(5);

const SEARCHES: usize = 5_000;
const DECISIONS: usize = 500;

/// The city ends so far from its middle, in metres. Every kilometre on the way out has as many vehicles as
/// the one before, so that the middle is dense: 2,500 of them within 450 m.
const CITY_M: f64 = 18_000.0;

pub(super) fn rows(_: &Data) -> Vec<Row> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measured()).expect("a fleet in a store")
}

async fn measured() -> Result<Vec<Row>> {
    let index = index_bytes_a_vehicle()?;
    let dir = tempfile::tempdir()?;
    let url = format!("sqlite:{}", dir.path().join("bench.db").display());
    let platform = Arc::new(platform(&url).await?);
    let mover = Mover::start(Arc::clone(&platform));
    let (searches, found) = search(&platform);
    let decisions = decide(&platform).await?;
    let commits = commits(&platform).await?;
    let moved_per_s = mover.stop();
    let on = format!("{} with {} processors", cpu(), thread::available_parallelism()?);
    Ok(vec![
        Row {
            measure: "dispatch: who is near and how they rank, for a search over 100,000 live vehicles",
            reach: "p99 <= 10 ms",
            measured: format!(
                "{}; {SEARCHES} searches, {found} vehicles ranked of {RANKED_MAX} at most, beside \
                 {moved_per_s} positions a second; {on}",
                told(searches)
            ),
        },
        Row {
            measure: "dispatch: an order that is due: looked at, ranked, held, offered, decision stored",
            reach: "p99 <= 10 ms",
            measured: format!(
                "{}; {DECISIONS} orders over SQLite, {BUSY_PERCENT} % of the vehicles taken; a commit of one \
                 row alone: {}; {on}",
                told(decisions),
                told(commits)
            ),
        },
        Row {
            measure: "dispatch: memory of the live fleet with its index, a vehicle",
            reach: "lean",
            measured: format!("{index} bytes"),
        },
    ])
}

pub(crate) fn told(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |permille: usize| took[(took.len() * permille / 1000).min(took.len() - 1)];
    let ms = |took: Duration| took.as_secs_f64() * 1e3;
    format!("p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", ms(at(500)), ms(at(990)), ms(at(1000)))
}

pub(crate) fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| "an unnamed processor".into(), |(_, name)| name.trim().to_owned())
}

/// Numbers that look random and are the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// From 0 up to 1.
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
        let number = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        number
    }

    /// A place in the city.
    pub(crate) fn place(&mut self) -> Position {
        let (away_m, angle) = (CITY_M * self.next(), self.next() * std::f64::consts::TAU);
        #[expect(clippy::cast_possible_truncation, reason = "some kilometres")]
        let e7 = |m: f64| (m * 90.0) as i32;
        let (north, east) = (e7(away_m * angle.sin()), e7(away_m * angle.cos()));
        Position::new(129_716_000 + north, 775_946_000 + east).expect("near Bengaluru")
    }
}

fn device(n: u32) -> DeviceId {
    format!("bench-{n:06}").parse().expect("valid")
}

fn live(position: Position, at: Timestamp) -> Live {
    Live { at, position, speed_mmps: Some(8_000), course_cdeg: Some(9_000) }
}

/// What a fleet alone takes, of this process's memory.
fn index_bytes_a_vehicle() -> Result<u64> {
    let (mut dice, now) = (Dice(1), time::now());
    let before = resident_bytes()?;
    let mut fleet = LiveFleet::default();
    for n in 0..VEHICLES {
        fleet.update(&device(n), live(dice.place(), now), now);
    }
    let after = resident_bytes()?;
    ensure!(fleet.len() == VEHICLES as usize, "everybody is there");
    Ok((after - before) / u64::from(VEHICLES))
}

fn resident_bytes() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("a size")?;
    Ok(kib.parse::<u64>()? * 1024)
}

/// A platform whose vehicles are all registered, with a driver, heard, and most of them taken.
pub(crate) async fn platform(url: &str) -> Result<Platform> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backend/bpp.sample.toml");
    let settings = Config::load(&sample)?.settings();
    let (store, now) = (Store::open(url).await?, time::now());
    let mut tx = store.write().await?;
    let mut first = Vehicle {
        device: device(0),
        registration: "KA 0".into(),
        category: "AUTO".into(),
        make: None,
        model: None,
        color: None,
        driver: None,
        driver_name: "Raghav".into(),
        driver_phone: "+91-98".into(),
        driver_rating_centistars: None,
    };
    ensure!(tx.add_vehicle(first.clone(), now).await?, "a vehicle is there already");
    first = tx.vehicle(&device(0)).await?.context("just added")?;
    for n in 1..VEHICLES {
        let mut record = VehicleRecord::new(device(n), format!("KA {n}"), "AUTO".into());
        record.driver.clone_from(&first.driver);
        ensure!(tx.add_vehicle_record(&record, now).await?, "a vehicle is there already");
    }
    let other = order(Dice(7).place());
    tx.add_order(&other).await?;
    for n in (0..VEHICLES).filter(|n| n % 100 < BUSY_PERCENT) {
        ensure!(tx.hold(&device(n), other.id).await?, "it was free");
    }
    tx.commit().await?;
    let (audit, _entries) = Audit::new();
    let platform = Platform::new(store, settings, SecretKey::from_seed(&[1; 32]), audit);
    platform.refresh_fleet(now).await?;
    let mut dice = Dice(2);
    for n in 0..VEHICLES {
        platform.handle_live(&device(n), live(dice.place(), now));
    }
    Ok(platform)
}

/// An order that waits for a driver there.
fn order(pickup: Position) -> Order {
    let now = time::now();
    let mut order = quoted::order(1, now);
    order.id = OrderId::from(Uuid::new_v4());
    order.fulfillment_id = order.id.to_string();
    order.track_token.clone_from(&order.fulfillment_id);
    order.receipt_token = Some(order.fulfillment_id.clone());
    order.route.pickup.position = pickup;
    order
}

/// Vehicles that move, each a little every 5 s, until they are stopped: then it gives how many positions
/// a second they sent.
pub(crate) struct Mover {
    over: Arc<AtomicBool>,
    updates: Arc<AtomicU64>,
    began: Instant,
    thread: thread::JoinHandle<()>,
}

impl Mover {
    pub(crate) fn start(platform: Arc<Platform>) -> Self {
        let (over, updates) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = thread::spawn({
            let (over, updates) = (Arc::clone(&over), Arc::clone(&updates));
            move || drive(&platform, &over, &updates)
        });
        Self { over, updates, began: Instant::now(), thread }
    }

    pub(crate) fn stop(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("it drives");
        self.updates.load(Ordering::Relaxed) / self.began.elapsed().as_secs().max(1)
    }
}

fn drive(platform: &Platform, over: &AtomicBool, updates: &AtomicU64) {
    let (mut dice, devices) = (Dice(2), (0..VEHICLES).map(device).collect::<Vec<_>>());
    let places: Vec<_> = devices.iter().map(|_| dice.place()).collect();
    let began = Instant::now();
    for step in 1_i32.. {
        for ((n, device), place) in (0..).zip(&devices).zip(&places) {
            // Up to 40 m/s away from where it began, and back.
            let off = (step * (n % 37)) % 2_000 * 20;
            let position = Position::new(place.lat_e7() + off, place.lon_e7() - off);
            let position = position.expect("near Bengaluru");
            platform.handle_live(device, live(position, time::now()));
            let done = updates.fetch_add(1, Ordering::Relaxed) + 1;
            if over.load(Ordering::Relaxed) {
                return;
            }
            if n % 64 == 0 {
                let due = ROUND * u32::try_from(done).unwrap_or(u32::MAX) / VEHICLES;
                thread::sleep(due.saturating_sub(began.elapsed()));
            }
        }
    }
}

/// Who is near and how they rank, as a search takes it; and how many those were, on average.
fn search(platform: &Platform) -> (Vec<Duration>, usize) {
    let (nobody, mut dice, mut found) = (BTreeSet::new(), Dice(3), 0);
    let demand = Demand {
        category: Some("AUTO"),
        provider: Some("city-cabs"),
        asked: &nobody,
        held: &nobody,
        wish: None,
    };
    let mut one = || {
        let (place, began) = (dice.place(), Instant::now());
        found += platform.survey(place, &demand, time::now()).ranked.len();
        began.elapsed()
    };
    let took = (0..SEARCHES).map(|_| one()).collect();
    (took, found / SEARCHES)
}

/// Orders that are due, one after another, each from the look at what is due to the commit.
async fn decide(platform: &Platform) -> Result<Vec<Duration>> {
    let (mut dice, mut took) = (Dice(4), Vec::new());
    for _ in 0..DECISIONS {
        let (mut order, now) = (order(dice.place()), time::now());
        let rider = Rider { name: "Asha".into(), phone: "+91-98".into() };
        let conversation = order.conversation.clone();
        order.initialize(Some(rider), conversation.clone(), now)?;
        order.confirm(None, None, conversation, &platform.settings.dispatch, now)?;
        let id = order.id;
        let mut tx = platform.store.write().await?;
        tx.add_order(&order).await?;
        tx.commit().await?;
        let due = order.due_at().context("a driver is looked for")?;
        let began = Instant::now();
        platform.handle_due(due).await?;
        took.push(began.elapsed());
        let stored = platform.store.read().await?.order(id).await?.context("is there")?;
        ensure!(stored.order.has_open_offer(), "somebody is asked");
    }
    Ok(took)
}

/// Commits of one row each, on the same disk at the same time: what a decision cannot be faster than.
async fn commits(platform: &Platform) -> Result<Vec<Duration>> {
    let mut took = Vec::new();
    for _ in 0..DECISIONS {
        let began = Instant::now();
        let mut tx = platform.store.write().await?;
        tx.signal_device(&device(0), time::now()).await?;
        tx.commit().await?;
        took.push(began.elapsed());
    }
    Ok(took)
}
