//! Who is on the network with the platform: riders' platforms, and a registry that knows them or a file in
//! its stead.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tripline_protocol::signing::{PublicKey, SecretKey};

use super::files::NetworkKeys;
use super::{World, free_address, path, text};
use crate::bap::{Bap, BapSettings, BppAddress};
use crate::registry::Registry;

/// The platform's subscriber id.
pub const BPP_ID: &str = "bpp.tripline.test";

/// The subscriber id of the rider's platform that is always there.
pub const BAP_ID: &str = "bap.tripline.test";

/// Who says who is on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscribers {
    /// A file of them.
    File,
    /// A registry.
    Registry {
        /// What the platform's configuration says at the end of `[registry]`.
        keys: String,
    },
}

/// The platform's surroundings.
#[derive(Debug)]
pub(super) struct Network {
    bpp: BppAddress,
    registry: Option<Registry>,
    /// What is said at the end of `[registry]`.
    registry_keys: String,
    /// What the file of subscribers has, where there is no registry.
    listed: Mutex<Vec<Value>>,
}

impl Network {
    /// Starts the registry, if there is to be one, with the entry of the platform that `init` made.
    pub(super) async fn start(
        subscribers: &Subscribers,
        beckn: SocketAddr,
        made: &Value,
    ) -> Result<Self> {
        let bpp = BppAddress {
            uri: format!("http://{beckn}/beckn"),
            subscriber_id: BPP_ID.into(),
            unique_key_id: text(made, "unique_key_id")?,
            public_key: text(made, "signing_public_key")?.parse().context("the platform's key")?,
        };
        let (registry, registry_keys) = match subscribers {
            Subscribers::File => (None, String::new()),
            Subscribers::Registry { keys } => {
                let registry = Registry::start(free_address()?).await?;
                registry.enter(own_entry(&bpp, made));
                (Some(registry), keys.clone())
            }
        };
        Ok(Self { bpp, registry, registry_keys, listed: Mutex::default() })
    }

    pub(super) const fn key_of_bpp(&self) -> &PublicKey {
        &self.bpp.public_key
    }

    /// Starts a rider's platform with a key of its own, which nobody knows yet.
    pub(super) async fn start_bap(&self, subscriber_id: &str) -> Result<Bap> {
        let settings = BapSettings {
            subscriber_id: subscriber_id.into(),
            unique_key_id: "rider".into(),
            listen: free_address()?,
            key: fresh_key()?,
        };
        Bap::start(settings, self.bpp.clone()).await
    }

    /// Enters a rider's platform, or lists it in the file.
    pub(super) fn admit(&self, dir: &Path, bap: &Bap) -> Result<()> {
        if let Some(registry) = &self.registry {
            registry.enter(bap.lookup_entry());
            return Ok(());
        }
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        listed.push(bap.lookup_entry());
        let entries = Value::Array(listed.clone());
        Ok(std::fs::write(dir.join("bpp/data/subscribers.json"), entries.to_string())?)
    }

    pub(super) fn configuration(&self) -> NetworkKeys {
        let Some(registry) = &self.registry else {
            let beckn = "subscribers_file = \"subscribers.json\"".into();
            return NetworkKeys { beckn, ..NetworkKeys::default() };
        };
        let table = format!(
            r#"[registry]
url = "{url}"
domain = "nic2004:60221"
country = "IND"
city = "std:080"
encryption_public_key = "{key}"
{more}"#,
            url = registry.url(),
            key = registry.encryption_public_key(),
            more = self.registry_keys,
        );
        NetworkKeys { registry: table, ..NetworkKeys::default() }
    }
}

/// The platform's own entry: its address, and the keys that `init` printed.
fn own_entry(bpp: &BppAddress, made: &Value) -> Value {
    json!({
        "subscriber_id": bpp.subscriber_id,
        "subscriber_url": bpp.uri,
        "type": "BPP",
        "domain": "nic2004:60221",
        "city": "std:080",
        "country": "IND",
        "signing_public_key": made["signing_public_key"],
        "encr_public_key": made["encr_public_key"],
        "unique_key_id": bpp.unique_key_id,
        "valid_from": "2020-01-01T00:00:00Z",
        "valid_until": "2100-01-01T00:00:00Z",
        "status": "SUBSCRIBED",
    })
}

/// A key that nobody had before.
pub(super) fn fresh_key() -> Result<SecretKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(SecretKey::from_seed(&seed))
}

impl World {
    /// The registry.
    ///
    /// # Panics
    /// If the plan has none.
    pub const fn registry(&self) -> &Registry {
        self.network.registry.as_ref().expect("the plan has a registry")
    }

    /// Starts a further rider's platform, known to the network.
    pub async fn add_bap(&self, subscriber_id: &str) -> Result<Bap> {
        let bap = self.add_stranger(subscriber_id).await?;
        self.network.admit(self.folder(), &bap)?;
        Ok(bap)
    }

    /// Starts a further rider's platform, of which nobody on the network knows.
    pub async fn add_stranger(&self, subscriber_id: &str) -> Result<Bap> {
        self.network.start_bap(subscriber_id).await
    }

    /// Gives a rider's platform another key as platforms do: the network knows both before the new one is
    /// used.
    pub fn announce_key(&self, bap: &Bap, unique_key_id: &str) -> Result<SecretKey> {
        let key = fresh_key()?;
        let mut entry = bap.lookup_entry();
        entry["unique_key_id"] = json!(unique_key_id);
        entry["signing_public_key"] = json!(key.public().to_string());
        self.registry().enter(entry);
        Ok(key)
    }

    /// Runs a command of the platform on its configuration, `["key", "show"]` for instance; gives its JSON,
    /// an object a line.
    pub async fn bpp_command(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let config = self.folder().join("bpp/bpp.toml");
        let all = [arguments, &["--json", "--config", path(&config)?]].concat();
        self.binaries.json_lines("tripline-bpp", &all).await
    }

    /// Starts the platform where it is expected to give up; gives its exit code and standard error.
    pub async fn fail_to_start_bpp(&self) -> Result<(i32, String)> {
        let config = self.folder().join("bpp/bpp.toml");
        let arguments = ["serve", "--json", "--config", path(&config)?];
        self.binaries.fail("tripline-bpp", &arguments).await
    }

    /// Kills the platform after `life`, whatever it is doing then. [`World::kill_bpp`] after it makes sure.
    pub fn kill_bpp_after(&self, life: Duration) -> Result<JoinHandle<Result<()>>> {
        let bpp = self.bpp.as_ref().context("the platform is not running")?.executioner()?;
        Ok(tokio::spawn(async move {
            tokio::time::sleep(life).await;
            bpp()
        }))
    }

    /// The platform's log so far.
    pub fn bpp_log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder().join("bpp.log"))?)
    }

    /// A number on the platform's `/metrics`: the sum over the lines that begin so.
    pub async fn metric(&self, begins: &str) -> Result<f64> {
        let url = format!("{}/metrics", self.admin_url());
        let text = reqwest::get(&url).await?.text().await?;
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with(begins)).collect();
        ensure!(!lines.is_empty(), "{url} has no {begins}");
        let value = |line: &str| line.rsplit_once(' ').and_then(|(_, value)| value.parse().ok());
        let values: Option<Vec<f64>> = lines.into_iter().map(value).collect();
        let Some(values) = values else { bail!("{begins} is no number") };
        Ok(values.iter().sum())
    }
}
