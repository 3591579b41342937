//! Enrolment, renewal and their end, over real HTTPS and with both stores.

mod https;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tripline_backend::audit::{Audit, AuditKind, Entry};
use tripline_backend::config::{Config, SAMPLE};
use tripline_backend::domain::order::Vehicle;
use tripline_backend::enrol::code::{CODE_LIFE_MS, new_code};
use tripline_backend::enrol::listener;
use tripline_backend::enrol::office::Office;
use tripline_backend::enrol::revoke::{Revoked, rekey, revoke};
use tripline_backend::identity::authority::{Authorities, remove, sha256};
use tripline_backend::identity::live::{Identity, TlsSource};
use tripline_backend::service::Platform;
use tripline_backend::store::Store;
use tripline_backend::store::audit::AuditFilter;
use tripline_backend::store::certificate::{CertificateRow, SUPERSEDED};
use tripline_backend::time;
use tripline_protocol::enrol::{
    BODY_LEN_MAX, ENROL_PATH, EnrolRefusal, EnrolRequest, Enrolled, RENEW_PATH,
};
use tripline_protocol::id::DeviceId;
use tripline_protocol::signing::SecretKey;
use tripline_protocol::unit::Timestamp;

use https::{Shown, client, csr, post};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const DAY_MS: i64 = 86_400_000;
const LIFE_MS: i64 = 90 * DAY_MS;

/// A platform with an enrolment listener and one vehicle.
struct World {
    office: Arc<Office>,
    identity: Arc<Identity>,
    address: SocketAddr,
    told: mpsc::Receiver<Entry>,
    dir: TempDir,
}

/// Runs a test on both databases.
async fn on_both<F, T>(test: F)
where
    F: Fn(World) -> T,
    T: Future<Output = ()>,
{
    let dir = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", dir.path().join("test.db").display());
    test(World::start(Store::open(&url).await.expect("SQLite opens")).await).await;
    if let Some(url) = postgres().await {
        test(World::start(Store::open(&url).await.expect("PostgreSQL opens")).await).await;
    }
}

async fn postgres() -> Option<String> {
    let Ok(server) = std::env::var("TRIPLINE_TEST_POSTGRES_URL") else {
        eprintln!("\n*** PostgreSQL SKIPPED: TRIPLINE_TEST_POSTGRES_URL is not set ***\n");
        return None;
    };
    let name = format!("enrol_{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&server).await.expect("the server");
    let sql = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(sql).execute(&mut connection).await.expect("a database");
    let (base, _) = server.rsplit_once('/').expect("a database in the URL");
    Some(format!("{base}/{name}"))
}

impl World {
    async fn start(store: Store) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("bpp.toml");
        std::fs::write(&file, SAMPLE).expect("written");
        let config = Config::load(&file).expect("the sample");
        let ca = dir.path().join("ca");
        Authorities::create(&ca, time::now()).expect("a CA");
        let hosts = config.device.hosts.clone();
        let identity = Arc::new(Identity::load(ca, hosts, time::now()).expect("an identity"));
        let (audit, told) = Audit::new();
        let key = SecretKey::from_seed(&[7; 32]);
        let platform = Arc::new(Platform::new(store, config.settings(), key, audit));
        let office = Arc::new(Office {
            platform,
            identity: Arc::clone(&identity),
            endpoint: config.device_endpoint(),
            life_ms: LIFE_MS,
        });
        let socket = TcpListener::bind((PEER, 0)).await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let limits = listener::limits(&config.device);
        tokio::spawn(listener::run(socket, limits, identity.enrol_tls(), Arc::clone(&office)));
        let world = Self { office, identity, address, told, dir };
        let mut tx = world.store().write().await.expect("begins");
        assert!(tx.add_vehicle(vehicle(), time::now()).await.expect("added"));
        tx.commit().await.expect("commits");
        world
    }

    fn store(&self) -> &Store {
        &self.office.platform.store
    }

    /// A new code, made at this time.
    async fn code(&self, at: Timestamp) -> String {
        let ca = self.identity.authorities().serving().fingerprint();
        let mut tx = self.store().write().await.expect("begins");
        let made = new_code(&mut tx, &device(), &ca, at).await.expect("made");
        tx.commit().await.expect("commits");
        made.code.to_string()
    }

    /// Enrols without the network, at any time.
    async fn enrol_at(
        &self,
        code: &str,
        key: &KeyPair,
        at: Timestamp,
    ) -> Result<Enrolled, EnrolRefusal> {
        let request =
            EnrolRequest { code: code.into(), csr_pem: csr(key), agent_version: "0.1.0".into() };
        let outcome = self.office.enrol(&request, PEER, at).await;
        outcome.map_err(|failure| failure.refusal)
    }

    /// Asks over HTTPS, with or without a certificate; gives status and JSON.
    async fn post(&self, path: &str, body: &Value, shown: Option<Shown<'_>>) -> (u16, Value) {
        let authorities = self.identity.authorities();
        post(self.address, &authorities.serving().certificate, path, body, shown).await
    }

    async fn enrol(&self, code: &str, key: &KeyPair) -> (u16, Value) {
        let body = json!({ "code": code, "csr_pem": csr(key), "agent_version": "0.1.0" });
        self.post(ENROL_PATH, &body, None).await
    }

    async fn renew(&self, shown: Option<Shown<'_>>, key: &KeyPair) -> (u16, Value) {
        let body = json!({ "csr_pem": csr(key), "agent_version": "0.1.0" });
        self.post(RENEW_PATH, &body, shown).await
    }

    async fn row(&self, certificate: &CertificateDer<'_>) -> CertificateRow {
        let mut tx = self.store().read().await.expect("begins");
        let row = tx.certificate(&sha256(certificate)).await.expect("answers");
        row.expect("the certificate is kept")
    }

    async fn audited(&self) -> Vec<AuditKind> {
        let mut tx = self.store().read().await.expect("begins");
        let rows = tx.audit(&AuditFilter::default(), 100).await.expect("answers");
        rows.into_iter().map(|row| row.entry.kind).collect()
    }

    fn add_authority(&self) {
        let authorities = self.identity.authorities();
        authorities.add(&self.dir.path().join("ca"), time::now()).expect("added");
        assert!(self.identity.refresh(time::now()).expect("read"), "noticed");
    }
}

fn device() -> DeviceId {
    "ka01ab1234".parse().expect("valid")
}

fn vehicle() -> Vehicle {
    Vehicle {
        device: device(),
        registration: "KA 01 AB 1234".into(),
        category: "TAXI".into(),
        make: None,
        model: None,
        color: None,
        driver: None,
        driver_name: "Raghav".into(),
        driver_phone: "+91-98".into(),
        driver_rating_centistars: None,
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn enrolled(answer: (u16, Value)) -> Enrolled {
    assert_eq!(answer.0, 200, "{}", answer.1);
    serde_json::from_value(answer.1).expect("enrolled")
}

fn refused(answer: &(u16, Value), status: u16, refusal: EnrolRefusal) {
    assert_eq!(answer.0, status, "{}", answer.1);
    assert_eq!(answer.1["refusal"], refusal.code(), "{}", answer.1);
    assert!(answer.1["message"].as_str().is_some_and(|text| text.len() > 10), "a way out");
}

fn certificate(enrolled: &Enrolled) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(enrolled.certificate_pem.as_bytes()).expect("PEM")
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_code_works_once_and_the_same_key_gets_the_same_certificate_again() {
    on_both(|mut world| async move {
        let now = time::now();
        let (code, own) = (world.code(now).await, key());
        let first = enrolled(world.enrol(&code, &own).await);
        assert_eq!(first.device, device());
        assert_eq!((first.host.as_str(), first.port), ("127.0.0.1", 8883));
        assert_eq!(first.ca_pems, [world.identity.authorities().serving().pem()]);
        let life = first.expires_at_unix_ms - first.issued_at_unix_ms;
        assert!((LIFE_MS - 1000..=LIFE_MS).contains(&life), "{life}");
        assert_eq!(first.renew_at_unix_ms, first.issued_at_unix_ms + life / 3 * 2);

        assert_eq!(enrolled(world.enrol(&code, &own).await), first, "the answer was lost");
        let late = now.plus_ms(CODE_LIFE_MS * 3);
        assert_eq!(world.enrol_at(&code, &own, late).await, Ok(first.clone()), "a long power cut");

        refused(&world.enrol(&code, &key()).await, 403, EnrolRefusal::UsedCode);
        let alarm = world.told.try_recv().expect("an alarm");
        assert_eq!((alarm.kind, alarm.device), (AuditKind::CodeReused, Some(device())));
        assert!(world.row(&certificate(&first)).await.counts(now), "the first is untouched");
        assert_eq!(world.audited().await, [AuditKind::Enrolled]);
        let metrics = world.office.platform.metrics.text();
        for (reason, count) in [("enrolled", 1), ("same-again", 2), ("used-code", 1)] {
            let line = format!("tripline_enrolments_total{{reason=\"{reason}\"}} {count}");
            assert!(metrics.contains(&line), "{line} is not in {metrics}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_code_that_is_wrong_old_or_unreadable_gives_nothing() {
    on_both(|mut world| async move {
        let old = world.code(time::now().plus_ms(-CODE_LIFE_MS)).await;
        refused(&world.enrol(&old, &key()).await, 403, EnrolRefusal::ExpiredCode);
        let mut unknown: tripline_protocol::enrol::EnrolCode = old.parse().expect("a code");
        unknown.secret[0] ^= 1;
        let answer = world.enrol(&unknown.to_string(), &key()).await;
        refused(&answer, 403, EnrolRefusal::UnknownCode);
        refused(&world.enrol("nonsense", &key()).await, 400, EnrolRefusal::Malformed);
        let good = world.code(time::now()).await;
        for body in [
            json!({ "code": good, "csr_pem": "nonsense", "agent_version": "" }),
            json!({ "code": good }),
            json!({ "code": "x".repeat(BODY_LEN_MAX), "csr_pem": "", "agent_version": "" }),
        ] {
            let answer = world.post(ENROL_PATH, &body, None).await;
            refused(&answer, 400, EnrolRefusal::Malformed);
        }
        enrolled(world.enrol(&good, &key()).await);
        assert_eq!(world.audited().await, [AuditKind::Enrolled]);
        let told = world.told.try_recv().expect("told");
        assert_eq!(
            (told.kind, told.detail.as_str()),
            (AuditKind::EnrolmentRefused, "expired-code")
        );
    })
    .await;
}

#[tokio::test]
async fn of_a_request_only_its_key_counts() {
    on_both(|world| async move {
        let own = key();
        let mut wishes =
            CertificateParams::new(vec!["evil.example".to_owned()]).expect("parameters");
        wishes.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wishes.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        wishes.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        wishes.distinguished_name.push(DnType::CommonName, "somebody-else");
        let csr_pem = wishes.serialize_request(&own).expect("a request").pem().expect("PEM");
        let code = world.code(time::now()).await;
        let body = json!({ "code": code, "csr_pem": csr_pem, "agent_version": "0.1.0" });
        let got = certificate(&enrolled(world.post(ENROL_PATH, &body, None).await));
        assert!(contains(&got, b"ka01ab1234"), "its own name");
        assert!(contains(&got, own.public_key_raw()), "its own key");
        for other in [&b"evil.example"[..], b"somebody-else"] {
            assert!(!contains(&got, other), "another name");
        }
        // The object identifiers of basicConstraints and of serverAuth.
        for wish in [&[0x55, 0x1D, 0x13][..], &[0x2B, 6, 1, 5, 5, 7, 3, 1]] {
            assert!(!contains(&got, wish), "more than it may do");
        }
    })
    .await;
}

#[tokio::test]
async fn a_unit_in_place_of_another_puts_that_out() {
    on_both(|world| async move {
        let now = time::now();
        let first = enrolled(world.enrol(&world.code(now).await, &key()).await);
        let ca = world.identity.authorities().serving().fingerprint();
        let unused = world.code(now).await;
        let made = rekey(world.store(), &device(), &ca, now).await.expect("a code");
        let answer = world.enrol(&unused, &key()).await;
        refused(&answer, 403, EnrolRefusal::ExpiredCode);
        assert!(world.row(&certificate(&first)).await.counts(now), "until another enrols");

        let second = enrolled(world.enrol(&made.code.to_string(), &key()).await);
        let ended = world.row(&certificate(&first)).await.ended.expect("ended");
        assert_eq!(ended.1, SUPERSEDED);
        assert!(world.row(&certificate(&second)).await.counts(time::now()));
        let mut tx = world.store().read().await.expect("begins");
        let signals = tx.signals_since(Timestamp::from_unix_ms(0)).await.expect("answers");
        assert_eq!(signals.first().map(|(device, _)| device), Some(&device()));
    })
    .await;
}

#[tokio::test]
async fn a_certificate_is_renewed_with_its_own_key_also_when_it_has_expired() {
    on_both(|mut world| async move {
        let past = time::now().plus_ms(-LIFE_MS - DAY_MS);
        let own = key();
        let old = world.enrol_at(&world.code(past).await, &own, past).await.expect("enrolled");
        let old = certificate(&old);
        assert!(!world.row(&old).await.counts(time::now()), "it has expired");

        refused(&world.renew(None, &own).await, 403, EnrolRefusal::NoCertificate);
        let shown = Some((&old, &own));
        refused(&world.renew(shown, &key()).await, 403, EnrolRefusal::OtherKey);
        let renewed = enrolled(world.renew(shown, &own).await);
        let new = certificate(&renewed);
        assert!(world.row(&new).await.counts(time::now()));
        assert_eq!(enrolled(world.renew(shown, &own).await), renewed, "the answer was lost");
        assert_eq!(enrolled(world.renew(Some((&new, &own)), &own).await), renewed);
        assert!(world.row(&old).await.ended.is_none(), "it runs out by itself");
        assert_eq!(world.audited().await, [AuditKind::Enrolled, AuditKind::Renewed]);
        while let Ok(entry) = world.told.try_recv() {
            assert_eq!(entry.kind, AuditKind::EnrolmentRefused);
        }
    })
    .await;
}

#[tokio::test]
async fn a_revocation_ends_certificates_and_codes_and_a_new_code_is_the_way_back() {
    on_both(|world| async move {
        let now = time::now();
        let (code, own) = (world.code(now).await, key());
        let first = certificate(&enrolled(world.enrol(&code, &own).await));
        let open = world.code(now).await;
        let revoked = revoke(world.store(), &device(), "stolen", time::now()).await;
        assert_eq!(revoked.expect("revoked"), Revoked { certificates: 1, codes: 1 });

        refused(&world.renew(Some((&first, &own)), &own).await, 403, EnrolRefusal::Revoked);
        refused(&world.enrol(&code, &own).await, 403, EnrolRefusal::Revoked);
        refused(&world.enrol(&open, &own).await, 403, EnrolRefusal::ExpiredCode);
        let again = revoke(world.store(), &device(), "stolen", time::now()).await;
        assert_eq!(again.expect("revoked"), Revoked { certificates: 0, codes: 0 });

        let ca = world.identity.authorities().serving().fingerprint();
        let made = rekey(world.store(), &device(), &ca, time::now()).await.expect("a code");
        enrolled(world.enrol(&made.code.to_string(), &key()).await);
        assert!(world.row(&first).await.ended.is_some(), "the revoked one stays so");
        let kinds = world.audited().await;
        assert_eq!(kinds.iter().filter(|kind| **kind == AuditKind::Revoked).count(), 2);
    })
    .await;
}

/// Whether the device endpoint's TLS takes the certificate.
async fn accepted(tls: &TlsSource, ca: &CertificateDer<'static>, shown: Shown<'_>) -> bool {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let acceptor = tokio_rustls::TlsAcceptor::from(tls.current());
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let connector = client(ca, Some(shown));
    let (server, _client) = tokio::join!(acceptor.accept(far), connector.connect(name, near));
    server.is_ok()
}

#[tokio::test]
async fn a_ca_is_replaced_without_a_device_noticing() {
    on_both(|world| async move {
        // Old enough that a renewal is not the same again.
        let past = time::now().plus_ms(-2 * DAY_MS);
        let own = key();
        let old = world.enrol_at(&world.code(past).await, &own, past).await.expect("enrolled");
        let old = certificate(&old);
        let before = world.identity.authorities();
        let tls = world.identity.device_tls();

        world.add_authority();
        let both = world.identity.authorities();
        let (first, second) = (before.serving(), both.issuing());
        assert_eq!(both.serving().fingerprint(), first.fingerprint(), "the oldest serves");
        assert!(accepted(&tls, &first.certificate, (&old, &own)).await, "the old one counts");
        let renewed = enrolled(world.renew(Some((&old, &own)), &own).await);
        assert_eq!(renewed.ca_pems, [first.pem(), second.pem()]);
        let new = certificate(&renewed);
        assert_eq!(world.row(&new).await.ca_fingerprint, second.fingerprint(), "the newest issues");
        assert!(accepted(&tls, &first.certificate, (&new, &own)).await);

        remove(&world.dir.path().join("ca"), first.generation).expect("removed");
        assert!(world.identity.refresh(time::now()).expect("read"), "noticed");
        assert!(!world.identity.refresh(time::now()).expect("read"), "once");
        assert!(accepted(&tls, &second.certificate, (&new, &own)).await, "the new one serves");
        assert!(!accepted(&tls, &second.certificate, (&old, &own)).await, "the old one is over");
    })
    .await;
}

#[tokio::test]
async fn an_old_server_certificate_is_made_anew_and_a_folder_in_the_middle_of_a_change_waits() {
    let dir = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", dir.path().join("test.db").display());
    let world = World::start(Store::open(&url).await.expect("opens")).await;
    let now = time::now();
    assert!(!world.identity.refresh(now.plus_ms(59 * DAY_MS)).expect("read"));
    let before = world.identity.enrol_tls().current();
    assert!(world.identity.refresh(now.plus_ms(61 * DAY_MS)).expect("read"), "two thirds are over");
    assert!(!Arc::ptr_eq(&before, &world.identity.enrol_tls().current()));
    let half = world.dir.path().join("ca/2.crt.pem");
    std::fs::write(&half, "-----BEGIN").expect("written");
    assert!(world.identity.refresh(now).is_err());
    assert_eq!(world.identity.authorities().all().len(), 1, "it stays as it was");
    std::fs::remove_file(half).expect("removed");
}
