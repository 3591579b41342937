//! `tripline-agent enrol`, through the real binary, against a real enrolment listener.

#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "../link/tests/enrol/backend.rs"]
mod backend;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use backend::Backend;
use tripline_agent_link::Identity;

/// Enrolment failed, and says why.
const ENROLMENT_FAILED: i32 = 12;

fn enrol(url: &str, data_dir: &Path, input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tripline-agent"))
        .args(["enrol", "--backend", url, "--data-dir"])
        .arg(data_dir)
        .env_remove("TRIPLINE_ENROL_CODE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    // Dropped with its end: the child sees the end of its input.
    let _ = child.stdin.take().expect("standard input").write_all(input.as_bytes());
    child.wait_with_output().expect("ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_not_on_the_command_line_is_read_from_standard_input() {
    let (backend, dir) = (Backend::start().await, tempfile::tempdir().expect("a folder"));
    let (url, code) = (backend.url().to_string(), backend.code(1));
    let data_dir = dir.path().to_path_buf();
    let (without, with) = tokio::task::spawn_blocking(move || {
        (enrol(&url, &data_dir, ""), enrol(&url, &data_dir, &format!("{code}\n")))
    })
    .await
    .expect("ends");
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert_eq!(without.status.code(), Some(ENROLMENT_FAILED), "{said}");
    assert!(said.contains("standard input") && said.contains("--code"), "{said}");
    assert!(with.status.success(), "{}", String::from_utf8_lossy(&with.stderr));
    let identity = Identity::load(&dir.path().join("identity")).expect("readable");
    assert!(identity.expect("enrolled").is_of(&code));
}
