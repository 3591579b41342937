//! The commands of the fleet, through the real binary.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Refused, with the reason.
const REFUSED: i32 = 9;

/// A folder that `init` made.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        let dir = folder.0.path().to_str().expect("UTF-8").to_owned();
        let made = run(&["init", "--dir", &dir], "");
        assert!(made.status.success(), "{}", text(&made.stderr));
        folder
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let config = self.0.path().join("bpp.toml");
        let mut all = arguments.to_vec();
        all.extend(["--config", config.to_str().expect("UTF-8")]);
        run(&all, input)
    }

    /// The JSON lines of a command that must succeed.
    fn json(&self, arguments: &[&str], input: &str) -> Vec<Value> {
        let mut all = arguments.to_vec();
        all.push("--json");
        let output = self.run(&all, input);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        let parse = |line: &str| serde_json::from_str(line).expect("JSON");
        text(&output.stdout).lines().map(parse).collect()
    }

    /// The one JSON line.
    fn one(&self, arguments: &[&str]) -> Value {
        let mut lines = self.json(arguments, "");
        assert_eq!(lines.len(), 1, "{arguments:?}");
        lines.remove(0)
    }

    /// What a command that must succeed prints for people.
    fn told(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, "");
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn fails(&self, arguments: &[&str], words: &[&str]) {
        let output = self.run(arguments, "");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(REFUSED), "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{word:?} is not in: {said}");
        }
    }
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tripline-bpp"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    let _ = child.stdin.take().expect("standard input").write_all(input.as_bytes());
    child.wait_with_output().expect("ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn init_takes_a_first_fleet_in_and_leaves_its_file() {
    let folder = Folder::new();
    assert!(folder.0.path().join("fleet.toml").is_file());
    assert!(folder.0.path().join("data/pin.key").is_file());
    let item = folder.one(&["item", "list"]);
    assert_eq!((&item["id"], &item["provider"]), (&"auto".into(), &"example-cabs".into()));
    assert_eq!(folder.one(&["provider", "show", "example-cabs"])["name"], "Example Cabs");
    let tariff = folder.one(&["tariff", "show", "auto"]);
    assert_eq!((&tariff["version"], &tariff["terms"]["base_paise"]), (&1.into(), &3000.into()));
}

#[test]
fn what_riders_see_of_providers_and_items_is_set_checked_and_taken_away() {
    let folder = Folder::new();
    let logo = "https://cabs.example/logo.png";
    let change = ["provider", "change", "example-cabs", "--short-desc", "Since 1998"];
    let changed = folder.one(&[&change[..], &["--logo-url", logo]].concat());
    assert_eq!(
        (&changed["short_desc"], &changed["logo_url"]),
        (&"Since 1998".into(), &logo.into())
    );
    let told = folder.told(&["provider", "show", "example-cabs"]);
    assert!(told.contains("Since 1998") && told.contains(logo), "{told}");
    let bad = ["provider", "change", "example-cabs", "--logo-url", "http://cabs.example/logo.png"];
    folder.fails(&bad, &["logo_url \"http://cabs.example/logo.png\": must be an https:// URL"]);
    let cleared = folder.one(&["provider", "change", "example-cabs", "--logo-url", ""]);
    assert_eq!(
        (&cleared["logo_url"], &cleared["short_desc"]),
        (&Value::Null, &"Since 1998".into())
    );

    let images = ["https://cabs.example/1.png", "https://cabs.example/2.png"];
    let set = ["item", "change", "auto", "--short-desc", "Three seats", "--image", images[0]];
    let changed = folder.one(&[&set[..], &["--image", images[1]]].concat());
    assert_eq!(changed["images"], Value::from(images.as_slice()));
    let told = folder.told(&["item", "show", "auto"]);
    assert!(told.contains("Three seats") && told.contains(images[1]), "{told}");
    let one_bad = ["item", "change", "auto", "--image", images[0], "--image", "auto.png"];
    folder.fails(&one_bad, &["images[1] \"auto.png\": must be an https:// URL"]);
    let nine: Vec<_> = std::iter::repeat_n(["--image", images[0]], 9).flatten().collect();
    folder
        .fails(&[&["item", "change", "auto"], &*nine].concat(), &["images has 9; there may be 8"]);
    let long = "x".repeat(501);
    folder
        .fails(&["item", "change", "auto", "--short-desc", &long], &["short_desc must have 1 to"]);
    assert_eq!(folder.one(&["item", "show", "auto"])["images"], Value::from(images.as_slice()));
    let none = folder.one(&["item", "change", "auto", "--no-images", "--short-desc", ""]);
    assert_eq!((&none["images"], &none["short_desc"]), (&Value::Array(Vec::new()), &Value::Null));
}

#[test]
fn a_promotion_is_added_listed_changed_and_put_out() {
    let folder = Folder::new();
    let add = ["promotion", "add", "MONSOON10", "--title", "Monsoon", "--percent-bp", "1000"];
    let more = ["--max-paise", "5000", "--item", "auto", "--until", "2040-09-30"];
    let added = folder.one(&[&add[..], &more].concat());
    assert_eq!((&added["percent_bp"], &added["items"][0]), (&1000.into(), &"auto".into()));
    folder.fails(&add, &["promotion \"MONSOON10\" is there already"]);
    let told = folder.told(&["promotion", "show", "MONSOON10"]);
    for words in ["10.00 %, at most 50.00", "Monsoon", "items    auto", "2040-10-01"] {
        assert!(told.contains(words), "{words:?} is not in: {told}");
    }
    let change = ["promotion", "change", "MONSOON10", "--all-items", "--max-paise", "0"];
    let changed = folder.one(&[&change[..], &["--least-fare-paise", "20000"]].concat());
    assert_eq!((&changed["max_paise"], &changed["items"]), (&Value::Null, &Value::Array(vec![])));
    assert_eq!(changed["least_fare_paise"], 20_000);
    let bad = ["promotion", "change", "MONSOON10", "--percent-bp", "10001"];
    folder.fails(&bad, &["percent_bp is 10001; it must be between 1 and 10000 basis points"]);
    folder.one(&["promotion", "change", "MONSOON10", "--amount-paise", "2500"]);
    let capped = ["promotion", "change", "MONSOON10", "--max-paise", "100"];
    folder.fails(&capped, &["max_paise is for percent_bp"]);
    folder.one(&["promotion", "change", "MONSOON10", "--active", "false"]);
    let told = folder.told(&["promotion", "list"]);
    assert!(told.contains("25.00") && told.contains("(not offered)"), "{told}");
    folder.fails(&["promotion", "show", "nothing"], &["there is no promotion \"nothing\""]);
}

#[test]
fn a_driver_is_added_given_a_pin_changed_rated_and_deactivated() {
    let folder = Folder::new();
    let add = ["driver", "add", "asha", "--name", "Asha", "--phone", "+91-98000"];
    assert_eq!(folder.one(&add)["active"], true);
    folder.fails(&add, &["driver \"asha\" is there already"]);
    folder.fails(
        &["driver", "add", "ravi", "--name", "Ravi", "--phone", "+91-1000", "--provider", "nobody"],
        &["provider nobody: there is no such provider"],
    );
    let set = folder.json(&["driver", "set-pin", "asha"], "4711\n").remove(0);
    assert_eq!((&set["pin_set"], &set["locked"]), (&true.into(), &false.into()));
    let bad = folder.run(&["driver", "set-pin", "asha"], "12");
    assert!(text(&bad.stderr).contains("pin must have 4 to 8 digits"), "{}", text(&bad.stderr));
    let change = ["driver", "change", "asha", "--provider", "example-cabs"];
    assert_eq!(folder.one(&change)["provider"], "example-cabs");
    folder.fails(&["driver", "rate", "asha", "--stars", "6"], &["stars is 6"]);
    let rated = folder.one(&["driver", "rate", "asha", "--stars", "4"]);
    assert_eq!((&rated["rating_centistars"], &rated["ratings"]), (&400.into(), &1.into()));
    assert_eq!(folder.one(&["driver", "deactivate", "asha"])["active"], false);
    let told = folder.told(&["driver", "show", "asha"]);
    assert!(told.contains("(deactivated)") && told.contains("PIN set"), "{told}");
    folder.fails(&["driver", "show", "nobody"], &["there is no driver \"nobody\""]);
    let audit = folder.told(&["audit", "--kind", "driver-changed"]);
    assert!(audit.contains("asha: PIN set") && !audit.contains("4711"), "{audit}");
}

#[test]
fn a_vehicle_has_its_driver_assigned_is_shown_with_what_blocks_it_and_retired() {
    let folder = Folder::new();
    let add = ["vehicle", "add", "--registration", "KA 1", "--make", "Bajaj", "--capacity", "3"];
    assert_eq!(folder.one(&add)["device"], "ka1");
    folder.fails(&["vehicle", "assign", "ka1", "asha"], &["driver asha: there is no such driver"]);
    folder.one(&["driver", "add", "asha", "--name", "Asha", "--phone", "+91-98000"]);
    assert_eq!(folder.one(&["vehicle", "assign", "KA 1", "asha"])["driver"], "asha");
    let listed = folder.one(&["vehicle", "list"]);
    assert_eq!((&listed["driver_name"], &listed["make"]), (&"Asha".into(), &"Bajaj".into()));
    assert_eq!(listed["category"], "AUTO_RICKSHAW", "of the only item");
    let changed = folder.one(&["vehicle", "change", "ka1", "--color", "yellow", "--make", ""]);
    assert_eq!((&changed["color"], &changed["make"]), (&"yellow".into(), &Value::Null));
    let on = folder.one(&["duty", "set", "asha", "on", "--vehicle", "KA 1"]);
    assert_eq!((&on["device"], &on["state"]), (&"ka1".into(), &"on".into()));
    assert_eq!(folder.json(&["duty", "list"], "").len(), 1);
    assert_eq!(folder.one(&["shift", "list"])["driver"], "asha");
    folder.fails(&["duty", "set", "asha", "on", "--vehicle", "nope"], &["vehicle \"nope\""]);
    assert_eq!(folder.one(&["duty", "set", "asha", "off"])["state"], "off");
    folder.fails(&["duty", "set", "asha", "off"], &["is off already"]);
    assert_eq!(folder.one(&["vehicle", "retire", "ka1"])["active"], false);
    let shown = folder.one(&["vehicle", "show", "ka1"]);
    assert_eq!(shown["blocked"], "retired");
    assert_eq!(folder.one(&["vehicle", "reinstate", "ka1"])["active"], true);
}

#[test]
fn documents_are_kept_listed_by_expiry_and_removed() {
    let folder = Folder::new();
    folder.one(&["driver", "add", "asha", "--name", "Asha", "--phone", "+91-98000"]);
    let add = |kind: &str, expires: &[&str]| {
        let mut arguments = vec!["document", "add", "driver:asha", "--kind", kind, "--number", "1"];
        arguments.extend(expires);
        folder.one(&arguments)
    };
    add("badge", &[]);
    let old = add("licence", &["--expires", "2020-01-31"]);
    assert_eq!(old["expires_at_unix_ms"], 1_580_515_200_000_i64, "2020-02-01T00:00:00Z");
    let renewed = add("licence", &["--expires", "2020-02-28"]);
    assert_eq!(renewed["id"], old["id"], "the same paper for longer");
    let again = ["document", "add", "driver:asha", "--kind", "licence", "--number", "1"];
    let earlier = [&again[..], &["--expires", "2020-02-28"]].concat();
    folder.fails(&earlier, &["is there already"]);
    let audit = folder.told(&["audit", "--kind", "document-changed"]);
    assert!(audit.contains("driver:asha: licence 1 renewed, by cli"), "{audit}");
    let soon = folder.json(&["document", "expiring", "--days", "3"], "");
    assert_eq!(soon.len(), 1);
    assert!(folder.told(&["document", "list"]).contains("expired 2020-02-29"));
    let id = old["id"].as_str().expect("an id");
    folder.one(&["document", "remove", id]);
    assert_eq!(folder.json(&["document", "list", "--owner", "driver:asha"], "").len(), 1);
    folder.fails(&["document", "remove", id], &["there is no document"]);
    folder.fails(
        &["document", "add", "vehicle:ka1", "--kind", "permit", "--number", "1"],
        &["owner vehicle:ka1: there is no such vehicle"],
    );
}

#[test]
fn areas_are_added_from_geojson_and_refused_with_the_reason() {
    let folder = Folder::new();
    let good = folder.write(
        "town.geojson",
        r#"{"type":"Polygon","coordinates":[[[77.5,12.9],[77.7,12.9],[77.7,13.1],[77.5,12.9]]]}"#,
    );
    let bad = folder.write(
        "swapped.geojson",
        r#"{"type":"Polygon","coordinates":[[[12.9,177.5],[1,1],[2,1],[12.9,177.5]]]}"#,
    );
    let add = |file: &str, more: &[&str]| {
        let mut all = vec!["area", "add", "town", "--name", "Town", "--geojson"];
        let arguments: Vec<&str> = {
            all.push(file);
            all.extend(more);
            all
        };
        arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>()
    };
    let zone = add(&good, &["--kind", "zone"]);
    folder.fails(&zone.iter().map(String::as_str).collect::<Vec<_>>(), &["tariff is needed"]);
    let off = add(&bad, &["--kind", "service"]);
    folder.fails(
        &off.iter().map(String::as_str).collect::<Vec<_>>(),
        &["geojson has the point 12.9, 177.5", "longitude, from -180 to 180"],
    );
    let zone = add(&good, &["--kind", "zone", "--tariff", "auto", "--priority", "2"]);
    let added = folder.one(&zone.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((&added["kind"], &added["priority"]), (&"zone".into(), &2.into()));
    assert_eq!(folder.one(&["area", "show", "town"])["geojson"]["type"], "Polygon");
    folder.one(&["area", "remove", "town"]);
    assert!(folder.json(&["area", "list"], "").is_empty());
}

#[test]
fn an_import_is_checked_told_and_done_whole_or_not_at_all() {
    let folder = Folder::new();
    folder.write(
        "town.geojson",
        r#"{"type":"Polygon","coordinates":[[[77.5,12.9],[77.7,12.9],[77.7,13.1],[77.5,12.9]]]}"#,
    );
    let drivers = folder.write("drivers.csv", "id,name,phone\nasha,Asha,+91-98000\n");
    let areas = folder.write(
        "areas.toml",
        "[[area]]\nid = 'town'\nname = 'Town'\nkind = 'service'\ngeojson_file = 'town.geojson'\n",
    );
    let checked = folder.one(&["import", "--check", &drivers, &areas]);
    assert_eq!(checked["drivers"]["added"], 1);
    assert!(folder.json(&["driver", "list"], "").is_empty(), "it was only checked");
    let told = folder.told(&["import", &drivers, &areas]);
    assert!(told.contains("areas      1 added, 0 changed, 0 the same"), "{told}");
    let again = folder.one(&["import", &drivers, &areas]);
    assert_eq!((&again["drivers"]["same"], &again["areas"]["same"]), (&1.into(), &1.into()));

    let bad = folder.write("more-drivers.csv", "id,name,phone\nravi,Ravi,+91-97000\nMira,,1\n");
    folder.fails(
        &["import", &bad],
        &["line 3: driver Mira, name is missing", "1 thing wrong", "nothing was changed"],
    );
    assert_eq!(folder.json(&["driver", "list"], "").len(), 1);
    let tariff = folder.write("tariff.toml", "[[tariff]]\ncode='auto'\nversion=2\nbase_paise=1\n");
    folder.told(&["tariff", "import", &tariff]);
    assert_eq!(folder.json(&["tariff", "list", "--code", "auto"], "").len(), 2);
    let first = folder.one(&["tariff", "show", "auto", "--tariff-version", "1"]);
    assert_eq!(first["terms"]["base_paise"], 3000);
}

#[test]
fn a_category_has_to_be_said_where_items_have_several() {
    let folder = Folder::new();
    let item = [
        "item",
        "add",
        "sedan",
        "--provider",
        "example-cabs",
        "--name",
        "Sedan",
        "--vehicle-category",
        "SEDAN",
        "--tariff",
        "auto",
    ];
    assert_eq!(folder.one(&item)["kind"], "spot");
    folder.fails(&["vehicle", "add", "--registration", "KA 1"], &["--category is needed"]);
    folder.one(&["vehicle", "add", "--registration", "KA 1", "--category", "SEDAN"]);
    assert_eq!(folder.one(&["item", "change", "sedan", "--active", "false"])["active"], false);
    folder.fails(&["item", "change", "sedan", "--tariff", "x"], &["tariff x: there is no such"]);
}

#[test]
fn whoever_reads_no_further_ends_a_command_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tripline-bpp"))
        .arg("openapi")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), &*text(&output.stderr)), (Some(0), ""));
}

#[test]
fn what_is_said_is_in_whole_words() {
    let folder = Folder::new();
    let bad = folder.run(&["order", "list", "--state", "foo"], "");
    let said = text(&bad.stderr);
    assert!(said.contains("one of quoted, initialized, confirmed"), "{said}");
    folder.fails(
        &["driver", "add", "mira", "--name", "Mira", "--phone", "+91-9"],
        &["phone must be a phone: at least 5 digits"],
    );
    folder.one(&["driver", "add", "mira", "--name", "Mira", "--phone", "+91-98000"]);
    folder.one(&["vehicle", "add", "--registration", "KA 1"]);
    folder.one(&["duty", "set", "mira", "on", "--vehicle", "KA 1"]);
    let audit = folder.told(&["audit", "--kind", "duty-changed"]);
    assert!(audit.contains("mira: on duty in ka1, by cli"), "{audit}");
    let shown = folder.told(&["vehicle", "show", "ka1"]);
    assert!(shown.contains("2 entries, the newest last"), "{shown}");
    folder.one(&["driver", "deactivate", "mira"]);
    assert!(folder.json(&["duty", "list"], "").is_empty(), "deactivating ends it");
    assert!(folder.one(&["shift", "list"])["ended_at_unix_ms"].is_i64());
}
