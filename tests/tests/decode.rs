//! `tripline-agent decode`: what people and programs get to see of a recording.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tripline_tests::world::{Binaries, committed_trace};

const FIELDS: [&str; 10] = [
    "t_ms",
    "lat_e7",
    "lon_e7",
    "alt_mm",
    "speed_mmps",
    "course_cdeg",
    "fix_type",
    "satellites",
    "hdop_c",
    "refused",
];

/// Fixes of the committed drive.
const FIXES: usize = 141;

/// Names the folder of recordings.
const DATA_VARIABLE: &str = "TRIPLINE_DATA_DIR";

/// 1024 weeks.
const ROLLOVER_MS: i64 = 1024 * 7 * 86_400_000;

fn start(arguments: &[&str]) -> Result<Child> {
    let agent = Binaries::find()?.path("tripline-agent");
    let mut command = Command::new(agent);
    command.arg("decode").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command.spawn()?)
}

/// Decodes with `input` on standard input.
fn decode(arguments: &[&str], input: &[u8]) -> Result<Output> {
    let mut child = start(arguments)?;
    let mut stdin = child.stdin.take().context("standard input")?;
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // Whoever is given a file does not read it.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output()?;
    ensure!(writer.join().is_ok(), "the writer");
    Ok(output)
}

fn text(output: Output) -> Result<String> {
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn objects(output: Output) -> Result<Vec<Value>> {
    text(output)?.lines().map(|line| serde_json::from_str(line).context(line.to_owned())).collect()
}

fn drive() -> Result<String> {
    Ok(committed_trace().to_str().context("UTF-8")?.to_owned())
}

fn nmea(bodies: &[&str]) -> Vec<u8> {
    let line = |body: &&str| {
        let checksum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${body}*{checksum:02X}\r\n")
    };
    bodies.iter().map(line).collect::<String>().into_bytes()
}

/// A file among the recordings; `None`, with a loud word, where they are not provided.
fn recording(name: &str) -> Option<PathBuf> {
    let dir = std::env::var_os(DATA_VARIABLE).map(PathBuf::from);
    if dir.is_none() {
        eprintln!("\n*** SKIPPED: {DATA_VARIABLE} does not name the recordings ***\n");
    }
    dir.map(|dir| dir.join("nmea").join(name))
}

#[test]
fn each_fix_is_an_object_with_these_fields_and_no_others() -> Result<()> {
    let fixes = objects(decode(&["--json", &drive()?], b"")?)?;
    ensure!(fixes.len() == FIXES, "{} fixes", fixes.len());
    for fix in &fixes {
        let fields: Vec<_> = fix.as_object().context("an object")?.keys().collect();
        ensure!(
            fields.len() == FIELDS.len() && FIELDS.iter().all(|f| fix.get(f).is_some()),
            "{fix}"
        );
    }
    // The drive's first RMC and GGA: 02:27:07 on 2020-02-07, 25.239 knots.
    let first = json!({
        "t_ms": 1_581_042_427_000_i64, "lat_e7": 374_248_132, "lon_e7": -1_220_760_667, "alt_mm": 700,
        "speed_mmps": 12_984, "course_cdeg": 9_009, "fix_type": "rtk-fixed", "satellites": 12,
        "hdop_c": 93, "refused": null,
    });
    ensure!(fixes.first() == Some(&first), "{:?}", fixes.first());
    ensure!(fixes.iter().all(|fix| fix["refused"].is_null()), "a sound drive has a fix refused");
    let times: Vec<_> = fixes.iter().filter_map(|fix| fix["t_ms"].as_i64()).collect();
    ensure!(times.len() == FIXES && times.is_sorted_by(|a, b| a < b), "{times:?}");
    Ok(())
}

#[test]
fn what_a_recording_does_not_tell_is_null() -> Result<()> {
    let undated = nmea(&["GPGGA,120000.00,3725.48879,N,12204.56400,W,1,08,,,M,,M,,"]);
    let fix = objects(decode(&["--json"], &undated)?)?;
    let fix = fix.first().context("a fix")?;
    for field in ["t_ms", "alt_mm", "speed_mmps", "course_cdeg", "hdop_c"] {
        ensure!(fix[field].is_null(), "{field}: {fix}");
    }
    ensure!(fix["satellites"] == 8 && fix["lat_e7"] == 374_248_132, "{fix}");
    let lone = nmea(&["GPRMC,120000.00,A,3725.48879,N,12204.56400,W,1.0,,070220,,"]);
    let fix = objects(decode(&["--json"], &lone)?)?;
    let fix = fix.first().context("a fix")?;
    for field in ["alt_mm", "course_cdeg", "satellites", "hdop_c"] {
        ensure!(fix[field].is_null(), "{field}: {fix}");
    }
    ensure!(fix["t_ms"] == 1_581_076_800_000_i64 && fix["speed_mmps"] == 514, "{fix}");
    Ok(())
}

#[test]
fn a_refused_fix_is_there_and_says_why() -> Result<()> {
    let at = |second: u32, lat: &str| {
        nmea(&[
            &format!("GNRMC,1200{second:02}.00,A,{lat},N,12204.56400,W,0.0,0.0,070220,,,A"),
            &format!("GNGGA,1200{second:02}.00,{lat},N,12204.56400,W,1,12,0.9,5.0,M,-30.0,M,,"),
        ])
    };
    // One second in twenty is two kilometres away.
    let stream: Vec<_> = (0..20)
        .flat_map(|second| at(second, if second == 10 { "3726.50000" } else { "3725.48879" }))
        .collect();
    let fixes = objects(decode(&["--json"], &stream)?)?;
    let refused: Vec<_> = fixes.iter().map(|fix| fix["refused"].as_str()).collect();
    ensure!(fixes.len() == 20 && refused[10] == Some("jump"), "{refused:?}");
    ensure!(refused.iter().flatten().count() == 1, "{refused:?}");
    let stats = objects(decode(&["--json", "--stats"], &stream)?)?;
    let stats = stats.first().context("figures")?;
    ensure!(stats["refused"]["jump"] == 1 && stats["odometer_m"] == 0.0, "{stats}");
    Ok(())
}

#[test]
fn standard_input_is_as_good_as_a_file() -> Result<()> {
    let bytes = std::fs::read(committed_trace())?;
    for arguments in [&["--json"][..], &[], &["--stats"], &["--stats", "--json"]] {
        let file = text(decode(&[arguments, &[&drive()?]].concat(), b"")?)?;
        ensure!(!file.is_empty(), "{arguments:?} says nothing");
        ensure!(text(decode(arguments, &bytes)?)? == file, "{arguments:?} on standard input");
        let dash = text(decode(&[arguments, &["-"]].concat(), &bytes)?)?;
        ensure!(dash == file, "{arguments:?} on -");
    }
    Ok(())
}

#[test]
fn the_figures_of_a_drive_agree_with_its_fixes() -> Result<()> {
    let stats = objects(decode(&["--stats", "--json", &drive()?], b"")?)?;
    ensure!(stats.len() == 1, "{} objects", stats.len());
    let stats = stats.first().context("figures")?;
    ensure!(stats["fixes"] == FIXES, "{stats}");
    // Two sentences of the drive were damaged on the serial line.
    let count = |of: &str| {
        let counts = stats[of].as_object().context("counts")?;
        anyhow::Ok(counts.values().filter_map(Value::as_u64).sum::<u64>())
    };
    ensure!(count("faults")? == 2 && count("refused")? == 0, "{stats}");
    let number = |key: &str| stats[key].as_f64().with_context(|| key.to_owned());
    ensure!((1_200.0..1_320.0).contains(&number("odometer_m")?), "{stats}");
    ensure!(number("standing_s")? <= 30.0, "{stats}");
    let a_fix = number("trail_bytes")? / number("fixes")?;
    ensure!((a_fix - number("trail_bytes_per_fix")?).abs() < 0.001, "{stats}");
    ensure!(a_fix > 1.0 && a_fix < 5.0, "{stats}");
    let kept = number("points_kept")?;
    ensure!((2.0..=70.0).contains(&kept), "{stats}");
    ensure!(stats.get("trip").is_none(), "{stats}");

    let coarse = objects(decode(&["--stats", "--json", "--error-m", "50", &drive()?], b"")?)?;
    let fewer = coarse.first().and_then(|stats| stats["points_kept"].as_f64());
    ensure!(fewer.is_some_and(|fewer| fewer < kept), "{fewer:?} points within 50 m");
    Ok(())
}

#[test]
fn as_one_trip_a_recording_has_a_distance_and_a_duration() -> Result<()> {
    let stats = objects(decode(&["--stats", "--trip", "--json", &drive()?], b"")?)?;
    let stats = stats.first().context("figures")?;
    let trip = &stats["trip"];
    ensure!(trip["distance_m"] == stats["odometer_m"] && trip["duration_s"] == 140, "{stats}");
    ensure!(trip["bridged_percent"] == 0.0, "{stats}");
    let told = text(decode(&["--stats", "--trip", &drive()?], b"")?)?;
    for word in
        ["fixes", "faults", "refused", "odometer", "standing still", "trail", "points", "trip"]
    {
        ensure!(told.contains(word), "{word} is not in:\n{told}");
    }
    // Without the figures its fixes are told as ever.
    let alone = objects(decode(&["--trip", "--json", &drive()?], b"")?)?;
    ensure!(alone.len() > 100 && alone.iter().all(|fix| fix.get("t_ms").is_some()));
    Ok(())
}

#[test]
fn whoever_has_read_enough_may_go() -> Result<()> {
    let mut child = start(&["--json"])?;
    let mut stdin = child.stdin.take().context("standard input")?;
    let drive = std::fs::read(committed_trace())?;
    let writer = std::thread::spawn(move || {
        // More than any pipe holds of the answer; it ends when nobody reads on.
        (0..1_000).take_while(|_| stdin.write_all(&drive).is_ok()).count()
    });
    let mut first = [0; 100];
    child.stdout.take().context("standard output")?.read_exact(&mut first)?;
    let output = child.wait_with_output()?;
    let read = writer.join().map_err(|_| anyhow::anyhow!("the writer"))?;
    ensure!(read < 1_000, "it read on though nobody listened");
    ensure!(output.status.code() == Some(0) && output.stderr.is_empty(), "{output:?}");
    Ok(())
}

#[test]
fn what_cannot_be_read_is_named_with_exit_code_4() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for path in [Path::new("/no/such/drive.nmea"), folder.path()] {
        let path = path.to_str().context("UTF-8")?;
        let output = decode(&[path], b"")?;
        let error = String::from_utf8(output.stderr)?;
        ensure!(output.status.code() == Some(4) && output.stdout.is_empty(), "{error}");
        ensure!(error.contains(path) && error.lines().count() == 1, "{error}");
    }
    Ok(())
}

#[test]
fn bytes_that_are_no_recording_give_no_fix_and_are_counted() -> Result<()> {
    let noise: Vec<u8> =
        (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    for bytes in [&noise[..], b""] {
        let output = decode(&["--json"], bytes)?;
        let told = String::from_utf8(output.stderr)?;
        ensure!(output.stdout.is_empty(), "fixes out of {} bytes", bytes.len());
        ensure!(output.status.code() == Some(5) && told.contains("not one valid"), "{told}");
    }
    let stats = objects(decode(&["--stats", "--json"], &noise)?)?;
    let stats = stats.first().context("figures")?;
    ensure!(stats["fixes"] == 0 && stats["trail_bytes_per_fix"] == 0.0, "{stats}");
    ensure!(stats["faults"]["stray_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{stats}");
    Ok(())
}

#[test]
fn a_date_before_the_given_day_is_a_rollover_and_moves_forward() -> Result<()> {
    let first = |arguments: &[&str]| {
        let drive = drive()?;
        let fixes = objects(decode(&[arguments, &["--json", &drive]].concat(), b"")?)?;
        ensure!(fixes.len() == FIXES, "{} fixes", fixes.len());
        fixes.first().and_then(|fix| fix["t_ms"].as_i64()).context("a time")
    };
    let as_told = first(&[])?;
    ensure!(first(&["--not-before", "2020-02-07"])? == as_told, "moved on its own day");
    ensure!(first(&["--not-before", "2020-02-08"])? == as_told + ROLLOVER_MS, "not moved");
    ensure!(first(&["--not-before", "2039-09-24"])? == as_told + 2 * ROLLOVER_MS, "moved once");
    let wrong = decode(&["--not-before", "tomorrow", &drive()?], b"")?;
    ensure!(wrong.status.code() == Some(2), "{wrong:?}");
    Ok(())
}

#[test]
fn frames_alone_and_frames_among_sentences_give_fixes() -> Result<()> {
    for (name, with_sentences) in [("ublox-neo-m8n.log", false), ("ublox8-uniqid-monhw.log", true)]
    {
        let Some(path) = recording(name) else { return Ok(()) };
        let path = path.to_str().context("UTF-8")?;
        let fixes = objects(decode(&["--json", path], b"")?)?;
        let stats = objects(decode(&["--stats", "--json", path], b"")?)?;
        let stats = stats.first().context("figures")?;
        ensure!(!fixes.is_empty() && stats["fixes"] == fixes.len(), "{name}: {stats}");
        ensure!(stats["frames"].as_u64().is_some_and(|frames| frames > 0), "{name}: {stats}");
        let sentences = stats["sentences"].as_u64().context("sentences")?;
        ensure!((sentences > 0) == with_sentences, "{name}: {stats}");
        // An instant of which frame and sentence tell is one fix.
        let times: Vec<_> = fixes.iter().filter_map(|fix| fix["t_ms"].as_i64()).collect();
        ensure!(times.is_sorted_by(|a, b| a < b), "{name}: {times:?}");
    }
    Ok(())
}
