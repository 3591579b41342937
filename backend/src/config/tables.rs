//! The tables of `bpp.toml`, key by key, with their defaults.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

use crate::network::gateway::message::Form;
use crate::settings::SettingTables;

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
    /// The network domains we serve; any if there are none.
    #[serde(default)]
    pub domains: Vec<String>,
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
    /// Whether a BAP is told of a ride's pauses and of their ends.
    #[serde(default = "yes")]
    pub tell_pauses: bool,
    /// Whether a search that is not served is taken and then not answered, in place of refused.
    #[serde(default)]
    pub silent_when_not_served: bool,
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

/// `[support]`: where riders find help.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Support {
    /// A phone.
    pub phone: Option<String>,
    /// An address of electronic mail.
    pub email: Option<String>,
    /// A page: an http or https URL.
    pub url: Option<String>,
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

/// `[gateways.NAME]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Its address: `/Provider/signup` and the others are below it.
    pub url: String,
    /// Where the header of a request is.
    #[serde(default)]
    pub form: Form,
    /// How long it may be silent, in ms; a document may be longer on its way.
    #[serde(default = "gateway_timeout_ms")]
    pub timeout_ms: u64,
}

const fn gateway_timeout_ms() -> u64 {
    30_000
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

/// `[fleet]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fleet {
    /// Whether a vehicle is offered rides only while a driver is signed in on its device.
    pub sign_in_required: bool,
    /// Documents that a driver must have, by their kind.
    pub driver_documents: Vec<String>,
    /// Documents that a vehicle must have, by their kind.
    pub vehicle_documents: Vec<String>,
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
    /// To how many vehicles an order is offered at a time.
    pub batch: u8,
    /// How long a driver has to answer, in s.
    pub offer_s: u32,
    /// How long a driver is looked for, in s.
    pub search_s: u32,
    /// How long before the pickup of a scheduled ride a driver is looked for, in s.
    pub lead_s: u32,
    /// Whether devices accept offers by themselves.
    pub auto_accept: bool,
    /// Whether a quote names a driver, who is held for it.
    pub name_drivers: bool,
    /// For how long, in s.
    pub named_s: u32,
    /// How often an order goes to another vehicle after its driver cancelled.
    pub reassign_max: u32,
    /// How much each part of a score counts.
    pub weights: DispatchWeights,
}

impl Default for Dispatch {
    fn default() -> Self {
        Self {
            radius_m: 5_000,
            batch: 1,
            offer_s: 30,
            search_s: 120,
            lead_s: 900,
            auto_accept: false,
            name_drivers: false,
            named_s: 60,
            reassign_max: 3,
            weights: DispatchWeights::default(),
        }
    }
}

/// `[dispatch.weights]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DispatchWeights {
    /// How soon the vehicle is at the pickup.
    pub pickup: u8,
    /// How long its driver has been without a ride.
    pub idle: u8,
    /// How many of the offers made to it were accepted.
    pub acceptance: u8,
    /// What riders say of the driver.
    pub rating: u8,
}

impl Default for DispatchWeights {
    fn default() -> Self {
        Self { pickup: 70, idle: 10, acceptance: 10, rating: 10 }
    }
}

/// `[ride]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ride {
    /// Whether a ride starts only with the rider's OTP.
    pub otp: bool,
    /// After so long a trip whose device is not heard is shown as silent, in s.
    pub silent_after_s: u32,
    /// After so long it is closed without its device, in s.
    pub close_silent_after_s: u32,
}

impl Default for Ride {
    fn default() -> Self {
        Self { otp: true, silent_after_s: 120, close_silent_after_s: 6 * 3_600 }
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

/// `[retention]`: how many days things are kept; 0 is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Trail batches, from when they came.
    pub trail_days: u32,
    /// Events of devices, from when they came.
    pub events_days: u32,
    /// Commands that devices have reported on.
    pub commands_days: u32,
    /// What revoked devices still had on the way.
    pub set_aside_days: u32,
    /// Quotes that nobody booked.
    pub quotes_days: u32,
    /// Names, phones, addresses and places of rides, from their end.
    pub personal_days: u32,
    /// Orders with what was paid, from their end.
    pub orders_days: u32,
    /// The audit trail.
    pub audit_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            trail_days: 180,
            events_days: 400,
            commands_days: 90,
            set_aside_days: 90,
            quotes_days: 30,
            personal_days: 400,
            // Eight years: as long as books of account are to be kept in India.
            orders_days: 2_922,
            audit_days: 90,
        }
    }
}
