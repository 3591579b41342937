//! `tripline-bpp key show`

use serde_json::json;

use super::{KeyArgs, print_public, ring};
use crate::cli::opened::utc;
use crate::config::Config;
use crate::error::BppError;
use crate::keys::ring::{KeyState, PREVIOUS_MS};

pub(super) fn run(args: &KeyArgs) -> Result<(), BppError> {
    let config = Config::load(&args.config.config)?;
    for key in ring(&config)?.keys() {
        if args.json {
            let shown = json!({
                "unique_key_id": key.unique_key_id,
                "state": key.state.code(),
                "since_unix_ms": key.since.unix_ms,
                "made_at_unix_ms": key.made_at.unix_ms,
                "signing_public_key": key.signing.public().to_string(),
                "encr_public_key": key.encryption.public_base64(),
                "encr_public_key_der": key.encryption.public_der_base64(),
            });
            println!("{shown}");
            continue;
        }
        let does = match key.state {
            KeyState::Signing => format!("signs, since {}", utc(key.since)),
            KeyState::Next => "waits to sign".to_owned(),
            KeyState::Previous => {
                let until = utc(key.since.plus_ms(PREVIOUS_MS));
                format!("signed before, and is kept until {until}")
            }
        };
        println!("Key {} {does}; made {}", key.unique_key_id, utc(key.made_at));
        print_public(key);
    }
    Ok(())
}
