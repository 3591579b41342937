//! `tripline-bpp key rename`: registries that are told of keys in a portal give them ids of their own.

use clap::Args;
use serde_json::json;

use super::KeyArgs;
use crate::config::Config;
use crate::error::BppError;
use crate::keys::ring::{KeyRing, RingError};

#[derive(Debug, Args)]
pub(in crate::cli) struct RenameArgs {
    #[command(flatten)]
    common: KeyArgs,
    /// The id that the registry gave
    #[arg(long)]
    unique_key_id: String,
    /// The key to rename, of those that `key show` shows; need not be given where there is one only
    #[arg(long)]
    from: Option<String>,
}

pub(super) fn run(args: &RenameArgs) -> Result<(), BppError> {
    let config = Config::load(&args.common.config.config)?;
    let to = &args.unique_key_id;
    let (_, from) = KeyRing::change(&config.keys_file(), |ring| {
        let from = match &args.from {
            Some(from) => from.clone(),
            None => ring.only()?.unique_key_id.clone(),
        };
        ring.rename(&from, to)?;
        Ok::<_, RingError>(from)
    })?;
    if args.common.json {
        println!("{}", json!({ "from": from, "unique_key_id": to }));
        return Ok(());
    }
    println!("Key {from} has the id {to} from here on. A running platform follows within seconds.");
    Ok(())
}
