//! The lines of local control.

use serde::{Deserialize, Serialize};
use tripline_agent_core::desk::DriverAction;
use tripline_agent_core::view::View;
use tripline_protocol::duty::{Duty, TypedPin};
use tripline_protocol::fare::{Extra, ExtraKind};
use tripline_protocol::id::DriverId;
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::unit::Paise;

use crate::journal::disk::Health;
use crate::receiver;

/// Longest request line, in bytes.
pub const REQUEST_LEN_MAX: u64 = 4 * 1024;

/// What is asked of the running agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// What is going on?
    Show,
    /// Take the offer.
    Accept,
    /// Decline the offer.
    Reject {
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Set off for the pickup.
    Depart,
    /// At the pickup.
    Arrive,
    /// The rider is aboard.
    Start {
        /// The rider's OTP.
        otp: Option<TypedOtp>,
    },
    /// A stop on the way.
    Pause,
    /// On again.
    Resume,
    /// The rider is dropped.
    Stop,
    /// Call it off.
    Cancel {
        /// Why.
        reason: String,
    },
    /// The rider did not come.
    NoShow,
    /// The driver paid something for the rider.
    Extra {
        /// What.
        kind: ExtraKind,
        /// How much, in paise.
        amount_paise: i64,
        /// In the driver's words.
        #[serde(default)]
        note: String,
    },
    /// The rider paid.
    Collected {
        /// How much, in paise; the whole fare if not said.
        amount_paise: Option<i64>,
    },
    /// The driver calls for help.
    Sos,
    /// Who drives.
    SignIn {
        /// The driver's id.
        driver: DriverId,
        /// The driver's PIN.
        pin: TypedPin,
    },
    /// Whether rides are taken.
    Duty {
        /// Which.
        duty: Duty,
    },
}

impl Request {
    /// Its verb, for the log: never what comes with it, which may be an OTP or a PIN.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::Accept => "accept",
            Self::Reject { .. } => "reject",
            Self::Depart => "depart",
            Self::Arrive => "arrive",
            Self::Start { .. } => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Cancel { .. } => "cancel",
            Self::NoShow => "no-show",
            Self::Extra { .. } => "extra",
            Self::Collected { .. } => "collected",
            Self::Sos => "sos",
            Self::SignIn { .. } => "sign-in",
            Self::Duty { .. } => "duty",
        }
    }

    /// The driver's action; `None` for a question.
    pub fn action(self) -> Option<DriverAction> {
        Some(match self {
            Self::Show => return None,
            Self::Accept => DriverAction::Accept,
            Self::Reject { reason } => DriverAction::Reject { reason },
            Self::Depart => DriverAction::Depart,
            Self::Arrive => DriverAction::Arrive,
            Self::Start { otp } => DriverAction::Start { otp },
            Self::Pause => DriverAction::Pause,
            Self::Resume => DriverAction::Resume,
            Self::Stop => DriverAction::Stop,
            Self::Cancel { reason } => DriverAction::Cancel { reason },
            Self::NoShow => DriverAction::NoShow,
            Self::Extra { kind, amount_paise, note } => {
                DriverAction::Extra(Extra { kind, amount: Paise(amount_paise), note })
            }
            Self::Collected { amount_paise } => {
                DriverAction::Collected { amount: amount_paise.map(Paise) }
            }
            Self::Sos => DriverAction::Sos,
            Self::SignIn { driver, pin } => DriverAction::SignIn { driver, pin },
            Self::Duty { duty } => DriverAction::Duty(duty),
        })
    }
}

impl From<DriverAction> for Request {
    fn from(action: DriverAction) -> Self {
        match action {
            DriverAction::Accept => Self::Accept,
            DriverAction::Reject { reason } => Self::Reject { reason },
            DriverAction::Depart => Self::Depart,
            DriverAction::Arrive => Self::Arrive,
            DriverAction::Start { otp } => Self::Start { otp },
            DriverAction::Pause => Self::Pause,
            DriverAction::Resume => Self::Resume,
            DriverAction::Stop => Self::Stop,
            DriverAction::Cancel { reason } => Self::Cancel { reason },
            DriverAction::NoShow => Self::NoShow,
            DriverAction::Extra(Extra { kind, amount: Paise(amount_paise), note }) => {
                Self::Extra { kind, amount_paise, note }
            }
            DriverAction::Collected { amount } => {
                Self::Collected { amount_paise: amount.map(|Paise(paise)| paise) }
            }
            DriverAction::Sos => Self::Sos,
            DriverAction::SignIn { driver, pin } => Self::SignIn { driver, pin },
            DriverAction::Duty(duty) => Self::Duty { duty },
        }
    }
}

/// The running agent's answer: where things stand after the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// Why the request was refused; absent if it was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the driver sees.
    #[serde(flatten)]
    pub status: Status,
}

/// Everything `trip show` tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The device id.
    pub device: String,
    /// When its certificate expires, in ms since 1970.
    pub certificate_expires_at_unix_ms: i64,
    /// The driver's view.
    #[serde(flatten)]
    pub view: View,
    /// Whether the backend is reached.
    pub connected: bool,
    /// Whether the receiver's port is open.
    pub receiver_open: bool,
    /// Whether it sends something that makes sense.
    pub receiver_heard: bool,
    /// How the receiver stands.
    pub receiver: receiver::Status,
    /// Events and fixes that the backend has not committed yet.
    pub backlog: Backlog,
    /// How the journal is.
    pub journal: JournalStatus,
    /// Sentences understood and lost since the agent started.
    pub sentences: Sentences,
}

/// How the journal is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalStatus {
    /// `sound`, `no-reserve` or `in-memory`.
    pub health: String,
    /// What is wrong and what to do; absent while it is sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl From<Health> for JournalStatus {
    fn from(health: Health) -> Self {
        Self {
            health: health.code().into(),
            advice: health.fault().map(|fault| fault.advice().into()),
        }
    }
}

/// What waits to be committed by the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// Events.
    pub events: u64,
    /// Fixes.
    pub fixes: u64,
}

/// The receiver's sentences since the agent started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentences {
    /// With a valid checksum.
    pub valid: u64,
    /// Damaged or cut off.
    pub lost: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> Vec<Request> {
        vec![
            Request::Start { otp: Some(TypedOtp("90817".into())) },
            Request::Extra { kind: ExtraKind::Toll, amount_paise: 4_500, note: "bridge".into() },
            Request::SignIn {
                driver: "asha-1".parse().expect("valid"),
                pin: TypedPin("90817".into()),
            },
            Request::Duty { duty: Duty::Break },
        ]
    }

    #[test]
    fn a_request_goes_over_the_socket_and_means_what_it_says() {
        for request in requests() {
            let line = serde_json::to_string(&request).expect("JSON");
            assert_eq!(serde_json::from_str::<Request>(&line).expect("the same"), request);
            let action = request.clone().action().expect("no question");
            assert_eq!(Request::from(action), request);
        }
        let line = r#"{"verb":"sign-in","driver":"asha-1","pin":"4711"}"#;
        serde_json::from_str::<Request>(line).expect("as a panel would say it");
    }

    #[test]
    fn neither_an_otp_nor_a_pin_prints_itself() {
        for request in requests() {
            let (debug, verb) = (format!("{request:?}"), request.verb());
            assert!(!debug.contains("90817") && !verb.contains("90817"), "{debug}");
        }
    }
}
