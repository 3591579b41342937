//! Who drives: what the driver asked, and what the platform said to it.
//!
//! The device cannot check a PIN: it passes it on and forgets it. Whatever the platform says last holds, and
//! answers everything that was asked before it.

use alloc::string::String;

use serde::{Deserialize, Serialize};
use tripline_protocol::duty::{Duty, OnDuty};
use tripline_protocol::id::DriverId;

use super::action::cut;

/// Who drives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    told: Option<OnDuty>,
    asked: Option<DriverId>,
    duty_asked: Option<Duty>,
}

impl SignIn {
    /// Who is signed in, by id and name.
    pub fn driver(&self) -> Option<&(DriverId, String)> {
        self.told.as_ref()?.driver.as_ref()
    }

    /// Whether that driver takes rides.
    pub fn duty(&self) -> Duty {
        self.told.as_ref().map_or(Duty::Off, |told| told.duty)
    }

    /// Who asked to be signed in and was not answered.
    pub const fn asked(&self) -> Option<&DriverId> {
        self.asked.as_ref()
    }

    /// The duty that was asked for and not answered.
    pub const fn duty_asked(&self) -> Option<Duty> {
        self.duty_asked
    }

    /// Why the last thing asked was refused.
    pub fn refused(&self) -> Option<&str> {
        self.told.as_ref()?.refused.as_deref()
    }

    /// Whether there is somebody whose duty may change: signed in, or waiting for it with no network.
    pub fn has_somebody(&self) -> bool {
        self.asked.is_some() || self.driver().is_some()
    }

    pub(super) fn ask(&mut self, driver: DriverId) {
        self.forget_refusal();
        self.asked = Some(driver);
    }

    pub(super) fn ask_duty(&mut self, duty: Duty) {
        self.forget_refusal();
        self.duty_asked = Some(duty);
    }

    fn forget_refusal(&mut self) {
        if let Some(told) = &mut self.told {
            told.refused = None;
        }
    }

    /// Takes over what the platform says. Texts are cut: they last in the snapshot.
    pub(super) fn take(&mut self, told: &OnDuty) {
        let driver = told.driver.as_ref().map(|(id, name)| (id.clone(), cut(name)));
        let refused = told.refused.as_deref().map(cut);
        *self = Self {
            told: Some(OnDuty { driver, duty: told.duty, refused }),
            asked: None,
            duty_asked: None,
        };
    }
}
