//! `tripline-bpp key register`

use clap::Args;
use serde_json::json;

use super::{KeyArgs, registrar, ring};
use crate::cli::opened::Opened;
use crate::error::BppError;
use crate::keys::ring::{KeyRing, NetworkKey};
use crate::network::registration::{Registrar, RegistrationError, SubscriptionStatus};
use crate::time;

#[derive(Debug, Args)]
pub(in crate::cli) struct RegisterArgs {
    #[command(flatten)]
    common: KeyArgs,
    /// The key to register, of those that `key show` shows; the one that signs if not given
    #[arg(long)]
    unique_key_id: Option<String>,
}

pub(super) async fn run(args: &RegisterArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.common.config).await?;
    let (registrar, ring) = (registrar(&opened.config)?, ring(&opened.config)?);
    let key = match &args.unique_key_id {
        Some(id) => ring.key(id)?,
        None => ring.signing(),
    };
    let status = register(&opened, &registrar, &ring, key).await?;
    opened.store.close().await;
    if args.common.json {
        println!("{}", json!({ "unique_key_id": key.unique_key_id, "status": status.code() }));
        return Ok(());
    }
    tell(&opened.config.settings().identity.uri, key, status);
    Ok(())
}

/// Asks the registry; what it does not take is refused, and one that cannot be asked is told apart.
pub(super) async fn register(
    opened: &Opened,
    registrar: &Registrar,
    ring: &KeyRing,
    key: &NetworkKey,
) -> Result<SubscriptionStatus, BppError> {
    let asked = registrar.register(&opened.store, ring, key, time::now()).await;
    asked.map_err(|error| match error {
        RegistrationError::Store(source) => opened.failed(source),
        RegistrationError::Internal(reason) => BppError::Internal(reason),
        RegistrationError::Unreachable(reason) => BppError::Registry {
            url: opened.config.registry.url.clone().unwrap_or_default(),
            reason,
        },
        error @ RegistrationError::Refused { .. } => BppError::Refused {
            message: format!("key {} is not registered: {error}", key.unique_key_id),
        },
    })
}

/// What the registry said, and what happens next.
pub(super) fn tell(uri: &str, key: &NetworkKey, status: SubscriptionStatus) {
    println!("The registry says of key {}: {}.", key.unique_key_id, status.code());
    match status {
        SubscriptionStatus::Initiated | SubscriptionStatus::UnderSubscription => {
            println!(
                "It sends its challenge to {uri}/on_subscribe, where it is answered for an hour"
            );
            println!("while `tripline-bpp serve` runs and can be reached from outside.");
        }
        SubscriptionStatus::Subscribed => println!("Peers can know it from here on."),
        SubscriptionStatus::InvalidSsl => {
            println!(
                "It does not take the certificate that it met at {uri}: mend that, and ask again."
            );
        }
        SubscriptionStatus::Unsubscribed => {
            println!("It has put this platform out: ask whoever runs it.");
        }
    }
}
