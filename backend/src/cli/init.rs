//! `tripline-bpp init`: a folder from which `serve` runs, or what one lacks for that.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::fleet::import;
use super::lock::Lock;
use super::opened::Opened;
use super::{migrate_store, open_store};
use crate::config::{Config, SAMPLE, SAMPLE_FLEET};
use crate::error::BppError;
use crate::file;
use crate::identity::authority::Authorities;
use crate::keys::file as key_file;
use crate::keys::ring::{KeyRing, NetworkKey};
use crate::operate::token::{self, NewToken};
use crate::operate::{Actor, OperateError, Role};
use crate::store::Store;
use crate::time;

/// Name of the token that is made with the folder.
const FIRST_TOKEN: &str = "admin";

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder to make: bpp.toml goes into it, and its data folder. In one that is there, what is
    /// missing is made, and nothing else touched
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// The id of our first key on the network, as registered
    #[arg(long, default_value = "k1")]
    unique_key_id: String,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &InitArgs) -> Result<(), BppError> {
    let config_file = args.dir.join("bpp.toml");
    let is_new = !config_file.exists();
    if is_new {
        file::make_dir(&args.dir, 0o755)?;
        // It may come to hold a database's password.
        file::write(&config_file, 0o600, SAMPLE)?;
    }
    let fleet_file = args.dir.join("fleet.toml");
    let fleet_made = is_new && !fleet_file.exists();
    if fleet_made {
        file::write(&fleet_file, 0o644, SAMPLE_FLEET)?;
    }
    let config = Config::load(&config_file)?;
    let mut made = complete(&config, is_new, &args.unique_key_id)?;
    let store_file = config.store_url().strip_prefix("sqlite:").map(PathBuf::from);
    let store_file = store_file.filter(|path| !path.exists());
    let (is_migrated, token_made) = complete_store(&config).await?;
    made.extend(store_file.filter(|path| path.exists()));
    made.extend(token_made);
    let fleet = if fleet_file.exists() { first_fleet(&config, &fleet_file).await? } else { false };
    if fleet_made {
        made.insert(0, fleet_file.clone());
    }
    if is_new {
        made.insert(0, config_file.clone());
    }
    if made.is_empty() && !is_migrated && !fleet {
        let message =
            format!("{}: nothing was missing, and nothing was changed", args.dir.display());
        return Err(BppError::Refused { message });
    }
    let ring = KeyRing::load(&config.keys_file())?;
    let key = ring.signing();
    if args.json {
        let made = json!({
            "made": made,
            "config": config_file,
            "subscriber_id": config.beckn.subscriber_id,
            "unique_key_id": key.unique_key_id,
            "uri": config.beckn.uri,
            "signing_public_key": key.signing.public().to_string(),
            "encr_public_key": key.encryption.public_base64(),
            "subscribers_file": config.subscribers_file(),
            "admin_token_file": config.admin_token_file(),
        });
        println!("{made}");
        return Ok(());
    }
    if is_new {
        tell_next(&config_file, &config, key);
        println!(
            "The admin API takes the token in {}: see it with",
            config.admin_token_file().display()
        );
        println!(
            "curl -H \"Authorization: Bearer $(cat {})\" \\",
            config.admin_token_file().display()
        );
        println!("  http://{}/v1/health while `serve` runs.", config.admin.listen);
    } else {
        tell_made(&made, &config, key);
        if is_migrated {
            println!("The store has this version's schema.");
        }
        if fleet {
            println!("The store has what {} says, and had nothing before.", fleet_file.display());
        }
    }
    println!("Keep copies of {} and {}", config.ca_dir().display(), config.keys_file().display());
    println!(
        "where nobody else gets at them: without the device CA every device has to enrol anew,"
    );
    println!("and without our keys we have to be registered anew.");
    Ok(())
}

/// Makes the store, or brings its schema up to date; says whether either was needed, and where the first token
/// is if there was none. Beside a platform that serves, which may be of another version, the schema stays as it
/// is.
async fn complete_store(config: &Config) -> Result<(bool, Option<PathBuf>), BppError> {
    let lock = Lock::take_if_free(config)?;
    let (store, is_migrated) = match (open_store(config).await, lock) {
        (Ok(store), _) => (store, false),
        (Err(_), Some(lock)) => (migrate_store(config, &lock).await?, true),
        (Err(error), None) => return Err(error),
    };
    let token_made = first_token(config, &store).await;
    store.close().await;
    Ok((is_migrated, token_made?))
}

/// Takes in a file with what is offered, if nothing ever was; says whether that is so.
async fn first_fleet(config: &Config, file: &Path) -> Result<bool, BppError> {
    let opened = Opened { store: open_store(config).await?, config: config.clone() };
    let known = opened.look(async |tx| Ok(!tx.providers("", 1).await?.is_empty())).await?;
    if !known {
        let folder = file.parent().unwrap_or(Path::new(""));
        import::carry_out(&opened, &[import::source(file, None)?], &[folder], false).await?;
    }
    opened.store.close().await;
    Ok(!known)
}

/// Makes a token with which everything may be done, if there never was one, and says where its secret is.
async fn first_token(config: &Config, store: &Store) -> Result<Option<PathBuf>, BppError> {
    let opened = Opened { store: store.clone(), config: config.clone() };
    let failed = |error| opened.not_operated(error);
    let made = async {
        let mut tx = store.write().await?;
        if tx.has_tokens().await? {
            return Ok(None);
        }
        let new = NewToken { name: FIRST_TOKEN.to_owned(), role: Role::Admin, expires_days: None };
        let made = token::add(&mut tx, &Actor::cli(), &new, time::now()).await?;
        Ok::<_, OperateError>(Some((tx, made)))
    };
    let Some((tx, made)) = made.await.map_err(failed)? else { return Ok(None) };
    // Before the commit: a token of which nobody has the secret would be the only one.
    let path = config.admin_token_file();
    file::write(&path, 0o600, &format!("{}\n", made.secret))?;
    tx.commit().await.map_err(|error| failed(error.into()))?;
    Ok(Some(path))
}

/// Makes what the data folder lacks, and says what that was.
fn complete(config: &Config, is_new: bool, unique_key_id: &str) -> Result<Vec<PathBuf>, BppError> {
    let mut made = Vec::new();
    let data_dir_made = file::make_dir(&config.data_dir, 0o700)?;
    if data_dir_made {
        made.push(config.data_dir.clone());
    } else if is_new {
        // It will hold the signing key, and riders' names, phones and routes.
        set_mode(&config.data_dir, 0o700)?;
    }
    let (keys, command_key) = (config.keys_file(), config.command_key_file());
    if !keys.exists() {
        KeyRing::make(unique_key_id, time::now())?.save(&keys)?;
        made.push(keys);
    }
    if !command_key.exists() {
        key_file::create(&command_key)?;
        made.push(command_key);
    }
    let pin_key = config.pin_key_file();
    if !pin_key.exists() {
        key_file::create(&pin_key)?;
        made.push(pin_key);
    }
    if !Authorities::exist(&config.ca_dir())? {
        Authorities::create(&config.ca_dir(), time::now())?;
        made.push(config.ca_dir());
    }
    if let Some(subscribers) = config.subscribers_file().filter(|path| !path.exists()) {
        file::write(&subscribers, 0o644, "[]\n")?;
        made.push(subscribers);
    }
    Ok(made)
}

fn tell_made(made: &[PathBuf], config: &Config, key: &NetworkKey) {
    for path in made {
        println!("Made {}, which was missing.", path.display());
    }
    if made.contains(&config.keys_file()) {
        println!("Nobody on the network knows the new key yet:");
        tell_key(key);
    }
}

fn tell_key(key: &NetworkKey) {
    println!("       key id                 {}", key.unique_key_id);
    println!("       signing public key     {}", key.signing.public());
    println!("       encryption public key  {}", key.encryption.public_base64());
}

fn tell_next(config_file: &Path, config: &Config, key: &NetworkKey) {
    let file = config_file.display();
    println!("Made {file}. Next:");
    println!(
        "  1. Set [beckn] uri and subscriber_id in it. What is offered, and by whom, stands in"
    );
    println!(
        "     {} and is taken in: change it, and take it in again with",
        config_file.with_file_name("fleet.toml").display()
    );
    println!("     tripline-bpp import --config {file} FILE");
    println!("  2. Say who else is on the network:");
    println!("     - With a registry: set [registry] url, domain, country, city and");
    println!("       encryption_public_key, and take out [beckn] subscribers_file.");
    if let Some(subscribers) = config.subscribers_file() {
        println!(
            "     - On a closed network: put the subscribers into {}, and",
            subscribers.display()
        );
        println!("       give each of them the public key of step 6.");
    }
    println!(
        "  3. Set [device] hosts to how vehicles reach this machine, and [device] and [enrol] listen"
    );
    println!("     to addresses that they reach: 0.0.0.0:8883 and 0.0.0.0:8884 for all of them.");
    println!("  4. tripline-bpp serve --config {file}");
    println!("  5. tripline-bpp vehicle add --config {file} ...");
    println!("     It prints the command to type on the vehicle's device, while `serve` runs.");
    println!(
        "  6. Become known on the network, while `serve` runs and is reached at [beckn] uri. With a"
    );
    println!("     registry: tripline-bpp key register --config {file}");
    println!("     It, or whoever has no registry to ask, is given of our key:");
    tell_key(key);
}

fn set_mode(path: &Path, mode: u32) -> Result<(), BppError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| BppError::File {
        path: path.into(),
        reason: format!("its mode cannot be set: {error}"),
    })
}
