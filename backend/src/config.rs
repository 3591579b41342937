//! `bpp.toml`: commented TOML, every key overridable from the environment, unknown keys refused.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use ipnet::IpNet;
use serde::Deserialize;
use tripline_protocol::tariff::Tariff;

use crate::beckn::Identity;
use crate::callback::worker::RetryRules;
use crate::domain::catalog;
use crate::domain::dispatch::DispatchRules;
use crate::domain::estimate::RoadModel;
use crate::error::BppError;
use crate::http::Rules;
use crate::keys::encryption::{EncryptionKeyError, RegistryPublicKey};
use crate::network::subscriber::{normalized_id, normalized_url};
use crate::service::Settings;
use crate::settings::SettingTables;

/// The configuration that `tripline-bpp init` writes.
pub const SAMPLE: &str = include_str!("../bpp.sample.toml");

/// Prefix of the environment variables; `__` stands between table and key.
pub const ENV_PREFIX: &str = "TRIPLINE_BPP_";

/// The platform's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where keys and the SQLite store live; relative to the file.
    pub data_dir: PathBuf,
    /// The Beckn side.
    pub beckn: Beckn,
    /// Who says who is on the network.
    #[serde(default)]
    pub registry: Registry,
    /// The device endpoint.
    #[serde(default)]
    pub device: Device,
    /// Where devices enrol.
    #[serde(default)]
    pub enrol: Enrol,
    /// What operators and their tools read.
    #[serde(default)]
    pub admin: Admin,
    /// The store.
    #[serde(default)]
    pub store: Store,
    /// The provider.
    pub provider: Provider,
    /// The item.
    pub item: Item,
    /// The tariff.
    pub tariff: Tariff,
    /// Estimates.
    #[serde(default)]
    pub estimate: Estimate,
    /// Dispatch.
    #[serde(default)]
    pub dispatch: Dispatch,
    /// The ride.
    #[serde(default)]
    pub ride: Ride,
    /// Callbacks.
    #[serde(default)]
    pub callback: Callback,
}

/// `[beckn]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beckn {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Our registered address.
    pub uri: String,
    /// Our subscriber id.
    pub subscriber_id: String,
    /// The file of our keys; relative to the data folder.
    #[serde(default = "keys_file")]
    pub keys_file: PathBuf,
    /// The file of subscribers of a closed network, in place of a registry; relative to the data folder.
    pub subscribers_file: Option<PathBuf>,
    /// Networks of the reverse proxies whose `X-Forwarded-For` is believed.
    #[serde(default)]
    pub proxies: Vec<IpNet>,
    /// Requests a second taken from one address, on average, before a signature is looked at.
    #[serde(default = "requests_per_address_per_s")]
    pub requests_per_address_per_s: u32,
    /// Requests a second taken from one subscriber, on average.
    #[serde(default = "requests_per_subscriber_per_s")]
    pub requests_per_subscriber_per_s: u32,
    /// Whether a request whose `ttl` has passed is refused.
    #[serde(default = "yes")]
    pub refuse_stale: bool,
}

fn keys_file() -> PathBuf {
    "keys.json".into()
}

const fn requests_per_address_per_s() -> u32 {
    200
}

const fn requests_per_subscriber_per_s() -> u32 {
    200
}

const fn yes() -> bool {
    true
}

/// `[registry]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registry {
    /// Its address: `/lookup` and `/subscribe` are below it. Without one, subscribers come from a file.
    pub url: Option<String>,
    /// Network domain that is asked for.
    pub domain: Option<String>,
    /// Country that is asked for.
    pub country: Option<String>,
    /// City that is asked for.
    pub city: Option<String>,
    /// The registry's public encryption key, for its challenge.
    pub encryption_public_key: Option<String>,
    /// How long an answer is used before it is asked for again, in s.
    pub cache_s: u64,
    /// How long an answer is used while the registry cannot be asked, in s.
    pub outage_s_max: u64,
    /// Longest wait for an answer, in ms.
    pub timeout_ms: u64,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            url: None,
            domain: None,
            country: None,
            city: None,
            encryption_public_key: None,
            cache_s: 300,
            outage_s_max: 86_400,
            timeout_ms: 5_000,
        }
    }
}

/// `[device]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Device {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Names and addresses under which devices reach this machine; they are told the first.
    pub hosts: Vec<String>,
    /// The port they are told; that of `listen` if not set.
    pub port: Option<u16>,
    /// How long a device's certificate lives, in s.
    pub certificate_s: u64,
    /// Connections at once.
    pub connections_max: usize,
    /// New connections a second taken from one address, on average.
    pub connects_per_address_per_s: u32,
    /// What every device is to run, beside what is wanted of it alone.
    pub settings: SettingTables,
}

impl Default for Device {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8883)),
            hosts: vec!["127.0.0.1".into(), "localhost".into()],
            port: None,
            certificate_s: 90 * 86_400,
            connections_max: 20_000,
            connects_per_address_per_s: 200,
            settings: SettingTables::default(),
        }
    }
}

/// `[enrol]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Enrol {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// The URL that is printed with codes; made of the first of the device hosts if not set.
    pub url: Option<String>,
}

impl Default for Enrol {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8884)), url: None }
    }
}

/// `[admin]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address to listen on.
    pub listen: SocketAddr,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9090)) }
    }
}

/// `[store]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// `sqlite:PATH` or `postgres://...`; SQLite in the data folder if not set.
    pub url: Option<String>,
}

/// `[provider]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Stable id.
    pub id: String,
    /// Name.
    pub name: String,
}

/// `[item]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Stable id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Category of the vehicle that comes.
    pub vehicle_category: String,
}

/// `[estimate]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Estimate {
    /// Road metres for a hundred straight ones.
    pub road_factor_percent: u32,
    /// Speed in town, in km/h.
    pub speed_kmph: u32,
}

impl Default for Estimate {
    fn default() -> Self {
        Self { road_factor_percent: 130, speed_kmph: 20 }
    }
}

/// `[dispatch]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dispatch {
    /// How far a vehicle may be from the pickup, in metres.
    pub radius_m: u32,
    /// How long a driver has to answer, in s.
    pub offer_s: u32,
    /// How long a driver is looked for, in s.
    pub search_s: u32,
}

impl Default for Dispatch {
    fn default() -> Self {
        Self { radius_m: 5_000, offer_s: 30, search_s: 120 }
    }
}

/// `[ride]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ride {
    /// Whether a ride starts only with the rider's OTP.
    pub otp: bool,
}

impl Default for Ride {
    fn default() -> Self {
        Self { otp: true }
    }
}

/// `[callback]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Callback {
    /// Longest wait between two attempts, in ms.
    pub retry_ms_max: u64,
    /// Longest wait for an answer, in ms.
    pub timeout_ms: u64,
    /// Networks that are not public and may be sent to all the same.
    pub private_networks: Vec<IpNet>,
}

impl Default for Callback {
    fn default() -> Self {
        Self { retry_ms_max: 60_000, timeout_ms: 10_000, private_networks: Vec::new() }
    }
}

impl Config {
    /// Reads the file and the environment over it. Relative paths become relative to the file.
    pub fn load(path: &Path) -> Result<Self, BppError> {
        let config = |reason| BppError::Config { reason };
        if !path.is_file() {
            return Err(config(format!(
                "there is no file {}; `tripline-bpp init` makes one, with its data folder",
                path.display()
            )));
        }
        let mut loaded: Self = Figment::from(Toml::file_exact(path))
            .merge(Env::prefixed(ENV_PREFIX).split("__"))
            .extract()
            .map_err(|error| config(error.to_string()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        loaded.data_dir = folder.join(&loaded.data_dir);
        loaded.check().map_err(config)?;
        Ok(loaded)
    }

    fn check(&self) -> Result<(), String> {
        let uri = url::Url::parse(&self.beckn.uri)
            .map_err(|error| format!("beckn.uri is no URL: {error}"))?;
        if !matches!(uri.scheme(), "http" | "https") || uri.host().is_none() {
            return Err("beckn.uri must begin with http:// or https:// and a host".into());
        }
        self.check_registry()?;
        self.check_device()?;
        self.check_private_networks()?;
        let ranges = [
            ("dispatch.radius_m", u64::from(self.dispatch.radius_m), 1, 100_000),
            ("dispatch.offer_s", u64::from(self.dispatch.offer_s), 1, 3_600),
            ("dispatch.search_s", u64::from(self.dispatch.search_s), 1, 86_400),
            ("estimate.speed_kmph", u64::from(self.estimate.speed_kmph), 1, 200),
            (
                "estimate.road_factor_percent",
                u64::from(self.estimate.road_factor_percent),
                100,
                500,
            ),
            ("device.certificate_s", self.device.certificate_s, 10, 825 * 86_400),
            ("device.connections_max", self.device.connections_max as u64, 1, 1_000_000),
            (
                "device.connects_per_address_per_s",
                u64::from(self.device.connects_per_address_per_s),
                1,
                100_000,
            ),
            (
                "beckn.requests_per_address_per_s",
                u64::from(self.beckn.requests_per_address_per_s),
                1,
                1_000_000,
            ),
            (
                "beckn.requests_per_subscriber_per_s",
                u64::from(self.beckn.requests_per_subscriber_per_s),
                1,
                1_000_000,
            ),
            ("registry.cache_s", self.registry.cache_s, 1, 86_400),
            ("registry.outage_s_max", self.registry.outage_s_max, 0, 30 * 86_400),
            ("registry.timeout_ms", self.registry.timeout_ms, 100, 60_000),
            ("callback.retry_ms_max", self.callback.retry_ms_max, 10, 3_600_000),
            ("callback.timeout_ms", self.callback.timeout_ms, 100, 120_000),
        ];
        for (key, value, min, max) in ranges {
            if !(min..=max).contains(&value) {
                return Err(format!("{key} is {value}; it must be between {min} and {max}"));
            }
        }
        self.registry_key().map_err(|error| format!("registry.encryption_public_key: {error}"))?;
        self.check_tariff()
    }

    /// One of both says who is on the network: with both, nobody could tell who is believed.
    fn check_registry(&self) -> Result<(), String> {
        let text = match (&self.registry.url, &self.beckn.subscribers_file) {
            (Some(url), None) => url,
            (None, Some(_)) => return Ok(()),
            (Some(_), Some(_)) => {
                return Err(
                    "registry.url and beckn.subscribers_file are both set: leave out the one \
                            that is not to say who is on the network"
                        .into(),
                );
            }
            (None, None) => {
                return Err(
                    "nothing says who is on the network: set registry.url or, for a closed \
                            network, beckn.subscribers_file"
                        .into(),
                );
            }
        };
        let url =
            url::Url::parse(text).map_err(|error| format!("registry.url is no URL: {error}"))?;
        let bare = url.username().is_empty() && url.password().is_none();
        let bare = bare && url.query().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || !bare {
            return Err(
                "registry.url must be http:// or https:// with a host and, perhaps, a port and \
                        a path"
                    .into(),
            );
        }
        Ok(())
    }

    /// What devices are told must be something they can reach.
    fn check_device(&self) -> Result<(), String> {
        if self.device.hosts.is_empty() || self.device.hosts.iter().any(String::is_empty) {
            return Err("device.hosts is empty or has an empty name: name this machine as \
                        devices reach it"
                .into());
        }
        if self.device.port == Some(0) {
            return Err(
                "device.port is 0: give the port that devices reach, or leave it out".into()
            );
        }
        let Some(text) = &self.enrol.url else { return Ok(()) };
        let url = url::Url::parse(text).map_err(|error| format!("enrol.url is no URL: {error}"))?;
        if url.scheme() != "https" || url.host().is_none() || url.path() != "/" {
            return Err("enrol.url must be https:// with a host and, perhaps, a port".into());
        }
        Ok(())
    }

    /// Whoever may enter what he likes into a registry could have us send into our own networks.
    fn check_private_networks(&self) -> Result<(), String> {
        let networks = &self.callback.private_networks;
        let Some(registry) = self.registry.url.as_deref().filter(|_| !networks.is_empty()) else {
            return Ok(());
        };
        let url = url::Url::parse(registry)
            .map_err(|error| format!("registry.url is no URL: {error}"))?;
        let address = match url.host() {
            Some(url::Host::Ipv4(address)) => Some(IpAddr::from(address)),
            Some(url::Host::Ipv6(address)) => Some(IpAddr::from(address)),
            Some(url::Host::Domain(_)) | None => None,
        };
        if address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
        {
            return Ok(());
        }
        Err("callback.private_networks is for subscribers of a file, or of a registry whose url is an \
             address within these networks: anybody may have made the entries of another one"
            .into())
    }

    fn check_tariff(&self) -> Result<(), String> {
        const RATE_PAISE_MAX: i64 = 100_000_000;
        let tariff = &self.tariff;
        let rates = [
            ("tariff.base_paise", tariff.base_paise),
            ("tariff.per_km_paise", tariff.per_km_paise),
            ("tariff.per_minute_paise", tariff.per_minute_paise),
            ("tariff.waiting_per_minute_paise", tariff.waiting_per_minute_paise),
            ("tariff.minimum_paise", tariff.minimum_paise),
            ("tariff.rounding_paise", tariff.rounding_paise),
        ];
        for (key, rate) in rates {
            if !(0..=RATE_PAISE_MAX).contains(&rate.0) {
                return Err(format!(
                    "{key} is {}; it must be between 0 and {RATE_PAISE_MAX}",
                    rate.0
                ));
            }
        }
        Ok(())
    }

    /// The store's URL.
    pub fn store_url(&self) -> String {
        self.store
            .url
            .clone()
            .unwrap_or_else(|| format!("sqlite:{}", self.data_dir.join("tripline.db").display()))
    }

    /// The file of the keys by which the network knows us.
    pub fn keys_file(&self) -> PathBuf {
        self.data_dir.join(&self.beckn.keys_file)
    }

    /// The registry's public encryption key, if it is set.
    pub fn registry_key(&self) -> Result<Option<RegistryPublicKey>, EncryptionKeyError> {
        self.registry.encryption_public_key.as_deref().map(str::parse).transpose()
    }

    /// The file of the key that seals commands to devices.
    pub fn command_key_file(&self) -> PathBuf {
        self.data_dir.join("command.key")
    }

    /// The folder of the device CA.
    pub fn ca_dir(&self) -> PathBuf {
        self.data_dir.join("ca")
    }

    /// Where devices are told to connect.
    pub fn device_endpoint(&self) -> (String, u16) {
        let host = self.device.hosts.first().cloned().unwrap_or_default();
        (host, self.device.port.unwrap_or(self.device.listen.port()))
    }

    /// The URL that is printed with enrolment codes, without a slash at its end.
    pub fn enrol_url(&self) -> String {
        self.enrol.url.clone().unwrap_or_else(|| {
            let (host, _) = self.device_endpoint();
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            format!("https://{host}:{}", self.enrol.listen.port())
        })
    }

    /// The file of subscribers, if there is no registry.
    pub fn subscribers_file(&self) -> Option<PathBuf> {
        self.beckn.subscribers_file.as_ref().map(|file| self.data_dir.join(file))
    }

    /// Path of our registered address, where requests come to.
    pub fn base_path(&self) -> String {
        let path = url::Url::parse(&self.beckn.uri).map(|uri| uri.path().to_owned());
        path.unwrap_or_default().trim_end_matches('/').to_owned()
    }

    /// What the platform needs to know.
    pub fn settings(&self) -> Settings {
        let origin = url::Url::parse(&self.beckn.uri)
            .map(|uri| uri.origin().ascii_serialization())
            .unwrap_or_default();
        Settings {
            identity: Identity {
                subscriber_id: normalized_id(&self.beckn.subscriber_id),
                uri: normalized_url(&self.beckn.uri),
                provider: catalog::Provider {
                    id: self.provider.id.clone(),
                    name: self.provider.name.clone(),
                },
                item: catalog::Item {
                    id: self.item.id.clone(),
                    name: self.item.name.clone(),
                    vehicle_category: self.item.vehicle_category.clone(),
                    tariff: self.tariff.clone(),
                },
            },
            dispatch: DispatchRules {
                radius_m: self.dispatch.radius_m,
                offer_ms: i64::from(self.dispatch.offer_s) * 1000,
                search_ms: i64::from(self.dispatch.search_s) * 1000,
            },
            otp: self.ride.otp,
            road: RoadModel {
                road_factor_percent: self.estimate.road_factor_percent,
                speed_kmph: self.estimate.speed_kmph,
            },
            track_url: format!("{origin}/track"),
            first_settings: self.device.settings.0,
        }
    }

    /// Who may send how many requests.
    pub fn request_rules(&self) -> Rules {
        Rules {
            proxies: self.beckn.proxies.clone(),
            per_address_per_s: self.beckn.requests_per_address_per_s,
            per_subscriber_per_s: self.beckn.requests_per_subscriber_per_s,
            refuse_stale: self.beckn.refuse_stale,
        }
    }

    /// How callbacks are retried.
    pub const fn retry_rules(&self) -> RetryRules {
        RetryRules {
            retry_ms_max: self.callback.retry_ms_max,
            timeout_ms: self.callback.timeout_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripline_protocol::link::settings::DeviceSettings;

    fn load(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("bpp.toml");
        std::fs::write(&path, text).expect("written");
        Config::load(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn the_sample_is_a_configuration() {
        let config = load(SAMPLE).expect("the sample loads");
        assert_eq!(config.base_path(), "/beckn");
        assert_eq!(config.settings().track_url, "http://127.0.0.1:8080/track");
        assert!(config.store_url().ends_with("/data/tripline.db"));
    }

    #[test]
    fn a_registrys_encryption_key_is_one_or_named_as_none() {
        let with = |key: &str| {
            let shown = "# encryption_public_key = \"...\"";
            assert!(SAMPLE.contains(shown));
            load(&SAMPLE.replace(shown, &format!("encryption_public_key = \"{key}\"")))
        };
        let key = crate::keys::encryption::EncryptionKey::from_bytes([1; 32]);
        for form in [key.public_base64(), key.public_der_base64()] {
            let config = with(&form).expect("it loads");
            assert_eq!(config.registry_key(), Ok(key.public_base64().parse().ok()));
        }
        let error = with("...").expect_err("refused");
        assert!(error.contains("registry.encryption_public_key: a public"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name_with_its_file() {
        for (from, to) in [("radius_m =", "radius_km ="), ("base_paise", "bass_paise")] {
            let error = load(&SAMPLE.replace(from, to)).expect_err("refused");
            let wrong = to.trim_end_matches([' ', '=']);
            assert!(error.contains(wrong) && error.contains("bpp.toml"), "{error}");
        }
    }

    #[test]
    fn the_fleets_settings_are_those_of_an_agents_file_and_keep_to_its_ranges() {
        let with =
            |tables: &str| load(&SAMPLE.replace("\n[enrol]", &format!("\n{tables}\n[enrol]")));
        let fleet = with("[device.settings.live]\non_trip_ms = 2000").map(|c| c.settings());
        let expected = DeviceSettings { live_on_trip_ms: Some(2_000), ..DeviceSettings::default() };
        assert_eq!(fleet.expect("it loads").first_settings, expected);
        let error = with("[device.settings.fence]\nradius_m = 5").expect_err("refused");
        assert!(error.contains("fence.radius_m is 5; it must be between 10 and 100000"), "{error}");
        let error = with("[device.settings.fence]\nradius = 5").expect_err("refused");
        assert!(error.contains("there is no setting fence.radius;"), "{error}");
        assert!(error.contains("bpp.toml"), "{error}");
    }

    #[test]
    fn the_settings_that_the_sample_shows_are_settings() {
        let begin = SAMPLE.find("# [device.settings.").expect("shown");
        let (before, rest) = SAMPLE.split_at(begin);
        let (shown, after) = rest.split_once("\n\n").expect("an end");
        let config = load(&format!("{before}{}\n\n{after}", shown.replace("# ", "")));
        let settings = config.expect("it loads").settings().first_settings;
        assert_eq!(settings.values().len(), 12, "every one");
    }

    #[test]
    fn what_devices_could_not_reach_is_refused() {
        for (from, to, key) in [
            ("hosts = [\"127.0.0.1\", \"localhost\"]", "hosts = []", "device.hosts"),
            ("# port = 8883", "port = 0", "device.port"),
            ("# url = \"https://fleet.example:8884\"", "url = \"fleet.example\"", "enrol.url"),
        ] {
            assert!(SAMPLE.contains(from), "{from} is not in the sample");
            let error = load(&SAMPLE.replace(from, to)).expect_err("refused");
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn a_registry_or_a_file_says_who_is_on_the_network_and_never_both() {
        let with = |from: &str, to: &str| {
            assert!(SAMPLE.contains(from), "{from} is not in the sample");
            load(&SAMPLE.replace(from, to))
        };
        let (file, url) = ("subscribers_file =", "# url = \"https://registry.example\"");
        let error = with(file, "# subscribers_file =").expect_err("refused");
        assert!(error.contains("registry.url or, for a closed network"), "{error}");
        let error = with(url, &url[2..]).expect_err("refused");
        assert!(error.contains("are both set"), "{error}");
        let alone = SAMPLE.replace(file, "# subscribers_file =");
        assert!(load(&alone.replace(url, &url[2..])).is_ok());
        for bad in ["registry", "ftp://registry", "https://me:x@registry", "https://registry/?a=b"]
        {
            let error =
                load(&alone.replace(url, &format!("url = \"{bad}\""))).expect_err("refused");
            assert!(error.contains("registry.url"), "{bad}: {error}");
        }
    }

    #[test]
    fn private_networks_are_not_let_through_on_the_word_of_a_registry_elsewhere() {
        let with = |url: &str, networks: &str| {
            let text = SAMPLE.replace("subscribers_file = \"subscribers.json\"\n", "");
            let url_at = "# url = \"https://registry.example\"";
            assert!(text.contains(url_at) && text.contains("private_networks = []"));
            let text = text.replace(url_at, &format!("url = \"{url}\""));
            load(&text.replace("private_networks = []", &format!("private_networks = {networks}")))
        };
        let local = r#"["127.0.0.0/8", "fd00::/8"]"#;
        for url in ["http://127.0.0.1:5000", "http://127.1/", "http://[fd00::5]/registry"] {
            with(url, local).expect(url);
        }
        for url in ["https://registry.example", "http://localhost:5000", "http://10.0.0.1"] {
            let error = with(url, local).expect_err(url);
            assert!(error.contains("callback.private_networks"), "{error}");
            with(url, "[]").expect(url);
        }
    }

    #[test]
    fn values_out_of_range_are_refused_with_their_range() {
        let error = load(&SAMPLE.replace("offer_s = 30", "offer_s = 0")).expect_err("refused");
        assert!(error.contains("dispatch.offer_s is 0; it must be between 1 and 3600"), "{error}");
        let text = SAMPLE.replace("per_km_paise = 1500", "per_km_paise = -1");
        assert!(load(&text).expect_err("refused").contains("tariff.per_km_paise"));
    }
}
