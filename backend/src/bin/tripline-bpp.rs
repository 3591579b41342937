//! `tripline-bpp`, the provider platform. Its `--help` is its documentation.

use std::process::ExitCode;

use clap::Parser as _;
use tripline_backend::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tripline-bpp: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
