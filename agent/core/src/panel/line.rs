//! Pins with their sense: what counts is whether a line is active, not whether it is high.

use embedded_hal::digital::{InputPin, OutputPin, PinState};
use tripline_protocol::unit::Uptime;

/// An input.
#[derive(Debug)]
pub struct Input<P> {
    pin: P,
    active_low: bool,
}

impl<P: InputPin> Input<P> {
    /// An input that is active when it is low, or else when it is high.
    pub const fn new(pin: P, active_low: bool) -> Self {
        Self { pin, active_low }
    }

    /// Whether it is active.
    pub fn is_active(&mut self) -> Result<bool, P::Error> {
        Ok(self.pin.is_high()? != self.active_low)
    }
}

/// How often an output is written that does not change, in ms: a chip that was away for a moment (or
/// was plugged in again) lights as it should.
const REFRESH_MS: u64 = 1_000;

/// An output that is written when it changes, and now and then.
#[derive(Debug)]
pub struct Output<P> {
    pin: P,
    active_low: bool,
    shown: Option<(bool, Uptime)>,
}

impl<P: OutputPin> Output<P> {
    /// An output that lights when it is low, or else when it is high.
    pub const fn new(pin: P, active_low: bool) -> Self {
        Self { pin, active_low, shown: None }
    }

    /// Lights it or puts it out. What failed is not shown, and tried again by the next call.
    pub fn light(&mut self, on: bool, now: Uptime) {
        let shown = |(shown, at)| shown == on && now.since_ms(at) < REFRESH_MS;
        if !self.shown.is_some_and(shown) {
            let state = PinState::from(on != self.active_low);
            self.shown = self.pin.set_state(state).is_ok().then_some((on, now));
        }
    }
}
