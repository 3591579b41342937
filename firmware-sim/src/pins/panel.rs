//! What is wired to the chip: four buttons, the ignition, two LEDs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The buttons. They connect their line to ground, as most do: pressed is low.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Line 1.
    Accept,
    /// Line 2.
    StartPause,
    /// Line 3.
    Stop,
    /// Line 4.
    Sos,
}

/// The ignition's line: high when it is on.
pub const IGNITION_LINE: u32 = 5;

/// The status LED's line: it lights when high.
pub const STATUS_LINE: u32 = 6;

/// The trouble LED's line: it lights when high.
pub const TROUBLE_LINE: u32 = 7;

impl Button {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Accept, Self::StartPause, Self::Stop, Self::Sos];

    /// Its word in a lever.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::StartPause => "start_pause",
            Self::Stop => "stop",
            Self::Sos => "sos",
        }
    }

    /// Its line on the chip.
    pub const fn line(self) -> u32 {
        match self {
            Self::Accept => 1,
            Self::StartPause => 2,
            Self::Stop => 3,
            Self::Sos => 4,
        }
    }
}

impl fmt::Display for Button {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Button {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|button| button.name() == name).ok_or(())
    }
}

/// An LED, and what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Led {
    /// Whether it lights.
    pub lit: bool,
    /// How often it began to, since the chip began.
    pub flashes: u64,
}

impl Led {
    const fn set(&mut self, lit: bool) {
        if lit && !self.lit {
            self.flashes += 1;
        }
        self.lit = lit;
    }
}

/// How everything stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panel {
    /// Buttons that are pressed, in the order of [`Button::ALL`].
    pub pressed: [bool; 4],
    /// Whether the ignition is on.
    pub ignition: bool,
    /// The status LED.
    pub status_led: Led,
    /// The trouble LED.
    pub trouble_led: Led,
}

/// A line that is not there, or goes the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// No such line.
    #[error("the chip has lines 1 to 7, not {0}")]
    Unknown(u32),
    /// An input was set.
    #[error("line {0} is an input")]
    Input(u32),
}

impl Panel {
    /// Presses a button or lets it go.
    pub const fn press(&mut self, button: Button, pressed: bool) {
        self.pressed[button as usize] = pressed;
    }

    /// The level of a line: whether it is high.
    pub fn level(&self, line: u32) -> Result<bool, LineError> {
        match line {
            IGNITION_LINE => Ok(self.ignition),
            STATUS_LINE => Ok(self.status_led.lit),
            TROUBLE_LINE => Ok(self.trouble_led.lit),
            _ => {
                let buttons = Button::ALL.into_iter().zip(self.pressed);
                let mut levels = buttons.filter(|(button, _)| button.line() == line);
                levels.next().map(|(_, pressed)| !pressed).ok_or(LineError::Unknown(line))
            }
        }
    }

    /// Sets the level of an LED's line.
    pub fn set(&mut self, line: u32, high: bool) -> Result<(), LineError> {
        match line {
            STATUS_LINE => self.status_led.set(high),
            TROUBLE_LINE => self.trouble_led.set(high),
            _ => {
                return Err(self
                    .level(line)
                    .map_or_else(|error| error, |_| LineError::Input(line)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buttons_are_low_when_pressed_and_leds_count_their_flashes() {
        let mut panel = Panel::default();
        assert_eq!(panel.level(Button::Stop.line()), Ok(true));
        panel.press(Button::Stop, true);
        assert_eq!(panel.level(Button::Stop.line()), Ok(false));
        assert_eq!(panel.level(Button::Sos.line()), Ok(true));
        for high in [true, true, false, true, false] {
            panel.set(TROUBLE_LINE, high).expect("an LED");
        }
        assert_eq!(panel.trouble_led, Led { lit: false, flashes: 2 });
    }

    #[test]
    fn a_line_that_is_an_input_or_not_there_is_not_set() {
        let mut panel = Panel::default();
        assert_eq!(panel.set(1, true), Err(LineError::Input(1)));
        assert_eq!(panel.set(IGNITION_LINE, true), Err(LineError::Input(5)));
        assert_eq!(panel.set(8, true), Err(LineError::Unknown(8)));
        assert_eq!(panel.level(0), Err(LineError::Unknown(0)));
    }
}
