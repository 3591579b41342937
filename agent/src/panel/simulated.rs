//! Simulated pins, behind a Unix socket: each line of JSON asks or sets one level, and is answered by
//! one. `tripline-sim pins` serves them.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use embedded_hal::digital::{ErrorType, InputPin, OutputPin};
use serde::{Deserialize, Serialize};

use super::chip::{Chip, Direction, PinError};

/// A chip that takes longer is as good as gone.
const ANSWER_WITHIN: Duration = Duration::from_millis(200);

/// Longest answer, in bytes.
const ANSWER_LEN_MAX: u64 = 512;

/// A chip behind a socket.
#[derive(Debug)]
pub(super) struct Simulated {
    socket: PathBuf,
}

impl Simulated {
    pub(super) fn at(socket: &str) -> Self {
        Self { socket: socket.into() }
    }
}

impl Chip for Simulated {
    type Pin = SimulatedPin;

    fn open(&self, line: u32, direction: Direction) -> Result<SimulatedPin, PinError> {
        let connected = UnixStream::connect(&self.socket).and_then(|stream| {
            stream.set_read_timeout(Some(ANSWER_WITHIN))?;
            stream.set_write_timeout(Some(ANSWER_WITHIN))?;
            Ok(BufReader::new(stream))
        });
        let mut pin = SimulatedPin { line, stream: connected.map_err(failed)? };
        match direction {
            Direction::Input => pin.ask(&Question::Get { line })?,
            Direction::Output { high } => pin.ask(&Question::Set { line, high })?,
        };
        Ok(pin)
    }
}

/// A simulated line, with a connection of its own.
#[derive(Debug)]
pub(super) struct SimulatedPin {
    line: u32,
    stream: BufReader<UnixStream>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Question {
    Get { line: u32 },
    Set { line: u32, high: bool },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    Level { high: bool },
    Refused { error: String },
}

impl SimulatedPin {
    fn ask(&mut self, question: &Question) -> Result<bool, PinError> {
        let mut line = serde_json::to_vec(question).map_err(|error| PinError(error.to_string()))?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).map_err(failed)?;
        let mut answer = String::new();
        let read = (&mut self.stream).take(ANSWER_LEN_MAX).read_line(&mut answer);
        if read.map_err(failed)? == 0 {
            return Err(failed(ErrorKind::UnexpectedEof.into()));
        }
        match serde_json::from_str(&answer) {
            Ok(Answer::Level { high }) => Ok(high),
            Ok(Answer::Refused { error }) => Err(PinError(error)),
            Err(error) => Err(PinError(error.to_string())),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(error: std::io::Error) -> PinError {
    PinError(error.to_string())
}

impl ErrorType for SimulatedPin {
    type Error = PinError;
}

impl InputPin for SimulatedPin {
    fn is_high(&mut self) -> Result<bool, PinError> {
        self.ask(&Question::Get { line: self.line })
    }

    fn is_low(&mut self) -> Result<bool, PinError> {
        self.is_high().map(|high| !high)
    }
}

impl OutputPin for SimulatedPin {
    fn set_high(&mut self) -> Result<(), PinError> {
        self.ask(&Question::Set { line: self.line, high: true }).map(drop)
    }

    fn set_low(&mut self) -> Result<(), PinError> {
        self.ask(&Question::Set { line: self.line, high: false }).map(drop)
    }
}
