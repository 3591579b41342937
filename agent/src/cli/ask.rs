//! Asks the running agent, and prints what it says.

use std::path::PathBuf;

use clap::Args;

use super::ConfigPath;
use crate::config::Config;
use crate::control::client;
use crate::control::message::{Request, Status};
use crate::error::AgentError;

#[derive(Debug, Args)]
pub(super) struct AskArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The agent's control socket; looked up in the configuration if not given
    #[arg(long, global = true)]
    socket: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

/// Asks, and prints the answer as JSON or as `text` puts it. A refusal is an error.
pub(super) fn ask(
    args: &AskArgs,
    request: &Request,
    text: fn(&Status) -> String,
) -> Result<(), AgentError> {
    let socket = match &args.socket {
        Some(socket) => socket.clone(),
        None => Config::load(&args.config.config)?.socket(),
    };
    let response = client::ask(&socket, request)?;
    if args.json {
        let json = serde_json::to_string(&response)
            .map_err(|error| AgentError::Internal(error.to_string()))?;
        println!("{json}");
    } else if response.error.is_none() {
        print!("{}", text(&response.status));
    }
    match response.error {
        Some(message) => Err(AgentError::Refused { message }),
        None => Ok(()),
    }
}
