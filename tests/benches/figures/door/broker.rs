//! The yardstick: Mosquitto over TLS, with a subscriber to everything that keeps nothing.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::running::{LOOK_EVERY, Running, free_port};

/// Debian keeps it where only root's PATH looks.
const PROGRAMS: [&str; 2] = ["mosquitto", "/usr/sbin/mosquitto"];

/// Longest wait for it to listen.
const LISTENS_WITHIN: Duration = Duration::from_secs(10);

/// A running broker and its subscriber.
pub(super) struct Broker {
    /// Where it listens on loopback.
    pub(super) port: u16,
    /// The certificate of its CA, in PEM.
    pub(super) ca: PathBuf,
    running: Running,
    _subscriber: Running,
}

impl Broker {
    /// Starts it; `None` where it is not installed.
    pub(super) fn start(dir: &Path) -> Result<Option<Self>> {
        let (Some(program), true) = (installed(), runs("mosquitto_sub", "--help")) else {
            return Ok(None);
        };
        let port = free_port()?;
        let ca = certificates(dir)?;
        let config = dir.join("mosquitto.conf");
        fs::write(&config, configuration(dir, port))?;
        let running =
            Running::spawn(Command::new(program).arg("-c").arg(&config).stdout(Stdio::null()))?;
        let deadline = Instant::now() + LISTENS_WITHIN;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(Instant::now() < deadline, "mosquitto does not listen");
            std::thread::sleep(LOOK_EVERY);
        }
        let subscriber = Running::spawn(
            Command::new("mosquitto_sub")
                .args(["-h", "127.0.0.1", "-t", "#", "-p"])
                .arg(port.to_string())
                .arg("--cafile")
                .arg(&ca)
                .stdout(Stdio::null()),
        )?;
        Ok(Some(Self { port, ca, running, _subscriber: subscriber }))
    }

    /// The broker's processor time so far.
    pub(super) fn cpu(&self) -> Result<Duration> {
        self.running.cpu()
    }
}

fn installed() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| runs(program, "-h"))
}

fn runs(program: &str, flag: &str) -> bool {
    Command::new(program).arg(flag).output().is_ok()
}

/// A CA and a server's certificate, as files; gives the CA's.
fn certificates(dir: &Path) -> Result<PathBuf> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL takes a certificate with its issuer's name for one that signed itself.
    params.distinguished_name.push(DnType::CommonName, "yardstick CA");
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let server = CertificateParams::new(names)?.signed_by(&key, &ca)?;
    fs::write(dir.join("ca.pem"), ca.pem())?;
    fs::write(dir.join("server.pem"), server.pem())?;
    fs::write(dir.join("server.key"), key.serialize_pem())?;
    Ok(dir.join("ca.pem"))
}

/// As root it would drop its privileges, and could not read its key any more.
fn configuration(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        "user root\nallow_anonymous true\npersistence false\nlog_type error\n\
         listener {port} 127.0.0.1\nmax_connections -1\n\
         cafile {dir}/ca.pem\ncertfile {dir}/server.pem\nkeyfile {dir}/server.key\n"
    )
}
