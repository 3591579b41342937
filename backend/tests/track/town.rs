//! A platform that serves riders' links, rides in every state, and whoever follows them.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::{ACCEPT, HeaderMap};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tripline_backend::service::track;
use tripline_backend::store::{Store, Tx};
use tripline_backend::time;
use tripline_protocol::link::up::Live;
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::Position;

use crate::unit::{Unit, device, stop};
use crate::{http, world};

pub(crate) use crate::world::Ride;

/// Longest wait for something that happens within seconds.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) const MAKE: &str = "<b>Maruti</b>";
pub(crate) const ADDRESS: &str = "12 \"Lake\" Road & more";
pub(crate) const SURNAME: &str = "Secretsurname";
pub(crate) const DRIVER_PHONE: &str = "+91-8800112233";

/// The pickup of every ride here, in 10^-7 degrees.
pub(crate) const PICKUP_E7: (i32, i32) = (129_000_000, 776_000_000);

/// The capability of the link to the order of this number.
pub(crate) fn token(n: u8) -> String {
    format!("{:064x}", u32::from(n) + 0x00ab_cd00)
}

pub(crate) struct Town {
    pub(crate) http: http::World,
    pub(crate) world: world::World,
    client: reqwest::Client,
    _tasks: JoinSet<()>,
    _dir: TempDir,
}

impl Town {
    /// With so many vehicles.
    pub(crate) async fn new(vehicles: u8) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("town.db").display());
        let store = Store::open(&url).await.expect("opens");
        let mut world = world::World::new(store.clone(), vehicles).await;
        store.close().await;
        let http = http::World::over(&url).await;
        world.platform = Arc::clone(&http.platform);
        // Nobody has heard of any vehicle yet.
        http.platform.forget_live(&device(1));
        let mut tasks = JoinSet::new();
        tasks.spawn(track::run(Arc::clone(&http.platform)));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { http, world, client, _tasks: tasks, _dir: dir }
    }

    /// An order of this number that is offered to a unit's vehicle, with all that a page could show wrongly.
    pub(crate) async fn offered(&self, n: u8, to: u8) -> Ride {
        let ride = self.world.offered(n, to).await;
        self.dress(ride, n).await;
        ride
    }

    /// Dresses what was offered.
    pub(crate) async fn dress(&self, ride: Ride, n: u8) {
        const SQL: &str = "UPDATE ride_order SET track_token = $2 WHERE order_id = $1";
        let mut tx = self.world.platform.store.write().await.expect("begins");
        let mut stored = tx.order(ride.order).await.expect("answers").expect("there");
        for offer in &mut stored.order.offers {
            offer.vehicle.make = Some(MAKE.into());
            offer.vehicle.model = Some("Dzire".into());
            offer.vehicle.color = Some("white".into());
            offer.vehicle.driver_name = format!("Raghav {SURNAME}");
            offer.vehicle.driver_phone = DRIVER_PHONE.into();
        }
        let route = &mut stored.order.route;
        route.pickup.address = ADDRESS.into();
        let drop = route.drop.as_mut().expect("a drop");
        drop.position = position((100_000, 50_000));
        tx.save_order(&stored).await.expect("saved");
        let (id, token) = (ride.order.to_string(), token(n));
        match &mut tx {
            Tx::Sqlite(tx) => {
                sqlx::query(SQL).bind(id).bind(token).execute(&mut **tx).await.expect("set")
            }
            Tx::Postgres(_) | Tx::PostgresWriting(_) => panic!("it is SQLite"),
        };
        tx.commit().await.expect("commits");
    }

    /// One that its driver accepted.
    pub(crate) async fn accepted(&self, n: u8, unit: &mut Unit, to: u8) -> Ride {
        let ride = self.offered(n, to).await;
        let event = unit.accept(ride.offer);
        self.world.tell(unit, vec![event]).await;
        ride
    }

    /// One whose ride has begun.
    pub(crate) async fn started(&self, n: u8, unit: &mut Unit, to: u8) -> Ride {
        let ride = self.accepted(n, unit, to).await;
        self.step(unit, ride, TripStep::Arrive).await;
        self.step(unit, ride, crate::unit::start(world::OTP)).await;
        ride
    }

    pub(crate) async fn step(&self, unit: &mut Unit, ride: Ride, step: TripStep) {
        unit.drive(10, 5);
        let event = unit.step(ride.trip, step);
        self.world.tell(unit, vec![event]).await;
    }

    pub(crate) async fn stop(&self, unit: &mut Unit, ride: Ride) {
        self.step(unit, ride, stop(1_000)).await;
    }

    /// A vehicle is seen so far north and east of the pickup, in 10^-7 degrees.
    pub(crate) fn seen(&self, unit: &Unit, from_pickup_e7: (i32, i32)) {
        let live = Live {
            at: time::now(),
            position: position(from_pickup_e7),
            speed_mmps: Some(2_500),
            course_cdeg: Some(9_000),
        };
        self.world.platform.handle_live(&unit.device(), live);
    }

    /// The link to the order of this number.
    pub(crate) fn link(&self, n: u8) -> String {
        format!("http://{}/track/{}", self.http.address, token(n))
    }

    /// What a URL answers to whoever accepts this, before its body is read.
    pub(crate) async fn open(&self, url: &str, accept: &str) -> Response {
        let request = self.client.get(url).header(ACCEPT, accept);
        request.send().await.expect("answered")
    }

    pub(crate) async fn get(&self, url: &str, accept: &str) -> Answer {
        let response = self.open(url, accept).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a body") }
    }

    /// The stream of an order.
    pub(crate) async fn follow(&self, n: u8) -> Stream {
        let response = self.open(&format!("{}/events", self.link(n)), "*/*").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream { response, text: String::new() }
    }
}

fn position((north_e7, east_e7): (i32, i32)) -> Position {
    Position::new(PICKUP_E7.0 + north_e7, PICKUP_E7.1 + east_e7).expect("on the globe")
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.text).expect("JSON")
    }
}

/// An event of a stream.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    /// Its name; `message` if it has none.
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// A stream that is read.
pub(crate) struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    /// The next event; none if the stream has come to its end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event(block), rest.to_owned());
                self.text = rest;
                if event.is_some() {
                    return event;
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.expect("it goes on or ends").expect("it ends as it should")?;
            self.text += std::str::from_utf8(&chunk).expect("UTF-8");
        }
    }

    /// Whether the stream says that it is alive before it says anything else.
    pub(crate) async fn is_kept_alive(&mut self) -> bool {
        while !self.text.contains("\n\n") {
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let chunk = chunk.expect("it is not silent").expect("it goes on").expect("so it does");
            self.text += std::str::from_utf8(&chunk).expect("UTF-8");
        }
        self.text.starts_with(':')
    }

    /// The first event, from the next on, of which this is so.
    pub(crate) async fn until(&mut self, is_it: impl Fn(&Event) -> bool) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if is_it(&event) {
                return event;
            }
        }
    }
}

/// What a block says; nothing if it has no data.
fn event(block: &str) -> Option<Event> {
    let field = |name: &str| {
        let mut lines =
            block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        lines.next_back().map(str::to_owned)
    };
    let data = serde_json::from_str(&field("data")?).expect("JSON");
    let name = field("event").unwrap_or_else(|| "message".into());
    Some(Event { id: field("id").unwrap_or_default(), name, data })
}
