//! Where nothing of ours may be sent: addresses that are not public, unless the operator listed them.
//!
//! A URL is checked twice. [`Guard::check`] judges what can be told without asking a name server, and the
//! addresses that are written out; for a name, [`GuardedResolver`] judges the addresses at the moment one of
//! them is connected to. A spelling is never judged, only what it means: `127.1`, `0x7f000001` and
//! `[::ffff:7f00:1]` are one address.

mod address;
mod resolver;

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Position, Url};

pub use address::is_public;
pub use resolver::{ADDRESSES_MAX, GuardedResolver, SystemResolver};

/// Longest URL that is looked at, in bytes. A peer's has a few dozen.
pub const URL_LEN_MAX: usize = 2_048;

/// Longest part of a name between two dots, in bytes (RFC 1035).
const LABEL_LEN_MAX: usize = 63;

/// Names that mean this machine to whoever resolves them, and all below them.
const LOOPBACK_NAMES: [&str; 2] = ["localhost", "localdomain"];

/// Names that mean something within somebody's own network (RFC 6762, RFC 8375, RFC 9476 and use), and all
/// below them.
const PRIVATE_NAMES: [&str; 9] =
    ["local", "internal", "intranet", "private", "corp", "home", "lan", "arpa", "alt"];

/// Why nothing is sent to an address. The texts hold nothing that a peer wrote, but for an IP address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// It is too long to be looked at.
    #[error("the address has more than {URL_LEN_MAX} bytes")]
    TooLong,
    /// It cannot be understood.
    #[error("the address is no URL")]
    NoUrl,
    /// Neither `https` nor, where that is let through, `http`.
    #[error("the address does not begin with https://")]
    Scheme,
    /// `http` to where it is not let through.
    #[error("http:// is for the private networks that are listed; elsewhere it must be https://")]
    Plain,
    /// A user's name or password.
    #[error("the address has a user's name or password in it")]
    User,
    /// What follows a `#`.
    #[error("the address has a fragment")]
    Fragment,
    /// Port 0.
    #[error("the address has port 0")]
    Port,
    /// A path that would be sent otherwise than it is written, with `..` in it for instance.
    #[error("the address's path is not written as it would be sent")]
    Path,
    /// A name that means somebody's own machine or network.
    #[error("the address has a name that means nothing outside somebody's own network")]
    PrivateName,
    /// An IP address that is not public.
    #[error("{0} is not a public address")]
    NotPublic(IpAddr),
    /// An IP address that stands for another.
    #[error("{0} stands for another address, which something on the way would send to")]
    Transition(IpAddr),
    /// A name without addresses.
    #[error("the name has no address")]
    NoAddress,
    /// A name with addresses beyond measure.
    #[error("the name has more than {ADDRESSES_MAX} addresses")]
    TooManyAddresses,
}

/// How something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Encrypted, to a host that shows that it is who it is.
    Https,
    /// In the clear, which is let through within the private networks that are listed.
    Http,
}

impl Scheme {
    /// That of a URL.
    pub fn of(url: &Url) -> Option<Self> {
        match url.scheme() {
            "https" => Some(Self::Https),
            "http" => Some(Self::Http),
            _ => None,
        }
    }
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

    /// A URL as a peer may have it, as far as it can be told without asking a name server. The one given
    /// back is the one to send to.
    pub fn check(&self, url: &str) -> Result<Url, Forbidden> {
        if url.len() > URL_LEN_MAX {
            return Err(Forbidden::TooLong);
        }
        let parsed = Url::parse(url).map_err(|_| Forbidden::NoUrl)?;
        let scheme = Scheme::of(&parsed).ok_or(Forbidden::Scheme)?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(Forbidden::User);
        }
        if parsed.fragment().is_some() {
            return Err(Forbidden::Fragment);
        }
        if parsed.port() == Some(0) {
            return Err(Forbidden::Port);
        }
        if !is_path_as_written(&parsed, url) {
            return Err(Forbidden::Path);
        }
        match parsed.host().ok_or(Forbidden::NoUrl)? {
            Host::Ipv4(address) => self.check_address(address.into(), scheme)?,
            Host::Ipv6(address) => self.check_address(address.into(), scheme)?,
            Host::Domain(name) => self.check_name(name, scheme)?,
        }
        Ok(parsed)
    }

    /// Whether an address may be sent to.
    pub fn check_address(&self, address: IpAddr, scheme: Scheme) -> Result<(), Forbidden> {
        if address::is_transition(address) {
            return Err(Forbidden::Transition(address));
        }
        let meant = address::meant(address);
        if self.private_networks.iter().any(|network| network.contains(&meant)) {
            return Ok(());
        }
        match (is_public(meant), scheme) {
            (true, Scheme::Https) => Ok(()),
            (true, Scheme::Http) => Err(Forbidden::Plain),
            (false, _) => Err(Forbidden::NotPublic(address)),
        }
    }

    /// Whether a name may be asked for at all. Its addresses are looked at when there are some.
    fn check_name(&self, name: &str, scheme: Scheme) -> Result<(), Forbidden> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.split('.').any(|label| !(1..=LABEL_LEN_MAX).contains(&label.len())) {
            return Err(Forbidden::NoUrl);
        }
        if LOOPBACK_NAMES.iter().any(|local| is_or_is_below(name, local)) {
            return Err(Forbidden::PrivateName);
        }
        if !self.private_networks.is_empty() {
            return Ok(());
        }
        // A name without a dot is completed by the system with a domain of its own network.
        let private = !name.contains('.')
            || PRIVATE_NAMES.iter().any(|private| is_or_is_below(name, private));
        match (private, scheme) {
            (true, _) => Err(Forbidden::PrivateName),
            (false, Scheme::Http) => Err(Forbidden::Plain),
            (false, Scheme::Https) => Ok(()),
        }
    }
}

/// Whether the path and what follows it stand in the text as they would be sent: otherwise whoever vouched
/// for the text vouched for something else.
fn is_path_as_written(parsed: &Url, text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let host_len = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let written = &rest[host_len..];
    let sent = &parsed[Position::BeforePath..];
    written == sent || written.is_empty() && sent == "/"
}

fn is_or_is_below(name: &str, above: &str) -> bool {
    let rest = name.strip_suffix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
