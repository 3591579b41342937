//! The three binaries: where they are, and how to make them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::process::Process;

const NAMES: [&str; 3] = ["tripline-bpp", "tripline-agent", "tripline-sim"];

/// Where the binaries are.
#[derive(Debug, Clone)]
pub struct Binaries {
    dir: PathBuf,
}

impl Binaries {
    /// Finds them beside the running executable, where Cargo puts them.
    pub fn find() -> Result<Self> {
        let executable = std::env::current_exe()?;
        let dir = executable
            .ancestors()
            .skip(1)
            .take(2)
            .find(|dir| NAMES.iter().all(|name| dir.join(name).is_file()))
            .context("the binaries are not built: run `cargo build --workspace --bins` first")?;
        Ok(Self { dir: dir.into() })
    }

    /// Where one of them is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Starts one, its standard error going to the end of `log`.
    pub fn spawn(&self, name: &str, arguments: &[&str], log: &Path) -> Result<Process> {
        Process::spawn(&self.dir.join(name), arguments, log)
    }

    /// Runs one to its end; gives its exit code and standard output.
    pub async fn run(&self, name: &str, arguments: &[&str]) -> Result<(i32, String)> {
        let output = tokio::process::Command::new(self.dir.join(name))
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .await?;
        let code = output.status.code().context("killed by a signal")?;
        Ok((code, String::from_utf8(output.stdout)?))
    }

    /// Runs a command of the platform that must succeed; gives its JSON.
    pub fn bpp(&self, arguments: &[&str]) -> Result<Value> {
        self.json("tripline-bpp", arguments)
    }

    /// Runs a command of a binary that must succeed; gives its JSON.
    pub fn json(&self, name: &str, arguments: &[&str]) -> Result<Value> {
        let output = Command::new(self.dir.join(name)).args(arguments).output()?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("{name} {} failed: {error}", arguments.join(" "));
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("the JSON of {name}"))
    }

    /// The same for one that prints an object a line, and without holding up the stubs of this process,
    /// which it may have to talk to.
    pub async fn json_lines(&self, name: &str, arguments: &[&str]) -> Result<Vec<Value>> {
        let mut command = tokio::process::Command::new(self.dir.join(name));
        let output = command.args(arguments).stdin(Stdio::null()).output().await?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("{name} {} failed: {error}", arguments.join(" "));
        }
        let lines = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
        lines.collect::<Result<_, _>>().with_context(|| format!("the JSON of {name}"))
    }

    /// Runs a binary that is expected to fail; gives its exit code and standard error.
    pub async fn fail(&self, name: &str, arguments: &[&str]) -> Result<(i32, String)> {
        let output = tokio::process::Command::new(self.dir.join(name))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await?;
        let code = output.status.code().context("killed by a signal")?;
        Ok((code, String::from_utf8(output.stderr)?))
    }
}

/// Builds the binaries with the Cargo that runs us, in its own profile.
pub fn build() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--bins"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).stdout(Stdio::null());
    let status = command.status().context("cargo cannot be run")?;
    if !status.success() {
        bail!("the binaries do not build");
    }
    Ok(())
}
