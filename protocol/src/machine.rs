//! A state machine is one table. The table is the behaviour, the test's subject and the drawing.

use alloc::format;
use alloc::string::String;
use core::fmt::Display;

/// One row of a machine's table.
#[derive(Debug, Clone, Copy)]
pub struct Transition<S, E> {
    /// The state before.
    pub from: S,
    /// What happened.
    pub event: E,
    /// The state after.
    pub to: S,
}

/// An event that the current state has no row for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible: {machine} is {state}")]
pub struct Refused {
    /// The machine's name.
    pub machine: &'static str,
    /// The code of the state it is in, and stays in.
    pub state: &'static str,
    /// The code of the event it refused.
    pub event: &'static str,
}

/// A state machine whose whole behaviour is [`Machine::TABLE`].
pub trait Machine: Copy + Eq + Display + 'static {
    /// What can happen to it.
    type Event: Copy + Eq + Display + 'static;
    /// Its name in messages and diagrams.
    const NAME: &'static str;
    /// The state it begins in.
    const INITIAL: Self;
    /// Every state.
    const STATES: &'static [Self];
    /// Every event.
    const EVENTS: &'static [Self::Event];
    /// Every permitted step; what has no row is refused.
    const TABLE: &'static [Transition<Self, Self::Event>];

    /// The state's code.
    fn state_code(self) -> &'static str;
    /// The event's code.
    fn event_code(event: Self::Event) -> &'static str;

    /// The state after `event`, or why it cannot be.
    fn next(self, event: Self::Event) -> Result<Self, Refused> {
        Self::TABLE
            .iter()
            .find(|row| row.from == self && row.event == event)
            .map(|row| row.to)
            .ok_or(Refused {
                machine: Self::NAME,
                state: self.state_code(),
                event: Self::event_code(event),
            })
    }

    /// Whether nothing more can happen.
    fn is_terminal(self) -> bool {
        !Self::TABLE.iter().any(|row| row.from == self)
    }
}

/// Implements [`Machine`] for a pair of coded enums from a table written as `From + Event => To`.
macro_rules! machine {
    ($state:ident on $event:ident, $name:literal, from $initial:ident,
     { $( $from:ident + $on:ident => $to:ident, )+ }) => {
        impl $crate::machine::Machine for $state {
            type Event = $event;
            const NAME: &'static str = $name;
            const INITIAL: Self = Self::$initial;
            const STATES: &'static [Self] = Self::ALL;
            const EVENTS: &'static [$event] = $event::ALL;
            const TABLE: &'static [$crate::machine::Transition<Self, $event>] = &[
                $( $crate::machine::Transition {
                    from: $state::$from, event: $event::$on, to: $state::$to,
                }, )+
            ];
            fn state_code(self) -> &'static str {
                self.code()
            }
            fn event_code(event: $event) -> &'static str {
                event.code()
            }
        }
    };
}

pub(crate) use machine;

/// The machine as a Mermaid state diagram, the form ARCHITECTURE.md shows.
pub fn diagram<M: Machine>() -> String {
    let node = |state: M| format!("{state}").replace('-', "_");
    let mut text = String::from("stateDiagram-v2\n");
    text += &format!("    [*] --> {}\n", node(M::INITIAL));
    for row in M::TABLE {
        text += &format!("    {} --> {}: {}\n", node(row.from), node(row.to), row.event);
    }
    for state in M::STATES.iter().filter(|state| state.is_terminal()) {
        text += &format!("    {} --> [*]\n", node(*state));
    }
    text
}

/// Every state with every event, one a line: what the snapshot tests hold.
pub fn matrix<M: Machine>() -> String {
    let mut text = String::new();
    for state in M::STATES {
        for event in M::EVENTS {
            let outcome = match state.next(*event) {
                Ok(next) => format!("{next}"),
                Err(_) => String::from("refused"),
            };
            text += &format!("{state} + {event} -> {outcome}\n");
        }
    }
    text
}
