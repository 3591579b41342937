//! The released programs, and the platform under load: `tripline-bpp`, from a fresh folder.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::running::{LOOK_EVERY, Running, free_port};

/// Longest wait for all vehicles to be connected.
const CONNECTED_WITHIN: Duration = Duration::from_mins(5);

/// The released programs.
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// Builds platform and simulator, as they are released. A bench that is tried out without
    /// optimisation takes those that are there.
    pub(crate) fn build() -> Result<Self> {
        if !cfg!(debug_assertions) {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let status = Command::new(cargo)
                .args(["build", "--release", "--locked", "-p", "tripline-backend", "-p"])
                .arg("tripline-firmware-sim")
                .status()?;
            ensure!(status.success(), "the release build failed");
        }
        // This bench stands in <target>/<profile>/deps.
        let own = std::env::current_exe()?;
        Ok(Self(own.ancestors().nth(2).context("<target>/<profile>")?.to_path_buf()))
    }

    /// Where one of them is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// A platform, running or not.
pub(crate) struct Platform {
    program: PathBuf,
    /// Its configuration file.
    pub(crate) config: PathBuf,
    /// What it runs with beside that file; its command line needs the same.
    pub(crate) env: Vec<(&'static str, String)>,
    beckn_port: u16,
    admin_port: u16,
    running: Option<Running>,
}

impl Platform {
    /// Makes its folder.
    pub(crate) fn init(programs: &Programs, dir: &Path, url: Option<&str>) -> Result<Self> {
        let program = programs.path("tripline-bpp");
        let (admin_port, beckn_port) = (free_port()?, free_port()?);
        let mut env = vec![
            ("TRIPLINE_BPP_BECKN__LISTEN", format!("127.0.0.1:{beckn_port}")),
            ("TRIPLINE_BPP_BECKN__URI", format!("http://127.0.0.1:{beckn_port}/beckn")),
            ("TRIPLINE_BPP_DEVICE__LISTEN", format!("127.0.0.1:{}", free_port()?)),
            ("TRIPLINE_BPP_ENROL__LISTEN", format!("127.0.0.1:{}", free_port()?)),
            ("TRIPLINE_BPP_ADMIN__LISTEN", format!("127.0.0.1:{admin_port}")),
            // The fleet comes from one address.
            ("TRIPLINE_BPP_DEVICE__CONNECTS_PER_ADDRESS_PER_S", "10000".into()),
        ];
        env.extend(url.map(|url| ("TRIPLINE_BPP_STORE__URL", url.to_owned())));
        let init = Command::new(&program)
            .arg("init")
            .arg("--dir")
            .arg(dir)
            .envs(env.iter().cloned())
            .stdout(Stdio::null())
            .status()?;
        ensure!(init.success(), "tripline-bpp init: {init}");
        let config = dir.join("bpp.toml");
        Ok(Self { program, config, env, beckn_port, admin_port, running: None })
    }

    /// Its registered address.
    pub(crate) fn beckn_uri(&self) -> String {
        format!("http://127.0.0.1:{}/beckn", self.beckn_port)
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn start(&mut self) -> Result<()> {
        let mut running = Running::spawn(
            Command::new(&self.program)
                .args(["serve", "--json", "--log", "error", "--config"])
                .arg(&self.config)
                .envs(self.env.iter().cloned())
                .stdout(Stdio::piped()),
        )?;
        let stdout = running.child().stdout.take().context("standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line.starts_with('{'), "tripline-bpp serve did not start");
        self.running = Some(running);
        Ok(())
    }

    /// Stops it.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let status = self.running.take().context("it does not run")?.stop()?;
        ensure!(status.success(), "tripline-bpp serve: {status}");
        Ok(())
    }

    /// Stops it and starts it again.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.start()
    }

    /// Its processor time so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        self.running.as_ref().context("it does not run")?.cpu()
    }

    /// Its resident memory.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        self.running.as_ref().context("it does not run")?.resident_bytes()
    }

    /// Waits until so many vehicles are connected, by its own count.
    pub(crate) fn wait_for_connections(&self, vehicles: u64) -> Result<()> {
        let deadline = Instant::now() + CONNECTED_WITHIN;
        while self.connected()? < vehicles {
            ensure!(Instant::now() < deadline, "{} of {vehicles} connected", self.connected()?);
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Whether it says that it is well.
    pub(crate) fn is_well(&self) -> Result<bool> {
        Ok(self.get("/health")?.ends_with("ok\n"))
    }

    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin_port))?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn connected(&self) -> Result<u64> {
        let answer = self.get("/metrics")?;
        let line = answer.lines().find_map(|line| line.strip_prefix("tripline_devices_connected "));
        Ok(line.context("tripline_devices_connected in /metrics")?.trim().parse()?)
    }
}
