//! Whether the registry knows us as we are.

use tripline_protocol::unit::Timestamp;

use super::finding::Finding;
use crate::cli::open_directory;
use crate::config::Config;
use crate::keys::ring::KeyRing;
use crate::network::directory::{Counts, Directory, Look};
use crate::network::self_check::examine;
use crate::network::standing::Standing;
use crate::network::subscriber::Role;
use crate::store::Store;

pub(super) async fn check(
    config: &Config,
    store: &Store,
    ring: &KeyRing,
    offline: bool,
    now: Timestamp,
) -> Finding {
    let directory = match open_directory(config, store, Counts::default()).await {
        Ok(directory) => directory,
        Err(error) => {
            let remedy = "the file of subscribers, or what the store has of the registry's answers";
            return Finding::fault("network", error.to_string(), remedy);
        }
    };
    let own = config.settings().identity;
    let id = own.subscriber_id.as_str();
    let entries = if offline {
        directory.find(id, Role::Bpp, Look::Cached, now).await
    } else {
        directory.refresh(id, Role::Bpp, now).await
    };
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            let remedy = "its outage, our way out, [registry] url and timeout_ms";
            let found = format!("the registry cannot be asked: {error}");
            return Finding::fault("network", found, remedy);
        }
    };
    let examined = examine(&entries, &own.uri, directory.has_registry(), ring.signing(), now);
    match examined.standing {
        Standing::Moved { registered } => Finding::fault(
            "network",
            format!("we are registered at {registered}, and [beckn] uri is {}", own.uri),
            "register our address with `tripline-bpp key register`, or set [beckn] uri to that one",
        ),
        Standing::Unregistered => Finding::fault(
            "network",
            format!("no entry of {id} holds: nobody is served"),
            "`tripline-bpp key register` while `serve` runs; [beckn] subscriber_id and [registry] domain, \
             country and city are part of the question",
        ),
        Standing::Good if examined.other_key => Finding::fault(
            "network",
            format!("{id} is registered with another key than the one that signs"),
            "register ours: `tripline-bpp key register`, or what `key show` prints into its portal",
        ),
        Standing::Good => good(&directory, id, examined.ends_soon.map(|at| at.to_string())),
    }
}

fn good(directory: &Directory, id: &str, ends_soon: Option<String>) -> Finding {
    if let Some(until) = ends_soon {
        let found = format!("{id} is registered as it is, until {until}");
        return Finding::note("network", found, "renew it: `tripline-bpp key register`");
    }
    let found = if directory.has_registry() {
        format!("the registry knows {id} as it is")
    } else {
        format!("{id}: a file says who is on the network, and nothing against us")
    };
    Finding::good("network", found)
}
