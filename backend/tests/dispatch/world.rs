//! A small town: two platforms over one store, vehicles with drivers who answer, orders that were booked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tripline_backend::audit::Audit;
use tripline_backend::config::Config;
use tripline_backend::domain::change::Wish;
use tripline_backend::domain::dispatch::DispatchRules;
use tripline_backend::domain::order::{Conversation, Order, Rider, Vehicle};
use tripline_backend::identity::authority::sha256;
use tripline_backend::service::{Applied, Lane, Platform, Submission};
use tripline_backend::store::certificate::CertificateRow;
use tripline_backend::store::{Store, Tx};
use tripline_backend::time;
use tripline_protocol::assignment::AssignmentState;
use tripline_protocol::id::{
    AssignmentId, CommandNumber, DeviceId, JournalEpoch, OrderId, Sequence,
};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::up::{Answer, Event, EventBatch, EventBody, Live};
use tripline_protocol::machine::Machine as _;
use tripline_protocol::meter::Reading;
use tripline_protocol::signing::SecretKey;
use tripline_protocol::unit::{Position, Timestamp};

use crate::published::held;
use crate::quoted;

/// Two platforms over one store, and what moves around them.
pub(crate) struct World {
    pub(crate) platforms: [Arc<Platform>; 2],
    pub(crate) store: Store,
    /// How many events each device has sent.
    sent: Vec<AtomicU64>,
    pub(crate) now: Timestamp,
}

pub(crate) fn device(n: usize) -> DeviceId {
    format!("d{n:02}").parse().expect("valid")
}

/// The vehicle of this number: the higher, the farther from every pickup, 100 m each.
fn vehicle(n: usize) -> Vehicle {
    Vehicle {
        device: device(n),
        registration: format!("KA {n}"),
        category: "AUTO".into(),
        make: None,
        model: None,
        color: None,
        driver: None,
        driver_name: format!("Driver {n}"),
        driver_phone: format!("+91-{n}"),
    }
}

pub(crate) fn order_id(n: u8) -> OrderId {
    OrderId::from_bytes([n; 16])
}

async fn add_vehicle(tx: &mut Tx, n: usize, now: Timestamp) {
    assert!(tx.add_vehicle(vehicle(n), now).await.expect("added"));
    let row = CertificateRow {
        device: device(n),
        key_hash: vec![1],
        ca_fingerprint: vec![2],
        der: n.to_be_bytes().to_vec(),
        issued_at: now,
        expires_at: now.plus_ms(1_000_000),
        ended: None,
    };
    tx.add_certificate(row).await.expect("added");
}

fn platform(store: Store, rules: DispatchRules) -> Arc<Platform> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpp.sample.toml");
    let mut settings = Config::load(&sample).expect("the sample is valid").settings();
    settings.dispatch = rules;
    settings.ride.search_ms = rules.search_ms;
    settings.ride.reassign_max = rules.reassign_max;
    let (audit, _entries) = Audit::new();
    Arc::new(Platform::new(store, settings, SecretKey::from_seed(&[1; 32]), audit))
}

impl World {
    /// So many vehicles, all of them live, over a store that may have a second door.
    pub(crate) async fn new(
        (store, door): (Store, Store),
        vehicles: usize,
        rules: DispatchRules,
    ) -> Self {
        let now = time::now();
        let mut tx = store.write().await.expect("begins");
        for n in 0..vehicles {
            add_vehicle(&mut tx, n, now).await;
        }
        tx.commit().await.expect("commits");
        let platforms = [platform(store.clone(), rules), platform(door, rules)];
        let sent = (0..vehicles).map(|_| AtomicU64::new(0)).collect();
        let world = Self { platforms, store, sent, now };
        for n in 0..vehicles {
            world.hear(n);
        }
        for platform in &world.platforms {
            platform.refresh_fleet(now).await.expect("looks");
        }
        world
    }

    /// Both platforms hear where a vehicle is.
    pub(crate) fn hear(&self, n: usize) {
        let north_e7 = i32::try_from(n).expect("few") * 9_000;
        let position = Position::new(129_000_000 + north_e7, 776_000_000).expect("on the globe");
        let live = Live { at: self.now, position, speed_mmps: None, course_cdeg: None };
        for platform in &self.platforms {
            platform.handle_live(&device(n), live);
        }
    }

    /// Books an order, whose driver is looked for from the next look on.
    pub(crate) async fn book(&self, n: u8) {
        self.book_for(n, None).await;
    }

    /// Books an order for a pickup so long after the start.
    pub(crate) async fn book_ahead(&self, n: u8, ms: i64) {
        self.book_for(n, Some(self.now.plus_ms(ms))).await;
    }

    async fn book_for(&self, n: u8, pickup_at: Option<Timestamp>) {
        let rider = Rider { name: "Asha".into(), phone: "+91-98".into() };
        let conversation = Conversation(CONVERSATION.into());
        let rules = &self.platforms[0].settings.dispatch;
        // One after another: the first is looked after first.
        let at = self.now.plus_ms(i64::from(n));
        let mut order = quoted::order(n, at);
        order.pickup_at = pickup_at;
        order.initialize(Some(rider), conversation.clone(), at).expect("quoted");
        order.confirm(None, None, conversation, rules, at).expect("initialized");
        let mut tx = self.store.write().await.expect("begins");
        tx.add_order(&order).await.expect("added");
        tx.commit().await.expect("commits");
    }

    /// The rider has a booked order changed, at the price that is told.
    pub(crate) async fn change(&self, n: u8, wish: Wish) {
        let (platform, at) = (&self.platforms[0], self.now.plus_ms(3_000));
        let mut tx = self.store.write().await.expect("begins");
        let mut stored = tx.order(order_id(n)).await.expect("answers").expect("is there");
        let order = &mut stored.order;
        let terms = order.proposed_terms(&wish, &platform.settings.road, at);
        order.propose(wish, terms, at.plus_ms(60_000), at).expect("possible");
        let total = order.proposal.as_ref().expect("proposed").quote.total();
        let effects = order.accept_proposal(total, at).expect("in time, at that price");
        let done = platform.carry_out_change(&mut tx, &mut stored, effects, at).await;
        drop(done.expect("stored"));
        tx.commit().await.expect("commits");
    }

    /// What the rider's platform is told of an order, by action, in order.
    pub(crate) async fn told(&self, n: u8) -> Vec<String> {
        const SQL: &str =
            "SELECT action, body FROM callback WHERE order_key = $1 ORDER BY sequence";
        let key = order_id(n).to_string();
        let rows: Vec<(String, Vec<u8>)> = match &mut self.store.read().await.expect("begins") {
            Tx::Sqlite(tx) => sqlx::query_as(SQL).bind(key).fetch_all(&mut **tx).await,
            Tx::Postgres(tx) | Tx::PostgresWriting(tx) => {
                sqlx::query_as(SQL).bind(key).fetch_all(&mut **tx).await
            }
        }
        .expect("answers");
        let told = rows.into_iter().map(|(action, body)| {
            held(&action, &body);
            action
        });
        told.collect()
    }

    /// The commands that wait for a device.
    pub(crate) async fn commands(&self, n: usize) -> Vec<CommandBody> {
        let mut tx = self.store.read().await.expect("begins");
        let open = tx.open_down_messages(&device(n), CommandNumber::default(), 100).await;
        let body = |(_, bytes): (_, Vec<u8>)| decode::<Command>(&bytes).expect("a command").body;
        open.expect("answers").into_iter().map(body).collect()
    }

    pub(crate) async fn order(&self, n: u8) -> Order {
        let mut tx = self.store.read().await.expect("begins");
        tx.order(order_id(n)).await.expect("answers").expect("is there").order
    }

    /// Leaves of every order but one a body that cannot be read.
    pub(crate) async fn spoil_all_but(&self, n: u8) {
        const SQL: &str = "UPDATE ride_order SET body = '{}' WHERE order_id <> $1";
        let id = order_id(n).to_string();
        let mut tx = self.store.write().await.expect("begins");
        match &mut tx {
            Tx::Sqlite(tx) => sqlx::query(SQL).bind(id).execute(&mut **tx).await.map(|_| ()),
            Tx::Postgres(tx) | Tx::PostgresWriting(tx) => {
                sqlx::query(SQL).bind(id).execute(&mut **tx).await.map(|_| ())
            }
        }
        .expect("spoilt");
        tx.commit().await.expect("commits");
    }

    /// A look at everything that is due so long after the start, by one of the platforms.
    pub(crate) async fn look(&self, platform: usize, ms: i64) {
        self.platforms[platform].handle_due(self.now.plus_ms(ms)).await.expect("looks");
    }

    /// An event of a device, through one of the platforms; gives whether it was taken in.
    pub(crate) async fn report(&self, platform: usize, n: usize, body: EventBody) {
        let after = self.sent[n].fetch_add(1, Ordering::SeqCst);
        let event =
            Event { at: self.now, gnss_time: true, reading: Reading::default(), fix: None, body };
        let batch =
            EventBatch { epoch: JournalEpoch(1), after: Sequence(after), records: vec![event] };
        let payload = encode(&batch);
        let lane = Lane::Event(batch, payload);
        let certificate = sha256(&n.to_be_bytes());
        let submission = Submission { device: device(n), certificate, lane };
        let applied = self.platforms[platform].ingest(&[submission]).await.expect("stored");
        assert!(matches!(applied[..], [Applied::Committed(_)]), "{applied:?}");
    }

    pub(crate) async fn answer(&self, platform: usize, n: usize, id: AssignmentId, yes: bool) {
        let answer = if yes { Answer::Accept } else { Answer::Reject { reason: "no".into() } };
        self.report(platform, n, EventBody::Answered { assignment: id, answer }).await;
    }

    /// Every order, as one look at the store shows them.
    pub(crate) async fn orders(&self) -> Vec<Order> {
        const SQL: &str = "SELECT body FROM ride_order ORDER BY order_id";
        let bodies: Vec<String> = match &mut self.store.read().await.expect("begins") {
            Tx::Sqlite(tx) => sqlx::query_scalar(SQL).fetch_all(&mut **tx).await,
            Tx::Postgres(tx) | Tx::PostgresWriting(tx) => {
                sqlx::query_scalar(SQL).fetch_all(&mut **tx).await
            }
        }
        .expect("answers");
        bodies.iter().map(|body| serde_json::from_str(body).expect("an order")).collect()
    }

    /// The open offers, by the device they are made to, and devices on a trip. Nobody is there twice.
    pub(crate) async fn busy(&self) -> BTreeMap<DeviceId, Busy> {
        let mut busy = BTreeMap::new();
        for order in self.orders().await {
            let open = order.offers.iter().filter(|it| it.state == AssignmentState::Offered);
            let open = open.map(|offer| (&offer.vehicle.device, Busy::Asked(offer.id)));
            let trip = order.trip.iter().filter(|trip| !trip.state.is_terminal());
            let trip = trip.map(|trip| (&trip.vehicle.device, Busy::OnTrip));
            for (device, what) in open.chain(trip) {
                let before = busy.insert(device.clone(), what);
                assert_eq!(before, None, "{device} has two orders: {what:?} too");
            }
        }
        busy
    }
}

/// What a device is kept busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Busy {
    Asked(AssignmentId),
    OnTrip,
}

/// Where answers of an order go, as the dialect keeps it.
const CONVERSATION: &str = r#"{"core_version": "0.9.4", "domain": "nic2004:60221", "country": "IND",
    "city": "std:080", "bap_id": "bap.example", "bap_uri": "http://127.0.0.1:9/bap",
    "transaction_id": "t1", "message_id": "m1"}"#;
