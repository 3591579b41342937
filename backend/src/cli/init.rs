//! `tripline-bpp init`: a folder from which `serve` runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::open_store;
use crate::config::{Config, SAMPLE};
use crate::error::BppError;
use crate::identity::authority::Authorities;
use crate::keys;
use crate::time;

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder to make: bpp.toml goes into it, and its data folder
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &InitArgs) -> Result<(), BppError> {
    let config_file = args.dir.join("bpp.toml");
    if config_file.exists() {
        let message = format!("{} exists already; nothing was changed", config_file.display());
        return Err(BppError::Refused { message });
    }
    make_dir(&args.dir)?;
    write(&config_file, SAMPLE)?;
    // It may come to hold a database's password.
    set_mode(&config_file, 0o600)?;
    let config = Config::load(&config_file)?;
    make_dir(&config.data_dir)?;
    // It will hold the signing key, and riders' names, phones and routes.
    set_mode(&config.data_dir, 0o700)?;
    let key = keys::create(&config.signing_key_file())?;
    keys::create(&config.command_key_file())?;
    Authorities::create(&config.ca_dir(), time::now())?;
    let subscribers = config.subscribers_file();
    if !subscribers.exists() {
        write(&subscribers, "[]\n")?;
    }
    open_store(&config).await?.close().await;
    if args.json {
        let made = json!({
            "config": config_file,
            "subscriber_id": config.beckn.subscriber_id,
            "unique_key_id": config.beckn.unique_key_id,
            "uri": config.beckn.uri,
            "signing_public_key": key.public().to_string(),
            "subscribers_file": subscribers,
        });
        println!("{made}");
        return Ok(());
    }
    println!("Made {}. Next:", config_file.display());
    println!("  1. Set [beckn] uri and subscriber_id, [provider], [item] and [tariff] in it.");
    println!(
        "  2. Register this signing public key on the network, as key {}:",
        config.beckn.unique_key_id
    );
    println!("       {}", key.public());
    println!("  3. Put the subscribers to serve into {}.", subscribers.display());
    println!(
        "  4. Set [device] hosts to how vehicles reach this machine, and [device] and [enrol] listen"
    );
    println!("     to addresses that they reach: 0.0.0.0:8883 and 0.0.0.0:8884 for all of them.");
    println!("  5. tripline-bpp serve --config {}", config_file.display());
    println!("  6. tripline-bpp vehicle add --config {} ...", config_file.display());
    println!("     It prints the command to type on the vehicle's device, while `serve` runs.");
    println!("Keep a copy of {} where nobody else gets at it: without", config.ca_dir().display());
    println!("the device CA in it, every device has to enrol anew.");
    Ok(())
}

fn make_dir(path: &Path) -> Result<(), BppError> {
    fs::create_dir_all(path).map_err(|error| BppError::File {
        path: path.into(),
        reason: format!("the folder cannot be made: {error}"),
    })
}

fn set_mode(path: &Path, mode: u32) -> Result<(), BppError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| BppError::File {
        path: path.into(),
        reason: format!("its mode cannot be set: {error}"),
    })
}

fn write(path: &Path, text: &str) -> Result<(), BppError> {
    fs::write(path, text).map_err(|error| BppError::File {
        path: path.into(),
        reason: format!("cannot be written: {error}"),
    })
}
