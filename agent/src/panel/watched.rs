//! A pin that is opened when it is used, and again after it failed; the log hears of it once.

use std::sync::Arc;

use embedded_hal::digital::{ErrorType, InputPin, OutputPin};
use tracing::{info, warn};
use tripline_protocol::unit::Uptime;

use super::chip::{Chip, Direction, PinError};
use crate::time::Stopwatch;

/// Wait between two attempts to open a pin, in ms.
const REOPEN_MS: u64 = 1_000;

/// A pin that comes back.
#[derive(Debug)]
pub(super) struct Watched<C: Chip> {
    chip: Arc<C>,
    name: &'static str,
    line: u32,
    direction: Direction,
    stopwatch: Stopwatch,
    pin: Option<C::Pin>,
    failed: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    tried: Uptime,
    error: PinError,
}

impl<C: Chip> Watched<C> {
    pub(super) const fn new(
        chip: Arc<C>,
        name: &'static str,
        line: u32,
        direction: Direction,
        stopwatch: Stopwatch,
    ) -> Self {
        Self { chip, name, line, direction, stopwatch, pin: None, failed: None }
    }

    fn with<T>(
        &mut self,
        use_it: impl FnOnce(&mut C::Pin) -> Result<T, PinError>,
    ) -> Result<T, PinError> {
        let now = self.stopwatch.now();
        if let (None, Some(failure)) = (&self.pin, &self.failed)
            && now.since_ms(failure.tried) < REOPEN_MS
        {
            return Err(failure.error.clone());
        }
        let outcome = match &mut self.pin {
            Some(pin) => use_it(pin),
            None => match self.chip.open(self.line, self.direction) {
                Ok(pin) => use_it(self.pin.insert(pin)),
                Err(error) => Err(error),
            },
        };
        match &outcome {
            Ok(_) => self.works(),
            Err(error) => self.fails(error.clone(), now),
        }
        outcome
    }

    fn works(&mut self) {
        if self.failed.take().is_some() {
            info!(pin = self.name, line = self.line, "the pin works again");
        }
    }

    fn fails(&mut self, error: PinError, now: Uptime) {
        if self.failed.is_none() {
            warn!(pin = self.name, line = self.line, %error, "a pin fails; trying again until it works");
        }
        self.pin = None;
        self.failed = Some(Failure { tried: now, error });
    }
}

impl<C: Chip> ErrorType for Watched<C> {
    type Error = PinError;
}

impl<C: Chip> InputPin for Watched<C> {
    fn is_high(&mut self) -> Result<bool, PinError> {
        self.with(InputPin::is_high)
    }

    fn is_low(&mut self) -> Result<bool, PinError> {
        self.with(InputPin::is_low)
    }
}

impl<C: Chip> OutputPin for Watched<C> {
    fn set_high(&mut self) -> Result<(), PinError> {
        self.with(OutputPin::set_high)
    }

    fn set_low(&mut self) -> Result<(), PinError> {
        self.with(OutputPin::set_low)
    }
}
