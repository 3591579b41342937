//! A running process of ours.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::PATIENCE;

/// Longest wait for a process to end when told to.
const GOODBYE: Duration = Duration::from_secs(10);

/// A running process. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    name: String,
    log: std::path::PathBuf,
}

impl Process {
    pub(super) fn spawn(program: &Path, arguments: &[&str], log: &Path) -> Result<Self> {
        let errors = OpenOptions::new().create(true).append(true).open(log)?;
        let mut child = Command::new(program)
            .args(arguments)
            .env("TRIPLINE_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let stdout = child.stdout.take().context("standard output")?;
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { child, lines: BufReader::new(stdout).lines(), name, log: log.into() })
    }

    /// The next line on its standard output.
    pub async fn line(&mut self) -> Result<String> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        if let Some(line) = line.context("it says nothing")?? {
            return Ok(line);
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        bail!("{} ended: {}", self.name, log.lines().last().unwrap_or("without a word"))
    }

    fn pid(&self) -> Result<Pid> {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        pid.with_context(|| format!("{} ended before it was told to", self.name))
    }

    /// The memory it has in RAM, in KiB, as the kernel counts it.
    pub fn resident_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("VmRSS")?.parse()?)
    }

    /// Lets it write no file beyond so many bytes.
    pub(super) fn limit_files(&self, bytes_max: Option<u64>) -> Result<()> {
        let limit = Rlimit { current: bytes_max, maximum: None };
        prlimit(Some(self.pid()?), Resource::Fsize, limit)?;
        Ok(())
    }

    /// Lets it have so many files and connections open.
    pub fn limit_descriptors(&self, max: u64) -> Result<()> {
        let limit = Rlimit { current: Some(max), maximum: Some(max) };
        prlimit(Some(self.pid()?), Resource::Nofile, limit)?;
        Ok(())
    }

    /// Something that ends it with SIGKILL, for whoever does not own it.
    pub(super) fn executioner(&self) -> Result<impl FnOnce() -> Result<()> + Send + 'static> {
        let pid = self.pid()?;
        Ok(move || kill_process(pid, Signal::KILL).context("kill"))
    }

    /// Ends it with SIGKILL: it has no chance to tidy up.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("kill")
    }

    /// Ends it with SIGTERM, and insists that it ends well.
    pub async fn terminate(mut self) -> Result<()> {
        kill_process(self.pid()?, Signal::TERM)?;
        match tokio::time::timeout(GOODBYE, self.child.wait()).await {
            Ok(status) => {
                let status = status?;
                if !status.success() {
                    bail!("{} ended with {status}", self.name);
                }
                Ok(())
            }
            Err(_) => bail!("{} does not end when told to", self.name),
        }
    }
}
