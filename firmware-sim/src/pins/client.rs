//! A client for tests: presses buttons and sees LEDs.

use std::path::Path;

use super::lever::PinLever;
use super::panel::Panel;
use crate::control::{ControlClient, SpeakError};

/// What became of a lever.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// The chip could not be spoken to.
    #[error(transparent)]
    Speak(#[from] SpeakError),
    /// It answered something else.
    #[error("the chip answered `{lever}` with `{answer}`")]
    Answer {
        /// The lever.
        lever: String,
        /// The answer.
        answer: String,
    },
}

/// Hands and eyes on a simulated panel.
#[derive(Debug)]
pub struct PinsClient(ControlClient);

impl PinsClient {
    /// Connects to the control socket of a running chip.
    pub fn connect(control: &Path) -> Result<Self, PinsError> {
        Ok(Self(ControlClient::connect(control)?))
    }

    /// Pulls a lever; a press is over when this returns.
    pub fn pull(&mut self, lever: PinLever) -> Result<(), PinsError> {
        let answer = self.0.pull(&lever.to_string())?;
        if answer == "ok" {
            return Ok(());
        }
        Err(PinsError::Answer { lever: lever.to_string(), answer })
    }

    /// How everything stands.
    pub fn status(&mut self) -> Result<Panel, PinsError> {
        let lever = PinLever::Status.to_string();
        let answer = self.0.pull(&lever)?;
        serde_json::from_str(&answer).map_err(|_| PinsError::Answer { lever, answer })
    }
}
