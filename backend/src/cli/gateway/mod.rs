//! `tripline-bpp gateway`: signing up at gateways, what they have of us, and how far they are with it.

mod add_document;
mod get;
mod list;
mod printed;
mod progress;
mod signup;
mod update_info;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

pub(super) use self::printed::{statuses, token as token_in_words};

use super::ConfigPath;
use crate::config::Config;
use crate::error::BppError;
use crate::network::gateway::company::{Company, SAMPLE};
use crate::network::gateway::desk::{Desk, DeskError};
use crate::network::gateway::field::Refusal;
use crate::network::gateway::token::{TOKEN_LEN_MAX, Token};

/// Longest file with a company, in bytes.
const COMPANY_LEN_MAX: u64 = 64 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum GatewayCommand {
    /// Sign up at a gateway for the first time
    Signup(signup::SignupArgs),
    /// Ask a gateway what it knows of us and how far it is, and print it
    Get(get::GetArgs),
    /// Tell a gateway what has changed of the company
    UpdateInfo(update_info::UpdateInfoArgs),
    /// Hand further papers in: pdf, jpeg or jpg
    AddDocument(add_document::AddDocumentArgs),
    /// Print every gateway of the configuration with what it told last; none is asked
    List(list::ListArgs),
    /// Print a commented file for `signup --from`
    Sample,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(super) struct GatewayArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Print as JSON: the registration, or what is wrong with which field
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: GatewayCommand) -> Result<(), BppError> {
    match command {
        GatewayCommand::Signup(args) => signup::run(&args).await,
        GatewayCommand::Get(args) => get::run(&args).await,
        GatewayCommand::UpdateInfo(args) => update_info::run(&args).await,
        GatewayCommand::AddDocument(args) => add_document::run(&args).await,
        GatewayCommand::List(args) => list::run(&args),
        GatewayCommand::Sample => {
            print!("{SAMPLE}");
            Ok(())
        }
    }
}

impl GatewayArgs {
    fn config(&self) -> Result<Config, BppError> {
        Config::load(&self.config.config)
    }

    /// The desk for a gateway, and what a refusal at it becomes.
    fn desk(&self, config: &Config, name: &str) -> Result<Desk, BppError> {
        Desk::new(config, name).map_err(|error| self.failed(error))
    }

    /// What a desk said, for people and as exit code; with `--json` each field that was refused stands on
    /// standard output, in the shape in which a gateway refuses.
    fn failed(&self, error: DeskError) -> BppError {
        let (by, refusal) = match &error {
            DeskError::Invalid { refusal, .. } => (Some("tripline"), refusal),
            DeskError::Refused { refusal, .. } => (Some("gateway"), refusal),
            DeskError::Unknown(_)
            | DeskError::NotRegistered(_)
            | DeskError::Registered { .. }
            | DeskError::Unanswered(_)
            | DeskError::Elsewhere { .. }
            | DeskError::Call { .. }
            | DeskError::Kept(_) => (None, &Refusal::default()),
        };
        if let Some(by) = by.filter(|_| self.json) {
            let told = json!({ "refused_by": by, "message": refusal.message,
                "status": refusal.status, "body": refusal.body() });
            println!("{told}");
        }
        bpp_error(error)
    }
}

/// What a desk said, with its exit code.
pub(super) fn bpp_error(error: DeskError) -> BppError {
    match error {
        DeskError::Kept(error) => error,
        DeskError::Call { name, url, error } => {
            BppError::Gateway { name, url, reason: error.to_string() }
        }
        error @ (DeskError::Unknown(_)
        | DeskError::NotRegistered(_)
        | DeskError::Registered { .. }
        | DeskError::Unanswered(_)
        | DeskError::Elsewhere { .. }
        | DeskError::Invalid { .. }
        | DeskError::Refused { .. }) => BppError::Refused { message: error.to_string() },
    }
}

/// The company of a file.
fn company(path: &Path) -> Result<Company, BppError> {
    let failed = |reason: String| BppError::File { path: path.into(), reason };
    let text = read_short(path, COMPANY_LEN_MAX).map_err(|error| {
        failed(format!(
            "the company cannot be read: {error}; `tripline-bpp gateway sample` prints a file to begin with"
        ))
    })?;
    Company::parse(&text, path.parent().unwrap_or(Path::new(""))).map_err(failed)
}

/// The token of a file. It is never taken from the command line, which others on this machine can see.
fn token(path: Option<&PathBuf>) -> Result<Option<Token>, BppError> {
    let Some(path) = path else { return Ok(None) };
    let failed = |reason: String| BppError::File { path: path.clone(), reason };
    let text = read_short(path, TOKEN_LEN_MAX as u64 + 2)
        .map_err(|error| failed(format!("the token cannot be read: {error}")))?;
    Token::new(&text).map(Some).map_err(|error| failed(format!("a token {error}")))
}

fn read_short(path: &Path, len_max: u64) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(len_max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > len_max {
        let words = format!("it has more than {len_max} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, words));
    }
    Ok(text)
}
