//! Who speaks to whom: the context must name the signer, its registered address and domain, and us.

use crate::beckn::{Fault, FaultKind, Identity, Received, Request};
use crate::network::authenticate::Authenticated;
use crate::network::guard::Guard;
use crate::network::subscriber::{Subscriber, normalized_url};

/// Why a request does not come from whom, or go to whom, it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// The signer is not registered at the address or in the domain it names. It may be by now.
    Entry(Fault),
    /// Anything else.
    Other(Fault),
}

impl From<Mismatch> for Fault {
    fn from(mismatch: Mismatch) -> Self {
        match mismatch {
            Mismatch::Entry(fault) | Mismatch::Other(fault) => fault,
        }
    }
}

/// Checks the parties of a request whose signatures show that these sent it and passed it on.
pub fn check_parties(
    identity: &Identity,
    guard: &Guard,
    by: &Authenticated,
    received: &Received,
) -> Result<(), Mismatch> {
    check_addressee(identity, received).map_err(Mismatch::Other)?;
    let signers = &by.sender;
    if !signers.iter().any(|entry| entry.id == received.bap_id) {
        return Err(Mismatch::Other(refused("bap_id", "is not the signer of the request")));
    }
    // Callbacks go only where the registry says that this subscriber lives.
    let uri = normalized_url(&received.bap_uri);
    let mut there = signers.iter().filter(|entry| entry.url == uri).peekable();
    if there.peek().is_none() {
        let registered = signers.first().map_or("", |entry| &entry.url);
        let must = format!("must be the registered address {registered}");
        return Err(Mismatch::Entry(refused("bap_uri", &must)));
    }
    let serves = |entry: &Subscriber| entry.domain.as_ref().is_none_or(|d| *d == received.domain);
    if !there.any(serves) {
        let must = "is not one that the signer is registered for with this key and address";
        return Err(Mismatch::Entry(refused("domain", must)));
    }
    if by.gateway.as_ref().is_some_and(|gateway| !gateway.iter().any(serves)) {
        let must = "is not one that the gateway is registered for with this key";
        return Err(Mismatch::Entry(refused("domain", must)));
    }
    let checked = guard.check(&received.bap_uri);
    checked.map_err(|error| {
        Mismatch::Other(refused("bap_uri", &format!("cannot be used: {error}")))
    })?;
    check_callback_url(&uri, guard, received).map_err(Mismatch::Other)
}

/// Positions are wanted at the sender's registered address or below it, where callbacks may go; nowhere else.
fn check_callback_url(uri: &str, guard: &Guard, received: &Received) -> Result<(), Fault> {
    let Request::Track { callback_url: Some(wanted), .. } = &received.request else {
        return Ok(());
    };
    let refused = |must: String| {
        let path = "message.callback_url";
        Fault::at(FaultKind::Schema, path, format!("{path} {must}"))
    };
    let normalized = normalized_url(wanted);
    let is_below =
        normalized.strip_prefix(uri).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !is_below {
        return Err(refused(format!("must be below the registered address {uri}")));
    }
    guard.check(wanted).map(|_| ()).map_err(|error| refused(format!("cannot be used: {error}")))
}

/// Where a platform is named, it must be us, and the domain one of ours.
fn check_addressee(identity: &Identity, received: &Received) -> Result<(), Fault> {
    if !identity.domains.is_empty() && !identity.domains.contains(&received.domain) {
        let must = format!("is not one that we serve; these are {}", identity.domains.join(", "));
        return Err(refused("domain", &must));
    }
    if received.bpp_id.as_ref().is_some_and(|id| *id != identity.subscriber_id) {
        let must = format!("names another platform; we are {}", identity.subscriber_id);
        return Err(refused("bpp_id", &must));
    }
    let named = received.bpp_uri.as_deref().map(normalized_url);
    if named.is_some_and(|uri| uri != identity.uri) {
        let must = format!("names another address; ours is {}", identity.uri);
        return Err(refused("bpp_uri", &must));
    }
    Ok(())
}

fn refused(field: &str, must: &str) -> Fault {
    let path = format!("context.{field}");
    let message = format!("{path} {must}");
    Fault::at(FaultKind::Context, path, message)
}
