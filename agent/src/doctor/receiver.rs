//! The receiver: its port, its rate, and what its antenna hears.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::Finding;
use crate::config::{Baud, Config};
use crate::control::message::Status;
use crate::error::AgentError;
use crate::receiver::{self, Finder, INPUTS_MAX, Input, NO_LINE, SkyStatus};
use crate::time::{FLOOR, Stopwatch};

const CHECK: &str = "receiver";
const ANTENNA: &str = "antenna";

/// Longest time to listen for anything that makes sense, in s: every rate has its turn.
const LISTEN_S_MAX: u64 = 20;

/// The same where there are several ports to listen at, in s.
const CHOICE_S_MAX: u64 = 60;

/// How long a receiver that is heard is given to tell a position, in s.
const POSITION_S_MAX: u64 = 12;

/// A fix older than this is none, in ms.
const FIX_AGE_MS_MAX: i64 = 10_000;

/// Best carrier to noise density below which an antenna hears nothing of use, in dB-Hz.
const CN0_MIN: u8 = 20;

/// What listening gave.
#[derive(Debug, Default)]
struct Listened {
    port: Option<PathBuf>,
    baud: Option<u32>,
    bytes: u64,
    position: bool,
    sky: SkyStatus,
}

pub(super) async fn check(config: &Config, status: Option<&Status>) -> Vec<Finding> {
    match status {
        Some(status) => ask(config, status),
        None => look(config).await,
    }
}

/// The running agent has the port; it knows.
fn ask(config: &Config, status: &Status) -> Vec<Finding> {
    let Some(port) = &status.receiver.port else {
        return vec![missing(&config.receiver.port.to_string())];
    };
    let port = port.display();
    if config.receiver.replay.is_some() {
        let remedy = "leave [receiver] replay out where a receiver is to be read";
        return vec![Finding::note(CHECK, format!("the recording {port} is replayed"), remedy)];
    }
    let heard = match (status.receiver_heard, status.receiver.baud) {
        (true, Some(baud)) => Finding::good(CHECK, format!("{port} speaks at {baud} baud")),
        (_, baud) => return vec![not_heard(config, &port.to_string(), baud, status)],
    };
    let age_ms = status.view.fix.as_ref().map(|fix| status.view.at_unix_ms - fix.at_unix_ms);
    let position = age_ms.is_some_and(|age_ms| age_ms <= FIX_AGE_MS_MAX);
    vec![heard, antenna(position, status.receiver.hearing.sky)]
}

/// The running agent hears nothing that makes sense.
fn not_heard(config: &Config, port: &str, baud: Option<u32>, status: &Status) -> Finding {
    let bytes = status.receiver.hearing.bytes;
    let (found, remedy) = match (baud, config.receiver.baud) {
        (Some(baud), _) => (
            format!("{port} was understood at {baud} baud and is silent, or makes no sense, now"),
            "check the receiver's power and wiring",
        ),
        (None, Baud::Fixed(fixed)) if bytes > 0 => (
            format!("what {port} sends makes no sense at {fixed} baud: is the baud rate wrong?"),
            "set [receiver] baud = \"auto\", which finds the rate, and look again in half a minute",
        ),
        (None, _) => (
            format!("the running agent has {port} open and understands nothing there yet"),
            "give it half a minute to try every rate; else check the receiver's power and wiring",
        ),
    };
    Finding::fault(CHECK, found, remedy)
}

/// No agent runs: the port is opened and listened to.
async fn look(config: &Config) -> Vec<Finding> {
    let mut listening = config.receiver.clone();
    (listening.baud, listening.configure) = (Baud::Auto, false);
    let mut finder = Finder::new(listening, FLOOR);
    let seconds = if finder.has_choice() { CHOICE_S_MAX } else { LISTEN_S_MAX };
    let source = match finder.open() {
        Ok(source) => source,
        Err(AgentError::NoReceiver { path }) => return vec![missing(&path.to_string_lossy())],
        Err(error @ AgentError::ReceiverRefused { .. }) if error.to_string().contains(NO_LINE) => {
            let remedy = format!("set [receiver] port; there are: {}", serial_devices().join(", "));
            return vec![Finding::fault(CHECK, error.to_string(), remedy)];
        }
        Err(error) => {
            let remedy = "give the agent's user access to the port (group dialout on Debian), and \
                          close what else has it open";
            return vec![Finding::fault(CHECK, error.to_string(), remedy)];
        }
    };
    let (input_tx, input) = mpsc::channel(INPUTS_MAX);
    let (status_tx, status) = watch::channel(receiver::Status::default());
    let task =
        tokio::spawn(receiver::run(finder, Some(source), input_tx, status_tx, Stopwatch::new()));
    let listened = listen(input, status, seconds).await;
    task.abort();
    judge(config, &listened)
}

async fn listen(
    mut input: mpsc::Receiver<Input>,
    mut status: watch::Receiver<receiver::Status>,
    seconds: u64,
) -> Listened {
    let mut listened = Listened::default();
    let mut until = Instant::now() + Duration::from_secs(seconds);
    while listened.baud.is_none() || !listened.position {
        tokio::select! {
            () = sleep_until(until) => break,
            one = input.recv() => match one {
                Some(Input::Observation(..)) => listened.position = true,
                // Nothing heard at one port: the next is tried.
                Some(Input::Opened | Input::Closed) => {}
                None => break,
            },
            changed = status.changed() => if changed.is_err() { break },
        }
        let now = status.borrow_and_update().clone();
        if listened.baud.is_none() && now.baud.is_some() {
            until = Instant::now() + Duration::from_secs(POSITION_S_MAX);
        }
        listened.baud = now.baud.or(listened.baud);
        listened.port = now.port.or(listened.port);
        (listened.bytes, listened.sky) = (now.hearing.bytes, now.hearing.sky);
    }
    listened
}

fn judge(config: &Config, listened: &Listened) -> Vec<Finding> {
    let Some(baud) = listened.baud else {
        return vec![not_understood(&config.receiver.port.to_string(), listened.bytes)];
    };
    let port = listened.port.as_deref().map(Path::to_string_lossy).unwrap_or_default();
    let rate = match config.receiver.baud {
        Baud::Fixed(fixed) if fixed != baud => Finding::fault(
            CHECK,
            format!("wrong baud rate: {port} speaks at {baud} baud, [receiver] baud is {fixed}"),
            format!("set [receiver] baud = {baud}, or \"auto\""),
        ),
        Baud::Fixed(_) | Baud::Auto => {
            Finding::good(CHECK, format!("{port} speaks at {baud} baud"))
        }
    };
    vec![rate, antenna(listened.position, listened.sky)]
}

fn not_understood(port: &str, bytes: u64) -> Finding {
    if bytes == 0 {
        return Finding::fault(
            CHECK,
            format!("{port} is silent: not one byte in {LISTEN_S_MAX} s"),
            "check the receiver's power, and that its TX goes to the board's RX",
        );
    }
    Finding::fault(
        CHECK,
        format!("{port} sends {bytes} bytes that make no sense at any usual baud rate"),
        "is it a GNSS receiver? Check the wiring, its ground above all, and its baud rate",
    )
}

fn missing(port: &str) -> Finding {
    let there = serial_devices();
    let remedy = if there.is_empty() {
        "plug the receiver in; there is no serial device on this board at all".to_owned()
    } else {
        format!("plug the receiver in, or set [receiver] port; there are: {}", there.join(", "))
    };
    Finding::fault(CHECK, format!("missing: there is no serial device {port}"), remedy)
}

/// The serial devices a receiver may be at, by their lasting names where they have some.
fn serial_devices() -> Vec<String> {
    let names = |dir: &str, wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
        let entries = std::fs::read_dir(Path::new(dir)).into_iter().flatten().flatten();
        let paths = entries.filter(|entry| wanted(&entry.file_name().to_string_lossy()));
        paths.map(|entry| entry.path().to_string_lossy().into_owned()).collect()
    };
    let mut found = names("/dev/serial/by-id", &|_| true);
    if found.is_empty() {
        const PREFIXES: [&str; 5] = ["ttyUSB", "ttyACM", "ttyAMA", "ttyS", "ttymxc"];
        found = names("/dev", &|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
    }
    found.sort_unstable();
    found
}

fn hears(sky: SkyStatus) -> bool {
    sky.in_view > 0 && sky.cn0_max.is_none_or(|cn0| cn0 >= CN0_MIN)
}

fn antenna(position: bool, sky: SkyStatus) -> Finding {
    let SkyStatus { in_view, cn0_max, .. } = sky;
    let best = cn0_max.map_or("none heard".to_owned(), |cn0| format!("the best at {cn0} dB-Hz"));
    if position && !sky.told {
        return Finding::good(ANTENNA, "position known");
    }
    if position {
        return Finding::good(ANTENNA, format!("position known; {in_view} satellites, {best}"));
    }
    if !sky.told {
        return Finding::fault(
            ANTENNA,
            "no position, and the receiver does not say what its antenna hears",
            "a cold receiver needs a minute under open sky: look again; else check the antenna",
        );
    }
    if hears(sky) {
        return Finding::fault(
            ANTENNA,
            format!("no position yet, though {in_view} satellites are in view, {best}"),
            "a cold receiver needs a minute under open sky: look again; else move the antenna",
        );
    }
    Finding::fault(
        ANTENNA,
        format!("blind: the receiver is heard and hears no satellite ({in_view} in view, {best})"),
        "check the antenna's plug and cable, and that it sees the sky: not in a garage, not under metal",
    )
}
