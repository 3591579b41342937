//! A running simulator and a reader of its port. Whatever a test waits for comes within [`PATIENCE`] or
//! the test fails; nothing waits longer than it must.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use serde_json::Value;
use tempfile::TempDir;
use tripline_firmware_sim::control::ControlClient;
use tripline_firmware_sim::sentence::Sentence;
use tripline_firmware_sim::utc::{midnight_unix_ms, short_date_unix_ms, time_of_day_ms};

/// Far more than a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A satellite sentence without a time, in each epoch of [`drive`].
pub(crate) const GSV: &str = "$GPGSV,1,1,01,02,25,181,42*43";

/// A line that lost a few bytes on its way into the log, in each epoch of [`drive`].
pub(crate) const DAMAGED: &str = "$GPGGA,2359523000,N*51";

/// Five epochs a second, from two seconds before the end of 2019 on.
pub(crate) fn drive(epochs: i64) -> String {
    let start_unix_ms = midnight_unix_ms(2019, 12, 31).expect("a date") + 86_398_000;
    (0..epochs).map(|index| epoch(start_unix_ms + index * 200)).collect()
}

fn epoch(unix_ms: i64) -> String {
    let time = tripline_firmware_sim::utc::format_time_of_day(unix_ms, 2);
    let date = tripline_firmware_sim::utc::civil(unix_ms).date();
    let date = format!("{:02}{:02}{:02}", date.day(), date.month(), date.year() % 100);
    let gga = format!("GPGGA,{time},3725.58362,N,12205.61915,W,1,12,0.76,4.4,M,-30.0,M,,");
    let rmc = format!("GPRMC,{time},A,3725.58362,N,12205.61915,W,10.028,65.13,{date},,,A");
    let line = |fields: &str| {
        String::from_utf8(Sentence::new(fields.split(',')).to_line()).expect("ascii")
    };
    format!("{}{GSV}\n{DAMAGED}\n{}", line(&gga), line(&rmc))
}

/// The moment an RMC speaks of.
pub(crate) fn rmc_unix_ms(rmc: &Sentence) -> i64 {
    let midnight = short_date_unix_ms(rmc.field(9)).expect("a date");
    midnight + time_of_day_ms(rmc.field(1)).expect("a time")
}

/// A running `tripline-sim receiver`. Dropping it ends it by SIGTERM and checks that it tidied up.
pub(crate) struct Simulator {
    pub(crate) pty: PathBuf,
    pub(crate) control: PathBuf,
    pub(crate) ready: Value,
    child: Child,
    stdout: Receiver<String>,
    _dir: TempDir,
}

impl Simulator {
    pub(crate) fn play(trace: &str, more_args: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("trace"), trace).expect("a trace");
        Self::play_in(dir, more_args)
    }

    /// In a directory with a file `trace`, and perhaps other things in the way.
    pub(crate) fn play_in(dir: TempDir, more_args: &[&str]) -> Self {
        let (pty, control) = (dir.path().join("gnss"), dir.path().join("levers"));
        let mut child = receiver(dir.path())
            .args(["--json", "--control"])
            .arg(&control)
            .args(more_args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulator");
        let (lines, stdout) = mpsc::channel();
        let pipe = BufReader::new(child.stdout.take().expect("piped"));
        thread::spawn(move || pipe.lines().map_while(Result::ok).try_for_each(|l| lines.send(l)));
        let mut simulator = Self { pty, control, ready: Value::Null, child, stdout, _dir: dir };
        simulator.ready = simulator.event("ready");
        simulator
    }

    /// The next event, which must be this one.
    pub(crate) fn event(&self, name: &str) -> Value {
        let line = self.stdout.recv_timeout(PATIENCE).expect(name);
        let event: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(event["event"], name);
        event
    }

    pub(crate) fn pull(&self, lever: &str) -> String {
        let mut client = ControlClient::connect(&self.control).expect("a control socket");
        client.pull(lever).expect("an answer")
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.pull("status")).expect("JSON")
    }

    /// Asks for the status until it is as awaited.
    pub(crate) fn status_where(&self, awaited: impl Fn(&Value) -> bool) -> Value {
        until("a status", || Some(self.status()).filter(&awaited))
    }

    pub(crate) fn number(&self, name: &str) -> i64 {
        self.ready[name].as_i64().expect(name)
    }

    pub(crate) fn reader(&self, baud: u32) -> Reader {
        Reader::open(&self.pty, baud)
    }

    pub(crate) fn end(&mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        if self.child.try_wait().expect("a child").is_none() {
            kill_process(pid, Signal::TERM).expect("a signal");
        }
        until("the end", || self.child.try_wait().expect("a child"))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            return;
        }
        assert_eq!(self.end().code(), Some(0));
        assert!(self.pty.symlink_metadata().is_err(), "the link is left over");
        assert!(!self.control.exists(), "the control socket is left over");
    }
}

/// The receiver's command line, playing `trace` on `gnss` in this directory.
pub(crate) fn receiver(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline-sim"));
    command.arg("receiver").arg("--pty").arg(dir.join("gnss"));
    command.arg("--trace").arg(dir.join("trace"));
    command
}

/// Runs a command line that is to end by itself; its exit code and what it said on standard error.
pub(crate) fn outcome(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().expect("the simulator");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

/// Asks again and again until there is an answer.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Someone who has the port open, as an agent would.
pub(crate) struct Reader {
    pub(crate) port: File,
    chunks: Receiver<Vec<u8>>,
    pending: Vec<u8>,
}

impl Reader {
    pub(crate) fn open(pty: &Path, baud: u32) -> Self {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let port = rustix::fs::open(pty, flags, Mode::empty()).expect("the port");
        set_baud(&port, baud);
        let port = File::from(port);
        let mut reading = port.try_clone().expect("a file descriptor");
        let (chunk, chunks) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reading.read(&mut buffer) {
                if chunk.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { port, chunks, pending: Vec::new() }
    }

    pub(crate) fn set_baud(&self, baud: u32) {
        set_baud(&self.port.try_clone().expect("a file descriptor").into(), baud);
    }

    /// The next line, without its line feed.
    pub(crate) fn line(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return line[..end].to_vec();
            }
            self.pending.extend(self.chunks.recv_timeout(PATIENCE).expect("more bytes"));
        }
    }

    /// The next intact sentence that is as awaited, whatever comes before it.
    pub(crate) fn sentence_where(&mut self, awaited: impl Fn(&Sentence) -> bool) -> Sentence {
        until("a sentence", || Sentence::parse(&self.line()).filter(&awaited))
    }

    pub(crate) fn rmc(&mut self) -> Sentence {
        self.sentence_where(|sentence| sentence.kind() == "RMC")
    }

    /// Reads this many bytes and counts the intact sentences among them.
    pub(crate) fn sentences_in(&mut self, bytes: usize) -> usize {
        while self.pending.len() < bytes {
            self.pending.extend(self.chunks.recv_timeout(PATIENCE).expect("more bytes"));
        }
        let read = std::mem::take(&mut self.pending);
        read.split(|byte| *byte == b'\n').filter(|line| Sentence::parse(line).is_some()).count()
    }

    /// Forgets what has arrived so far.
    pub(crate) fn forget(&mut self) {
        self.pending.clear();
        while self.chunks.try_recv().is_ok() {}
    }

    /// Whether nothing has arrived since [`Reader::forget`].
    pub(crate) fn heard_nothing(&self) -> bool {
        self.pending.is_empty() && self.chunks.try_recv().is_err()
    }

    /// Reads on until the port hangs up.
    pub(crate) fn hangs_up(&self) {
        until("the hangup", || {
            let read = self.chunks.recv_timeout(PATIENCE);
            (read == Err(RecvTimeoutError::Disconnected)).then_some(())
        });
    }
}

fn set_baud(port: &OwnedFd, baud: u32) {
    let mut settings = tcgetattr(port).expect("settings");
    settings.make_raw();
    settings.set_speed(baud).expect("a rate");
    tcsetattr(port, OptionalActions::Now, &settings).expect("settings");
}
