//! The clock: what facts are dated from until GNSS time comes.

use super::Finding;
use crate::control::message::Status;
use crate::time::{FLOOR, system};

const CHECK: &str = "clock";

pub(super) fn check(status: Option<&Status>) -> Finding {
    if status.is_some_and(|status| status.view.gnss_time) {
        return Finding::good(CHECK, "GNSS time");
    }
    if system() < FLOOR {
        return Finding::note(
            CHECK,
            "the system clock is before the day this agent was built; the board has no clock chip",
            "none needed: the agent dates facts from the last time it knows, and from the first fix on by GNSS",
        );
    }
    Finding::good(CHECK, "the system clock, until the first fix brings GNSS time")
}
