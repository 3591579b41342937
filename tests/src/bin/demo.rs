//! `cargo demo`: one whole ride, visible. See README.md.

use std::process::ExitCode;

use clap::Parser as _;
use tripline_tests::demo::{Arguments, run};

#[tokio::main]
async fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Box::pin(run(Arguments::parse())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
