//! What the receiver says of the sky, so that somebody can be told that the antenna is blind.

use crate::nmea::{Gsv, Sentence, Signal, Verdict};

/// Signals of one constellation or another that a receiver reports, at most.
const SIGNALS_MAX: usize = 16;

/// Groups of other signals after which one that is no longer reported is forgotten: a few cycles.
const SILENT_GROUPS_MAX: u8 = 64;

/// The sky as the receiver last told it.
#[derive(Debug, Clone, Default)]
pub struct Sky {
    signals: [Option<Group>; SIGNALS_MAX],
    used: Option<u8>,
    has_time: bool,
    has_fix: bool,
}

/// The last group of GSV of one signal.
#[derive(Debug, Clone, Copy)]
struct Group {
    signal: Signal,
    in_view: u8,
    cn0_max: Option<u8>,
    silent_groups: u8,
}

impl Sky {
    /// Whether the receiver says what is in view, were it nothing.
    pub fn is_told(&self) -> bool {
        self.signals.iter().any(Option::is_some)
    }

    /// Satellites in view. One heard on two signals counts once.
    pub fn in_view(&self) -> u16 {
        let groups = || self.signals.iter().flatten();
        let is_largest = |group: &&Group| {
            // The first among the largest of its talker stands for all of them.
            let largest = groups()
                .filter(|other| other.signal.talker == group.signal.talker)
                .reduce(|best, other| if other.in_view > best.in_view { other } else { best });
            largest.is_some_and(|largest| largest.signal == group.signal)
        };
        groups().filter(is_largest).map(|group| u16::from(group.in_view)).sum()
    }

    /// Satellites used for the last fix, as GGA or GNS tell it.
    pub const fn used(&self) -> Option<u8> {
        self.used
    }

    /// The best carrier to noise density of any satellite, in dB-Hz. Below 30 nothing is heard well;
    /// `None` is silence.
    pub fn cn0_max(&self) -> Option<u8> {
        self.signals.iter().flatten().filter_map(|group| group.cn0_max).max()
    }

    /// Whether the receiver told a time in the last sentence that has room for one.
    pub const fn has_time(&self) -> bool {
        self.has_time
    }

    /// Whether it vouched for a position in the last sentence that says so or not.
    pub const fn has_fix(&self) -> bool {
        self.has_fix
    }

    pub(super) fn take(&mut self, sentence: &Sentence) {
        match sentence {
            Sentence::Gsv(gsv) => return self.take_group(*gsv),
            Sentence::Gsa(_) | Sentence::Vtg(_) => return,
            Sentence::Gga(gga) => self.used = gga.satellites,
            Sentence::Gns(gns) => self.used = gns.satellites,
            Sentence::Rmc(_)
            | Sentence::Gll(_)
            | Sentence::Zda(_)
            | Sentence::Gst(_)
            | Sentence::Gbs(_) => {}
        }
        self.has_time = sentence.time().is_some();
        match sentence.verdict() {
            Verdict::Silent => {}
            Verdict::NoFix => self.has_fix = false,
            Verdict::Fix(_) => self.has_fix = true,
        }
    }

    fn take_group(&mut self, gsv: Gsv) {
        let begins = gsv.number == 1;
        if begins {
            self.forget_silent();
        }
        let of_signal = |group: &Option<Group>| group.is_some_and(|g| g.signal == gsv.signal);
        let at = self.signals.iter().position(of_signal);
        let Some(at) = at.or_else(|| self.signals.iter().position(Option::is_none)) else { return };
        let cn0_max = match self.signals[at] {
            Some(group) if !begins => group.cn0_max.max(gsv.cn0_max),
            _ => gsv.cn0_max,
        };
        let signal = gsv.signal;
        self.signals[at] = Some(Group { signal, in_view: gsv.in_view, cn0_max, silent_groups: 0 });
    }

    fn forget_silent(&mut self) {
        for slot in &mut self.signals {
            if let Some(group) = slot {
                group.silent_groups += 1;
                if group.silent_groups > SILENT_GROUPS_MAX {
                    *slot = None;
                }
            }
        }
    }
}
