//! The board's pins, through the kernel's GPIO character device.

use std::path::PathBuf;

use embedded_hal::digital::{ErrorType, InputPin, OutputPin};
use linux_embedded_hal::CdevPin;
use linux_embedded_hal::gpio_cdev::{Chip as CdevChip, LineRequestFlags};

use super::chip::{Chip, Direction, PinError};

/// Who holds a line, as `gpioinfo` shows it.
const CONSUMER: &str = "tripline-agent";

/// A GPIO chip of the board, `/dev/gpiochip0` for instance.
#[derive(Debug)]
pub(super) struct Board {
    path: PathBuf,
}

impl Board {
    pub(super) fn at(path: &str) -> Self {
        Self { path: path.into() }
    }
}

impl Chip for Board {
    type Pin = BoardPin;

    fn open(&self, line: u32, direction: Direction) -> Result<BoardPin, PinError> {
        let failed =
            |error: linux_embedded_hal::gpio_cdev::errors::Error| PinError(error.to_string());
        let (flags, high) = match direction {
            Direction::Input => (LineRequestFlags::INPUT, false),
            Direction::Output { high } => (LineRequestFlags::OUTPUT, high),
        };
        let line = CdevChip::new(&self.path).map_err(failed)?.get_line(line).map_err(failed)?;
        let handle = line.request(flags, u8::from(high), CONSUMER).map_err(failed)?;
        CdevPin::new(handle).map(BoardPin).map_err(failed)
    }
}

/// A line of the board.
pub(super) struct BoardPin(CdevPin);

impl ErrorType for BoardPin {
    type Error = PinError;
}

impl InputPin for BoardPin {
    fn is_high(&mut self) -> Result<bool, PinError> {
        self.0.is_high().map_err(|error| PinError(error.to_string()))
    }

    fn is_low(&mut self) -> Result<bool, PinError> {
        self.is_high().map(|high| !high)
    }
}

impl OutputPin for BoardPin {
    fn set_high(&mut self) -> Result<(), PinError> {
        self.0.set_high().map_err(|error| PinError(error.to_string()))
    }

    fn set_low(&mut self) -> Result<(), PinError> {
        self.0.set_low().map_err(|error| PinError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_that_is_not_there_or_is_none_fails_with_a_reason() {
        for path in ["/dev/no-such-gpiochip", "/dev/null"] {
            for direction in [Direction::Input, Direction::Output { high: false }] {
                let opened = Board::at(path).open(4, direction);
                let error = opened.err().expect("no GPIO chip").to_string();
                assert!(!error.is_empty(), "{path}");
            }
        }
    }
}
