//! Dispatchers' verbs through the real command line, beside a platform that takes in what the unit reports.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tripline_backend::store::Store;
use tripline_protocol::link::down::{CommandBody, DriveVerb};
use tripline_protocol::link::up::CommandOutcome;

use crate::unit::{Unit, stop};
use crate::world::{Ride, World};

const REFUSED: i32 = 9;
const NOT_REPORTED: i32 = 10;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        let dir = folder.path("");
        let made = Command::new(env!("CARGO_BIN_EXE_tripline-bpp"))
            .args(["init", "--dir", &dir])
            .output()
            .expect("runs");
        assert!(made.status.success());
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    async fn world(&self) -> World {
        let store = Store::open(&format!("sqlite:{}", self.path("data/tripline.db"))).await;
        World::new(store.expect("opens"), 1).await
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripline-bpp"));
        command.args(arguments).args(["--config", &self.path("bpp.toml")]);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("runs")
    }

    /// The JSON lines of a command that must succeed.
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.run(&[arguments, &["--json"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn fails(&self, arguments: &[&str], code: i32, word: &str) {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

fn is_drive(verb: DriveVerb) -> impl Fn(&CommandBody) -> bool {
    move |body| matches!(body, CommandBody::Drive { verb: asked, .. } if *asked == verb)
}

/// Waits until a command for a step is there.
async fn asked(world: &World, unit: &Unit, verb: DriveVerb) {
    let there = async {
        let is_it = is_drive(verb);
        while !world.commands(&unit.device()).await.iter().any(|(_, body)| is_it(body)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), there).await.expect("it is written");
}

#[tokio::test]
async fn a_dispatcher_drives_a_trip_from_the_command_line_and_hears_what_the_unit_says() {
    let folder = Folder::new();
    let world = folder.world().await;
    let mut unit = Unit::new(1);
    let ride: Ride = world.started(1, &mut unit).await;
    let id = ride.trip.to_string();
    let listed = folder.json(&["trip", "list"]);
    assert_eq!((listed.len(), &listed[0]["told"]), (1, &Value::from("started")));

    // Nobody is there to report.
    let reason = ["--reason", "the buttons are broken"];
    let pause = [&["trip", "pause", &id, "--wait-s", "0"], &reason[..]].concat();
    folder.fails(&pause, NOT_REPORTED, "has not reported within 0 s");
    world.report(&mut unit, is_drive(DriveVerb::Pause), CommandOutcome::Applied).await;
    let shown = folder.json(&["trip", "show", &id]).remove(0);
    assert_eq!((&shown["told"], &shown["driven"]), (&"paused".into(), &"paused".into()));
    let facts = shown["facts"].as_array().expect("facts");
    assert_eq!(facts.last().expect("some")["by"], "operator cli");

    // The unit does it while the command waits.
    let mut resume = folder.command(&[&["trip", "resume", &id, "--json"], &reason[..]].concat());
    let waiting = tokio::task::spawn_blocking(move || resume.output().expect("runs"));
    asked(&world, &unit, DriveVerb::Resume).await;
    world.report(&mut unit, is_drive(DriveVerb::Resume), CommandOutcome::Applied).await;
    let done = waiting.await.expect("ends");
    assert!(done.status.success());
    let view: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(view["told"], "started");

    // Or it does not.
    let mut pause = folder.command(&[&["trip", "pause", &id], &reason[..]].concat());
    let waiting = tokio::task::spawn_blocking(move || pause.output().expect("runs"));
    asked(&world, &unit, DriveVerb::Pause).await;
    world.report(&mut unit, is_drive(DriveVerb::Pause), CommandOutcome::Refused).await;
    assert_eq!(waiting.await.expect("ends").status.code(), Some(REFUSED));
    folder.fails(&["trip", "cancel", &id, "--reason", "too late"], REFUSED, "has started");
    folder.fails(&["trip", "stop", &id, "--reason", " "], REFUSED, "reason must say why");
}

#[tokio::test]
async fn a_trip_is_closed_its_case_resolved_and_all_of_it_is_on_record() {
    let folder = Folder::new();
    let world = folder.world().await;
    let mut unit = Unit::new(1);
    let ride = world.started(1, &mut unit).await;
    let id = ride.trip.to_string();
    let closed = folder.json(&["trip", "close", &id, "--reason", "its unit is broken"]).remove(0);
    assert_eq!((&closed["told"], &closed["charged_paise"]), (&"ended".into(), &3_000.into()));
    assert!(folder.json(&["trip", "list"]).is_empty(), "none is under way");
    assert_eq!(folder.json(&["trip", "list", "--all"]).len(), 1);
    assert!(folder.json(&["case", "list"]).is_empty());

    unit.drive(1_000, 100);
    let stopped = unit.step(ride.trip, stop(1_000));
    world.tell(&mut unit, vec![stopped]).await;
    let case = folder.json(&["case", "list"]).remove(0);
    assert_eq!((&case["kind"], &case["driven"]["distance_m"]), (&"closed".into(), &1_000.into()));
    let case = case["id"].as_str().expect("an id").to_owned();
    folder.json(&["case", "resolve", &case, "--reason", "paid by hand"]);
    assert!(folder.json(&["case", "list"]).is_empty());
    folder.fails(&["case", "resolve", &case, "--reason", "again"], REFUSED, "was resolved by cli");

    let order = ride.order.to_string();
    let shown = folder.json(&["order", "show", &order]).remove(0);
    assert_eq!((&shown["state"], &shown["charged_paise"]), (&"completed".into(), &3_000.into()));
    assert_eq!(folder.json(&["order", "list", "--state", "completed"]).len(), 1);
    folder.fails(&["order", "cancel", &order, "--reason", "late"], REFUSED, "cannot be cancelled");
    let entries = folder.json(&["audit"]);
    let kinds: Vec<_> =
        entries.iter().filter(|it| it["actor"] == "cli").map(|it| &it["kind"]).collect();
    assert!(kinds.contains(&&"trip-commanded".into()) && kinds.contains(&&"case-resolved".into()));
}
