//! Where the agent differs from gpsd, and why.

use super::compare::Deviation;

/// A difference that stands.
pub(crate) struct Expected {
    /// The log.
    pub(crate) log: &'static str,
    /// How they differ.
    pub(crate) deviation: Deviation,
    /// In how many instants.
    pub(crate) instants: usize,
    /// The argument for the agent's side.
    pub(crate) reason: &'static str,
}

/// gpsd reports an instant with the sentence that usually ends the cycle. The agent gives what it has
/// when the instant is over, and an instant with a valid RMC or GGA is a fix.
const CUT: &str = "the recording breaks off within the cycle, where gpsd still waits for its end; \
                   the agent gives the position that had come";

/// Every difference. One that is no longer found fails the test as one that is not listed does.
pub(crate) const EXPECTED: &[Expected] = &[
    Expected {
        log: "april6_2019.log",
        deviation: Deviation::Rollovers(1),
        instants: 1,
        reason: "the receiver tells 1999-08-22 in 2019, after the rollover of 2019-04-06 that the \
                 log is there to show; gpsd leaves it, the agent repairs it",
    },
    Expected { log: "bt451.log", deviation: Deviation::OnlyOurs, instants: 2, reason: CUT },
    Expected {
        log: "neo-m8n.log",
        deviation: Deviation::Rollovers(-1),
        instants: 22,
        reason: "recorded on 2015-03-18 by its head and its RMC; gpsd has moved it to 2034",
    },
    Expected { log: "neo-m8n.log", deviation: Deviation::OnlyOurs, instants: 1, reason: CUT },
    Expected {
        log: "quectel-l76k-nmea.log",
        deviation: Deviation::OnlyOurs,
        instants: 1,
        reason: CUT,
    },
    Expected {
        log: "tcp-torture.log",
        deviation: Deviation::Rollovers(-1),
        instants: 1,
        reason: "its RMC says 2007 and its ZDA too, in four digits; gpsd has moved it to 2027",
    },
    Expected {
        log: "tcp-torture.log",
        deviation: Deviation::OnlyGpsd,
        instants: 1,
        reason: "GGA has one decimal more than the RMC of the same instant, and gpsd reports both \
                 places; the agent gives one place for one instant",
    },
    Expected {
        log: "ublox-neo-m8n.log",
        deviation: Deviation::OnlyOurs,
        instants: 2,
        reason: "gpsd takes the first frame to know a u-blox receiver by, and reports an instant \
                 when the next begins, which the last never sees; the agent gives both",
    },
    Expected {
        log: "ublox8-uniqid-monhw.log",
        deviation: Deviation::OnlyGpsd,
        instants: 1,
        reason: "gpsd reports an instant twice, at the place of NAV-PVT and at the rounder one of \
                 its sentences; the agent gives the first, once",
    },
];
