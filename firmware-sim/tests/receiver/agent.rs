//! The real agent at the simulated receiver: it finds the rate, sets up what can be set up, and comes
//! back to it wherever it turns up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::identity;
use crate::support::{Simulator, drive, until};

/// The agent's binary stands beside ours.
fn agent() -> Command {
    let path = Path::new(env!("CARGO_BIN_EXE_tripline-sim")).with_file_name("tripline-agent");
    assert!(path.is_file(), "run `cargo build --workspace --bins` first: no {}", path.display());
    Command::new(path)
}

/// A running agent, with no backend to be reached. Dropping it ends it by SIGTERM.
struct Agent {
    child: Child,
    dir: TempDir,
}

impl Agent {
    fn run(receiver: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let child = Self::command(&dir, receiver).stderr(Stdio::null()).spawn().expect("the agent");
        Self { child, dir }
    }

    /// `tripline-agent run` with these lines as `[receiver]`.
    fn command(dir: &TempDir, receiver: &str) -> Command {
        let config = dir.path().join("agent.toml");
        let data_dir = dir.path().join("data");
        let text = format!("data_dir = \"{}\"\n[receiver]\n{receiver}\n", data_dir.display());
        identity::enrol(&data_dir);
        fs::write(&config, text).expect("written");
        let mut command = agent();
        command.arg("run").arg("--config").arg(config);
        command
    }

    /// What `trip show` tells, once it is as awaited.
    fn show_where(&self, what: &str, awaited: impl Fn(&Value) -> bool) -> Value {
        until(what, || self.show().filter(&awaited))
    }

    fn show(&self) -> Option<Value> {
        let socket = self.dir.path().join("data/agent.sock");
        let mut command = agent();
        command.args(["trip", "--json", "--socket"]).arg(socket).arg("show");
        let Output { stdout, .. } = command.stderr(Stdio::null()).output().expect("trip show");
        serde_json::from_slice(&stdout).ok()
    }

    /// Waits for a fix later than all before.
    fn new_fix(&self) {
        let at = |answer: &Value| answer["fix"]["at_unix_ms"].as_i64();
        let before = self.show().as_ref().and_then(at);
        self.show_where("a new fix", |answer| at(answer) > before);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let status = self.child.wait().expect("an end");
        if !std::thread::panicking() {
            assert!(status.success(), "{status}");
        }
    }
}

fn port(path: &Path) -> String {
    format!("port = \"{}\"", path.display())
}

fn is_configured(answer: &Value) -> bool {
    answer["receiver"]["setup"] == "configured"
}

#[test]
fn the_rate_is_found_and_a_receiver_that_takes_no_commands_is_used_as_it_is() {
    let simulator = Simulator::play(&drive(50), &["--loop", "--baud", "115200"]);
    let agent = Agent::run(&port(&simulator.pty));
    let shown = agent
        .show_where("the conversation's end", |answer| answer["receiver"]["setup"] == "not-taken");
    assert_eq!(shown["receiver"]["baud"], 115_200);
    assert_eq!(shown["receiver"]["identity"], Value::Null);
    agent.new_fix();
}

#[test]
fn a_u_blox_receiver_of_any_generation_is_set_up_and_again_after_a_power_cut() {
    for protocol in ["18", "27", "34"] {
        let arguments = ["--loop", "--baud", "38400", "--ubx", protocol];
        let simulator = Simulator::play(&drive(50), &arguments);
        let agent = Agent::run(&format!("{}\nrate_hz = 5", port(&simulator.pty)));
        let shown = agent.show_where("the setup", is_configured);
        assert_eq!(shown["receiver"]["baud"], 38_400);
        assert_eq!(shown["receiver"]["identity"]["protocol"], format!("{protocol}.0"));
        assert_eq!(shown["receiver"]["identity"]["model"], "SIMULATED-0");
        let set = |status: &Value| {
            let ublox = &status["ublox"];
            ublox["pvt"] == true && ublox["dop"] == true && ublox["rate_ms"] == 200
        };
        assert!(set(&simulator.status()), "{protocol}: {}", simulator.status());
        agent.new_fix();

        assert_eq!(simulator.pull("unplug"), "ok");
        agent.show_where("the unplugging", |answer| answer["receiver_open"] == false);
        assert_eq!(simulator.pull("plug"), "ok");
        simulator.status_where(set);
        agent.new_fix();
    }
}

#[test]
fn nothing_is_written_to_a_receiver_that_is_not_to_be_configured() {
    let simulator = Simulator::play(&drive(50), &["--loop", "--ubx", "18"]);
    let lines = format!("{}\nbaud = 115200\nconfigure = false", port(&simulator.pty));
    let agent = Agent::run(&lines);
    agent.new_fix();
    agent.new_fix();
    let status = simulator.status();
    assert_eq!((&status["ublox"]["acked"], &status["ublox"]["pvt"]), (&0.into(), &false.into()));
    assert_eq!(agent.show().expect("an answer")["receiver"]["setup"], "untouched");
}

#[test]
fn a_receiver_that_comes_back_under_another_name_is_found() {
    let first = Simulator::play(&drive(50), &["--loop"]);
    let second = Simulator::play(&drive(50), &["--loop"]);
    assert_eq!(second.pull("unplug"), "ok");
    let pattern =
        |simulator: &Simulator| simulator.pty.with_file_name("gn?s*").display().to_string();
    let agent = Agent::run(&format!("port = [\"{}\", \"{}\"]", pattern(&first), pattern(&second)));
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |answer: &Value| {
            answer["receiver"]["port"] == *path && answer["receiver"]["baud"] == 115_200
        }
    };
    agent.show_where("the first port", at(&first.pty));
    assert_eq!(first.pull("unplug"), "ok");
    assert_eq!(second.pull("plug"), "ok");
    agent.show_where("the second port", at(&second.pty));
    agent.new_fix();
}

#[test]
fn of_several_ports_the_one_that_makes_sense_is_taken() {
    let noise = Simulator::play(&drive(50), &["--loop"]);
    assert_eq!(noise.pull("garbage on"), "ok");
    let receiver = Simulator::play(&drive(50), &["--loop"]);
    let ports = [&noise, &receiver].map(|one| one.pty.display().to_string());
    let agent = Agent::run(&format!("port = {ports:?}\nbaud = 115200"));
    agent.show_where("the receiver", |answer| {
        answer["receiver"]["port"] == *ports[1] && answer["receiver"]["baud"] == 115_200
    });
}

fn recording(dir: &TempDir, text: &str) -> PathBuf {
    let path = dir.path().join("drive.nmea");
    fs::write(&path, text).expect("written");
    path
}

#[test]
fn a_recording_is_replayed_in_place_of_a_receiver() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = recording(&dir, &drive(50));
    let agent = Agent::run(&format!("replay = \"{}\"\nreplay_speed = 0", path.display()));
    // GGA, GSV and RMC of each epoch, and a damaged line.
    let all = |answer: &Value| answer["sentences"]["valid"] == 150;
    let shown = agent.show_where("the end of the recording", all);
    assert_eq!(shown["receiver"]["port"], *path.display().to_string());
    assert_eq!(shown["sentences"]["lost"], 50);
    assert!(shown["fix"]["gps"].is_string(), "{shown}");
}

#[test]
fn what_is_not_there_or_makes_no_sense_is_named_with_its_exit_code() {
    let dir = tempfile::tempdir().expect("a directory");
    let fails = |receiver: &str, code, words: &[&str]| {
        let Output { status, stderr, .. } =
            Agent::command(&dir, receiver).output().expect("the agent");
        let said = String::from_utf8(stderr).expect("text");
        assert_eq!(status.code(), Some(code), "{said}");
        for word in words {
            assert!(said.contains(word), "{word} is not in: {said}");
        }
    };
    fails("port = \"/dev/no-such-port*\"", 4, &["/dev/no-such-port*", "plug the receiver in"]);
    fails("replay = \"/no/such/log\"", 4, &["/no/such/log", "[receiver] replay"]);
    let simulator = Simulator::play(&drive(50), &["--loop"]);
    assert_eq!(simulator.pull("garbage on"), "ok");
    let words = ["not one valid NMEA sentence at 9600, 38400, 115200", "[receiver] baud"];
    fails(&port(&simulator.pty), 5, &words);
}
