//! `tripline-bpp gateway get`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::printed::{print, statuses};
use super::{GatewayArgs, token};
use crate::error::BppError;
use crate::network::gateway::desk::{Desk, DeskError, Look};
use crate::operate::gateway::{self, GatewayView};
use crate::time;

/// First time between two questions while it is waited, in ms; it doubles.
const PAUSE_MS: u64 = 1_000;

/// Longest time between two questions, in ms.
const PAUSE_MS_MAX: u64 = 60_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct GetArgs {
    #[command(flatten)]
    common: GatewayArgs,
    /// The gateway, as `[gateways.NAME]` has it
    name: String,
    /// Ask again until nothing waits to be looked at there, for so many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true,
        default_missing_value = "600", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    wait: Option<u64>,
    /// A file with a new token, to be used from here on if the gateway takes it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The gateway is the one at which we registered, and has moved to the address of the configuration
    #[arg(long)]
    moved: bool,
}

pub(super) async fn run(args: &GetArgs) -> Result<(), BppError> {
    let common = &args.common;
    let desk = common.desk(&common.config()?, &args.name)?;
    let look = Look { token: token(args.token_file.as_ref())?, moved: args.moved };
    let first = gateway::get(&desk, &look, time::now(), &|_| {}).await;
    let first = first.map_err(|error| common.failed(error))?;
    let (view, timed_out) = match args.wait {
        Some(wait_s) => wait(args, &desk, first, Duration::from_secs(wait_s)).await?,
        None => (first, false),
    };
    print(&view, common.json, time::now())?;
    if timed_out {
        let waited_s = args.wait.unwrap_or_default();
        return Err(BppError::NotSettled { name: args.name.clone(), waited_s });
    }
    match &view.registration {
        Some(registration) if registration.is_failed && args.wait.is_some() => {
            let message = format!("{} did not take everything: {}", args.name, statuses(&view));
            Err(BppError::Refused { message })
        }
        Some(_) | None => Ok(()),
    }
}

/// Asks until nothing waits, or the time is over; says which. A gateway that does not answer for a while is
/// asked again.
async fn wait(
    args: &GetArgs,
    desk: &Desk,
    mut view: GatewayView,
    longest: Duration,
) -> Result<(GatewayView, bool), BppError> {
    let (end, mut pause) = (Instant::now() + longest, Duration::from_millis(PAUSE_MS));
    let mut told = String::new();
    while view.registration.as_ref().is_some_and(|registration| registration.is_waiting) {
        let statuses = statuses(&view);
        if statuses != told {
            eprintln!("{}: {statuses}", args.name);
            told = statuses;
        }
        let now = Instant::now();
        if now >= end {
            return Ok((view, true));
        }
        tokio::time::sleep(pause.min(end - now)).await;
        pause = (pause * 2).min(Duration::from_millis(PAUSE_MS_MAX));
        match gateway::get(desk, &Look::default(), time::now(), &|_| {}).await {
            Ok(next) => view = next,
            Err(DeskError::Call { error, .. }) => {
                eprintln!("{} cannot be asked: {error}; asking again", args.name);
            }
            Err(error) => return Err(args.common.failed(error)),
        }
    }
    Ok((view, false))
}
