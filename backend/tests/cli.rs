//! The command line, through the real binary: vehicles, the device CA, the audit trail.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tripline_backend::identity::authority::hex;
use tripline_protocol::enrol::EnrolCode;

/// Refused, with the reason.
const REFUSED: i32 = 9;

/// Wrong use of the command line.
const WRONG_USE: i32 = 2;

/// A folder that `init` made.
struct Folder {
    dir: TempDir,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Self { dir };
        let made = bpp(&["init", "--dir", &folder.path(""), "--json"], "");
        assert!(made.status.success(), "{}", text(&made.stderr));
        folder
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.dir.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    /// Runs a command with this folder's configuration; what follows `--` goes to its standard input.
    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let config = self.path("bpp.toml");
        let mut all = arguments.to_vec();
        all.extend(["--config", &config]);
        bpp(&all, input)
    }

    /// The JSON lines of a command that must succeed.
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all = arguments.to_vec();
        all.push("--json");
        lines(&self.run(&all, ""))
    }

    /// What a command that must succeed prints.
    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, "");
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// A command that must fail, with every word on standard error.
    fn fails(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let output = self.run(arguments, "");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {said}");
        }
    }

    fn add(&self, registration: &str) -> Value {
        let driver = ["--driver-name", "Asha", "--driver-phone", "+91-98000"];
        let mut arguments = vec!["vehicle", "add", "--registration", registration];
        arguments.extend(driver);
        self.json(&arguments).remove(0)
    }
}

fn bpp(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tripline-bpp"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    // Dropped with its end: the child sees the end of its input. One that refused has not read it.
    let _ = child.stdin.take().expect("standard input").write_all(input.as_bytes());
    child.wait_with_output().expect("ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", text(&output.stderr));
    let parse = |line: &str| serde_json::from_str(line).expect("JSON");
    text(&output.stdout).lines().map(parse).collect()
}

#[test]
fn a_vehicle_is_added_with_a_code_and_told_apart_in_the_list() {
    let folder = Folder::new();
    let added = folder.add("KA 01 AB 1234");
    assert_eq!(added["device"], "ka01ab1234");
    assert_eq!(added["registration"], "KA 01 AB 1234");
    assert_eq!(added["url"], "https://127.0.0.1:8884");
    let code: EnrolCode = added["code"].as_str().and_then(|c| c.parse().ok()).expect("a code");
    let shown = folder.json(&["ca", "show"]).remove(0);
    let pinned = shown["fingerprint"].as_str().expect("text");
    assert!(pinned.starts_with(&hex(&code.ca_fingerprint)), "{pinned}");

    let printed = folder.text(&[
        "vehicle",
        "add",
        "--qr",
        "--registration",
        "KA 02",
        "--driver-name",
        "Ravi",
        "--driver-phone",
        "+91-1000",
    ]);
    assert!(printed.contains("asks for the code"), "{printed}");
    let command = "tripline-agent enrol --backend https://127.0.0.1:8884 --code ";
    assert!(printed.contains(command) && printed.contains('█'), "{printed}");

    let listed = folder.json(&["vehicle", "list"]);
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["certificate"], "not-enrolled");
    assert_eq!(listed[0]["connected"], false);
    assert_eq!(listed[0]["code_expires_at_unix_ms"], added["expires_at_unix_ms"]);
    let listed = folder.text(&["vehicle", "list"]);
    assert!(listed.contains("not enrolled, code waiting until"), "{listed}");

    let again = ["vehicle", "add", "--registration", "KA 02", "--driver-name", "x"];
    let again = [&again[..], &["--driver-phone", "+91-1000"]].concat();
    folder.fails(&again, REFUSED, &["KA 02", "exists already", "vehicle list"]);
    let bad = [
        "vehicle",
        "add",
        "--registration",
        "",
        "--driver-name",
        "x",
        "--driver-phone",
        "+91-1000",
    ];
    folder.fails(&bad, REFUSED, &["--registration must have"]);
}

#[test]
fn a_revocation_and_a_new_code_are_shown_and_written_down() {
    let folder = Folder::new();
    folder.add("KA 01");
    let revoked = folder.json(&["vehicle", "revoke", "KA 01", "--reason", "stolen"]).remove(0);
    assert_eq!((&revoked["device"], &revoked["codes"]), (&"ka01".into(), &1.into()));
    assert_eq!(revoked["certificates"], 0);
    let listed = folder.json(&["vehicle", "list"]).remove(0);
    assert_eq!(listed["code_expires_at_unix_ms"], Value::Null, "the code ended");

    let first = folder.json(&["vehicle", "rekey", "ka01"]).remove(0);
    let second = folder.text(&["vehicle", "rekey", "KA 01", "--qr"]);
    assert!(second.contains("--code ") && !second.contains(first["code"].as_str().expect("text")));

    let shown = folder.json(&["vehicle", "show", "ka01"]).remove(0);
    let kinds: Vec<&str> = shown["audit"]
        .as_array()
        .expect("entries")
        .iter()
        .filter_map(|entry| entry["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["added", "revoked", "rekeyed", "rekeyed"]);
    assert!(folder.text(&["vehicle", "show", "ka01"]).contains("stolen"));
    let entries = folder.json(&["audit", "--device", "KA 01", "--kind", "revoked"]);
    assert_eq!((entries.len(), &entries[0]["detail"]), (1, &"stolen".into()));
    assert_eq!(folder.json(&["audit", "--limit", "2"]).len(), 2);
    assert_eq!(folder.json(&["audit", "--since", "2100-01-01"]).len(), 0);
    assert!(folder.text(&["audit", "--since", "1h"]).contains("revoked"));

    for command in ["show", "rekey", "revoke"] {
        let arguments = ["vehicle", command, "nobody", "--reason", "x"];
        let count = if command == "revoke" { 5 } else { 3 };
        folder.fails(&arguments[..count], REFUSED, &["nobody", "vehicle list"]);
    }
    folder.fails(&["audit", "--kind", "x"], WRONG_USE, &["code-reused"]);
    folder.fails(&["audit", "--since", "yesterday"], WRONG_USE, &["such as 90s"]);
}

#[test]
fn an_import_adds_all_or_names_every_bad_line_and_adds_none() {
    let folder = Folder::new();
    folder.add("KA 01");
    let good = |n: u32| {
        format!(
            "{{\"registration\":\"MH {n}\",\"driver_name\":\"a\",\"driver_phone\":\"+91-1000\"}}\n"
        )
    };
    let bad = [good(1), "{}\n".into(), good(1), "not JSON\n".into(), good(2).replace("MH 2", "")]
        .concat();
    let output = folder.run(&["vehicle", "import", "-", "--json"], &bad);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(REFUSED), "{said}");
    for words in ["line 2: missing field", "line 4: ", "line 5: registration", "3 of 5 lines"] {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
    let taken = good(1) + &good(1) + &good(3).replace("MH 3", "KA 01");
    let output = folder.run(&["vehicle", "import", "-", "--json"], &taken);
    let said = text(&output.stderr);
    assert!(said.contains("line 2: registration MH 1") && said.contains("line 3: "), "{said}");
    assert!(output.stdout.is_empty(), "no codes of what was not added");
    assert_eq!(folder.json(&["vehicle", "list"]).len(), 1, "nothing was added");

    let too_many = "\n".repeat(20_001);
    let output = folder.run(&["vehicle", "import", "-"], &too_many);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(REFUSED), "{said}");
    assert!(said.contains("at most 20000 lines") && said.contains("in parts"), "{said}");

    let many: String = (0..10_000).map(good).collect();
    std::fs::write(folder.path("fleet.jsonl"), many).expect("written");
    let added = folder.json(&["vehicle", "import", &folder.path("fleet.jsonl")]);
    assert_eq!(added.len(), 10_000);
    assert_eq!(added[77]["device"], "mh77");
    assert!(added[77]["code"].as_str().is_some_and(|code| code.parse::<EnrolCode>().is_ok()));
    assert_eq!(folder.json(&["vehicle", "list"]).len(), 10_001);
}

#[test]
fn the_ca_is_rotated_and_retired_and_its_keys_are_for_nobody_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    folder.fails(&["ca", "retire"], REFUSED, &["the only authority", "ca rotate"]);
    let first = folder.json(&["ca", "show"]).remove(0);
    assert_eq!(folder.json(&["ca", "rotate"]).remove(0)["added"], 2);
    folder.fails(&["ca", "rotate"], REFUSED, &["two authorities", "ca retire"]);
    let both = folder.json(&["ca", "show"]);
    let does = |n: usize| (both[n]["serves"] == true, both[n]["issues"] == true);
    assert_eq!((both.len(), does(0), does(1)), (2, (true, false), (false, true)));
    assert_eq!(both[0]["fingerprint"], first["fingerprint"]);
    for name in [
        "data/ca/1.key.pem",
        "data/ca/2.key.pem",
        "data/command.key",
        "data/keys.json",
        "data/admin.token",
    ] {
        let mode = std::fs::metadata(folder.path(name)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(folder.json(&["ca", "retire"]).remove(0)["retired"], 1);
    let left = folder.json(&["ca", "show"]);
    assert_eq!((left.len(), &left[0]["generation"]), (1, &2.into()));
    assert!(!Path::new(&folder.path("data/ca/1.key.pem")).exists());
    assert_eq!(folder.json(&["audit", "--kind", "authority-changed"]).len(), 2);
}

#[test]
fn on_a_closed_network_a_key_is_rotated_when_the_operator_says_so() {
    let folder = Folder::new();
    let first = folder.json(&["key", "show"]).remove(0);
    assert_eq!((&first["unique_key_id"], &first["state"]), (&"k1".into(), &"signing".into()));
    folder.fails(&["key", "rotate", "--switch"], REFUSED, &["no next key waits", "key rotate"]);
    folder.fails(&["key", "rotate", "--retire"], REFUSED, &["no previous key"]);
    folder.fails(&["key", "rotate", "--unique-key-id", "k1"], REFUSED, &["a key k1 already"]);
    folder.fails(&["key", "rotate", "--unique-key-id", "a|b"], REFUSED, &["visible ASCII"]);
    folder.fails(&["key", "rotate", "--switch", "--retire"], WRONG_USE, &["cannot be used with"]);
    let register = ["key", "register"];
    folder.fails(&register, 3, &["[registry] url is not set"]);

    let said = folder.text(&["key", "rotate", "--unique-key-id", "k2"]);
    let both = folder.json(&["key", "show"]);
    let public = both[1]["signing_public_key"].as_str().expect("text");
    for words in ["k2 is made and waits", "k1 goes on signing", public, "key rotate --switch"] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    assert_eq!(both[0]["signing_public_key"], first["signing_public_key"], "it signs as before");
    assert_eq!(both[1]["state"], "next");
    folder.fails(&["key", "rotate"], REFUSED, &["key k2 is made already", "--switch"]);
    let rename = ["key", "rename", "--unique-key-id", "portal-7"];
    folder.fails(&rename, REFUSED, &["two keys, k1 and k2", "--from"]);
    assert_eq!(folder.json(&["key", "rotate", "--abandon"]).remove(0)["abandoned"], "k2");
    folder.fails(&["key", "rotate", "--abandon"], REFUSED, &["no next key waits"]);
    folder.text(&["key", "rotate", "--unique-key-id", "k2"]);
    let switched = folder.json(&["key", "rotate", "--switch"]).remove(0);
    assert_eq!((&switched["signing"], &switched["previous"]), (&"k2".into(), &"k1".into()));
    let shown = folder.text(&["key", "show"]);
    assert!(shown.contains("Key k2 signs") && shown.contains("Key k1 signed before"), "{shown}");
    folder.fails(&["key", "rotate"], REFUSED, &["key k1 signed before", "--retire", "72 h"]);
    assert_eq!(folder.json(&["key", "rotate", "--retire"]).remove(0)["retired"], "k1");

    let renamed = folder.json(&["key", "rename", "--unique-key-id", "portal-7"]).remove(0);
    assert_eq!((&renamed["from"], &renamed["unique_key_id"]), (&"k2".into(), &"portal-7".into()));
    let fresh = folder.json(&["key", "rotate"]).remove(0);
    let id = fresh["next"].as_str().expect("text");
    assert!(uuid::Uuid::parse_str(id).is_ok(), "{id}");
    assert_eq!(fresh["signing"], "portal-7");
    let output = folder.run(&["key", "show", "--json"], "");
    let secrets = std::fs::read_to_string(folder.path("data/keys.json")).expect("read");
    let secrets: Vec<Value> = serde_json::from_str(&secrets).expect("JSON");
    for secret in secrets.iter().flat_map(|key| [&key["signing_key"], &key["encryption_key"]]) {
        let secret = secret.as_str().expect("text");
        assert!(!text(&output.stdout).contains(secret), "a secret is shown");
    }
}

#[test]
fn init_tells_what_the_network_is_given_of_us_and_what_is_next_with_and_without_a_registry() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().to_str().expect("UTF-8");
    let bad = bpp(&["init", "--dir", path, "--unique-key-id", "a|b"], "");
    assert_eq!(bad.status.code(), Some(REFUSED), "{}", text(&bad.stderr));
    let made = bpp(&["init", "--dir", path, "--unique-key-id", "k7"], "");
    assert!(made.status.success(), "what was begun is completed: {}", text(&made.stderr));
    let fresh = tempfile::tempdir().expect("a folder");
    let path = fresh.path().to_str().expect("UTF-8");
    let made = bpp(&["init", "--dir", path, "--unique-key-id", "k7"], "");
    let said = text(&made.stdout);
    let config = format!("{path}/bpp.toml");
    let shown = lines(&bpp(&["key", "show", "--json", "--config", &config], "")).remove(0);
    let key = |name: &str| shown[name].as_str().expect("text").to_owned();
    for words in [
        "k7",
        &key("signing_public_key"),
        &key("encr_public_key"),
        "take out [beckn] subscribers_file",
        "subscribers.json",
        &format!("tripline-bpp key register --config {config}"),
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    std::fs::remove_file(format!("{path}/data/keys.json")).expect("removed");
    let json = lines(&bpp(&["init", "--dir", path, "--json"], "")).remove(0);
    assert_eq!(json["unique_key_id"], "k1");
    assert_ne!(json["encr_public_key"], shown["encr_public_key"], "a fresh one");
}

#[test]
fn init_makes_what_is_missing_in_a_folder_and_touches_nothing_else() {
    let folder = Folder::new();
    let init = ["init", "--dir", &folder.path("")];
    let again = bpp(&init, "");
    assert_eq!(again.status.code(), Some(REFUSED));
    assert!(text(&again.stderr).contains("nothing was missing"), "{}", text(&again.stderr));

    let signing = std::fs::read(folder.path("data/keys.json")).expect("there");
    let comment =
        format!("{}# mine\n", text(&std::fs::read(folder.path("bpp.toml")).expect("there")));
    std::fs::write(folder.path("bpp.toml"), &comment).expect("written");
    std::fs::remove_dir_all(folder.path("data/ca")).expect("removed");
    std::fs::remove_file(folder.path("data/command.key")).expect("removed");
    folder.fails(&["ca", "show"], 4, &["tripline-bpp init"]);
    let completed = bpp(&init, "");
    let said = text(&completed.stdout);
    assert!(completed.status.success(), "{}", text(&completed.stderr));
    assert!(said.contains("command.key") && said.contains("data/ca"), "{said}");
    let made: Vec<&str> = said.lines().filter(|line| line.starts_with("Made ")).collect();
    assert!(made.len() == 2 && !made.concat().contains("keys.json"), "{said}");
    assert_eq!(folder.json(&["ca", "show"]).len(), 1);
    assert_eq!(std::fs::read(folder.path("data/keys.json")).expect("there"), signing);
    assert_eq!(text(&std::fs::read(folder.path("bpp.toml")).expect("there")), comment);
    assert_eq!(bpp(&init, "").status.code(), Some(REFUSED));
}

#[test]
fn the_first_token_is_in_a_file_of_its_own_and_others_are_made_listed_and_ended() {
    let folder = Folder::new();
    let first = std::fs::read_to_string(folder.path("data/admin.token")).expect("there");
    let listed = folder.json(&["token", "list"]);
    assert_eq!((&listed[0]["name"], &listed[0]["role"]), (&"admin".into(), &"admin".into()));

    let add = ["token", "add", "--name", "asha", "--role", "viewer", "--expires-days", "7"];
    let made = folder.json(&add).remove(0);
    let secret = made["secret"].as_str().expect("text");
    assert!(secret.starts_with("tripline_") && !first.contains(secret));
    assert!(made["token"]["expires_at_unix_ms"].is_i64());
    folder.fails(&add, REFUSED, &["asha", "names are not used again"]);
    folder.fails(&["token", "add", "--name", "b", "--role", "root"], WRONG_USE, &["viewer"]);
    folder.fails(&["token", "revoke", "nobody"], REFUSED, &["no token \"nobody\""]);
    assert_eq!(folder.json(&["token", "revoke", "asha"]).remove(0)["state"], "revoked");

    let shown = folder.text(&["token", "list"]) + &folder.text(&["audit"]);
    assert!(shown.contains("revoked") && shown.contains("by cli"), "{shown}");
    for secret in [first.trim(), secret] {
        assert!(!shown.contains(secret), "a secret is shown again");
    }
    let again = bpp(&["init", "--dir", &folder.path("")], "");
    assert_eq!(again.status.code(), Some(REFUSED), "there is a token: {}", text(&again.stderr));
    let document = bpp(&["openapi"], "");
    assert!(text(&document.stdout).contains("\"openapi\": \"3.1.0\""));
}
