//! The platform in this process, with its HTTP, intake, outbox and ingest, and vehicles whose drivers accept
//! whatever they are offered.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tripline_backend::audit::Audit;
use tripline_backend::callback::Poster;
use tripline_backend::callback::worker::{self, RetryRules};
use tripline_backend::config::Config;
use tripline_backend::device::ingest::{self, BATCHES_WAITING_MAX, Submitted};
use tripline_backend::domain::order::Vehicle;
use tripline_backend::http::{self, App, Rules};
use tripline_backend::identity::authority::sha256;
use tripline_backend::keys::encryption::EncryptionKey;
use tripline_backend::keys::live::LiveKeys;
use tripline_backend::keys::ring::KeyRing;
use tripline_backend::network::directory::Directory;
use tripline_backend::network::guard::Guard;
use tripline_backend::operate::Actor;
use tripline_backend::operate::import::{Source, import};
use tripline_backend::service::intake::{self, Intake};
use tripline_backend::service::{Applied, Lane, Platform, Submission};
use tripline_backend::store::Store;
use tripline_backend::store::certificate::CertificateRow;
use tripline_backend::time;
use tripline_protocol::assignment::AssignmentState;
use tripline_protocol::id::{AssignmentId, DeviceId, JournalEpoch, OrderId, Sequence};
use tripline_protocol::link::envelope::encode;
use tripline_protocol::link::up::{Answer, Event, EventBatch, EventBody, Live};
use tripline_protocol::meter::Reading;
use tripline_protocol::signing::SecretKey;
use tripline_protocol::unit::Position;

use super::rider::Riders;

/// The platform's subscriber id.
pub(super) const BPP_ID: &str = "bpp.example";

/// What is offered.
const FLEET: &str = r#"[[provider]]
id = "city-cabs"
name = "City Cabs"

[[item]]
id = "auto"
provider = "city-cabs"
name = "Auto ride"
vehicle_category = "AUTO_RICKSHAW"
tariff = "auto"

[[tariff]]
code = "auto"
version = 1
base_paise = 3000
base_distance_m = 2000
bands = [{ from_m = 2000, per_km_paise = 1500 }]
minimum_paise = 3000
rounding_paise = 1
"#;

/// How often every vehicle sends a position.
const LIVE_EVERY: Duration = Duration::from_secs(5);

/// Longest wait for an offer, and between two looks at it.
const OFFER_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(2);

const RETRY_MS_MAX: u64 = 5_000;
const TIMEOUT_MS: u64 = 10_000;

pub(super) struct Stage {
    pub(super) uri: String,
    platform: Arc<Platform>,
    ingest: mpsc::Sender<Submitted>,
    certificates: HashMap<DeviceId, [u8; 32]>,
    _dir: tempfile::TempDir,
}

impl Stage {
    /// Over an empty store, with so many vehicles. Its tasks end with the runtime.
    pub(super) async fn open(url: &str, riders: &Riders, vehicles: usize) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let uri = format!("http://{}/beckn", listener.local_addr()?);
        let (platform, certificates) = platform(url, &uri, vehicles).await?;
        let subscribers = dir.path().join("subscribers.json");
        std::fs::write(&subscribers, json!([riders.entry()]).to_string())?;
        let directory = Arc::new(Directory::of_file(&subscribers).map_err(anyhow::Error::msg)?);
        let guard = || Ok::<_, anyhow::Error>(Guard::new(vec!["127.0.0.0/8".parse()?]));

        let (intake, waiting) = Intake::new();
        tokio::spawn(intake::run(Arc::clone(&platform), waiting));
        let rules = Rules {
            proxies: Vec::new(),
            per_address_per_s: 1_000_000,
            per_subscriber_per_s: 1_000_000,
            refuse_stale: true,
        };
        let app = App::new(Arc::clone(&platform), Arc::clone(&directory), guard()?, intake, rules);
        tokio::spawn(http::listener::run(listener, http::router(Arc::new(app), "/beckn")));

        let keys = Arc::new(LiveKeys::new(BPP_ID.into(), ring(dir.path())?));
        let poster =
            Poster::new(keys, directory, guard()?, TIMEOUT_MS).map_err(anyhow::Error::msg)?;
        let retries = RetryRules { retry_ms_max: RETRY_MS_MAX, timeout_ms: TIMEOUT_MS };
        tokio::spawn(worker::run(Arc::clone(&platform), poster, retries));

        let (ingest, submitted) = mpsc::channel(BATCHES_WAITING_MAX);
        tokio::spawn(ingest::run(Arc::clone(&platform), submitted));
        tokio::spawn(stay_live(Arc::clone(&platform), vehicles));
        Ok(Self { uri, platform, ingest, certificates, _dir: dir })
    }

    /// The driver who was offered an order accepts it.
    pub(super) async fn accept(&self, order: &str) -> Result<()> {
        let (device, offer) = self.offer_of(order.parse()?).await?;
        let certificate = *self.certificates.get(&device).context("one of ours")?;
        let body = EventBody::Answered { assignment: offer, answer: Answer::Accept };
        let event = Event {
            at: time::now(),
            gnss_time: true,
            reading: Reading::default(),
            fix: None,
            body,
        };
        let batch = EventBatch { epoch: JournalEpoch(1), after: Sequence(0), records: vec![event] };
        let payload = encode(&batch);
        let submission = Submission { device, certificate, lane: Lane::Event(batch, payload) };
        let (applied, outcome) = oneshot::channel();
        self.ingest.send(Submitted { submission, applied }).await.ok().context("ingest ended")?;
        let outcome = outcome.await.context("not committed")?;
        ensure!(matches!(outcome, Applied::Committed(_)), "{outcome:?}");
        Ok(())
    }

    async fn offer_of(&self, order: OrderId) -> Result<(DeviceId, AssignmentId)> {
        let until = Instant::now() + OFFER_WITHIN;
        while Instant::now() < until {
            let stored = self.platform.store.read().await?.order(order).await?;
            let order = stored.context("there is such an order")?.order;
            let open = order.offers.iter().find(|it| it.state == AssignmentState::Offered);
            if let Some(offer) = open {
                return Ok((offer.vehicle.device.clone(), offer.id));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("nobody was asked about {order}")
    }
}

fn device(n: usize) -> DeviceId {
    format!("bench-{n:05}").parse().expect("valid")
}

/// A platform with its vehicles, and the digests of their certificates.
async fn platform(
    url: &str,
    uri: &str,
    vehicles: usize,
) -> Result<(Arc<Platform>, HashMap<DeviceId, [u8; 32]>)> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backend/bpp.sample.toml");
    let mut settings = Config::load(&sample)?.settings();
    BPP_ID.clone_into(&mut settings.identity.subscriber_id);
    uri.clone_into(&mut settings.identity.uri);
    let (store, now) = (Store::open(url).await?, time::now());
    let mut tx = store.write().await?;
    let source = Source { name: "fleet.toml".into(), rows: None, text: FLEET.to_owned() };
    let read = |name: &str| Err(format!("{name} is not there"));
    import(&mut tx, &Actor::cli(), &[source], &read, now).await?;
    let mut certificates = HashMap::new();
    for n in 0..vehicles {
        let (device, der) = (device(n), n.to_be_bytes().to_vec());
        let vehicle = Vehicle {
            device: device.clone(),
            registration: format!("KA {n}"),
            category: "AUTO_RICKSHAW".into(),
            make: None,
            model: None,
            color: None,
            driver: None,
            driver_name: format!("Driver {n}"),
            driver_phone: format!("+91-{n:010}"),
            driver_rating_centistars: None,
        };
        ensure!(tx.add_vehicle(vehicle, now).await?, "a vehicle is there already");
        certificates.insert(device.clone(), sha256(&der));
        let row = CertificateRow {
            device,
            key_hash: vec![1],
            ca_fingerprint: vec![2],
            der,
            issued_at: now,
            expires_at: now.plus_ms(86_400_000),
            ended: None,
        };
        tx.add_certificate(row).await?;
    }
    tx.commit().await?;
    let (audit, _entries) = Audit::new();
    let platform = Platform::new(store, settings, SecretKey::from_seed(&[1; 32]), audit);
    platform.refresh_fleet(now).await?;
    hear(&platform, vehicles);
    Ok((Arc::new(platform), certificates))
}

/// Every vehicle sends its position: in rows and columns of some 20 m around the pickups.
fn hear(platform: &Platform, vehicles: usize) {
    for n in 0..vehicles {
        let e7 = |steps: usize| i32::try_from(steps).expect("few") * 2_000;
        let position = Position::new(129_700_000 + e7(n % 64), 775_930_000 + e7(n / 64));
        let position = position.expect("near Bengaluru");
        let live = Live { at: time::now(), position, speed_mmps: None, course_cdeg: None };
        platform.handle_live(&device(n), live);
    }
}

async fn stay_live(platform: Arc<Platform>, vehicles: usize) {
    loop {
        tokio::time::sleep(LIVE_EVERY).await;
        hear(&platform, vehicles);
    }
}

/// The platform's keys, of this bench only.
fn ring(dir: &Path) -> Result<KeyRing> {
    let key = json!([{
        "unique_key_id": "k1", "signing_key": SecretKey::from_seed(&[2; 32]).seed_base64(),
        "encryption_key": EncryptionKey::from_bytes([1; 32]).secret_base64(),
        "state": "signing", "made_at_unix_ms": 0, "since_unix_ms": 0,
    }]);
    let file = dir.join("keys.json");
    std::fs::write(&file, key.to_string())?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
    Ok(KeyRing::load(&file)?)
}
