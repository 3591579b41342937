//! What is wrong with a configuration that reads well: values out of their range, and keys that do not go
//! together.

use std::net::IpAddr;

use super::{Config, Support};
use crate::domain::dispatch::{BATCH_MAX, REASSIGN_MAX, WEIGHT_MAX};
use crate::domain::fleet::id::{CodeError, check_code};
use crate::domain::fleet::text::check_phone;
use crate::network::gateway::check::is_local;
use crate::network::subscriber::normalized_id;

/// Longest subscriber id of ours, in bytes: a domain name has 253, and it has to go into a header of bounded
/// length with the key's id.
const SUBSCRIBER_ID_LEN_MAX: usize = 255;

/// Longest address of the support, in bytes: as long as an address of electronic mail can be, and more than a
/// screen of a phone shows of a link.
const SUPPORT_LEN_MAX: usize = 254;

impl Config {
    pub(super) fn check(&self) -> Result<(), String> {
        self.check_uri()?;
        self.check_subscriber_id()?;
        self.check_support()?;
        self.check_registry()?;
        self.check_gateways()?;
        self.check_device()?;
        self.check_private_networks()?;
        let (weights, weight_max) = (&self.dispatch.weights, u64::from(WEIGHT_MAX));
        let ranges = [
            ("dispatch.radius_m", u64::from(self.dispatch.radius_m), 1, 100_000),
            ("dispatch.offer_s", u64::from(self.dispatch.offer_s), 1, 3_600),
            ("dispatch.search_s", u64::from(self.dispatch.search_s), 1, 86_400),
            ("dispatch.batch", u64::from(self.dispatch.batch), 1, u64::from(BATCH_MAX)),
            ("dispatch.lead_s", u64::from(self.dispatch.lead_s), 60, 86_400),
            (
                "dispatch.reassign_max",
                u64::from(self.dispatch.reassign_max),
                0,
                u64::from(REASSIGN_MAX),
            ),
            ("dispatch.named_s", u64::from(self.dispatch.named_s), 10, 600),
            ("dispatch.weights.pickup", u64::from(weights.pickup), 0, weight_max),
            ("dispatch.weights.idle", u64::from(weights.idle), 0, weight_max),
            ("dispatch.weights.acceptance", u64::from(weights.acceptance), 0, weight_max),
            ("dispatch.weights.rating", u64::from(weights.rating), 0, weight_max),
            ("ride.silent_after_s", u64::from(self.ride.silent_after_s), 30, 86_400),
            (
                "ride.close_silent_after_s",
                u64::from(self.ride.close_silent_after_s),
                u64::from(self.ride.silent_after_s),
                30 * 86_400,
            ),
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
        self.check_retention()?;
        self.registry_key().map_err(|error| format!("registry.encryption_public_key: {error}"))?;
        self.check_fleet()
    }

    /// It is our entry's, and its path is where requests are routed to.
    fn check_uri(&self) -> Result<(), String> {
        let uri = url::Url::parse(&self.beckn.uri)
            .map_err(|error| format!("beckn.uri is no URL: {error}"))?;
        if !is_plain_http(&uri) {
            return Err(
                "beckn.uri must be http:// or https:// with a host and, perhaps, a port and a path"
                    .into(),
            );
        }
        let mut segments = uri.path().trim_end_matches('/').split('/').skip(1);
        let first = segments.clone().next().unwrap_or_default();
        if ["track", "receipt", "form"].contains(&first) {
            return Err(format!(
                "the path of beckn.uri begins with /{first}, where the links of riders are: \
                 choose another"
            ));
        }
        if segments.any(|segment| segment.is_empty() || segment.starts_with([':', '*'])) {
            return Err(
                "the path of beckn.uri has an empty part, or one that begins with : or *: \
                        no request can be routed there"
                    .into(),
            );
        }
        Ok(())
    }

    /// It is written into a header between signs that it must not have.
    fn check_subscriber_id(&self) -> Result<(), String> {
        let id = &self.beckn.subscriber_id;
        let fits = |byte: u8| byte.is_ascii_graphic() && !br#"|"\\"#.contains(&byte);
        let length = normalized_id(id).len();
        if !(1..=SUBSCRIBER_ID_LEN_MAX).contains(&length) || !id.bytes().all(fits) {
            return Err(format!(
                "beckn.subscriber_id must have 1 to {SUBSCRIBER_ID_LEN_MAX} characters of ASCII, \
                 without blanks, quotes, backslashes and |"
            ));
        }
        Ok(())
    }

    /// Riders are sent there.
    fn check_support(&self) -> Result<(), String> {
        let Support { phone, email, url } = &self.support;
        if let Some(phone) = phone {
            check_phone(phone).map_err(|error| format!("support.phone: {error}"))?;
        }
        if let Some(email) = email
            && !is_email(email)
        {
            return Err(format!(
                "support.email must be name@host, at most {SUPPORT_LEN_MAX} bytes without blanks"
            ));
        }
        let Some(text) = url else { return Ok(()) };
        let url =
            url::Url::parse(text).map_err(|error| format!("support.url is no URL: {error}"))?;
        let web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
        if !web || !url.username().is_empty() || url.password().is_some() {
            return Err(
                "support.url must be http:// or https:// with a host, and without a user".into()
            );
        }
        if text.len() > SUPPORT_LEN_MAX {
            return Err(format!("support.url has more than {SUPPORT_LEN_MAX} bytes"));
        }
        Ok(())
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
        if !is_plain_http(&url) {
            return Err(
                "registry.url must be http:// or https:// with a host and, perhaps, a port and \
                        a path"
                    .into(),
            );
        }
        Ok(())
    }

    /// A token and a company's papers go there, and a name is a file's.
    fn check_gateways(&self) -> Result<(), String> {
        for (name, gateway) in &self.gateways {
            check_code(name).map_err(|error| format!("[gateways.{name}]: the name {error}"))?;
            let key = |key| format!("gateways.{name}.{key}");
            let url = url::Url::parse(&gateway.url)
                .map_err(|error| format!("{} is no URL: {error}", key("url")))?;
            if !is_plain_http(&url) {
                return Err(format!(
                    "{} must be https:// with a host and, perhaps, a port and a path",
                    key("url")
                ));
            }
            if url.scheme() == "http" && !is_local(&url) {
                return Err(format!(
                    "{} must be https://: our token and papers of the company go there. http:// is \
                     for a gateway on this machine",
                    key("url")
                ));
            }
            if !(100..=600_000).contains(&gateway.timeout_ms) {
                return Err(format!(
                    "{} is {}; it must be between 100 and 600000",
                    key("timeout_ms"),
                    gateway.timeout_ms
                ));
            }
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

    /// Money is kept longer than people, and nothing for a time that nobody can mean.
    fn check_retention(&self) -> Result<(), String> {
        const DAYS_MAX: u32 = 36_525;
        let kept = &self.retention;
        let days = [
            ("retention.trail_days", kept.trail_days),
            ("retention.events_days", kept.events_days),
            ("retention.commands_days", kept.commands_days),
            ("retention.set_aside_days", kept.set_aside_days),
            ("retention.quotes_days", kept.quotes_days),
            ("retention.personal_days", kept.personal_days),
            ("retention.orders_days", kept.orders_days),
            ("retention.audit_days", kept.audit_days),
        ];
        for (key, days) in days {
            if days > DAYS_MAX {
                return Err(format!("{key} is {days}; it must be between 0 and {DAYS_MAX}"));
            }
        }
        if kept.orders_days != 0 && kept.orders_days < kept.personal_days {
            return Err(
                "retention.orders_days is less than retention.personal_days: what was paid \
                        would go before who rode"
                    .into(),
            );
        }
        Ok(())
    }

    /// They are words that documents are imported with.
    fn check_fleet(&self) -> Result<(), String> {
        let lists = [
            ("fleet.driver_documents", &self.fleet.driver_documents),
            ("fleet.vehicle_documents", &self.fleet.vehicle_documents),
        ];
        for (key, kinds) in lists {
            if let Some(bad) = kinds.iter().find(|kind| check_code(kind).is_err()) {
                return Err(format!(
                    "{key} has {bad:?}, which is no kind of document: it {CodeError}"
                ));
            }
        }
        Ok(())
    }
}

/// Whether it could be an address of electronic mail; only a message to it would tell.
fn is_email(text: &str) -> bool {
    let fits = text.len() <= SUPPORT_LEN_MAX
        && !text.contains(|sign: char| sign.is_whitespace() || sign.is_control());
    let halves = text.rsplit_once('@');
    fits && halves.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

/// Whether a URL has a host and nothing beyond a port and a path.
fn is_plain_http(url: &url::Url) -> bool {
    let bare = url.username().is_empty() && url.password().is_none();
    let bare = bare && url.query().is_none() && url.fragment().is_none();
    bare && matches!(url.scheme(), "http" | "https") && url.host().is_some()
}
