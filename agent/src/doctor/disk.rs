//! The data folder: whether it can be written, and whether there is room for the journal.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::Finding;
use crate::config::Config;
use crate::control::message::Status;
use crate::journal::disk::Fault;

const CHECK: &str = "disk";

/// The file a check writes, syncs and removes.
const PROBE_FILE: &str = "doctor-probe";

/// How much it writes: more than fits into what a full file system keeps for small files.
const PROBE_LEN: usize = 64 * 1024;

pub(super) fn check(config: &Config, status: Option<&Status>) -> Vec<Finding> {
    let mut findings = look(config);
    let journal = status.map(|status| &status.journal);
    if let Some((journal, advice)) = journal.and_then(|j| Some((j, j.advice.as_ref()?))) {
        findings.push(Finding::fault(
            "journal",
            format!("the running agent's journal is {}: {advice}", journal.health),
            "the agent takes the disk into use again by itself once it can be written",
        ));
    }
    findings
}

fn look(config: &Config) -> Vec<Finding> {
    let dir = config.data_dir.as_path();
    if dir.exists() && !dir.is_dir() {
        let found = format!("{} is a file", dir.display());
        return vec![Finding::fault(CHECK, found, "set data_dir to a folder")];
    }
    // Made by the agent's own user at its start; made here it might be root's.
    let Some(there) = dir.ancestors().find(|dir| dir.is_dir()) else {
        let found = format!("no folder on the way to {} exists", dir.display());
        return vec![Finding::fault(CHECK, found, "set data_dir to a place that exists")];
    };
    vec![probe(there).err().unwrap_or_else(|| room(config, there, dir))]
}

/// Writes, syncs and removes a file.
fn probe(dir: &Path) -> Result<(), Finding> {
    let path = dir.join(PROBE_FILE);
    let written = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(&vec![0x5a; PROBE_LEN]).and_then(|()| file.sync_all()));
    let removed = fs::remove_file(&path);
    let Err(error) = written.and(removed) else { return Ok(()) };
    let found = format!("{} cannot be written: {error}", dir.display());
    Err(Finding::fault(CHECK, found, Fault::of(&error).advice()))
}

/// Whether the journal has room to begin, and to grow to its quota.
fn room(config: &Config, there: &Path, dir: &Path) -> Finding {
    let needed = config.journal.bytes_max();
    let Ok(stat) = rustix::fs::statvfs(there) else {
        return Finding::good(CHECK, format!("{} can be written", dir.display()));
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let held = held_bytes(&dir.join("journal"));
    let mib = |bytes: u64| bytes / (1024 * 1024);
    let found = format!("{} can be written; {} MiB free", dir.display(), mib(free));
    if free.saturating_add(held) < config.journal.bytes_min() {
        return Finding::fault(
            CHECK,
            format!("the disk is full: {} has {} KiB free", dir.display(), free / 1024),
            format!(
                "the journal needs {} KiB to begin: free some",
                config.journal.bytes_min() / 1024
            ),
        );
    }
    if free.saturating_add(held) < needed {
        return Finding::note(
            CHECK,
            found,
            format!(
                "the journal may grow to {} MiB: free some space, or lower [journal] trail_quota_mb",
                mib(needed)
            ),
        );
    }
    Finding::good(CHECK, found)
}

/// What the journal takes already.
fn held_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum()
}
