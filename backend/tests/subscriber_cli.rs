//! `tripline-bpp subscriber`, and what `serve` does about our own entry, from the command line down to a
//! registry.

#[expect(dead_code, reason = "other tests use the rest of it")]
mod registry;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use registry::{Manner, StubRegistry, entry, public};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Exit code of a registry that cannot be asked.
const UNREACHABLE: i32 = 5;

/// Exit code of a platform that is registered elsewhere.
const MOVED: i32 = 8;

/// Exit code of what is refused with a reason.
const REFUSED: i32 = 9;

/// A folder that `init` made.
struct Folder {
    dir: TempDir,
}

impl Folder {
    /// With a file of subscribers.
    fn new() -> Self {
        let folder = Self { dir: tempfile::tempdir().expect("a folder") };
        let dir = folder.dir.path().to_str().expect("UTF-8").to_owned();
        let (code, _, said) = run(Command::new(binary()).args(["init", "--dir", &dir]));
        assert_eq!(code, 0, "{said}");
        folder
    }

    /// With a registry in its place.
    fn with(stub: &StubRegistry) -> Self {
        let folder = Self::new();
        let config = folder.config();
        let text = std::fs::read_to_string(&config).expect("read");
        let text = text
            .replace("subscribers_file =", "# subscribers_file =")
            .replace("# url = \"https://registry.example\"", &format!("url = \"{}\"", stub.url()))
            .replace("timeout_ms = 5000", "timeout_ms = 2000");
        std::fs::write(config, text).expect("written");
        folder
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("bpp.toml")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--config").arg(self.config());
        for table in ["BECKN", "DEVICE", "ENROL", "ADMIN"] {
            command.env(format!("TRIPLINE_BPP_{table}__LISTEN"), "127.0.0.1:0");
        }
        command
    }

    /// The JSON lines of `subscriber` with these arguments, which must succeed.
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let all = [&["subscriber"], arguments, &["--json"]].concat();
        let (code, out, said) = run(&mut self.command(&all));
        assert_eq!(code, 0, "{arguments:?}: {said}");
        out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// What `subscriber` prints for people.
    fn text(&self, arguments: &[&str]) -> String {
        let (code, out, said) = run(&mut self.command(&[&["subscriber"], arguments].concat()));
        assert_eq!(code, 0, "{arguments:?}: {said}");
        out
    }

    /// A command that must fail, with every word on standard error.
    fn fails(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let (ended, _, said) = run(&mut self.command(arguments));
        assert_eq!(ended, code, "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {said}");
        }
    }
}

fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_tripline-bpp")
}

/// Exit code, standard output and standard error.
fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("ends"), text(output.stdout), text(output.stderr))
}

fn expired(id: &str) -> Value {
    let mut entry = entry(id, "BAP", 3);
    entry["valid_until"] = "2022-01-01T00:00:00Z".into();
    entry
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_are_asked_for_listed_and_shown_with_why_they_do_not_hold() {
    let bap = [entry("bap.example", "BAP", 1), entry("bap.example", "BAP", 2)];
    let gateway = entry("bap.example", "BG", 4);
    let known = [&bap[..], &[expired("bap.example"), gateway.clone(), expired("old.example")]];
    let mut stub = StubRegistry::start(known.concat()).await;
    let folder = Folder::with(&stub);
    assert!(folder.json(&["list"]).is_empty());

    let asked = folder.json(&["refresh", "https://BAP.example/"]);
    let roles: Vec<_> = asked.iter().map(|one| one["role"].clone()).collect();
    assert_eq!(roles, ["BAP", "BG"]);
    assert_eq!(folder.json(&["refresh", "old.example"])[0]["holds"], false);
    let listed = folder.json(&["list"]);
    assert_eq!((listed.len(), &listed[0]), (3, &asked[0]), "what was asked is written down");
    assert_eq!(listed[0]["keys"], json!(["k1", "k2"]));
    assert_eq!(listed[0]["url"], "https://bap.example/beckn");
    assert_eq!(listed[0]["holds_until_unix_ms"], 4_775_534_388_072_i64);
    assert!(listed[0]["fetched_at_unix_ms"].as_i64().is_some_and(|at| at > 1_700_000_000_000));

    let shown = folder.json(&["show", "bap.example"]);
    let entries = shown[0]["entries"].as_array().expect("entries");
    assert_eq!((shown.len(), entries.len()), (2, 3));
    assert_eq!(entries[0]["signing_public_key"], public(1).to_string());
    assert_eq!((&entries[0]["holds"], &entries[0]["why_not"]), (&true.into(), &Value::Null));
    assert_eq!(entries[2]["why_not"], "it held until 2022-01-01T00:00:00Z");
    let printed = folder.text(&["show", "old.example"]);
    assert!(printed.contains("does not hold: it held until 2022"), "{printed}");

    stub.know(vec![gateway]);
    let all = folder.text(&["refresh"]);
    assert!(all.contains("not registered any more") && all.contains("3 subscribers"), "{all}");
    assert_eq!(folder.json(&["list"])[0]["holds"], false);

    let unknown = ["subscriber", "show", "nobody"];
    folder.fails(&unknown, REFUSED, &["nobody", "subscriber refresh ID"]);
    let unknown = ["subscriber", "refresh", "nobody"];
    folder.fails(&unknown, REFUSED, &["no BAP or gateway \"nobody\"", "[registry]"]);
    stub.behave(Manner::Text(500, String::new()));
    folder.fails(&["subscriber", "refresh"], UNREACHABLE, &[&stub.url(), "answered 500"]);
    stub.stop().await;
    let gone = ["subscriber", "refresh", "bap.example"];
    folder.fails(&gone, UNREACHABLE, &["cannot be asked", "[registry] url"]);
    assert_eq!(folder.json(&["list"]).len(), 3, "what is known stays");
}

#[test]
fn without_a_registry_the_file_is_shown_and_checked() {
    let folder = Folder::new();
    let file = folder.dir.path().join("data/subscribers.json");
    let write = |entries: Value| std::fs::write(&file, entries.to_string()).expect("written");
    write(json!([entry("bap.example", "BAP", 1), expired("old.example")]));
    let listed = folder.json(&["list"]);
    assert_eq!((listed.len(), &listed[0]["fetched_at_unix_ms"]), (2, &Value::Null));
    assert_eq!(folder.json(&["refresh"]), listed);
    let said = folder.text(&["refresh"]);
    assert!(
        said.contains("subscribers.json can be used") && said.contains("no registry"),
        "{said}"
    );
    assert!(folder.text(&["list"]).contains("does not hold"));
    let unknown = ["subscriber", "refresh", "nobody"];
    folder.fails(&unknown, REFUSED, &["nobody", "subscriber list"]);
    let mut bad = entry("bad.example", "BAP", 1);
    bad["subscriber_url"] = "bad".into();
    write(json!([bad]));
    for command in [&["subscriber", "refresh"][..], &["serve"]] {
        folder.fails(command, 4, &["subscribers.json", "entry 1 (bad.example)", "subscriber_url"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_cannot_be_asked_to_take_a_key_up_is_told_from_one_that_refuses() {
    let mut stub = StubRegistry::start(Vec::new()).await;
    let folder = Folder::with(&stub);
    let text = std::fs::read_to_string(folder.config()).expect("read");
    let key = format!("encryption_public_key = \"{}\"", public(1));
    let text = text
        .replace("# domain", "domain")
        .replace("# country", "country")
        .replace("# city", "city")
        .replace("# encryption_public_key = \"...\"", &key);
    std::fs::write(folder.config(), text).expect("written");
    folder.fails(&["key", "register"], REFUSED, &["key k1 is not registered", "404"]);
    stub.stop().await;
    folder.fails(&["key", "register"], UNREACHABLE, &[&stub.url(), "cannot be asked"]);
    let rotate = ["key", "rotate", "--unique-key-id", "k2"];
    let words = [&stub.url(), "key k2 is made and waits", "register --unique-key-id k2"];
    folder.fails(&rotate, UNREACHABLE, &words);
}

/// Kills the platform when the test is over.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a GET of the admin listener answers.
fn metrics(admin: &str) -> String {
    let admin: SocketAddr = admin.parse().expect("an address");
    let mut stream = TcpStream::connect(admin).expect("connects");
    let request = "GET /metrics HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_is_registered_elsewhere_does_not_start_and_one_that_is_not_yet_does() {
    let mut moved = entry("bpp.example", "BPP", 1);
    moved["subscriber_url"] = "https://old.example".into();
    let stub = StubRegistry::start(vec![moved]).await;
    let folder = Folder::with(&stub);
    let words = ["https://old.example", "http://127.0.0.1:8080/beckn", "[beckn] uri"];
    folder.fails(&["serve"], MOVED, &words);

    stub.know(Vec::new());
    let mut serving = folder.command(&["serve", "--json"]);
    let mut serving = Serving(serving.stdout(Stdio::piped()).spawn().expect("runs"));
    let mut line = String::new();
    let out = serving.0.stdout.take().expect("standard output");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let addresses: Value = serde_json::from_str(&line).expect("addresses");
    let counted = metrics(addresses["admin"].as_str().expect("text"));
    let lookups = "tripline_registry_lookups_total{reason=\"unknown\"} 1";
    for line in ["\ntripline_network_served 0\n", lookups] {
        assert!(counted.contains(line), "{line} is not in {counted}");
    }
}
