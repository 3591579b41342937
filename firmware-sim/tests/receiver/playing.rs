//! What arrives at the reader's end, and when.

use std::io::Write;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use tripline_firmware_sim::sentence::Sentence;

use crate::support::{DAMAGED, GSV, Simulator, drive, rmc_unix_ms, until};

const BAUD: u32 = 115_200;

fn now_unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_millis()).expect("a clock of this age")
}

#[test]
fn sentences_arrive_with_the_time_of_today_and_checksums_that_match() {
    let simulator = Simulator::play(&drive(50), &[]);
    assert_eq!(simulator.number("epochs"), 50);
    let start_unix_ms = simulator.number("trace_start_unix_ms") + simulator.number("shift_ms");
    assert_eq!(simulator.number("trace_start_unix_ms"), 1_577_836_798_000);
    assert_eq!(start_unix_ms % 1000, 0);
    assert!((now_unix_ms() - start_unix_ms).abs() < 5_000);

    let mut reader = simulator.reader(BAUD);
    let first = rmc_unix_ms(&reader.rmc());
    for index in 1..10 {
        let gga = reader.sentence_where(|sentence| sentence.kind() == "GGA");
        let rmc = reader.rmc();
        assert_eq!(rmc_unix_ms(&rmc), first + index * 200);
        assert_eq!(gga.field(1), rmc.field(1));
        let late_ms = now_unix_ms() - rmc_unix_ms(&rmc);
        assert!((0..5_000).contains(&late_ms), "sent {late_ms} ms after the time it speaks of");
    }
    assert_eq!((first - start_unix_ms) % 200, 0);
}

#[test]
fn damaged_and_timeless_lines_arrive_as_they_were_recorded() {
    let simulator = Simulator::play(&drive(20), &[]);
    let mut reader = simulator.reader(BAUD);
    reader.rmc();
    reader.line();
    assert_eq!(reader.line(), format!("{GSV}\r").as_bytes());
    assert_eq!(reader.line(), DAMAGED.as_bytes());
}

#[test]
fn original_time_keeps_every_sentence() {
    let trace = drive(5);
    let recorded: Vec<Vec<u8>> = trace.lines().map(|line| line.as_bytes().to_vec()).collect();
    let simulator = Simulator::play(&trace, &["--time", "original", "--loop"]);
    assert_eq!(simulator.number("shift_ms"), 0);
    let mut reader = simulator.reader(BAUD);
    reader.rmc();
    for _ in 0..30 {
        let line = reader.line().trim_ascii_end().to_vec();
        assert!(recorded.contains(&line), "{}", line.escape_ascii());
    }
}

#[test]
fn the_wrong_baud_rate_gives_garbage_and_the_right_one_sentences() {
    let simulator = Simulator::play(&drive(200), &["--baud", "38400"]);
    let mut reader = simulator.reader(9_600);
    assert_eq!(reader.sentences_in(600), 0);
    reader.set_baud(38_400);
    reader.rmc();
    simulator.status_where(|status| status["port_baud"] == 38_400);
}

#[test]
fn a_slow_line_carries_no_more_than_its_baud_rate() {
    // An epoch has some 200 bytes and 200 ms; 4,800 baud carry 96 bytes of them, and the GGA has 74.
    let simulator = Simulator::play(&drive(200), &["--baud", "4800"]);
    let mut reader = simulator.reader(4_800);
    reader.sentence_where(|sentence| sentence.kind() == "GGA");
    let next = Sentence::parse(&reader.line()).expect("no sentence is cut");
    assert_eq!(next.kind(), "GGA");
    simulator.status_where(|status| status["bytes_dropped"].as_u64() > Some(100));
}

#[test]
fn a_part_of_the_trace_is_played_and_the_port_outlives_it() {
    let simulator = Simulator::play(&drive(50), &["--from", "3", "--seconds", "1"]);
    assert_eq!(simulator.number("epochs"), 5);
    assert_eq!(simulator.number("trace_start_unix_ms"), 1_577_836_801_000);
    let mut reader = simulator.reader(BAUD);
    simulator.event("end");
    let status = simulator.status();
    assert_eq!(status["ended"], true);
    assert_eq!(status["position_s"], 3.8);
    assert_eq!(status["epochs_sent"], 5);
    assert_eq!(status["sentences_sent"], 20);
    reader.forget();
    assert!(reader.heard_nothing());
    assert!(simulator.pty.exists());
}

#[test]
fn a_loop_goes_on_in_time() {
    let simulator = Simulator::play(&drive(3), &["--loop"]);
    let mut reader = simulator.reader(BAUD);
    let times: Vec<_> = (0..8).map(|_| rmc_unix_ms(&reader.rmc())).collect();
    let steps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step_ms| [200, 600].contains(step_ms)), "{steps:?}");
    assert!(steps.iter().filter(|step_ms| **step_ms == 600).count() >= 2, "{steps:?}");
}

#[test]
fn a_gpx_track_speaks_as_a_receiver() {
    let point = |second: u32, lat: &str| {
        format!(
            "<trkpt lat=\"{lat}\" lon=\"13.5\"><time>2020-12-18T06:15:{second:02}Z</time></trkpt>"
        )
    };
    let points = [point(0, "45.0"), point(30, "45.01")].concat();
    let trace = format!("<?xml version=\"1.0\"?>\n<gpx><trk><trkseg>{points}</trkseg></trk></gpx>");
    let simulator = Simulator::play(&trace, &[]);
    assert_eq!(simulator.number("epochs"), 31);
    let mut reader = simulator.reader(BAUD);
    let (first, second) = (reader.rmc(), reader.rmc());
    assert_eq!(rmc_unix_ms(&second) - rmc_unix_ms(&first), 1_000);
    // 1,112 m in 30 s.
    assert!(second.field(7).starts_with("72.0"), "{}", second.field(7));
    assert_eq!(second.field(8), "0.00");
}

#[test]
fn the_drive_goes_on_when_nobody_reads() {
    let talkative = drive(10).replace(GSV, &[GSV; 100].join("\n"));
    let simulator = Simulator::play(&talkative, &["--loop", "--baud", "4000000"]);
    // The reader opens the port, sets its rate, and never reads again.
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
    let _idle =
        rustix::fs::open(&simulator.pty, flags, rustix::fs::Mode::empty()).expect("the port");
    simulator.status_where(|status| status["bytes_dropped"].as_u64() > Some(0));
    let epochs_sent = simulator.status()["epochs_sent"].as_u64();
    simulator.status_where(|status| status["epochs_sent"].as_u64() > epochs_sent);
}

#[test]
fn what_the_agent_writes_never_blocks_it() {
    let simulator = Simulator::play(&drive(3), &["--loop"]);
    let reader = simulator.reader(BAUD);
    let mut port = reader.port.try_clone().expect("a file descriptor");
    let writing = thread::spawn(move || port.write_all(&vec![0xb5; 40_000]));
    until("the writer", || writing.is_finished().then_some(()));
    writing.join().expect("a thread").expect("written");
}

#[test]
fn a_port_that_ends_hangs_up_its_reader_and_leaves_nothing() {
    let mut simulator = Simulator::play(&drive(50), &[]);
    let reader = simulator.reader(BAUD);
    assert_eq!(simulator.end().code(), Some(0));
    reader.hangs_up();
}
