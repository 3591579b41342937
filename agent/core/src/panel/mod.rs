//! The driver's panel: an ignition input, four buttons, two LEDs.
//!
//! Pure logic over the traits of embedded-hal: levels of pins become presses, presses become what the
//! driver means, and what the vehicle knows becomes patterns of light. `docs/panel.md` tells drivers and
//! installers the same. Who owns the pins says what becomes of one that fails: here it reads as a button
//! that nobody presses, and as an ignition that nobody knows.

mod button;
mod debounce;
mod indication;
mod leds;
mod line;
mod meaning;

pub use button::{Button, ButtonName, Kind, Press, Timing};
pub use debounce::Debounce;
pub use indication::{Indication, Phase, Sos, TripMoment};
pub use leds::{Blink, Leds, Lit, Pattern};
pub use line::{Input, Output};
pub use meaning::{Misuse, meaning};

use embedded_hal::digital::{InputPin, OutputPin};
use tripline_protocol::unit::Uptime;

/// How long the ignition must stand before it counts, in ms: cranking makes it drop for a moment.
pub const IGNITION_DEBOUNCE_MS: u64 = 500;

/// The pins of a panel; one that is absent is not wired.
#[derive(Debug)]
pub struct Pins<P> {
    /// The buttons, in the order of [`ButtonName::ALL`].
    pub buttons: [Option<Input<P>>; 4],
    /// The ignition.
    pub ignition: Option<Input<P>>,
    /// The LED that tells the phase of the ride.
    pub status: Option<Output<P>>,
    /// The LED that tells what is wrong.
    pub trouble: Option<Output<P>>,
}

/// What one look at the pins gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Presses, at most one a button.
    pub presses: [Option<Press>; 4],
    /// The ignition; `None` while it is not known.
    pub ignition: Option<bool>,
}

/// The panel.
#[derive(Debug)]
pub struct Panel<P> {
    pins: Pins<P>,
    buttons: [Button; 4],
    ignition: Option<Debounce>,
    leds: Leds,
}

impl<P: InputPin + OutputPin> Panel<P> {
    /// A panel over its pins. A button that is held already counts once it was released.
    pub fn new(pins: Pins<P>, now: Uptime) -> Self {
        Self {
            pins,
            buttons: ButtonName::ALL.map(Button::new),
            ignition: None,
            leds: Leds::new(now),
        }
    }

    /// Looks at the inputs. To be called every 10 ms or so: a look later than
    /// [`Button::GAP_MS_MAX`] after the one before trusts no button that it finds held.
    pub fn look(&mut self, now: Uptime) -> Seen {
        let mut seen = Seen::default();
        let buttons = self.buttons.iter_mut().zip(&mut self.pins.buttons);
        for ((button, pin), press) in buttons.zip(&mut seen.presses) {
            *press = pin.as_mut().and_then(|pin| button.look(pin.is_active().ok(), now));
        }
        let level = self.pins.ignition.as_mut().and_then(|pin| pin.is_active().ok());
        seen.ignition = self.ignition_after(level, now);
        seen
    }

    fn ignition_after(&mut self, level: Option<bool>, now: Uptime) -> Option<bool> {
        match (level, &mut self.ignition) {
            (None, ignition) => *ignition = None,
            (Some(level), ignition @ None) => {
                *ignition = Some(Debounce::new(IGNITION_DEBOUNCE_MS, level, now));
            }
            (Some(level), Some(debounce)) => {
                debounce.settle(level, now);
            }
        }
        self.ignition.as_ref().and_then(Debounce::settled)
    }

    /// Shows how a press was answered.
    pub const fn blink(&mut self, blink: Blink, now: Uptime) {
        self.leds.blink(blink, now);
    }

    /// Lights the LEDs. One that fails is tried again at the next call.
    pub fn show(&mut self, indication: &Indication, now: Uptime) {
        let lit = self.leds.poll(now, indication);
        for (led, on) in
            [(&mut self.pins.status, lit.status), (&mut self.pins.trouble, lit.trouble)]
        {
            if let Some(led) = led {
                led.light(on, now);
            }
        }
    }

    /// Puts both LEDs out, for the end.
    pub fn darken(&mut self, now: Uptime) {
        for led in [&mut self.pins.status, &mut self.pins.trouble].into_iter().flatten() {
            led.light(false, now);
        }
    }
}
