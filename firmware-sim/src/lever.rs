//! The levers: every fault that can be set while the drive goes on, and the words for them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// One command to a running receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lever {
    /// `fix on|off`: with `off` the receiver is in a tunnel; it talks, but knows no position.
    Fix(bool),
    /// `antenna on|off`: with `off` its plug is out; the receiver talks, but hears no satellite.
    Antenna(bool),
    /// `corrupt N`: so many percent of the sentences get one byte flipped.
    Corrupt(Percent),
    /// `garbage on|off`: random bytes in place of everything.
    Garbage(bool),
    /// `silence on|off`: nothing is sent.
    Silence(bool),
    /// `unplug`: the device vanishes; whoever has it open reads the end of the file.
    Unplug,
    /// `plug`: a new device appears under the same path.
    Plug,
    /// `status`: asks, and changes nothing.
    Status,
}

/// 0 to 100.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Percent(u8);

impl Percent {
    /// `None` above 100.
    pub fn new(percent: u8) -> Option<Self> {
        (percent <= 100).then_some(Self(percent))
    }

    /// 0 to 100.
    pub fn get(self) -> u8 {
        self.0
    }
}

/// How the levers stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a lever with two positions")]
pub struct Levers {
    /// Whether the receiver knows its position.
    pub fix: bool,
    /// Whether its antenna is plugged in.
    pub antenna: bool,
    /// How many sentences in a hundred are damaged.
    pub corrupt_percent: Percent,
    /// Whether random bytes are sent in place of everything.
    pub garbage: bool,
    /// Whether nothing is sent.
    pub silence: bool,
}

impl Default for Levers {
    fn default() -> Self {
        let corrupt_percent = Percent::default();
        Self { fix: true, antenna: true, corrupt_percent, garbage: false, silence: false }
    }
}

/// A line that is no lever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseLeverError {
    /// Not one word.
    #[error("no lever given; {KNOWN}")]
    Empty,
    /// No such lever.
    #[error("unknown lever `{0}`; {KNOWN}")]
    Unknown(String),
    /// The lever exists, its setting does not.
    #[error("`{lever}` takes {wants}, not `{given}`")]
    BadSetting {
        /// The lever.
        lever: String,
        /// What it takes.
        wants: &'static str,
        /// What it was given.
        given: String,
    },
}

const KNOWN: &str = "the levers are: fix on|off, antenna on|off, corrupt PERCENT, garbage on|off, \
                     silence on|off, unplug, plug, status";

/// Levers that take one word.
const SET: [&str; 5] = ["fix", "antenna", "corrupt", "garbage", "silence"];

/// Levers that stand alone.
const ALONE: [&str; 3] = ["unplug", "plug", "status"];

impl fmt::Display for Lever {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let switch = |on: &bool| if *on { "on" } else { "off" };
        match self {
            Self::Fix(on) => write!(f, "fix {}", switch(on)),
            Self::Antenna(on) => write!(f, "antenna {}", switch(on)),
            Self::Corrupt(percent) => write!(f, "corrupt {}", percent.get()),
            Self::Garbage(on) => write!(f, "garbage {}", switch(on)),
            Self::Silence(on) => write!(f, "silence {}", switch(on)),
            Self::Unplug => f.write_str("unplug"),
            Self::Plug => f.write_str("plug"),
            Self::Status => f.write_str("status"),
        }
    }
}

impl FromStr for Lever {
    type Err = ParseLeverError;

    fn from_str(line: &str) -> Result<Self, ParseLeverError> {
        let (name, setting) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let setting = setting.trim();
        let refuse = |wants| ParseLeverError::BadSetting {
            lever: name.to_owned(),
            wants,
            given: setting.to_owned(),
        };
        let switch = || match setting {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(refuse("`on` or `off`")),
        };
        let alone = |lever| if setting.is_empty() { Ok(lever) } else { Err(refuse("no setting")) };
        match name {
            "fix" => switch().map(Self::Fix),
            "antenna" => switch().map(Self::Antenna),
            "corrupt" => setting
                .parse()
                .ok()
                .and_then(Percent::new)
                .map(Self::Corrupt)
                .ok_or_else(|| refuse("a percentage from 0 to 100")),
            "garbage" => switch().map(Self::Garbage),
            "silence" => switch().map(Self::Silence),
            "unplug" => alone(Self::Unplug),
            "plug" => alone(Self::Plug),
            "status" => alone(Self::Status),
            "" => Err(ParseLeverError::Empty),
            unknown => Err(ParseLeverError::Unknown(unknown.to_owned())),
        }
    }
}

/// Levers of simulated pins, which take more words; see [`crate::pins`].
const PINS: [&str; 5] = ["press", "bounce", "hold", "release", "ignition"];

/// Sorts the words of a command line into levers, so that `fix off corrupt 5` needs no quotes. Words that
/// are no lever become lines of their own, to be refused.
pub fn lines_from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.into_iter().flat_map(str::split_whitespace) {
        let names_lever = [&SET[..], &ALONE, &PINS].iter().any(|names| names.contains(&word));
        match lines.last_mut() {
            Some(line) if !names_lever && takes_more(line) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Whether the next word may still belong to this line. What follows an unknown lever is its setting.
fn takes_more(line: &str) -> bool {
    let (name, setting) = line.split_once(' ').unwrap_or((line, ""));
    !ALONE.contains(&name) && (!SET.contains(&name) || setting.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lever_has_its_words() {
        for (line, lever) in [
            ("fix off", Lever::Fix(false)),
            (" fix  on\r", Lever::Fix(true)),
            ("antenna off", Lever::Antenna(false)),
            ("corrupt 0", Lever::Corrupt(Percent(0))),
            ("corrupt 100", Lever::Corrupt(Percent(100))),
            ("garbage on", Lever::Garbage(true)),
            ("silence off", Lever::Silence(false)),
            ("unplug", Lever::Unplug),
            ("plug", Lever::Plug),
            ("status", Lever::Status),
        ] {
            assert_eq!(line.parse(), Ok(lever), "{line}");
            assert_eq!(lever.to_string().parse(), Ok(lever), "{lever}");
        }
    }

    #[test]
    fn a_wrong_line_is_refused_with_what_would_be_right() {
        for (line, message) in [
            ("fix maybe", "`fix` takes `on` or `off`, not `maybe`"),
            ("fix", "`fix` takes `on` or `off`, not ``"),
            ("corrupt 101", "`corrupt` takes a percentage from 0 to 100, not `101`"),
            ("corrupt -1", "`corrupt` takes a percentage from 0 to 100, not `-1`"),
            ("unplug now", "`unplug` takes no setting, not `now`"),
        ] {
            assert_eq!(line.parse::<Lever>().expect_err(line).to_string(), message);
        }
        let unknown = "wiggle on".parse::<Lever>().expect_err("unknown").to_string();
        assert!(
            unknown.starts_with("unknown lever `wiggle`; the levers are: fix on|off"),
            "{unknown}"
        );
        assert_eq!("".parse::<Lever>(), Err(ParseLeverError::Empty));
    }

    #[test]
    fn every_name_is_a_lever_and_the_refusal_lists_it() {
        for name in SET.iter().chain(&ALONE) {
            let unknown = matches!(name.parse::<Lever>(), Err(ParseLeverError::Unknown(_)));
            assert!(!unknown && KNOWN.contains(name), "{name}");
        }
    }

    #[test]
    fn words_become_levers_without_quotes() {
        for (words, lines) in [
            (vec!["fix", "off", "corrupt 5", "unplug"], vec!["fix off", "corrupt 5", "unplug"]),
            (vec!["fix", "off", "wiggle", "on", "plug"], vec!["fix off", "wiggle on", "plug"]),
            (vec!["unplug", "wiggle"], vec!["unplug", "wiggle"]),
            (vec!["fix", "status"], vec!["fix", "status"]),
            (
                vec!["press", "stop", "2000", "ignition", "on", "press", "accept", "status"],
                vec!["press stop 2000", "ignition on", "press accept", "status"],
            ),
            (vec![" "], vec![]),
        ] {
            assert_eq!(lines_from_words(words), lines);
        }
    }
}
