//! Enrolment and renewal over real HTTPS, with the faults of the field.

mod backend;

use std::path::Path;
use std::time::Duration;

use backend::{Backend, Behaviour, Years};
use hyper::StatusCode;
use tripline_agent_link::enrol::{EnrolError, Enroller, enrol, renew};
use tripline_agent_link::https::{Connection, Deadlines, HttpsError};
use tripline_agent_link::identity::IDENTITY_FILE;
use tripline_agent_link::pending::{self, PENDING_FILE};
use tripline_agent_link::{Clock, Identity, Key, tls};
use tripline_protocol::enrol::{BODY_LEN_MAX, EnrolCode, EnrolFailure, EnrolRefusal};
use tripline_protocol::unit::Timestamp;

/// A deadline that is to pass.
const SHORT: Duration = Duration::from_millis(50);

/// 3000-01-01T00:00:00Z.
const YEAR_3000_UNIX_MS: i64 = 32_503_680_000_000;

fn clock() -> Clock {
    Clock::new(Timestamp::from_unix_ms(0))
}

async fn enrol_at(backend: &Backend, dir: &Path, code: &EnrolCode) -> Result<Identity, EnrolError> {
    enrol(dir, &backend.url(), code, "1.0.0", &clock()).await
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[tokio::test]
async fn a_code_becomes_an_identity_that_is_on_the_disk_and_prints_no_key() {
    let (backend, dir) = (Backend::start().await, dir());
    let identity = enrol_at(&backend, dir.path(), &backend.code(1)).await.expect("enrolled");
    assert_eq!(identity.device.as_str(), "ka-01-ab-1234");
    assert_eq!(identity.settings.live_idle_ms, Some(9_000));
    assert_eq!(Identity::load(dir.path()).expect("readable").as_ref(), Some(&identity));
    assert!(!dir.path().join(PENDING_FILE).exists(), "nothing is pending");
    assert!(!format!("{identity:?}").contains("PRIVATE"));
}

#[tokio::test]
async fn the_code_does_not_leave_for_a_server_that_it_does_not_pin() {
    let (honest, other, dir) = (Backend::start().await, Backend::start().await, dir());
    let error = enrol_at(&other, dir.path(), &honest.code(1)).await.expect_err("refused");
    assert!(error.to_string().contains("not this device's backend"), "{error}");
    assert_eq!(other.requests(), 0);
    // Nor over a connection that was opened for another code.
    let mut enroller =
        Enroller::open(&other.url(), &other.code(1), &clock()).await.expect("connected");
    let key = Key::generate().expect("a key");
    let error = enroller.request(&honest.code(1), &key, "1").await.expect_err("refused");
    assert!(matches!(error, EnrolError::OtherBackend), "{error}");
    assert_eq!(other.requests(), 0);
}

#[tokio::test]
async fn a_server_that_brings_the_pinned_ca_along_without_being_of_it_is_refused() {
    // The pin names a certificate that everybody may know: what counts is who signed the server's.
    let (honest, thief) = (Backend::start().await, Backend::start().await);
    let config = thief.tls_with("127.0.0.1", Years { from: 2020, to: 2100 }, &honest);
    let url = thief.serve_also(config).await;
    let dir = dir();
    let error = enrol(dir.path(), &url, &honest.code(1), "1", &clock()).await.expect_err("refused");
    assert!(error.to_string().contains("not this device's backend"), "{error}");
    assert_eq!(thief.requests(), 0);
}

#[tokio::test]
async fn a_server_of_another_name_or_with_an_expired_certificate_is_refused_in_plain_words() {
    for (name, years, words) in [
        ("bpp.example", Years { from: 2020, to: 2100 }, "not for this name"),
        ("127.0.0.1", Years { from: 2020, to: 2021 }, "has expired"),
    ] {
        let (backend, dir) = (Backend::start_with(name, years).await, dir());
        let error = enrol_at(&backend, dir.path(), &backend.code(1)).await.expect_err("refused");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(backend.requests(), 0);
    }
}

#[tokio::test]
async fn a_device_whose_clock_is_behind_enrols() {
    let years = Years { from: 2200, to: 2300 };
    let (backend, dir) = (Backend::start_with("127.0.0.1", years).await, dir());
    enrol_at(&backend, dir.path(), &backend.code(1)).await.expect("enrolled");
}

#[tokio::test]
async fn a_device_whose_receiver_tells_a_far_future_goes_by_the_system_clock_if_that_can_be_right()
{
    let (backend, dir) = (Backend::start().await, dir());
    let far = Timestamp::from_unix_ms(YEAR_3000_UNIX_MS);
    let (spoofed, unset) = (clock(), Clock::new(far));
    spoofed.advance(far);
    let (url, code) = (backend.url(), backend.code(1));
    let error = enrol(dir.path(), &url, &code, "1", &unset).await.expect_err("refused");
    assert!(error.to_string().contains("has expired"), "{error}");
    enrol(dir.path(), &url, &code, "1", &spoofed).await.expect("enrolled");
    // What has expired by the system clock as well has expired.
    let expired = Backend::start_with("127.0.0.1", Years { from: 2020, to: 2021 }).await;
    let error = enrol(dir.path(), &expired.url(), &expired.code(1), "1", &spoofed).await;
    assert!(error.expect_err("refused").to_string().contains("has expired"));
}

#[tokio::test]
async fn after_a_power_cut_before_the_answer_the_same_code_gets_the_same_certificate() {
    let (backend, dir) = (Backend::start().await, dir());
    let code = backend.code(1);
    backend.behave(Behaviour::DropsTheAnswer);
    let error = enrol_at(&backend, dir.path(), &code).await.expect_err("no answer");
    assert!(matches!(error, EnrolError::Https(HttpsError::Broken { .. })), "{error}");
    assert!(Identity::load(dir.path()).expect("readable").is_none());
    backend.behave(Behaviour::Honest);
    let identity = enrol_at(&backend, dir.path(), &code).await.expect("enrolled");
    assert_eq!(backend.requests(), 2);
    // The code was used up with the first request, so only the same key can have got this.
    let key = Key::generate().expect("a key");
    let mut enroller = Enroller::open(&backend.url(), &code, &clock()).await.expect("connected");
    let error = enroller.request(&code, &key, "1").await.expect_err("another key");
    assert!(error.to_string().contains("used already"), "{error}");
    let same = enroller.request(&code, &identity.key, "1").await.expect("the same key");
    assert_eq!(same.certificate_pem, identity.certificate_pem);
}

#[tokio::test]
async fn a_power_cut_between_any_two_steps_loses_nothing() {
    let backend = Backend::start().await;
    let code = backend.code(1);
    let whole = dir();
    let identity = enrol_at(&backend, whole.path(), &code).await.expect("enrolled");

    // 1. The key is on the disk, and nothing was sent.
    let before_request = dir();
    let other = backend.code(2);
    let key = pending::begin(before_request.path(), &other).expect("begun");
    let enrolled = enrol_at(&backend, before_request.path(), &other).await.expect("enrolled");
    assert_eq!(enrolled.key, key);

    // 2. The identity is half written beside its place.
    std::fs::write(whole.path().join("identity.json.new"), "{").expect("written");
    assert_eq!(Identity::load(whole.path()).expect("readable").as_ref(), Some(&identity));

    // 3. The identity is on the disk, and the pending file not yet gone.
    pending::begin(whole.path(), &code).expect("begun");
    let requests = backend.requests();
    let again = enrol_at(&backend, whole.path(), &code).await.expect("enrolled");
    assert_eq!((again, backend.requests()), (identity, requests), "nothing is asked");
    assert!(!whole.path().join(PENDING_FILE).exists());
}

#[tokio::test]
async fn another_code_replaces_the_identity_and_its_key() {
    let (backend, dir) = (Backend::start().await, dir());
    let first = enrol_at(&backend, dir.path(), &backend.code(1)).await.expect("enrolled");
    let second = enrol_at(&backend, dir.path(), &backend.code(2)).await.expect("enrolled");
    assert_ne!(first.key, second.key);
    assert_eq!(Identity::load(dir.path()).expect("readable"), Some(second));
}

#[tokio::test]
async fn a_damaged_identity_is_told_and_a_new_code_replaces_it() {
    let (backend, dir) = (Backend::start().await, dir());
    enrol_at(&backend, dir.path(), &backend.code(1)).await.expect("enrolled");
    let path = dir.path().join(IDENTITY_FILE);
    let text = std::fs::read_to_string(&path).expect("readable");
    std::fs::write(&path, text.replacen("BEGIN CERT", "BEGIN CART", 1)).expect("damaged");
    let error = Identity::load(dir.path()).expect_err("damaged");
    assert!(error.to_string().contains("damaged"), "{error}");
    enrol_at(&backend, dir.path(), &backend.code(2)).await.expect("enrolled");
    Identity::load(dir.path()).expect("readable").expect("there");
}

#[tokio::test]
async fn every_refusal_is_explained_with_a_way_out() {
    let (backend, dir) = (Backend::start().await, dir());
    for refusal in EnrolRefusal::ALL {
        let failure = EnrolFailure::new(*refusal, "a\u{1b}[31mreason");
        let json = serde_json::to_string(&failure).expect("JSON");
        backend.behave(Behaviour::Says(StatusCode::FORBIDDEN, json));
        let error = enrol_at(&backend, dir.path(), &backend.code(1)).await.expect_err("refused");
        assert!(matches!(&error, EnrolError::Refused { refusal: told, .. } if told == refusal));
        assert!(error.to_string().len() > 40 && !error.to_string().contains('\u{1b}'), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_makes_no_identity_is_refused_and_changes_nothing() {
    let (backend, dir) = (Backend::start().await, dir());
    let others = Key::generate().expect("a key");
    let mut enroller =
        Enroller::open(&backend.url(), &backend.code(9), &clock()).await.expect("connected");
    let of_another_key =
        enroller.request(&backend.code(9), &others, "1").await.expect("a certificate");
    let mut no_port = of_another_key.clone();
    no_port.port = 0;
    let json = |value| serde_json::to_string(value).expect("JSON");
    for (status, text) in [
        (StatusCode::OK, "<html>router login</html>".to_string()),
        (StatusCode::OK, "{}".into()),
        (StatusCode::NOT_FOUND, "no such page".into()),
        (StatusCode::FORBIDDEN, "{\"refusal\":\"of-the-future\",\"message\":\"\"}".into()),
        (StatusCode::OK, json(&of_another_key)),
        (StatusCode::OK, json(&no_port)),
    ] {
        backend.behave(Behaviour::Says(status, text));
        let error = enrol_at(&backend, dir.path(), &backend.code(1)).await.expect_err("refused");
        assert!(matches!(error, EnrolError::Garbage { .. }), "{error}");
        assert!(Identity::load(dir.path()).expect("readable").is_none());
    }
}

#[tokio::test]
async fn an_endless_answer_ends_at_its_limit() {
    let (backend, dir) = (Backend::start().await, dir());
    backend.behave(Behaviour::Says(StatusCode::OK, " ".repeat(BODY_LEN_MAX + 1)));
    let error = enrol_at(&backend, dir.path(), &backend.code(1)).await.expect_err("refused");
    assert!(matches!(error, EnrolError::Https(HttpsError::TooLong { .. })), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let backend = Backend::start().await;
    backend.behave(Behaviour::Silent);
    let config = tls::pinned_config(&backend.code(1), std::sync::Arc::new(clock())).expect("TLS");
    let deadlines = Deadlines { answer: SHORT, ..Deadlines::default() };
    let connection = Connection::open(&backend.url(), config, deadlines).await;
    let mut connection = connection.expect("connected");
    let error = connection.post("/v1/enrol", Vec::new()).await.expect_err("given up");
    assert!(error.to_string().contains("longer than 50ms for the answer"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}", silent.local_addr().expect("an address"));
    let config = tls::pinned_config(
        &EnrolCode { secret: [1; 16], ca_fingerprint: [1; 16] },
        std::sync::Arc::new(clock()),
    )
    .expect("TLS");
    let deadlines = Deadlines { handshake: SHORT, ..Deadlines::default() };
    let error = Connection::open(&url.parse().expect("an address"), config, deadlines).await;
    let error = error.expect_err("given up");
    assert!(matches!(error, HttpsError::Deadline { .. }), "{error}");
}

#[tokio::test]
async fn a_renewal_shows_the_certificate_and_keeps_key_and_device() {
    let (backend, dir) = (Backend::start().await, dir());
    let identity = enrol_at(&backend, dir.path(), &backend.code(1)).await.expect("enrolled");
    let next = renew(&identity, "1.0.0", &clock()).await.expect("renewed");
    let seen = backend.seen.lock().expect("whole").clone();
    assert_eq!(seen.iter().map(|(_, known)| *known).collect::<Vec<_>>(), [false, true]);
    assert!(!seen[1].0.contains(&backend.code(1).to_string()), "no code goes with it");
    assert_ne!(next.certificate_pem, identity.certificate_pem);
    assert_eq!((&next.key, &next.device), (&identity.key, &identity.device));
}

#[tokio::test]
async fn a_renewal_for_another_device_is_refused() {
    let (backend, dir) = (Backend::start().await, dir());
    let identity = enrol_at(&backend, dir.path(), &backend.code(1)).await.expect("enrolled");
    let mut other = backend.enrolled(identity.certificate_pem.clone());
    other.device = "someone-else".parse().expect("valid");
    let json = serde_json::to_string(&other).expect("JSON");
    backend.behave(Behaviour::Says(StatusCode::OK, json));
    let error = renew(&identity, "1.0.0", &clock()).await.expect_err("refused");
    assert!(matches!(error, EnrolError::OtherDevice { .. }), "{error}");
}

#[tokio::test]
async fn a_certificate_of_none_of_the_cas_it_came_with_is_refused_and_nothing_is_replaced() {
    let (backend, other, dir) = (Backend::start().await, Backend::start().await, dir());
    let says = |key: &Key| {
        let certificate = other.certificate(&key.csr_pem().expect("a request")).1;
        let json = serde_json::to_string(&backend.enrolled(certificate)).expect("JSON");
        backend.behave(Behaviour::Says(StatusCode::OK, json));
    };
    let code = backend.code(1);
    says(&pending::begin(dir.path(), &code).expect("a key"));
    let error = enrol_at(&backend, dir.path(), &code).await.expect_err("refused");
    assert!(matches!(error, EnrolError::Garbage { .. }), "{error}");
    assert_eq!(Identity::load(dir.path()).expect("readable"), None);
    backend.behave(Behaviour::Honest);
    let identity = enrol_at(&backend, dir.path(), &code).await.expect("enrolled");
    says(&identity.key);
    let error = renew(&identity, "1.0.0", &clock()).await.expect_err("refused");
    assert!(matches!(error, EnrolError::Garbage { .. }), "{error}");
}

#[tokio::test]
async fn many_codes_go_over_one_connection() {
    let backend = Backend::start().await;
    let mut enroller =
        Enroller::open(&backend.url(), &backend.code(0), &clock()).await.expect("connected");
    for secret in 0..20 {
        let key = Key::generate().expect("a key");
        enroller.request(&backend.code(secret), &key, "1").await.expect("enrolled");
    }
    assert_eq!(backend.requests(), 20);
}
