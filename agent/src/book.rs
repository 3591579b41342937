//! The book: the engine, and the journal its records are written to.
//!
//! Whatever is decided becomes a record, the record goes to the journal, and only then does it have an effect
//! or is anybody told of it.

use tripline_agent_core::desk::{DriverAction, DriverError};
use tripline_agent_core::engine::{Draft, Engine, Judged};
use tripline_protocol::unit::Uptime;

use crate::journal::{AppendError, Journal, Sendable};

/// Engine and journal, in the hands of their one owner.
#[derive(Debug)]
pub struct Book {
    /// What decides.
    pub engine: Engine,
    /// What lasts.
    pub journal: Journal,
}

/// Why nothing came of what the driver did.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// It is not possible.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// It could not be written.
    #[error(transparent)]
    Journal(#[from] AppendError),
}

impl Book {
    /// Takes in a record and gives it its effect. It is durable after the next [`Book::sync`].
    pub fn append(&mut self, draft: Draft) -> Result<(), AppendError> {
        let record = self.engine.seal(draft);
        self.journal.append(&record)?;
        self.engine.apply(&record);
        Ok(())
    }

    /// Makes everything durable, and says how far each stream may be sent.
    pub fn sync(&mut self, now: Uptime) -> Sendable {
        self.journal.sync(now)
    }

    /// Does what the driver asks, or says why not. Whoever is told of either may rely on it: it is on the disk
    /// (in memory, while the disk gives way).
    ///
    /// A start with an OTP has two phases. Its answer tells whether the OTP is right, so the try must be on
    /// the disk before there is an answer: a power cut then costs a try and gives none back.
    pub fn act(&mut self, action: DriverAction, now: Uptime) -> Result<(), ActError> {
        let drafts = match self.engine.handle_driver(action, now)? {
            Judged::Done(drafts) => drafts,
            Judged::Count(tried, otp) => {
                // Phase one: the try is counted, written and synced.
                self.append(*tried)?;
                self.sync(now);
                // Phase two: the OTP is compared.
                self.engine.compare_otp(otp, now)?
            }
        };
        // The first that is not taken in ends it, and what follows has no effect either.
        let written = drafts.into_iter().try_for_each(|draft| self.append(draft));
        self.sync(now);
        Ok(written?)
    }
}
