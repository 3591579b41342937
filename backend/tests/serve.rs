//! A platform that serves, from the command line to HTTPS: enrolment, rotation of the CA under it, what
//! it counts and what it writes down.

mod https;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tripline_backend::store::{Store, Tx};
use tripline_protocol::enrol::{ENROL_PATH, RENEW_PATH};

use https::{csr, post};

/// Longest wait for something that a platform does within seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// Kills the platform when the test is over.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command; gives its exit code, standard output and standard error.
fn bpp(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tripline-bpp"))
        .args(arguments)
        .env("TRIPLINE_CONFIG", dir.join("bpp.toml"))
        .output()
        .expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("ends"), text(output.stdout), text(output.stderr))
}

fn json_of(dir: &Path, arguments: &[&str]) -> Value {
    let (code, out, err) = bpp(dir, arguments);
    assert_eq!(code, 0, "{arguments:?}: {err}");
    serde_json::from_str(&out).expect("JSON")
}

/// Starts a platform on free ports; gives it with the addresses it told.
fn serve(dir: &Path) -> (Serving, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline-bpp"));
    for table in ["BECKN", "DEVICE", "ENROL", "ADMIN"] {
        command.env(format!("TRIPLINE_BPP_{table}__LISTEN"), "127.0.0.1:0");
    }
    let mut child = command
        .args(["serve", "--json", "--config"])
        .arg(dir.join("bpp.toml"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut line = String::new();
    let out = child.stdout.take().expect("standard output");
    BufReader::new(out).read_line(&mut line).expect("a line");
    (Serving(child), serde_json::from_str(&line).expect("addresses"))
}

fn address(addresses: &Value, of: &str) -> SocketAddr {
    addresses[of].as_str().and_then(|text| text.parse().ok()).expect("an address")
}

/// What a GET of the admin listener answers.
fn get(admin: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).expect("connects");
    let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn certificate(answer: &(u16, Value)) -> CertificateDer<'static> {
    assert_eq!(answer.0, 200, "{}", answer.1);
    let pem = answer.1["certificate_pem"].as_str().expect("text");
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")
}

#[tokio::test]
async fn a_running_platform_enrols_follows_its_ca_counts_and_writes_down() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    assert_eq!(bpp(dir, &["init", "--dir", dir.to_str().expect("UTF-8")]).0, 0);
    let (_serving, addresses) = serve(dir);
    let (enrol, admin) = (address(&addresses, "enrol"), address(&addresses, "admin"));
    let ca = std::fs::read(dir.join("data/ca/1.crt.pem")).expect("read");
    let ca = CertificateDer::from_pem_slice(&ca).expect("PEM");

    let add = ["vehicle", "add", "--json", "--registration", "KA 01"];
    let add = [&add[..], &["--driver-name", "Asha", "--driver-phone", "+91-1000"]].concat();
    let added = json_of(dir, &add);
    let own = KeyPair::generate().expect("a key");
    let request = json!({ "code": added["code"], "csr_pem": csr(&own), "agent_version": "1" });
    let first = certificate(&post(enrol, &ca, ENROL_PATH, &request, None).await);
    let other = KeyPair::generate().expect("a key");
    let reused = json!({ "code": added["code"], "csr_pem": csr(&other), "agent_version": "1" });
    assert_eq!(post(enrol, &ca, ENROL_PATH, &reused, None).await.0, 403);
    assert_eq!(json_of(dir, &["vehicle", "list", "--json"])["certificate"], "enrolled");

    assert_eq!(bpp(dir, &["ca", "rotate"]).0, 0);
    let (code, _, said) = bpp(dir, &["ca", "retire"]);
    assert!(code == 9 && said.contains("CA 1 is needed: 1 device"), "{said}");
    let renewal = json!({ "csr_pem": csr(&own), "agent_version": "1" });
    let deadline = Instant::now() + PATIENCE;
    let renewed = loop {
        let answer = post(enrol, &ca, RENEW_PATH, &renewal, Some((&first, &own))).await;
        if answer.1["ca_pems"].as_array().is_some_and(|cas| cas.len() == 2) {
            break answer;
        }
        assert!(Instant::now() < deadline, "the platform does not notice its new CA");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_ne!(certificate(&renewed), first, "by the new authority");
    let retired = json_of(dir, &["ca", "retire", "--force", "--json"]);
    assert_eq!((&retired["retired"], &retired["devices_put_out"]), (&1.into(), &1.into()));

    json_of(dir, &["vehicle", "revoke", "KA 01", "--reason", "stolen", "--json"]);
    let metrics = get(admin, "/metrics");
    for line in [
        "application/openmetrics-text; version=1.0.0",
        "tripline_enrolments_total{reason=\"enrolled\"} 1",
        "tripline_enrolments_total{reason=\"used-code\"} 1",
        "tripline_certificates_revoked 1",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert!(get(admin, "/health").ends_with("ok\n"));
    let deadline = Instant::now() + PATIENCE;
    while !bpp(dir, &["audit", "--kind", "code-reused"]).1.contains("127.0.0.1") {
        assert!(Instant::now() < deadline, "the alarm is not written down");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Makes the store of a folder look like one of the version before, as far as its schema is written down.
async fn make_older(dir: &Path) {
    let url = format!("sqlite:{}", dir.join("data/tripline.db").display());
    let store = Store::open_as_is(&url).await.expect("of this version");
    let Tx::Sqlite(mut tx) = store.write().await.expect("begins") else { panic!("SQLite") };
    let sql =
        "DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
    sqlx::query(sql).execute(&mut *tx).await.expect("deleted");
    tx.commit().await.expect("commits");
    store.close().await;
}

#[tokio::test]
async fn under_a_platform_that_serves_nobody_changes_the_schema() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let init = ["init", "--dir", dir.to_str().expect("UTF-8")];
    assert_eq!(bpp(dir, &init).0, 0);
    let (serving, _) = serve(dir);
    make_older(dir).await;
    let (code, _, said) = bpp(dir, &["serve"]);
    assert!(code == 4 && said.contains("another tripline-bpp serves"), "{code}: {said}");
    for command in [&["vehicle", "list"][..], &["callback", "list"], &init] {
        let (code, _, said) = bpp(dir, command);
        let is_clear = said.contains("run `tripline-bpp serve` or `init` of this version first");
        assert!(code == 6 && is_clear, "{command:?}: {code}: {said}");
    }
    drop(serving);
    let (code, _, said) = bpp(dir, &["vehicle", "list"]);
    assert_eq!(code, 6, "no command changes it: {said}");
    std::fs::remove_file(dir.join("data/tripline.db")).expect("removed");
    assert_eq!(bpp(dir, &["vehicle", "list"]).0, 6, "none makes a store");
    assert_eq!(bpp(dir, &init).0, 0);
    assert_eq!(bpp(dir, &["vehicle", "list"]).0, 0);
}
