//! A rider's platform that asks over HTTP, and a vehicle that reports.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tripline_backend::domain::order::{Order, Vehicle};
use tripline_backend::service::{Applied, Settings};
use tripline_backend::store::certificate::CertificateRow;
use tripline_backend::time;
use tripline_protocol::fare::Usage;
use tripline_protocol::id::{AssignmentId, CommandNumber, DeviceId, OrderId, TripId};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::envelope::decode;
use tripline_protocol::link::up::{CommandOutcome, Event, Live};
use tripline_protocol::trip::TripStep;
use tripline_protocol::unit::Position;

use crate::published::held;
use crate::unit::Unit;
use crate::world::{Answer, Ask, World, route, sample};

/// The sample's settings with somebody to call, changed.
fn set_up(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = sample().settings();
    settings.support.phone = Some("+91 80 4000 0000".into());
    settings.support.url = Some("https://fleet.example/help".into());
    change(&mut settings);
    settings
}

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) answer: Answer,
    /// What was called back for it, in order: the action and the body.
    pub(crate) callbacks: Vec<(String, Value)>,
}

impl Told {
    /// The one callback that a request got.
    pub(crate) fn callback(&self) -> &Value {
        let [(_, body)] = &*self.callbacks else {
            panic!("one callback, not {:?}", self.callbacks)
        };
        body
    }

    pub(crate) fn order(&self) -> &Value {
        let body = self.callback();
        assert!(body.get("error").is_none(), "{body}");
        &body["message"]["order"]
    }

    /// The code of the error that was called back.
    pub(crate) fn error_code(&self) -> &str {
        self.callback()["error"]["code"].as_str().expect("an error")
    }
}

/// A platform, the BAP that asks it, and its vehicles.
pub(crate) struct Bap {
    pub(crate) world: World,
    next: AtomicU64,
}

impl Bap {
    /// With one free vehicle at the pickup.
    pub(crate) async fn fresh() -> Self {
        Self::with(|_| ()).await
    }

    /// The same, set up otherwise than the sample.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::of(World::with_settings(set_up(change)).await).await
    }

    /// The same over this store.
    pub(crate) async fn over(url: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        Self::of(World::set_up(dir, url.into(), set_up(change)).await).await
    }

    async fn of(world: World) -> Self {
        let bap = Self { world, next: AtomicU64::new(1) };
        bap.certify(1).await;
        bap
    }

    /// One more vehicle, some way off.
    pub(crate) async fn add_vehicle(&self, n: u8) {
        let device = crate::unit::device(n);
        let vehicle = Vehicle {
            device: device.clone(),
            registration: format!("KA {n}"),
            category: "AUTO_RICKSHAW".into(),
            make: None,
            model: None,
            color: None,
            driver: None,
            driver_name: format!("Driver {n}"),
            driver_phone: format!("+91-9{n}"),
            driver_rating_centistars: None,
        };
        let mut tx = self.world.platform.store.write().await.expect("begins");
        assert!(tx.add_vehicle(vehicle, time::now()).await.expect("added"));
        tx.commit().await.expect("commits");
        self.certify(n).await;
        self.world.platform.refresh_fleet(time::now()).await.expect("looked at");
        self.place(&device, 1_000 * i32::from(n));
    }

    /// A vehicle is so far north of the pickup, in units of 1e-7 degree.
    pub(crate) fn place(&self, device: &DeviceId, north_e7: i32) {
        let position = Position::new(129_345_671 + north_e7, 776_123_459).expect("on the globe");
        let live = Live { at: time::now(), position, speed_mmps: None, course_cdeg: None };
        self.world.platform.handle_live(device, live);
    }

    async fn certify(&self, n: u8) {
        let row = CertificateRow {
            device: crate::unit::device(n),
            key_hash: vec![1],
            ca_fingerprint: vec![2],
            der: vec![n],
            issued_at: time::now(),
            expires_at: time::now().plus_ms(1_000_000_000),
            ended: None,
        };
        let mut tx = self.world.platform.store.write().await.expect("begins");
        tx.add_certificate(row).await.expect("added");
        tx.commit().await.expect("commits");
    }

    /// Asks under a message id of its own.
    pub(crate) async fn ask(&self, action: &'static str, message: &Value) -> Told {
        self.ask_as(action, message, |_| ()).await
    }

    /// The same in a context that is changed.
    pub(crate) async fn ask_as(
        &self,
        action: &'static str,
        message: &Value,
        change: impl FnOnce(&mut Value),
    ) -> Told {
        let message_id = format!("m-{}", self.next.fetch_add(1, Ordering::SeqCst));
        let mut ask = Ask::new(action, &message_id, message);
        change(&mut ask.body["context"]);
        let answer = self.world.send(&ask).await;
        let callbacks = self.callbacks().await;
        let of_it =
            callbacks.into_iter().filter(|(_, body)| body["context"]["message_id"] == *message_id);
        Told { answer, callbacks: of_it.collect() }
    }

    /// Every callback there is, in the order of each order.
    pub(crate) async fn callbacks(&self) -> Vec<(String, Value)> {
        const SQL: &str =
            "SELECT action, body FROM callback ORDER BY created_at, order_key, sequence";
        let rows: Vec<(String, Vec<u8>)> = self.world.rows(SQL).await;
        let read = |(action, bytes): (String, Vec<u8>)| {
            let body = held(&action, &bytes);
            (action, body)
        };
        rows.into_iter().map(read).collect()
    }

    /// What the callbacks of an action tell of an order, in order: the state of the ride.
    pub(crate) async fn states(&self, order_id: &str) -> Vec<String> {
        let callbacks = self.callbacks().await;
        let of_order =
            callbacks.iter().filter(|(_, body)| body["message"]["order"]["id"] == order_id);
        let told = |(action, body): &(String, Value)| {
            let code = &body["message"]["order"]["fulfillment"]["state"]["descriptor"]["code"];
            format!("{action} {}", code.as_str().unwrap_or("-"))
        };
        of_order.map(told).collect()
    }

    /// `select` of the sample's item.
    pub(crate) async fn select(&self) -> Told {
        let order = json!({ "items": [{ "id": World::item_id() }], "fulfillment": route() });
        self.ask("select", &json!({ "order": order })).await
    }

    /// `init` of a quoted order, with a rider.
    pub(crate) async fn init(&self, quoted: &Value) -> Told {
        let mut order = quoted.clone();
        order["fulfillment"]["customer"] =
            json!({ "person": { "name": "Asha" }, "contact": { "phone": "+91-98" } });
        self.ask("init", &json!({ "order": order })).await
    }

    /// `confirm` of an initialized order: the answer comes once a driver accepted.
    pub(crate) async fn confirm(&self, initialized: &Value) -> Told {
        self.ask("confirm", &json!({ "order": initialized })).await
    }

    pub(crate) async fn order(&self, id: &str) -> Order {
        let id: OrderId = id.parse().expect("an id of ours");
        let mut tx = self.world.platform.store.read().await.expect("begins");
        tx.order(id).await.expect("answers").expect("there").order
    }

    /// The commands that wait for a device.
    pub(crate) async fn commands(&self, device: &DeviceId) -> Vec<(CommandNumber, CommandBody)> {
        let mut tx = self.world.platform.store.read().await.expect("begins");
        let open = tx.open_down_messages(device, CommandNumber(0), 1_000).await.expect("answers");
        let body = |payload: &[u8]| decode::<Command>(payload).expect("ours").body;
        open.into_iter().map(|(number, payload)| (number, body(&payload))).collect()
    }

    /// The newest offer to a unit: it and its trip.
    pub(crate) async fn offer_to(&self, unit: &Unit) -> Option<(AssignmentId, TripId)> {
        let commands = self.commands(&unit.device()).await;
        commands.iter().rev().find_map(|(_, body)| {
            let CommandBody::Offer(assignment) = body else { return None };
            Some((assignment.id, assignment.trip))
        })
    }

    pub(crate) async fn tell(&self, unit: &mut Unit, events: Vec<Event>) {
        let batch = unit.batch(events);
        let applied = self.world.platform.ingest(std::slice::from_ref(&batch)).await;
        let applied = applied.expect("committed");
        assert!(applied.iter().all(|it| matches!(it, Applied::Committed(_))), "{applied:?}");
    }

    /// The unit takes a step of a trip.
    pub(crate) async fn step(&self, unit: &mut Unit, trip: TripId, step: TripStep) {
        let event = unit.step(trip, step);
        self.tell(unit, vec![event]).await;
    }

    /// The unit ends a trip after so many metres, and says what that costs by the order's terms.
    pub(crate) async fn stop(&self, unit: &mut Unit, trip: TripId, order_id: &str, metres: u64) {
        let usage = Usage { distance_m: metres, ..Usage::default() };
        let fare = self.order(order_id).await.terms.metered(usage);
        self.step(unit, trip, TripStep::Stop { fare }).await;
    }

    /// The unit reports on the newest command of this kind that waits for it.
    pub(crate) async fn report(
        &self,
        unit: &mut Unit,
        is_it: impl Fn(&CommandBody) -> bool,
        outcome: CommandOutcome,
    ) {
        let open = self.commands(&unit.device()).await;
        let found = open.iter().rev().find(|(_, body)| is_it(body)).expect("such a command");
        let event = unit.done(found.0, outcome);
        self.tell(unit, vec![event]).await;
    }
}
