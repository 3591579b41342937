//! What the engine's judgements come to: records without their numbers, for the shell to write.

use alloc::boxed::Box;
use alloc::vec::Vec;

use tripline_protocol::fix::Fix;
use tripline_protocol::link::down::Command;
use tripline_protocol::link::up::{Event, Live};
use tripline_protocol::meter::Reading;

use crate::desk::OtpTry;
use crate::memory::Anchor;
use crate::sampler::Kept;

/// A record without its number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Draft {
    /// A fix of the trail.
    Fix {
        /// The fix.
        fix: Fix,
        /// What the counters showed after it.
        reading: Reading,
    },
    /// An event: it is synced before anybody is told of it.
    Event {
        /// The event.
        event: Event,
        /// The command it reports on.
        command: Option<Box<Command>>,
    },
    /// The first GNSS time.
    Anchor(Anchor),
}

impl From<Kept<Reading>> for Draft {
    fn from((fix, reading): Kept<Reading>) -> Self {
        Self::Fix { fix, reading }
    }
}

/// What an observation calls for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records, in order.
    pub drafts: Vec<Draft>,
    /// The live position, if one is due.
    pub live: Option<Live>,
}

/// What a driver's action calls for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// Records, the last of them the event: when they are written, it is done.
    Done(Vec<Draft>),
    /// An OTP. First this event is written and synced, which counts the try; only then is it handed to
    /// [`Engine::compare_otp`](crate::engine::Engine::compare_otp).
    Count(Box<Draft>, OtpTry),
}
