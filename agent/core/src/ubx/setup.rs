//! The conversation that sets a receiver up: who are you, then rate and messages one by one, each
//! acknowledged before the next.
//!
//! A receiver that does not answer the question takes no UBX commands; it is left as it is. From
//! protocol version 27 on settings go by key (CFG-VALSET), before and as a last resort by the older
//! messages. A refused way leads to the next, a refused setting to the next one: NMEA goes on anyway.

use alloc::vec::Vec;

use tripline_protocol::unit::Uptime;

use super::message::{Ack, Identity};
use super::{command, id};

/// How long to wait for an answer, in ms: a second of sentences may be queued before it.
const ANSWER_MS_MAX: u64 = 1_500;

/// How often each command is sent before its silence is taken for a refusal.
const TRIES_MAX: u8 = 2;

/// The first protocol version (major) with CFG-VALSET.
const VALSET_SINCE: u8 = 27;

const RATE_MEAS: u32 = 0x3021_0001;
const PVT_ON_UART1: u32 = 0x2091_0007;
const PVT_ON_USB: u32 = 0x2091_0009;
const DOP_ON_UART1: u32 = 0x2091_0039;
const DOP_ON_USB: u32 = 0x2091_003b;

/// What is set, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// Positions a second.
    Rate,
    /// NAV-PVT with every position.
    Pvt,
    /// NAV-DOP with every position: NAV-PVT carries no HDOP.
    Dop,
}

const ITEMS: [Item; 3] = [Item::Rate, Item::Pvt, Item::Dop];

/// How a setting is made. The ports of a receiver differ, and one unknown key refuses the whole
/// command, so there is a way with fewer keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Keys,
    FewerKeys,
    OldMessage,
}

const WAYS: [Way; 3] = [Way::Keys, Way::FewerKeys, Way::OldMessage];

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was taken.
    Configured,
    /// This was refused in every way; the rest was taken as far as it goes.
    Refused(Item),
    /// No answer: not a u-blox receiver, or its input is not connected.
    Silent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Asking,
    Setting { item: usize, way: usize },
    Over(Outcome),
}

/// The conversation. Send what [`Setup::poll_transmit`] gives; tell it of identities, acknowledgements
/// and the time.
#[derive(Debug)]
pub struct Setup {
    rate_hz: u8,
    keys: bool,
    state: State,
    refused: Option<Item>,
    /// The command under way, how often it was sent, and until when its answer is awaited.
    command: Vec<u8>,
    tries: u8,
    due: Option<Uptime>,
}

impl Setup {
    /// For a position `rate_hz` times a second, 1 to 10.
    pub fn new(rate_hz: u8) -> Self {
        Self {
            rate_hz: rate_hz.clamp(1, 10),
            keys: false,
            state: State::Asking,
            refused: None,
            command: command::poll_version(),
            tries: 0,
            due: None,
        }
    }

    /// How it ended; `None` while it goes on.
    pub const fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Over(outcome) => Some(outcome),
            State::Asking | State::Setting { .. } => None,
        }
    }

    /// The next bytes to send, if it is time for any.
    pub fn poll_transmit(&mut self, now: Uptime) -> Option<&[u8]> {
        if self.due.is_some() || self.outcome().is_some() {
            return None;
        }
        self.tries += 1;
        self.due = Some(now.plus_ms(ANSWER_MS_MAX));
        Some(&self.command)
    }

    /// When [`Setup::handle_timeout`] wants to be called.
    pub const fn poll_timeout(&self) -> Option<Uptime> {
        self.due
    }

    /// The receiver has said what it is.
    pub fn handle_identity(&mut self, identity: &Identity) {
        if self.state == State::Asking {
            self.keys = identity.protocol().is_some_and(|(major, _)| major >= VALSET_SINCE);
            self.begin(0, 0);
        }
    }

    /// The receiver has taken or refused a command.
    pub fn handle_ack(&mut self, ack: Ack) {
        let State::Setting { item, way } = self.state else { return };
        if self.command.get(2..4) != Some(&[ack.command.0, ack.command.1]) {
            return; // of somebody else's command
        }
        if ack.ok { self.begin(item + 1, 0) } else { self.begin(item, way + 1) }
    }

    /// The time has come.
    pub fn handle_timeout(&mut self, now: Uptime) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        self.due = None;
        if self.tries < TRIES_MAX {
            return; // once more
        }
        match self.state {
            State::Asking => self.end(Outcome::Silent),
            State::Setting { item, way } => self.begin(item, way + 1),
            State::Over(_) => {}
        }
    }

    /// Goes on with the first way from here that there is.
    fn begin(&mut self, item: usize, way: usize) {
        let Some(setting) = ITEMS.get(item) else {
            let outcome = self.refused.map_or(Outcome::Configured, Outcome::Refused);
            return self.end(outcome);
        };
        let mut ways = WAYS.iter().enumerate().skip(way);
        let found = ways.find_map(|(way, how)| Some((way, self.command(*setting, *how)?)));
        if let Some((way, command)) = found {
            self.state = State::Setting { item, way };
            self.command = command;
            self.tries = 0;
            self.due = None;
        } else {
            self.refused.get_or_insert(*setting);
            self.begin(item + 1, 0);
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.state = State::Over(outcome);
        self.due = None;
    }

    fn command(&self, item: Item, way: Way) -> Option<Vec<u8>> {
        let period_ms = 1000 / u16::from(self.rate_hz);
        let on: &[u8] = &[1];
        match (way, item) {
            (Way::Keys | Way::FewerKeys, _) if !self.keys => None,
            (Way::Keys, Item::Rate) => {
                Some(command::value_set(&[(RATE_MEAS, &period_ms.to_le_bytes())]))
            }
            (Way::FewerKeys, Item::Rate) => None,
            (Way::Keys, Item::Pvt) => {
                Some(command::value_set(&[(PVT_ON_UART1, on), (PVT_ON_USB, on)]))
            }
            (Way::FewerKeys, Item::Pvt) => Some(command::value_set(&[(PVT_ON_UART1, on)])),
            (Way::Keys, Item::Dop) => {
                Some(command::value_set(&[(DOP_ON_UART1, on), (DOP_ON_USB, on)]))
            }
            (Way::FewerKeys, Item::Dop) => Some(command::value_set(&[(DOP_ON_UART1, on)])),
            (Way::OldMessage, Item::Rate) => Some(command::rate(period_ms)),
            (Way::OldMessage, Item::Pvt) => Some(command::message_on(id::NAV_PVT)),
            (Way::OldMessage, Item::Dop) => Some(command::message_on(id::NAV_DOP)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec;

    const VALSET: (u8, u8) = id::CFG_VALSET;

    fn identity(protocol: &str) -> Identity {
        let extensions = vec![alloc::format!("PROTVER={protocol}")];
        Identity { software: String::new(), hardware: String::new(), extensions }
    }

    /// Runs the conversation with a receiver that answers each command so; what was sent, and the end.
    fn converse(
        protocol: &str,
        mut answer: impl FnMut((u8, u8), &[u8]) -> Option<bool>,
    ) -> (Vec<(u8, u8)>, Outcome) {
        let (mut setup, mut now, mut sent) = (Setup::new(5), Uptime::from_ms(0), Vec::new());
        loop {
            if let Some(outcome) = setup.outcome() {
                return (sent, outcome);
            }
            let command = setup.poll_transmit(now).map(<[u8]>::to_vec);
            let Some(command) = command else {
                now = setup.poll_timeout().expect("something is awaited");
                setup.handle_timeout(now);
                continue;
            };
            let id = (command[2], command[3]);
            sent.push(id);
            if id == id::MON_VER {
                if !protocol.is_empty() {
                    setup.handle_identity(&identity(protocol));
                }
            } else if let Some(ok) = answer(id, &command) {
                setup.handle_ack(Ack { command: id, ok });
            }
        }
    }

    #[test]
    fn an_old_receiver_is_set_by_messages_and_a_new_one_by_keys() {
        let (sent, outcome) = converse("18.00", |_, _| Some(true));
        assert_eq!(sent, [id::MON_VER, id::CFG_RATE, id::CFG_MSG, id::CFG_MSG]);
        assert_eq!(outcome, Outcome::Configured);
        let (sent, outcome) = converse("32.01", |_, _| Some(true));
        assert_eq!(sent, [id::MON_VER, VALSET, VALSET, VALSET]);
        assert_eq!(outcome, Outcome::Configured);
    }

    #[test]
    fn a_refused_way_leads_to_the_next() {
        // No USB port on this one: 4 bytes of header, then 5 a key, in a frame of 8.
        let (sent, outcome) = converse("34.10", |_, command| Some(command.len() < 8 + 4 + 2 * 5));
        assert_eq!(sent, [id::MON_VER, VALSET, VALSET, VALSET, VALSET, VALSET]);
        assert_eq!(outcome, Outcome::Configured);
        let (sent, outcome) = converse("27.11", |id, _| Some(id != VALSET));
        assert_eq!(sent.last(), Some(&id::CFG_MSG));
        assert_eq!(outcome, Outcome::Configured);
    }

    #[test]
    fn a_refused_setting_does_not_stop_the_others() {
        let (sent, outcome) = converse("18.00", |id, _| Some(id != id::CFG_RATE));
        assert_eq!(sent, [id::MON_VER, id::CFG_RATE, id::CFG_MSG, id::CFG_MSG]);
        assert_eq!(outcome, Outcome::Refused(Item::Rate));
    }

    #[test]
    fn silence_is_asked_twice_and_then_left_in_peace() {
        assert_eq!(converse("", |_, _| None), (vec![id::MON_VER; 2], Outcome::Silent));
        let (sent, outcome) = converse("18.00", |_, _| None);
        assert_eq!(sent.len(), 1 + 3 * 2);
        assert_eq!(outcome, Outcome::Refused(Item::Rate));
    }
}
