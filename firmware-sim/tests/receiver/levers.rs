//! The levers, moved while the drive goes on.

use std::process::Command;

use tripline_firmware_sim::sentence::Sentence;

use crate::support::{Simulator, drive, rmc_unix_ms};

const BAUD: u32 = 115_200;

#[test]
fn without_a_fix_the_receiver_talks_but_knows_no_position() {
    let simulator = Simulator::play(&drive(5), &["--loop"]);
    let mut reader = simulator.reader(BAUD);
    reader.sentence_where(|s| s.kind() == "RMC" && s.field(2) == "A");

    assert_eq!(simulator.pull("fix off"), "ok");
    let rmc = reader.sentence_where(|s| s.kind() == "RMC" && s.field(2) == "V");
    assert_eq!((rmc.field(3), rmc.field(5), rmc.field(12)), ("", "", "N"));
    assert!(rmc_unix_ms(&rmc) > 0);
    let gga = reader.sentence_where(|s| s.kind() == "GGA");
    assert_eq!((gga.field(2), gga.field(6)), ("", "0"));

    assert_eq!(simulator.pull("fix on"), "ok");
    reader.sentence_where(|s| s.kind() == "RMC" && s.field(2) == "A");
}

#[test]
fn corruption_damages_sentences_and_stops() {
    let simulator = Simulator::play(&drive(5), &["--loop"]);
    let mut reader = simulator.reader(BAUD);
    reader.rmc();

    assert_eq!(simulator.pull("corrupt 100"), "ok");
    let (mut damaged_in_a_row, mut intact) = (0, 0);
    while damaged_in_a_row < 12 {
        let whole = Sentence::parse(&reader.line()).is_some();
        damaged_in_a_row = if whole { 0 } else { damaged_in_a_row + 1 };
        intact += u32::from(whole);
        assert!(intact < 12, "sentences go on arriving intact");
    }

    assert_eq!(simulator.pull("corrupt 0"), "ok");
    reader.rmc();
}

#[test]
fn garbage_replaces_everything() {
    let simulator = Simulator::play(&drive(5), &["--loop"]);
    let mut reader = simulator.reader(BAUD);
    reader.rmc();

    assert_eq!(simulator.pull("garbage on"), "ok");
    // What was on its way when the lever was moved may still be read.
    reader.sentences_in(400);
    assert_eq!(reader.sentences_in(600), 0);

    assert_eq!(simulator.pull("garbage off"), "ok");
    reader.rmc();
}

#[test]
fn in_silence_nothing_arrives_and_the_vehicle_moves_on() {
    let simulator = Simulator::play(&drive(100), &[]);
    let mut reader = simulator.reader(BAUD);
    reader.rmc();

    assert_eq!(simulator.pull("silence on"), "ok");
    let before = simulator.status();
    let position_s = before["position_s"].as_f64().expect("a position");
    // What was sent before has been read once the drive is an epoch further.
    simulator.status_where(|status| status["position_s"].as_f64() > Some(position_s + 0.3));
    reader.forget();
    let after = simulator.status_where(|s| s["position_s"].as_f64() > Some(position_s + 1.0));
    assert_eq!(after["sentences_sent"], before["sentences_sent"]);
    assert_eq!(after["levers"]["silence"], true);
    assert!(reader.heard_nothing());

    assert_eq!(simulator.pull("silence off"), "ok");
    let start_unix_ms = simulator.number("trace_start_unix_ms") + simulator.number("shift_ms");
    let gone_ms = rmc_unix_ms(&reader.rmc()) - start_unix_ms;
    assert!(gone_ms > 1_000, "the drive stood still in silence: {gone_ms} ms");
}

#[test]
fn an_unplugged_receiver_hangs_up_and_comes_back_under_the_same_path() {
    let simulator = Simulator::play(&drive(5), &["--loop"]);
    let mut reader = simulator.reader(BAUD);
    let before = rmc_unix_ms(&reader.rmc());

    assert_eq!(simulator.pull("unplug"), "ok");
    reader.hangs_up();
    assert!(simulator.pty.symlink_metadata().is_err(), "the link is still there");
    let status = simulator.status();
    assert_eq!((status["plugged"].as_bool(), status["port_baud"].as_u64()), (Some(false), None));
    assert_eq!(simulator.pull("unplug"), "ok");

    assert_eq!(simulator.pull("plug"), "ok");
    let mut again = simulator.reader(BAUD);
    assert!(rmc_unix_ms(&again.rmc()) > before);
}

#[test]
fn plugging_in_refuses_what_took_the_path_meanwhile() {
    let simulator = Simulator::play(&drive(5), &["--loop"]);
    assert_eq!(simulator.pull("unplug"), "ok");
    std::fs::write(&simulator.pty, "mine").expect("a file");
    let answer = simulator.pull("plug");
    assert!(answer.starts_with("error: ") && answer.contains("not a symbolic link"), "{answer}");
    std::fs::remove_file(&simulator.pty).expect("a file");
    assert_eq!(simulator.pull("plug"), "ok");
}

#[test]
fn a_wrong_lever_gets_an_error_and_moves_nothing() {
    let simulator = Simulator::play(&drive(5), &["--loop"]);
    let answer = simulator.pull("wiggle");
    assert!(answer.starts_with("error: unknown lever `wiggle`; the levers are:"), "{answer}");
    let answer = simulator.pull("corrupt lots");
    assert_eq!(answer, "error: `corrupt` takes a percentage from 0 to 100, not `lots`");
    let answer = simulator.pull(&"fix off".repeat(50));
    assert_eq!(answer, "error: a lever has at most 256 bytes");
    assert_eq!(simulator.status()["levers"]["fix"], true);
}

#[test]
fn the_lever_command_prints_each_answer_and_fails_if_one_is_refused() {
    let simulator = Simulator::play(&drive(5), &["--loop"]);
    let lever = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tripline-sim"));
        let output =
            command.arg("lever").arg("--control").arg(&simulator.control).args(words).output();
        let output = output.expect("the simulator");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    assert_eq!(lever(&["fix", "off", "corrupt 5"]), (Some(0), "ok\nok\n".to_owned()));
    let (code, answers) = lever(&["wiggle", "silence", "on"]);
    assert_eq!(code, Some(1));
    assert!(answers.starts_with("error: unknown lever `wiggle`"), "{answers}");
    assert!(answers.ends_with("\nok\n"), "{answers}");
    let (code, status) = lever(&["status"]);
    assert_eq!(code, Some(0));
    let levers =
        "{\"fix\":false,\"antenna\":true,\"corrupt_percent\":5,\"garbage\":false,\"silence\":true}";
    assert!(status.contains(levers), "{status}");
}
