//! `tripline-sim`: see [`tripline_firmware_sim`] for what it does and `--help` for how to use it.

use std::process::ExitCode;

fn main() -> ExitCode {
    tripline_firmware_sim::cli::run()
}
