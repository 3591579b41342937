//! What a fault does to the lines of an epoch before they are sent.

use crate::chance::Chance;
use crate::lever::{Levers, Percent};
use crate::sentence::{Sentence, TERMINATOR};
use crate::ublox;

/// The lines as a receiver with these faults would send them.
pub fn spoil(lines: Vec<Vec<u8>>, levers: &Levers, chance: &mut Chance) -> Vec<Vec<u8>> {
    let mut lines = lines;
    if !levers.antenna {
        lines = lines.iter().filter_map(|line| without_satellites(line)).collect();
    }
    for line in &mut lines {
        if !levers.fix || !levers.antenna {
            *line = without_fix(line);
        }
        if strikes(levers.corrupt_percent, chance) {
            flip_one_byte(line, chance);
        }
    }
    lines
}

/// Keeps the lines that a line this fast can carry before the next epoch begins, and counts the bytes
/// of the rest. A receiver set to a rate too low for its output does the same: its transmit buffer
/// overflows, and whole sentences are missing at the end of each epoch.
pub fn fit(lines: Vec<Vec<u8>>, until_next_ms: Option<i64>, baud: u32) -> (Vec<Vec<u8>>, usize) {
    let Some(until_next_ms) = until_next_ms else { return (lines, 0) };
    let room_bytes = usize::try_from(until_next_ms * i64::from(baud) / 10_000).unwrap_or(0);
    let mut taken_bytes = 0;
    let (kept, dropped): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| {
        taken_bytes += line.len();
        taken_bytes <= room_bytes
    });
    (kept, dropped.iter().map(Vec::len).sum())
}

/// What one kind of sentence says when there is no fix: these fields empty, these replaced.
struct NoFix {
    kind: &'static str,
    emptied: &'static [usize],
    replaced: &'static [(usize, &'static str)],
}

/// As u-blox receivers say it (their protocol description, "NMEA position fix flags").
const NO_FIX: [NoFix; 8] = [
    NoFix { kind: "RMC", emptied: &[3, 4, 5, 6, 7, 8, 10, 11], replaced: &[(2, "V"), (12, "N")] },
    NoFix { kind: "GLL", emptied: &[1, 2, 3, 4], replaced: &[(6, "V"), (7, "N")] },
    NoFix {
        kind: "GGA",
        emptied: &[2, 3, 4, 5, 9, 10, 11, 12, 13, 14],
        replaced: &[(6, "0"), (7, "00"), (8, "99.99")],
    },
    NoFix {
        kind: "GNS",
        emptied: &[2, 3, 4, 5, 9, 10, 11, 12],
        replaced: &[(7, "00"), (8, "99.99")],
    },
    NoFix { kind: "VTG", emptied: &[1, 2, 3, 4, 5, 6, 7, 8], replaced: &[(9, "N")] },
    NoFix {
        kind: "GSA",
        emptied: &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
        replaced: &[(2, "1"), (15, "99.99"), (16, "99.99"), (17, "99.99")],
    },
    NoFix { kind: "GST", emptied: &[2, 3, 4, 5, 6, 7, 8], replaced: &[] },
    NoFix { kind: "GBS", emptied: &[2, 3, 4, 5, 6, 7, 8], replaced: &[] },
];

/// The line without position and velocity; time, date and the satellites in view stay, as the antenna
/// still hears some of them. Damaged lines stay as they are.
fn without_fix(line: &[u8]) -> Vec<u8> {
    if let Some(frame) = ublox::without_fix(line) {
        return frame;
    }
    let Some(mut sentence) = Sentence::parse(line) else { return line.to_vec() };
    let Some(no_fix) = NO_FIX.iter().find(|no_fix| no_fix.kind == sentence.kind()) else {
        return line.to_vec();
    };
    for field in no_fix.emptied {
        sentence.set(*field, "");
    }
    for (field, value) in no_fix.replaced {
        sentence.set(*field, *value);
    }
    if no_fix.kind == "GNS" {
        // One letter a satellite system.
        let modes = sentence.field(6).len();
        sentence.set(6, "N".repeat(modes));
    }
    sentence.to_line()
}

/// The line with no satellite in view: of a group of GSV the first is left, and says so.
fn without_satellites(line: &[u8]) -> Option<Vec<u8>> {
    let Some(sentence) = Sentence::parse(line).filter(|sentence| sentence.kind() == "GSV") else {
        return Some(line.to_vec());
    };
    // Four fields at its beginning, four a satellite, and since NMEA 4.10 the signal.
    let commas = String::from_utf8_lossy(line).matches(',').count();
    let signal = commas.is_multiple_of(4).then(|| sentence.field(commas));
    let fields = [sentence.field(0), "1", "1", "00"].into_iter().chain(signal);
    (sentence.field(2) == "1").then(|| Sentence::new(fields).to_line())
}

fn strikes(percent: Percent, chance: &mut Chance) -> bool {
    // Without the lever no number is drawn, so it can be set and unset without changing later faults.
    percent > Percent::default() && chance.below(100) < usize::from(percent.get())
}

/// Flips one of the lower five bits of one byte before the terminator. That never turns a letter into
/// its other case, which a reader could rightly accept in a checksum, and never makes a line break.
fn flip_one_byte(line: &mut [u8], chance: &mut Chance) {
    let text_bytes = line.strip_suffix(TERMINATOR).unwrap_or(line).len();
    let mask = 1 << chance.below(5);
    let index = chance.below(text_bytes);
    if let Some(byte) = line.get_mut(index) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fields: &str) -> Vec<u8> {
        Sentence::new(fields.split(',')).to_line()
    }

    #[test]
    fn without_a_fix_the_position_is_empty_and_the_time_is_not() {
        for (with, without) in [
            (
                "GNRMC,021417.00,A,3725.58,N,12205.61,W,0.028,65.13,070220,13.06,E,F,V",
                "GNRMC,021417.00,V,,,,,,,070220,,,N,V",
            ),
            (
                "GPRMC,021417.00,A,3725.58,N,12205.61,W,0.028,65.13,070220,,",
                "GPRMC,021417.00,V,,,,,,,070220,,",
            ),
            ("GNGLL,3725.58,N,12205.61,W,021417.00,A,D", "GNGLL,,,,,021417.00,V,N"),
            (
                "GNGGA,021417.00,3725.58,N,12205.61,W,5,12,0.76,4.4,M,-30.0,M,0.0,2000",
                "GNGGA,021417.00,,,,,0,00,99.99,,,,,,",
            ),
            (
                "GNGNS,021417.00,3725.58,N,12205.61,W,AADA,12,0.76,4.4,-30.0,,,V",
                "GNGNS,021417.00,,,,,NNNN,00,99.99,,,,,V",
            ),
            ("GNVTG,65.13,T,52.07,M,0.028,N,0.053,K,D", "GNVTG,,,,,,,,,N"),
            (
                "GNGSA,A,3,17,02,06,28,12,13,15,24,19,,,,1.48,0.76,1.27,1",
                "GNGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99,1",
            ),
            ("GPGSV,1,1,01,02,25,181,42,1", "GPGSV,1,1,01,02,25,181,42,1"),
        ] {
            let spoilt = without_fix(&line(with));
            assert_eq!(spoilt, line(without), "{}", spoilt.escape_ascii());
        }
    }

    #[test]
    fn without_an_antenna_each_group_of_satellites_is_empty_and_one_line_long() {
        let levers = Levers { antenna: false, ..Levers::default() };
        let lines = [
            "GPGSV,2,1,05,02,25,181,42,03,25,181,42,04,25,181,42,05,25,181,42,1",
            "GPGSV,2,2,05,02,25,181,42,1",
            "GLGSV,1,1,01,02,25,181,42",
            "GNGLL,3725.58,N,12205.61,W,021417.00,A,D",
        ];
        let spoilt = spoil(lines.map(line).to_vec(), &levers, &mut Chance::seeded(1));
        let left = ["GPGSV,1,1,00,1", "GLGSV,1,1,00", "GNGLL,,,,,021417.00,V,N"];
        assert_eq!(spoilt, left.map(line).to_vec());
    }

    #[test]
    fn a_damaged_line_is_not_repaired_by_losing_the_fix() {
        let damaged = b"$GNGLL,3725.58,N,12205.61,W,021417.00,A,D*00\r\n";
        assert_eq!(without_fix(damaged), damaged);
    }

    #[test]
    fn corruption_strikes_as_often_as_asked_and_always_shows() {
        let good = line("GNGLL,3725.58362,N,12205.61915,W,021417.00,A,D");
        let struck = |percent| {
            let levers = Levers {
                corrupt_percent: Percent::new(percent).expect("valid"),
                ..Levers::default()
            };
            let lines = spoil(vec![good.clone(); 2_000], &levers, &mut Chance::seeded(1));
            let damaged = lines.iter().filter(|line| **line != good);
            assert!(damaged.clone().all(|line| Sentence::parse(line).is_none()));
            assert!(lines.iter().all(|line| line.ends_with(TERMINATOR)));
            damaged.count()
        };
        assert_eq!(struck(0), 0);
        assert!((80..=120).contains(&struck(5)), "{}", struck(5));
        assert_eq!(struck(100), 2_000);
    }

    #[test]
    fn a_line_too_slow_loses_whole_sentences_at_the_end_of_an_epoch() {
        let lines = vec![vec![0; 50], vec![0; 40], vec![0; 10], vec![0; 1]];
        let (kept, dropped_bytes) = fit(lines.clone(), Some(1_000), 990);
        assert_eq!((kept.len(), dropped_bytes), (2, 11));
        assert_eq!(fit(lines.clone(), Some(1_000), 9_600), (lines.clone(), 0));
        assert_eq!(fit(lines.clone(), None, 1_200), (lines, 0));
    }
}
