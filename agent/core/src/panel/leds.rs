//! The two LEDs: patterns as data, and which of them is shown.

use tripline_protocol::unit::Uptime;

use super::indication::{Indication, Phase, Sos};

/// Light over time: milliseconds on and off by turns, on first.
#[derive(Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What it tells.
    pub name: &'static str,
    /// On, off, on, off...; empty is dark for good, a single one is lit for good.
    pub on_off_ms: &'static [u16],
    /// Whether it begins again at its end.
    pub repeats: bool,
}

const fn repeated(name: &'static str, on_off_ms: &'static [u16]) -> Pattern {
    Pattern { name, on_off_ms, repeats: true }
}

// Status: the ride. The more there is to do, the more light.
static IDLE: Pattern = repeated("idle", &[50, 2_950]);
static OFFER_WAITS: Pattern = repeated("offer waits", &[125, 125]);
static CHANGED: Pattern = repeated("changed", &[125, 125, 125, 125, 125, 1_375]);
static TO_PICKUP: Pattern = repeated("to pickup", &[500, 500]);
static AT_PICKUP: Pattern = repeated("at pickup", &[100, 200, 100, 1_100]);
static RIDING: Pattern = repeated("riding", &[1_000]);
static PAUSED: Pattern = repeated("paused", &[1_500, 500]);
static TO_COLLECT: Pattern = repeated("to collect", &[100, 200, 100, 200, 100, 800]);

// Trouble: the number of flashes tells which; the worst one is shown.
static NOTHING_WRONG: Pattern = repeated("nothing wrong", &[]);
static NO_LINK: Pattern = repeated("no link", &[150, 1_850]);
static NO_FIX: Pattern = repeated("no fix", &[150, 250, 150, 1_450]);
static RECEIVER_MISSING: Pattern = repeated("receiver missing", &[150, 250, 150, 250, 150, 1_050]);
static JOURNAL_DEGRADED: Pattern =
    repeated("journal degraded", &[150, 250, 150, 250, 150, 250, 150, 650]);
static SOS_RECEIVED: Pattern = repeated("sos received", &[1_000]);
static SOS_WAITS: Pattern = repeated("sos waits", &[100, 100]);

// Answers to a press, shown once over everything else.
static DONE: Pattern = Pattern { name: "done", on_off_ms: &[0, 150, 700, 150], repeats: false };
static REFUSED: Pattern = Pattern {
    name: "refused",
    on_off_ms: &[0, 100, 60, 60, 60, 60, 60, 60, 60, 60, 60, 100],
    repeats: false,
};

impl Pattern {
    /// Whether it lights after so many ms, and after how many more that changes. `None` once a pattern
    /// that does not repeat is over.
    fn at(&self, elapsed_ms: u64) -> Option<(bool, Option<u64>)> {
        let steps = || self.on_off_ms.iter().map(|ms| u64::from(*ms));
        match self.on_off_ms {
            [] => return Some((false, None)),
            [_] => return Some((true, None)),
            _ => {}
        }
        let whole_ms: u64 = steps().sum();
        let mut left_ms = if self.repeats { elapsed_ms % whole_ms } else { elapsed_ms };
        let mut lit = true;
        for step_ms in steps() {
            if left_ms < step_ms {
                return Some((lit, Some(step_ms - left_ms)));
            }
            left_ms -= step_ms;
            lit = !lit;
        }
        None
    }

    /// What the status LED tells.
    pub const fn of_phase(phase: Phase) -> &'static Self {
        match phase {
            Phase::Idle => &IDLE,
            Phase::OfferWaits => &OFFER_WAITS,
            Phase::Changed => &CHANGED,
            Phase::ToPickup => &TO_PICKUP,
            Phase::AtPickup => &AT_PICKUP,
            Phase::Riding => &RIDING,
            Phase::Paused => &PAUSED,
            Phase::ToCollect => &TO_COLLECT,
        }
    }

    /// What the trouble LED tells: the worst there is.
    pub const fn of_trouble(indication: &Indication) -> &'static Self {
        match indication {
            Indication { sos: Some(Sos::Waits), .. } => &SOS_WAITS,
            Indication { sos: Some(Sos::Received), .. } => &SOS_RECEIVED,
            Indication { journal_degraded: true, .. } => &JOURNAL_DEGRADED,
            Indication { receiver_missing: true, .. } => &RECEIVER_MISSING,
            Indication { has_fix: false, .. } => &NO_FIX,
            Indication { connected: false, .. } => &NO_LINK,
            _ => &NOTHING_WRONG,
        }
    }

    /// What answers a press.
    pub const fn of_blink(blink: Blink) -> &'static Self {
        match blink {
            Blink::Done => &DONE,
            Blink::Refused => &REFUSED,
        }
    }
}

/// The answer to a press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blink {
    /// Done and on the disk: one long light of the status LED.
    Done,
    /// Not done: five quick flashes of the trouble LED.
    Refused,
}

/// The light of both LEDs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lit {
    /// The status LED.
    pub status: bool,
    /// The trouble LED.
    pub trouble: bool,
}

/// A pattern, and since when it is shown.
#[derive(Debug, Clone, Copy)]
struct Shown {
    pattern: &'static Pattern,
    since: Uptime,
    changes: Option<Uptime>,
}

impl Shown {
    const fn new(pattern: &'static Pattern, now: Uptime) -> Self {
        Self { pattern, since: now, changes: Some(now) }
    }

    /// Shows `pattern`, from its beginning if it is another one, unless a pattern that does not repeat
    /// is not over yet.
    fn show(&mut self, pattern: &'static Pattern, now: Uptime) -> bool {
        let over = self.pattern.at(now.since_ms(self.since)).is_none();
        if over || self.pattern.repeats && self.pattern != pattern {
            *self = Self::new(pattern, now);
        }
        let (lit, left_ms) = self.pattern.at(now.since_ms(self.since)).unwrap_or_default();
        self.changes = left_ms.map(|left_ms| now.plus_ms(left_ms));
        lit
    }
}

/// Both LEDs over time.
#[derive(Debug, Clone, Copy)]
pub struct Leds {
    status: Shown,
    trouble: Shown,
}

impl Leds {
    /// Both, with nothing to tell yet.
    pub const fn new(now: Uptime) -> Self {
        Self { status: Shown::new(&IDLE, now), trouble: Shown::new(&NOTHING_WRONG, now) }
    }

    /// Answers a press; the other LED goes on with what it shows.
    pub const fn blink(&mut self, blink: Blink, now: Uptime) {
        let shown = Shown::new(Pattern::of_blink(blink), now);
        match blink {
            Blink::Done => self.status = shown,
            Blink::Refused => self.trouble = shown,
        }
    }

    /// The light at `now`.
    pub fn poll(&mut self, now: Uptime, indication: &Indication) -> Lit {
        Lit {
            status: self.status.show(Pattern::of_phase(indication.phase()), now),
            trouble: self.trouble.show(Pattern::of_trouble(indication), now),
        }
    }

    /// When the light changes next if the indication stays; `None` for never.
    pub fn next_change(&self) -> Option<Uptime> {
        [self.status.changes, self.trouble.changes].into_iter().flatten().min()
    }
}
