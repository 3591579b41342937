//! `tripline-agent`, the in-vehicle agent. Its `--help` is its documentation.

use std::process::ExitCode;

use clap::Parser as _;
use tripline_agent::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tripline-agent: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
