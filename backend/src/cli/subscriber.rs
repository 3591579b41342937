//! `tripline-bpp subscriber`: who is on the network, as the registry or the file of subscribers has it.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use jiff::Timestamp as Instant;
use serde_json::Value;
use tripline_protocol::unit::Timestamp;

use super::opened::{Opened, counted, utc};
use super::{ConfigPath, open_directory};
use crate::error::BppError;
use crate::network::directory::{Counts, Directory, DirectoryError, Listed};
use crate::network::subscriber::{Role, normalized_id};
use crate::operate::subscriber::{SubscriberView, holding, holds_until, key};
use crate::time;

#[derive(Debug, Subcommand)]
pub(super) enum SubscriberCommand {
    /// Print everybody who was looked up, or is in the file
    List(ListArgs),
    /// Print all that is known of one subscriber, and why an entry of it does not hold
    Show(ShowArgs),
    /// Ask the registry now, for one subscriber or for everybody known; a running platform follows within
    /// seconds. Without a registry, check the file
    Refresh(RefreshArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Print as JSON, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The subscriber's id
    id: String,
    /// Print as JSON, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RefreshArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The subscriber's id; everybody known if left out
    id: Option<String>,
    /// Print as JSON, one object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: SubscriberCommand) -> Result<(), BppError> {
    match command {
        SubscriberCommand::List(args) => list(&args).await,
        SubscriberCommand::Show(args) => show(&args).await,
        SubscriberCommand::Refresh(args) => refresh(&args).await,
    }
}

/// A directory, and what it stands on.
struct Known {
    opened: Opened,
    directory: Directory,
}

impl Known {
    async fn open(path: &ConfigPath) -> Result<Self, BppError> {
        let opened = Opened::open(path).await?;
        let counts = Counts::default();
        let directory = open_directory(&opened.config, &opened.store, counts).await?;
        Ok(Self { opened, directory })
    }

    async fn listed(&self, now: Timestamp) -> Result<Vec<Listed>, BppError> {
        let listed = self.directory.listed(now).await;
        listed.map_err(|source| self.opened.failed(source))
    }

    /// Those of one subscriber.
    async fn of(&self, id: &str, now: Timestamp) -> Result<Vec<Listed>, BppError> {
        let id = normalized_id(id);
        let mut listed = self.listed(now).await?;
        listed.retain(|one| one.id == id);
        Ok(listed)
    }

    fn is_unknown(&self, id: &str) -> BppError {
        let way_out = if self.directory.has_registry() {
            "`tripline-bpp subscriber refresh ID` asks the registry for it"
        } else {
            "`tripline-bpp subscriber list` shows who is in the file"
        };
        BppError::Refused { message: format!("no subscriber {id:?} is known here; {way_out}") }
    }

    /// What the registry says of a subscriber in a role at this moment; written down at once, since a
    /// running platform looks for what is new.
    async fn ask(&self, id: &str, role: Role) -> Result<Listed, BppError> {
        let now = time::now();
        let asked = self.directory.refresh(id, role, now).await;
        let entries = asked.map_err(|DirectoryError::Unavailable(reason)| BppError::Registry {
            url: self.opened.config.registry.url.clone().unwrap_or_default(),
            reason,
        })?;
        self.directory.flush().await.map_err(|source| self.opened.failed(source))?;
        Ok(Listed { id: normalized_id(id), role, entries, fetched_at: Some(now) })
    }
}

async fn list(args: &ListArgs) -> Result<(), BppError> {
    let known = Known::open(&args.config).await?;
    let now = time::now();
    for one in known.listed(now).await? {
        print(&one, args.json, now);
    }
    known.opened.store.close().await;
    Ok(())
}

async fn show(args: &ShowArgs) -> Result<(), BppError> {
    let known = Known::open(&args.config).await?;
    let now = time::now();
    let listed = known.of(&args.id, now).await?;
    if listed.is_empty() {
        return Err(known.is_unknown(&args.id));
    }
    for one in &listed {
        if args.json {
            println!("{}", in_full_as_json(one, now));
        } else {
            print_in_full(one, now);
        }
    }
    known.opened.store.close().await;
    Ok(())
}

async fn refresh(args: &RefreshArgs) -> Result<(), BppError> {
    let known = Known::open(&args.config).await?;
    let now = time::now();
    if !known.directory.has_registry() {
        return tell_file(&known, args, now).await;
    }
    let asked = match &args.id {
        Some(id) => refresh_one(&known, id, now).await?,
        None => refresh_all(&known, now).await?,
    };
    for one in &asked {
        print(one, args.json, now);
    }
    if !args.json {
        println!("Asked the registry for {}.", counted(asked.len() as u64, "subscriber"));
    }
    known.opened.store.close().await;
    Ok(())
}

/// The roles in which it is registered or was known; an error if there are none.
async fn refresh_one(known: &Known, id: &str, now: Timestamp) -> Result<Vec<Listed>, BppError> {
    let before: BTreeSet<Role> = known.of(id, now).await?.iter().map(|one| one.role).collect();
    let roles: BTreeSet<Role> = before.iter().copied().chain([Role::Bap, Role::Gateway]).collect();
    let mut asked = Vec::new();
    for role in roles {
        let one = known.ask(id, role).await?;
        if before.contains(&role) || !one.entries.is_empty() {
            asked.push(one);
        }
    }
    if asked.is_empty() {
        return Err(BppError::Refused {
            message: format!(
                "the registry has no BAP or gateway {id:?}; look at the id, and at what [registry] \
                 domain, country and city ask for"
            ),
        });
    }
    Ok(asked)
}

/// One after the other: the first failure ends it, since the rest would most likely fail as slowly.
async fn refresh_all(known: &Known, now: Timestamp) -> Result<Vec<Listed>, BppError> {
    let mut asked = Vec::new();
    for one in known.listed(now).await? {
        asked.push(known.ask(&one.id, one.role).await?);
    }
    Ok(asked)
}

/// The file was read to get here, and every entry of it can be used.
async fn tell_file(known: &Known, args: &RefreshArgs, now: Timestamp) -> Result<(), BppError> {
    let listed = match &args.id {
        Some(id) => known.of(id, now).await?,
        None => known.listed(now).await?,
    };
    if let Some(id) = args.id.as_ref().filter(|_| listed.is_empty()) {
        return Err(known.is_unknown(id));
    }
    for one in &listed {
        print(one, args.json, now);
    }
    if !args.json {
        let path = known.opened.config.subscribers_file().unwrap_or_default();
        let count = counted(listed.len() as u64, "subscriber");
        println!("{} can be used as it is: {count}.", path.display());
        println!("There is no registry to ask; a running platform reads the file when it changes.");
    }
    known.opened.store.close().await;
    Ok(())
}

fn print(one: &Listed, json: bool, now: Timestamp) {
    if json {
        println!("{}", as_json(one, now));
        return;
    }
    let (id, role) = (&one.id, one.role.code());
    let fetched =
        one.fetched_at.map_or_else(|| "in the file".into(), |at| format!("asked {}", utc(at)));
    match holding(one, now).first() {
        Some(first) => {
            let keys = keys(one, now).join(" ");
            let until = holds_until(one, now);
            let until =
                until.map_or_else(|| "until further notice".into(), |at| format!("until {at}"));
            println!("{id:<32} {role:<4} {:<44} keys {keys}, holds {until}, {fetched}", first.url);
        }
        None if one.entries.is_empty() => {
            println!("{id:<32} {role:<4} is not registered any more, {fetched}");
        }
        None => println!("{id:<32} {role:<4} does not hold, {fetched}"),
    }
}

fn print_in_full(one: &Listed, now: Timestamp) {
    print(one, false, now);
    for entry in one.entries.iter() {
        let holds = match entry.holds(now) {
            Ok(()) => "holds".to_owned(),
            Err(reason) => format!("does not hold: {reason}"),
        };
        println!("  key {}: {holds}", entry.unique_key_id.as_deref().unwrap_or("-"));
        println!("    url         {}", entry.url);
        println!("    public key  {}", entry.key);
        let time = |at: Option<Instant>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        println!("    valid       {} to {}", time(entry.valid_from), time(entry.valid_until));
        println!("    status      {}", entry.status.as_deref().unwrap_or("-"));
        println!("    domain      {}", entry.domain.as_deref().unwrap_or("-"));
    }
}

fn as_json(one: &Listed, now: Timestamp) -> Value {
    serde_json::to_value(SubscriberView::of(one, now)).unwrap_or_default()
}

fn in_full_as_json(one: &Listed, now: Timestamp) -> Value {
    serde_json::to_value(SubscriberView::in_full(one, now)).unwrap_or_default()
}

/// The ids of the keys that hold; `-` for one without.
fn keys(one: &Listed, now: Timestamp) -> Vec<&str> {
    holding(one, now).into_iter().map(key).collect()
}
