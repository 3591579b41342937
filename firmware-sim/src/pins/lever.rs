//! The levers of the chip, and the words for them.

use std::fmt;
use std::str::FromStr;

use super::panel::Button;

/// How long a press is unless said otherwise, in ms.
pub const PRESS_MS: u64 = 200;

/// Longest press, in ms: whoever pulls the lever waits for its end. `hold` and `release` make longer ones.
pub const PRESS_MS_MAX: u64 = 4_500;

/// One command to a running chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinLever {
    /// `press BUTTON [MS]`: presses and lets go; answered when it is let go.
    Press(Button, u64),
    /// `bounce BUTTON [MS]`: the same with worn contacts, which chatter when they close and open.
    Bounce(Button, u64),
    /// `hold BUTTON`: presses.
    Hold(Button),
    /// `release BUTTON`: lets go.
    Release(Button),
    /// `ignition on|off`
    Ignition(bool),
    /// `status`: asks, and changes nothing.
    Status,
}

/// A line that is no lever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParsePinLeverError {
    /// No such lever.
    #[error(
        "unknown lever `{0}`; the levers are: press BUTTON [MS], bounce BUTTON [MS], hold BUTTON, release BUTTON, ignition on|off, status"
    )]
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

const BUTTONS: &str = "a button: accept, start_pause, stop or sos";
const PRESSES: &str =
    "a button (accept, start_pause, stop or sos) and the ms it is pressed, 1 to 4500";

impl fmt::Display for PinLever {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Press(button, ms) => write!(f, "press {button} {ms}"),
            Self::Bounce(button, ms) => write!(f, "bounce {button} {ms}"),
            Self::Hold(button) => write!(f, "hold {button}"),
            Self::Release(button) => write!(f, "release {button}"),
            Self::Ignition(on) => write!(f, "ignition {}", if *on { "on" } else { "off" }),
            Self::Status => f.write_str("status"),
        }
    }
}

impl FromStr for PinLever {
    type Err = ParsePinLeverError;

    fn from_str(line: &str) -> Result<Self, ParsePinLeverError> {
        let (name, setting) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let setting = setting.trim();
        let refuse = |wants| ParsePinLeverError::BadSetting {
            lever: name.to_owned(),
            wants,
            given: setting.to_owned(),
        };
        let button = || setting.parse().map_err(|()| refuse(BUTTONS));
        let press = || press(setting).ok_or_else(|| refuse(PRESSES));
        match (name, setting) {
            ("press", _) => press().map(|(button, ms)| Self::Press(button, ms)),
            ("bounce", _) => press().map(|(button, ms)| Self::Bounce(button, ms)),
            ("hold", _) => button().map(Self::Hold),
            ("release", _) => button().map(Self::Release),
            ("ignition", "on") => Ok(Self::Ignition(true)),
            ("ignition", "off") => Ok(Self::Ignition(false)),
            ("ignition", _) => Err(refuse("`on` or `off`")),
            ("status", "") => Ok(Self::Status),
            ("status", _) => Err(refuse("no setting")),
            (unknown, _) => Err(ParsePinLeverError::Unknown(unknown.to_owned())),
        }
    }
}

fn press(setting: &str) -> Option<(Button, u64)> {
    let (button, ms) = setting.split_once(' ').unwrap_or((setting, ""));
    let ms = if ms.is_empty() { PRESS_MS } else { ms.trim().parse().ok()? };
    let button = button.parse().ok()?;
    (1..=PRESS_MS_MAX).contains(&ms).then_some((button, ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lever_has_its_words() {
        for (line, lever) in [
            ("press accept", PinLever::Press(Button::Accept, PRESS_MS)),
            ("press stop 2000", PinLever::Press(Button::Stop, 2000)),
            ("bounce start_pause 50", PinLever::Bounce(Button::StartPause, 50)),
            (" hold sos\r", PinLever::Hold(Button::Sos)),
            ("release sos", PinLever::Release(Button::Sos)),
            ("ignition on", PinLever::Ignition(true)),
            ("status", PinLever::Status),
        ] {
            assert_eq!(line.parse(), Ok(lever), "{line}");
            assert_eq!(lever.to_string().parse(), Ok(lever), "{lever}");
        }
    }

    #[test]
    fn a_wrong_line_is_refused_with_what_would_be_right() {
        for line in ["press", "press horn", "press stop 0", "press stop 4501", "bounce sos x"] {
            let error = line.parse::<PinLever>().expect_err(line).to_string();
            assert!(error.contains("takes a button (accept"), "{error}");
        }
        for line in ["hold", "hold accept 5", "ignition", "status now"] {
            let error = line.parse::<PinLever>().expect_err(line);
            assert!(matches!(error, ParsePinLeverError::BadSetting { .. }), "{error}");
        }
        let unknown = "fix off".parse::<PinLever>().expect_err("unknown").to_string();
        assert!(unknown.contains("the levers are: press BUTTON [MS]"), "{unknown}");
    }
}
