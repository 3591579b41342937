//! What cannot be done is said in one sentence that names the thing, with the exit code promised for it.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Simulator, drive, outcome, receiver};

fn dir_with_trace(trace: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("trace"), trace).expect("a trace");
    dir
}

#[test]
fn beginning_past_the_end_says_how_long_the_trace_is() {
    let dir = dir_with_trace(&drive(51));
    let (code, said) = outcome(receiver(dir.path()).args(["--from", "11"]));
    assert_eq!(code, Some(3));
    assert!(
        said.ends_with("it has no epoch from second 11 on; the trace is 10 s long\n"),
        "{said}"
    );
    assert!(said.contains(&dir.path().join("trace").display().to_string()), "{said}");
}

#[test]
fn a_trace_that_is_none_is_named() {
    let dir = dir_with_trace("hello\n");
    let (code, said) = outcome(&mut receiver(dir.path()));
    assert_eq!(code, Some(3));
    assert!(said.contains("neither GPX nor an NMEA log"), "{said}");

    fs::remove_file(dir.path().join("trace")).expect("a file");
    let (code, said) = outcome(&mut receiver(dir.path()));
    assert_eq!(code, Some(3));
    assert!(said.contains("the file cannot be read"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn only_a_symbolic_link_is_replaced() {
    let dir = dir_with_trace(&drive(5));
    let path = dir.path().join("gnss");
    fs::write(&path, "precious").expect("a file");
    let (code, said) = outcome(&mut receiver(dir.path()));
    assert_eq!(code, Some(4));
    assert!(said.contains("gnss exists and is not a symbolic link"), "{said}");
    assert_eq!(fs::read_to_string(&path).expect("the file"), "precious");

    fs::remove_file(&path).expect("a file");
    symlink("/dev/pts/does-not-exist", &path).expect("a link");
    let simulator = Simulator::play_in(dir, &[]);
    let target = fs::read_link(&path).expect("a link");
    assert_eq!(simulator.ready["device"].as_str(), target.to_str());
    drop(simulator);
}

#[test]
fn a_directory_that_is_missing_is_named() {
    let dir = dir_with_trace(&drive(5));
    let mut command = receiver(dir.path());
    let (code, said) = outcome(command.arg("--control").arg(dir.path().join("no/such/socket")));
    assert_eq!(code, Some(4));
    assert!(said.contains("cannot make the control socket"), "{said}");

    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline-sim"));
    command.arg("receiver").arg("--trace").arg(dir.path().join("trace"));
    let (code, said) = outcome(command.arg("--pty").arg(dir.path().join("no/such/port")));
    assert_eq!(code, Some(4));
    assert!(said.contains("cannot make the symbolic link"), "{said}");
}

#[test]
fn a_control_socket_in_use_is_left_to_its_owner() {
    let simulator = Simulator::play(&drive(5), &["--loop"]);
    let dir = dir_with_trace(&drive(5));
    let (code, said) = outcome(receiver(dir.path()).arg("--control").arg(&simulator.control));
    assert_eq!(code, Some(4));
    assert!(said.contains("is in use"), "{said}");
    assert_eq!(simulator.pull("fix off"), "ok");
}

#[test]
fn a_control_socket_of_a_killed_simulator_is_replaced() {
    let dir = dir_with_trace(&drive(5));
    let socket = dir.path().join("levers");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
    assert!(socket.exists());
    assert_eq!(Simulator::play_in(dir, &[]).pull("fix on"), "ok");
}

#[test]
fn a_lever_without_a_simulator_says_how_to_start_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline-sim"));
    command.args(["lever", "fix", "off", "--control"]).arg(dir.path().join("nobody"));
    let (code, said) = outcome(&mut command);
    assert_eq!(code, Some(1));
    assert!(said.contains("no simulator listens at"), "{said}");
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let dir = dir_with_trace(&drive(5));
    for wrong in [["--baud", "0"], ["--seconds", "0"], ["--from", "-1"], ["--time", "later"]] {
        assert_eq!(outcome(receiver(dir.path()).args(wrong)).0, Some(2), "{wrong:?}");
    }
}
