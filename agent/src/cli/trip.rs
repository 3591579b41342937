//! `tripline-agent trip`: what the driver does with an offer and a trip.

use clap::{Args, Subcommand};
use tripline_protocol::fare::ExtraKind;
use tripline_protocol::otp::TypedOtp;

use super::ask::{AskArgs, ask};
use super::show;
use crate::control::message::Request;
use crate::error::AgentError;

#[derive(Debug, Args)]
pub(super) struct TripArgs {
    #[command(flatten)]
    ask: AskArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the offer, the trip, the meter and the fare line by line
    Show,
    /// Take the offer
    Accept,
    /// Decline the offer
    Reject {
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Set off for the pickup
    Depart,
    /// At the pickup
    Arrive,
    /// The rider is aboard: start the ride
    Start {
        /// The OTP the rider tells
        #[arg(long)]
        otp: Option<String>,
    },
    /// A stop on the way: distance is not billed until `resume`
    Pause,
    /// On again
    Resume,
    /// The rider is dropped: stop the ride and show what to collect
    Stop,
    /// Call the trip off, before its start
    Cancel {
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// The rider did not come
    NoShow,
    /// You paid something for the rider, a toll for instance: it is added to the fare. Between start and stop
    Extra {
        /// What: toll, parking or other
        #[arg(long)]
        kind: ExtraKind,
        /// How much, in rupees such as 45 or 45.50
        #[arg(long, value_parser = rupees)]
        amount: i64,
        /// What it was for, as the receipt shows it; `other` needs one
        #[arg(long, default_value = "")]
        note: String,
    },
    /// The rider has paid
    Collected {
        /// How much, in rupees such as 45 or 45.50; the whole fare if not given
        #[arg(long, value_parser = rupees)]
        amount: Option<i64>,
    },
    /// Call for help: the operator is told at once, with the trip under way
    Sos,
}

pub(super) fn execute(args: TripArgs) -> Result<(), AgentError> {
    ask(&args.ask, &args.verb.request(), show::text)
}

impl Verb {
    fn request(self) -> Request {
        match self {
            Self::Show => Request::Show,
            Self::Accept => Request::Accept,
            Self::Reject { reason } => Request::Reject { reason },
            Self::Depart => Request::Depart,
            Self::Arrive => Request::Arrive,
            Self::Start { otp } => Request::Start { otp: otp.map(TypedOtp) },
            Self::Pause => Request::Pause,
            Self::Resume => Request::Resume,
            Self::Stop => Request::Stop,
            Self::Cancel { reason } => Request::Cancel { reason },
            Self::NoShow => Request::NoShow,
            Self::Extra { kind, amount, note } => {
                Request::Extra { kind, amount_paise: amount, note }
            }
            Self::Collected { amount } => Request::Collected { amount_paise: amount },
            Self::Sos => Request::Sos,
        }
    }
}

/// Rupees with at most two decimals, as paise.
fn rupees(text: &str) -> Result<i64, String> {
    let (whole, paise) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(paise) || paise.len() > 2 {
        return Err("give rupees such as 45 or 45.50".into());
    }
    let whole: i64 = whole.parse().map_err(|_| "too much".to_string())?;
    let paise: i64 = format!("{paise:0<2}").parse().map_err(|_| "too much".to_string())?;
    whole.checked_mul(100).and_then(|sum| sum.checked_add(paise)).ok_or_else(|| "too much".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rupees_are_read_as_paise() {
        for (text, paise) in [("45", 4500), ("45.5", 4550), ("0.05", 5), ("45.50", 4550)] {
            assert_eq!(rupees(text), Ok(paise));
        }
        for text in ["", ".", "-1", "1.234", "1e3", "99999999999999999999"] {
            assert!(rupees(text).is_err(), "{text:?}");
        }
    }
}
