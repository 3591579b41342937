//! What both kinds of chip have in common.

use embedded_hal::digital::{ErrorKind, InputPin, OutputPin};

/// Which way a line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// It is read.
    Input,
    /// It is written, and begins at this level.
    Output {
        /// Whether it begins high.
        high: bool,
    },
}

/// A chip whose lines can be asked for: the board's, or a simulated one.
pub(super) trait Chip: Send + Sync + 'static {
    /// Its pins.
    type Pin: InputPin<Error = PinError> + OutputPin<Error = PinError>;

    /// Takes a line. Fails where the chip or the line is not there, or somebody else has it.
    fn open(&self, line: u32, direction: Direction) -> Result<Self::Pin, PinError>;
}

/// A pin that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct PinError(pub(super) String);

impl embedded_hal::digital::Error for PinError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}
