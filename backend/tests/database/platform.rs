//! A platform whose database server is killed under it says so, and goes on by itself.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::Server;

/// Longest wait for the platform to notice.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two questions.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Kills the platform when the test is over.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bpp(dir: &Path, url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline-bpp"));
    command.args(arguments).env("TRIPLINE_CONFIG", dir.join("bpp.toml"));
    command.env("TRIPLINE_BPP_STORE__URL", url);
    for table in ["BECKN", "DEVICE", "ENROL", "ADMIN"] {
        command.env(format!("TRIPLINE_BPP_{table}__LISTEN"), "127.0.0.1:0");
    }
    command
}

fn serve(dir: &Path, url: &str) -> (Serving, SocketAddr) {
    let mut child = bpp(dir, url, &["serve", "--json", "--log", "off"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let out = child.stdout.take().expect("standard output");
    let serving = Serving(child);
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("a line");
    let addresses: Value = serde_json::from_str(&line).expect("addresses");
    let admin = addresses["admin"].as_str().expect("an address").parse();
    (serving, admin.expect("an address"))
}

fn health(admin: SocketAddr) -> String {
    let mut stream = TcpStream::connect(admin).expect("it listens all the time");
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn wait_for(admin: SocketAddr, end: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = health(admin);
        if answer.ends_with(end) {
            return;
        }
        assert!(Instant::now() < deadline, "{end:?} is waited for: {answer}");
        std::thread::sleep(LOOK_EVERY);
    }
}

#[test]
fn a_platform_goes_on_by_itself_when_its_killed_database_is_back() {
    let Some(server) = Server::start("") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let (dir, url) = (dir.path(), server.url());
    let init = ["init", "--dir", dir.to_str().expect("UTF-8")];
    assert!(bpp(dir, &url, &init).stdout(Stdio::null()).status().expect("runs").success());
    let (mut serving, admin) = serve(dir, &url);
    wait_for(admin, "ok\n");
    for kill in [Server::kill, Server::stop_at_once] {
        kill(&server);
        wait_for(admin, "the store cannot be read\n");
        server.start_again();
        wait_for(admin, "ok\n");
        assert!(serving.0.try_wait().expect("asked").is_none(), "it still runs");
    }
    let add = ["vehicle", "add", "--registration", "KA 1", "--driver-name", "A"];
    let add = [&add[..], &["--driver-phone", "+91-1000", "--json"]].concat();
    assert!(bpp(dir, &url, &add).stdout(Stdio::null()).status().expect("runs").success());
}
