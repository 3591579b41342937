//! `tripline-agent driver`: who drives.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tripline_protocol::duty::Duty;
use tripline_protocol::id::DriverId;

use super::ask::{AskArgs, ask};
use super::{pin, show};
use crate::control::message::{Request, Status};
use crate::error::AgentError;

#[derive(Debug, Args)]
pub(super) struct DriverArgs {
    #[command(flatten)]
    ask: AskArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show who is signed in, or why not
    Show,
    /// Sign in, in place of whoever is signed in
    ///
    /// The PIN is asked for on the terminal, and not shown. It is never given on the command line, where
    /// `ps` and the shell's history show it.
    SignIn {
        /// Your id, as the operator gave it to you
        #[arg(long)]
        id: DriverId,
        /// Read the PIN from the first line of this file; of standard input if it is `-`
        #[arg(long, value_name = "FILE")]
        pin_file: Option<PathBuf>,
    },
    /// Take rides, have a break, or go home
    Duty {
        /// on: rides are offered; break: none are; off: you are signed out
        duty: Duty,
    },
}

pub(super) fn execute(args: DriverArgs) -> Result<(), AgentError> {
    let request = match args.verb {
        Verb::Show => Request::Show,
        Verb::SignIn { id: driver, pin_file } => {
            Request::SignIn { driver, pin: pin::read(pin_file.as_deref())? }
        }
        Verb::Duty { duty } => Request::Duty { duty },
    };
    ask(&args.ask, &request, text)
}

fn text(status: &Status) -> String {
    show::driver_text(&status.view.driver, status.connected)
}
