//! `tripline-bpp key`: the keys by which the network knows us, and how one follows another without a
//! request lost.
//!
//! `rotate` makes a key that waits. Once peers can know it signing switches to it, by itself where a registry
//! or the file of subscribers shows it, and the key before it holds on for peers that have not looked since.

mod register;
mod rename;
mod rotate;
mod show;

use std::path::Path;

use clap::{Args, Subcommand};

use super::ConfigPath;
use crate::config::Config;
use crate::error::BppError;
use crate::keys::ring::{KeyRing, NetworkKey};
use crate::network::registration::{Registrar, RegistrarError};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Show our keys on the network: what each is for, and what peers and registries are given of it
    Show(KeyArgs),
    /// Ask the registry to take up the key that signs, or another one
    Register(register::RegisterArgs),
    /// Make the key that signs next, register it, and later drop the one before it
    Rotate(rotate::RotateArgs),
    /// Give a key the id under which the registry knows it
    Rename(rename::RenameArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct KeyArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: KeyCommand) -> Result<(), BppError> {
    match command {
        KeyCommand::Show(args) => show::run(&args),
        KeyCommand::Register(args) => register::run(&args).await,
        KeyCommand::Rotate(args) => rotate::run(&args).await,
        KeyCommand::Rename(args) => rename::run(&args),
    }
}

/// Whoever registers us, if all that is needed for it is configured.
fn registrar(config: &Config) -> Result<Registrar, BppError> {
    let made = Registrar::new(&config.registry, config.settings().identity);
    made.map_err(|error| match error {
        RegistrarError::Client(_) => BppError::Internal(error.to_string()),
        RegistrarError::NoRegistry | RegistrarError::Lacks(_) => {
            BppError::Config { reason: error.to_string() }
        }
    })
}

/// What is public of a key, as the command line prints it for others.
fn print_public(key: &NetworkKey) {
    println!("  key id                 {}", key.unique_key_id);
    println!("  signing public key     {}", key.signing.public());
    println!("  encryption public key  {}", key.encryption.public_base64());
    println!("  the same in DER        {}", key.encryption.public_der_base64());
}

/// The ring of a configuration, and where it is.
fn ring(config: &Config) -> Result<KeyRing, BppError> {
    KeyRing::load(&config.keys_file())
}

/// What is typed to go on, with the configuration that was given.
fn command(what: &str, config: &Path) -> String {
    format!("tripline-bpp key {what} --config {}", config.display())
}
