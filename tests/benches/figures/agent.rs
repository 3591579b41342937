//! The real agent at one fix a second: memory, processor time a fix, size of the binary.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tripline_tests::nowhere;

use crate::{Data, Row};

/// How long the agent is left alone first, and how long it is watched.
const WARM_UP: Duration = Duration::from_secs(20);
const WATCHED: Duration = Duration::from_mins(1);

/// A program that is ended with the bench.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn rows(data: &Data) -> Vec<Row> {
    let programs = build();
    let agent = programs.join("tripline-agent");
    let size = fs::metadata(&agent).expect("it was built").len();
    let dir = tempfile::tempdir().expect("a folder");
    let trace = data.0.join("traces/MTV.Local1.ublox-F9K.20200206-181434.nmea");
    let pty = dir.path().join("gnss");
    let _receiver = play(&programs.join("tripline-sim"), &trace, &pty);
    let running = start(&agent, dir.path(), &pty);
    let pid = running.0.id();
    sleep(WARM_UP);
    let (cpu_before, fixes_before) = (cpu_ns(pid), fixes(&agent, dir.path()));
    let begun = Instant::now();
    sleep(WATCHED);
    let (cpu, fixes) = (cpu_ns(pid) - cpu_before, fixes(&agent, dir.path()) - fixes_before);
    let seconds = begun.elapsed().as_secs_f64();
    let memory_kb = memory_kb(pid);
    drop(running);
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let as_f64 = |value: u64| value as f64;
    vec![
        Row {
            measure: "agent at 1 Hz: memory",
            reach: "<= 8 MB RSS",
            measured: format!("{:.1} MB", as_f64(memory_kb) / 1000.0),
        },
        Row {
            measure: "agent at 1 Hz: all its processor time, wake-ups and all, per fix",
            reach: "<= 20 us",
            measured: format!(
                "{:.0} us ({fixes} fixes in {seconds:.0} s)",
                as_f64(cpu) / 1000.0 / as_f64(fixes)
            ),
        },
        Row {
            measure: "for comparison: a bare wake-up on this machine",
            reach: "",
            measured: format!("{:.0} us", as_f64(wake_up_ns()) / 1000.0),
        },
        Row {
            measure: "agent as fast as it can: processor time per fix, journal and all",
            reach: "<= 20 us",
            measured: format!("{:.1} us", as_f64(replay(&agent, &trace)) / 1000.0),
        },
        Row {
            measure: "agent: stripped binary",
            reach: "<= 5 MB",
            measured: format!("{:.2} MB", as_f64(size) / 1e6),
        },
    ]
}

/// Builds what the vehicle runs, as it is released.
fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--locked", "-p", "tripline-agent", "-p"])
        .arg("tripline-firmware-sim")
        .status();
    assert!(status.is_ok_and(|status| status.success()), "the release build failed");
    // This bench stands in <target>/release/deps.
    let own = std::env::current_exe().expect("a program knows where it is");
    own.ancestors().nth(2).expect("<target>/release").to_path_buf()
}

fn play(simulator: &Path, trace: &Path, pty: &Path) -> Running {
    let mut child = Command::new(simulator)
        .arg("receiver")
        .args(["--json", "--from", "780", "--baud", "115200", "--pty"])
        .arg(pty)
        .arg("--trace")
        .arg(trace)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the simulator starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("its standard output");
    BufReader::new(stdout).read_line(&mut line).expect("it says that it is ready");
    Running(child)
}

fn start(agent: &Path, dir: &Path, pty: &Path) -> Running {
    run(agent, dir, &format!("port = '{}'\nbaud = 115200", pty.display()))
}

/// Without a backend, so that every fix stays to be counted; every fix is kept.
fn run(agent: &Path, dir: &Path, receiver: &str) -> Running {
    let text = format!(
        "data_dir = '{}'\n[receiver]\n{receiver}\n[trail]\nmoving = \"full\"\nparked = \"full\"\n",
        dir.display()
    );
    let config = dir.join("agent.toml");
    fs::write(&config, text).expect("written");
    nowhere::enrol(dir).expect("it has an identity");
    let child = Command::new(agent)
        .args(["run", "--log", "error", "--config"])
        .arg(config)
        .stderr(Stdio::null())
        .spawn()
        .expect("the agent starts");
    Running(child)
}

/// Processor time of a fix when a recording is played without a pause, journalled and all, in ns.
fn replay(agent: &Path, trace: &Path) -> u64 {
    let dir = tempfile::tempdir().expect("a folder");
    let running =
        run(agent, dir.path(), &format!("replay = '{}'\nreplay_speed = 0", trace.display()));
    let pid = running.0.id();
    let mut last = 0;
    loop {
        sleep(Duration::from_millis(500));
        let now = try_fixes(agent, dir.path()).unwrap_or_default();
        if now > 0 && now == last {
            return cpu_ns(pid) / now;
        }
        last = now;
    }
}

/// Processor time that a thread needs to wake up from a sleep and go to sleep again, in ns.
fn wake_up_ns() -> u64 {
    const TIMES: u32 = 40;
    let watched = std::thread::spawn(|| {
        let own = || -> u64 {
            let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
            text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
        };
        let before = own();
        for _ in 0..TIMES {
            sleep(Duration::from_millis(250));
        }
        (own() - before) / u64::from(TIMES)
    });
    watched.join().expect("it only sleeps")
}

/// Processor time of all its threads so far, in ns.
fn cpu_ns(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}

fn memory_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}

fn fixes(agent: &Path, dir: &Path) -> u64 {
    try_fixes(agent, dir).expect("the agent answers")
}

/// How many fixes wait for a backend.
fn try_fixes(agent: &Path, dir: &Path) -> Option<u64> {
    let output = Command::new(agent)
        .args(["trip", "--json", "--socket"])
        .arg(dir.join("agent.sock"))
        .arg("show")
        .output()
        .ok()?;
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    answer.pointer("/backlog/fixes")?.as_u64()
}
