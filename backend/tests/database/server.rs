//! A PostgreSQL server of a test's own, to be killed or set up badly; `scripts/with-postgres` has the one that all
//! others share. It listens on a socket in its folder, where nobody else gets in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Longest wait for a server to come back.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A server. Dropped, it and its data are gone.
pub(crate) struct Server {
    programs: PathBuf,
    folder: tempfile::TempDir,
}

impl Server {
    /// Makes and starts one; `None` where PostgreSQL is not installed.
    pub(crate) fn start(settings: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            eprintln!("\n*** PostgreSQL SKIPPED: its server is not installed ***\n");
            return None;
        };
        // Not in TMPDIR, which may lie where the server's user cannot enter.
        let folder = tempfile::Builder::new().prefix("tripline-server").tempdir_in("/tmp");
        let server = Self { programs, folder: folder.expect("a folder") };
        if is_root() {
            let path = server.folder.path();
            let owned = Command::new("chown").arg("postgres:").arg(path).status();
            assert!(owned.expect("chown").success());
        }
        let made = server.run("initdb", &["--username=tripline", "--auth=trust", "--no-sync"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.set(settings);
        server.start_again();
        Some(server)
    }

    /// The URL of its only database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://tripline@localhost/postgres?host={}", self.folder.path().display())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn set(&self, settings: &str) {
        let path = self.data().join("postgresql.conf");
        let mut text = fs::read_to_string(&path).expect("read");
        let folder = self.folder.path().display();
        text += "\nlisten_addresses = ''\n";
        text += &format!("unix_socket_directories = '{folder}'\n{settings}\n");
        fs::write(path, text).expect("written");
    }

    /// Starts it, as soon as what was killed is gone.
    pub(crate) fn start_again(&self) {
        let log = self.folder.path().join("log");
        let log = format!("--log={}", log.display());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let started = self.run("pg_ctl", &["start", "--wait", &log]);
            if started.status.success() {
                return;
            }
            assert!(Instant::now() < deadline, "{}", String::from_utf8_lossy(&started.stderr));
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Ends it without giving anybody time to finish.
    pub(crate) fn stop_at_once(&self) {
        let stopped = self.run("pg_ctl", &["stop", "--mode=immediate", "--wait"]);
        assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
    }

    /// Kills its first process, as the kernel does that runs out of memory.
    pub(crate) fn kill(&self) {
        let pid = fs::read_to_string(self.data().join("postmaster.pid")).expect("it runs");
        let pid = pid.lines().next().expect("a process id");
        assert!(Command::new("kill").args(["-9", pid]).status().expect("kill").success());
    }

    /// Runs one of its programs over its data.
    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.arg("--pgdata").arg(self.data()).args(arguments);
        // Not our output: the server would keep it open after we are gone.
        let out = self.folder.path().join("out");
        let _ = fs::remove_file(&out);
        let file = fs::File::create(&out).expect("made");
        command.current_dir(self.folder.path()).stdout(file.try_clone().expect("twice"));
        let status = command.stderr(file).status().expect("it runs");
        Output { status, stdout: Vec::new(), stderr: fs::read(out).expect("read") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.run("pg_ctl", &["stop", "--mode=immediate", "--wait"]);
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id");
    output.stdout.starts_with(b"0\n")
}

/// Debian keeps them out of PATH, one folder a version; the newest one serves.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let number = |path: &Path| -> u32 {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(|name| name.parse().ok()).unwrap_or_default()
    };
    let newest = versions.map(|entry| entry.path()).max_by_key(|path| number(path))?;
    Some(newest.join("bin")).filter(|bin| bin.join("initdb").exists())
}
