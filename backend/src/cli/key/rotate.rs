//! `tripline-bpp key rotate`

use clap::Args;
use serde_json::json;

use super::register::{register, tell};
use super::{KeyArgs, command, print_public, registrar};
use crate::chance;
use crate::cli::opened::Opened;
use crate::config::Config;
use crate::error::BppError;
use crate::keys::ring::{KeyRing, KeyState, NetworkKey, PREVIOUS_H, RingError};
use crate::network::registration::{Registrar, SubscriptionStatus};
use crate::time;

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of a command line, most of which exclude each other"
)]
pub(in crate::cli) struct RotateArgs {
    #[command(flatten)]
    common: KeyArgs,
    /// The id of the new key; a fresh UUID if not given
    #[arg(long)]
    unique_key_id: Option<String>,
    /// Do not ask the registry: it is told of the key in another way, for instance in its portal
    #[arg(long)]
    no_register: bool,
    /// Sign with the key that waits from here on, also if nobody shows it yet
    #[arg(long, conflicts_with_all = ["unique_key_id", "no_register", "retire"])]
    switch: bool,
    /// Drop the key that signed before
    #[arg(long, conflicts_with_all = ["unique_key_id", "no_register"])]
    retire: bool,
    /// Drop the key that waits: it leaked, or the registry does not take it
    #[arg(long, conflicts_with_all = ["unique_key_id", "no_register", "switch", "retire"])]
    abandon: bool,
}

pub(super) async fn run(args: &RotateArgs) -> Result<(), BppError> {
    if args.switch {
        return switch(&args.common);
    }
    if args.retire {
        return drop_key(&args.common, "retired", KeyRing::retire);
    }
    if args.abandon {
        return drop_key(&args.common, "abandoned", KeyRing::abandon);
    }
    let opened = Opened::open(&args.common.config).await?;
    let asked = opened.config.registry.url.is_some() && !args.no_register;
    // What is missing for it is said before anything is changed.
    let registrar = if asked { Some(registrar(&opened.config)?) } else { None };
    let ring = add_next(&opened.config, args.unique_key_id.as_deref())?;
    let done = register_next(&opened, args, &ring, registrar).await;
    opened.store.close().await;
    tell_of(&opened.config, args, &ring, done?)
}

fn add_next(config: &Config, unique_key_id: Option<&str>) -> Result<KeyRing, BppError> {
    let now = time::now();
    let id = match unique_key_id {
        Some(id) => id.to_owned(),
        None => chance::uuid().map_err(|e| BppError::Internal(e.to_string()))?.to_string(),
    };
    let key = NetworkKey::make(&id, KeyState::Next, now)?;
    Ok(KeyRing::change(&config.keys_file(), |ring| ring.add_next(key, now))?.0)
}

/// Registers the key that was made, if that is asked for. One that the registry did not take waits all the
/// same, so that it is said how to go on.
async fn register_next(
    opened: &Opened,
    args: &RotateArgs,
    ring: &KeyRing,
    registrar: Option<Registrar>,
) -> Result<Option<SubscriptionStatus>, BppError> {
    let Some(registrar) = registrar else { return Ok(None) };
    let next = ring.next().ok_or(RingError::NoNext)?;
    let asked = register(opened, &registrar, ring, next).await;
    asked.map(Some).map_err(|error| {
        let id = &next.unique_key_id;
        let again = command(&format!("register --unique-key-id {id}"), &args.common.config.config);
        if let BppError::Registry { url, reason } = error {
            let reason = format!("{reason}; key {id} is made and waits; to ask again: {again}");
            return BppError::Registry { url, reason };
        }
        let message = format!("key {id} is made and waits, but: {error}; to ask again: {again}");
        BppError::Refused { message }
    })
}

/// Says what was made, and what happens next.
fn tell_of(
    config: &Config,
    args: &RotateArgs,
    ring: &KeyRing,
    status: Option<SubscriptionStatus>,
) -> Result<(), BppError> {
    let next = ring.next().ok_or(RingError::NoNext)?;
    let (id, signing) = (&next.unique_key_id, &ring.signing().unique_key_id);
    if args.common.json {
        let status = status.map(SubscriptionStatus::code);
        let made = json!({ "next": id, "signing": signing, "status": status,
            "signing_public_key": next.signing.public().to_string(),
            "encr_public_key": next.encryption.public_base64() });
        println!("{made}");
        return Ok(());
    }
    println!("Key {id} is made and waits; {signing} goes on signing.");
    if let Some(status) = status {
        tell(&config.settings().identity.uri, next, status);
    } else {
        println!("Give peers, or the registry's portal, of it:");
        print_public(next);
    }
    if config.registry.url.is_some() {
        println!(
            "Signing switches to it by itself when the registry shows it, while `serve` runs."
        );
    } else {
        let switch = command("rotate --switch", &args.common.config.config);
        println!("When every peer has it: {switch}");
    }
    Ok(())
}

fn switch(args: &KeyArgs) -> Result<(), BppError> {
    let config = Config::load(&args.config.config)?;
    let now = time::now();
    let (ring, ()) = KeyRing::change(&config.keys_file(), |ring| ring.switch(now))?;
    let signing = &ring.signing().unique_key_id;
    let previous = ring.previous().map(|key| &key.unique_key_id);
    if args.json {
        println!("{}", json!({ "signing": signing, "previous": previous }));
        return Ok(());
    }
    println!("Key {signing} signs from here on. A running platform follows within seconds.");
    if let Some(previous) = previous {
        println!(
            "{previous} is kept for {PREVIOUS_H} h, for peers that do not know the new one yet."
        );
    }
    Ok(())
}

fn drop_key(
    args: &KeyArgs,
    done: &str,
    which: impl FnOnce(&mut KeyRing) -> Result<String, RingError>,
) -> Result<(), BppError> {
    let config = Config::load(&args.config.config)?;
    let (_, dropped) = KeyRing::change(&config.keys_file(), which)?;
    if args.json {
        println!("{}", json!({ done: dropped }));
        return Ok(());
    }
    println!("Key {dropped} is dropped. A running platform follows within seconds.");
    Ok(())
}
