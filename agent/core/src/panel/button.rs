//! A button: from a level to a short or a long press.

use tripline_protocol::unit::Uptime;

use super::debounce::Debounce;

/// How long a button's level must stand before it counts, in ms. Contacts bounce for 1 to 20 ms.
const DEBOUNCE_MS: u64 = 30;

/// The buttons of a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ButtonName {
    /// Takes an offer or declines it.
    Accept,
    /// One step on: depart, arrive, start, pause, resume.
    StartPause,
    /// Ends the ride, then takes the fare.
    Stop,
    /// Calls for help.
    Sos,
}

impl ButtonName {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Accept, Self::StartPause, Self::Stop, Self::Sos];

    /// Its name in the configuration and the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::StartPause => "start_pause",
            Self::Stop => "stop",
            Self::Sos => "sos",
        }
    }

    /// How long its presses are.
    pub const fn timing(self) -> Timing {
        match self {
            Self::Accept | Self::StartPause | Self::Stop => {
                Timing { short_ms: 1_000, long_ms: 1_500 }
            }
            // Whoever lets go too early learns it from the error blink, so there is nothing between.
            Self::Sos => Timing { short_ms: 3_000, long_ms: 3_000 },
        }
    }
}

/// How long presses are. What is let go between the two is no press: nobody knows what it meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// A short press is let go before this, in ms.
    pub short_ms: u64,
    /// A long press is held for this, in ms, and counts while it is still held.
    pub long_ms: u64,
}

impl Timing {
    const fn kind(self, held_ms: u64) -> Option<Kind> {
        if held_ms >= self.long_ms {
            Some(Kind::Long)
        } else if held_ms < self.short_ms {
            Some(Kind::Short)
        } else {
            None
        }
    }
}

/// How long a button was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pressed and let go.
    Short,
    /// Held.
    Long,
}

/// A press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Press {
    /// Which button.
    pub button: ButtonName,
    /// How long.
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not known to have been released: no press can begin.
    Unknown,
    Released,
    Down {
        since: Uptime,
    },
    /// Still held, and all was said.
    Spent,
}

/// One button over time.
#[derive(Debug, Clone, Copy)]
pub struct Button {
    name: ButtonName,
    stage: Stage,
    debounce: Option<Debounce>,
    looked: Uptime,
}

impl Button {
    /// Longest time between two looks, in ms. What happened in a longer one nobody saw: a button held
    /// after it must be released before it counts.
    pub const GAP_MS_MAX: u64 = 250;

    /// A button nobody looked at yet. One that is held from the start (stuck, or wired the wrong way)
    /// does nothing until it was released.
    pub const fn new(name: ButtonName) -> Self {
        Self { name, stage: Stage::Unknown, debounce: None, looked: Uptime::from_ms(0) }
    }

    /// Takes in whether it is pressed, `None` where its pin cannot be read.
    pub fn look(&mut self, pressed: Option<bool>, now: Uptime) -> Option<Press> {
        let unseen = now.since_ms(self.looked) > Self::GAP_MS_MAX;
        self.looked = now;
        let debounce = self.debounce.as_mut().filter(|_| !unseen);
        let (Some(pressed), Some(debounce)) = (pressed, debounce) else {
            self.stage = Stage::Unknown;
            self.debounce = pressed.map(|pressed| Debounce::new(DEBOUNCE_MS, pressed, now));
            return None;
        };
        let changed = debounce.settle(pressed, now);
        let kind = self.step(changed, now)?;
        Some(Press { button: self.name, kind })
    }

    fn step(&mut self, changed: Option<bool>, now: Uptime) -> Option<Kind> {
        let timing = self.name.timing();
        match (self.stage, changed) {
            (Stage::Released, Some(true)) => self.stage = Stage::Down { since: now },
            (Stage::Down { since }, Some(false)) => {
                self.stage = Stage::Released;
                return timing.kind(now.since_ms(since));
            }
            (Stage::Down { since }, None) if now.since_ms(since) >= timing.long_ms => {
                self.stage = Stage::Spent;
                return Some(Kind::Long);
            }
            (_, Some(false)) => self.stage = Stage::Released,
            (Stage::Unknown | Stage::Down { .. } | Stage::Spent, Some(true)) | (_, None) => {}
        }
        None
    }
}
