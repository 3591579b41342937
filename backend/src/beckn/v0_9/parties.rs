//! Who speaks to whom: the context must name the signer, its registered address, and us.

use crate::beckn::{Fault, FaultKind, Identity, Received};
use crate::network::subscriber::{Subscriber, normalized_url};

/// Checks the parties of a request that `subscriber` signed.
pub fn check_parties(
    identity: &Identity,
    subscriber: &Subscriber,
    received: &Received,
) -> Result<(), Fault> {
    if received.bap_id != subscriber.id {
        return refused("bap_id", "is not the signer of the request");
    }
    // Callbacks go only where the registry says that this subscriber lives.
    if normalized_url(&received.bap_uri) != subscriber.url {
        let must = format!("must be the registered address {}", subscriber.url);
        return refused("bap_uri", &must);
    }
    if received.bpp_id.as_ref().is_some_and(|id| *id != identity.subscriber_id) {
        let must = format!("names another platform; we are {}", identity.subscriber_id);
        return refused("bpp_id", &must);
    }
    let named = received.bpp_uri.as_deref().map(normalized_url);
    if named.is_some_and(|uri| uri != identity.uri) {
        let must = format!("names another address; ours is {}", identity.uri);
        return refused("bpp_uri", &must);
    }
    Ok(())
}

fn refused(field: &str, must: &str) -> Result<(), Fault> {
    Err(Fault {
        kind: FaultKind::Context,
        path: Some(format!("context.{field}")),
        message: format!("context.{field} {must}"),
    })
}
