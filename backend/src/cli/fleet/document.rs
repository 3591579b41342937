//! `tripline-bpp document`: papers of drivers and vehicles.

use clap::{Args, Subcommand};

use super::{How, when};
use crate::error::BppError;
use crate::operate::document::{self, DocumentFilter, DocumentView, NewDocument};
use crate::time;

const DAY_MS: i64 = 86_400_000;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DocumentCommand {
    /// Add a document of a driver or a vehicle
    Add(AddArgs),
    /// List documents, those that expire first first
    List(ListArgs),
    /// List what has expired, or does within so many days
    Expiring(ExpiringArgs),
    /// Remove a document
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    /// Whose it is: driver:ID or vehicle:DEVICE
    owner: String,
    /// What it is, in a word, as [fleet] of the configuration names it: licence, permit, insurance
    #[arg(long)]
    kind: String,
    /// Its number
    #[arg(long)]
    number: String,
    /// When it ends: a date, which counts through its end in UTC, or a time; never if not given
    #[arg(long)]
    expires: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Of driver:ID or vehicle:DEVICE only
    #[arg(long)]
    owner: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExpiringArgs {
    /// Within so many days
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=36_525))]
    days: u32,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RemoveArgs {
    /// The document's id
    id: String,
    #[command(flatten)]
    how: How,
}

pub(in crate::cli) async fn run(command: DocumentCommand) -> Result<(), BppError> {
    match command {
        DocumentCommand::Add(args) => {
            let opened = args.how.open().await?;
            let AddArgs { owner, kind, number, expires, how } = args;
            let new = NewDocument { owner, kind, number, expires };
            let added = opened
                .change(async |tx, actor, now| document::add(tx, actor, new.clone(), now).await);
            how.print(&added.await?, as_text)
        }
        DocumentCommand::List(args) => {
            let filter = DocumentFilter { owner: args.owner, expiring_before: None };
            list(&filter, &args.how).await
        }
        DocumentCommand::Expiring(args) => {
            let until = time::now().plus_ms(i64::from(args.days) * DAY_MS);
            let filter = DocumentFilter { owner: None, expiring_before: Some(until) };
            list(&filter, &args.how).await
        }
        DocumentCommand::Remove(args) => {
            let opened = args.how.open().await?;
            let removed = opened
                .change(async |tx, actor, now| document::remove(tx, actor, &args.id, now).await);
            args.how.print(&removed.await?, as_text)
        }
    }
}

async fn list(filter: &DocumentFilter, how: &How) -> Result<(), BppError> {
    how.print_all(async |tx, page| document::list(tx, filter, page).await, as_text).await
}

fn as_text(view: &DocumentView) -> String {
    let expires = match view.expires_at_unix_ms {
        Some(at) if at <= time::now().unix_ms => format!("expired {}", when(Some(at))),
        Some(at) => format!("expires {}", when(Some(at))),
        None => "does not expire".into(),
    };
    let DocumentView { id, owner, kind, number, .. } = view;
    format!("{owner:<28} {kind:<12} {number:<20} {expires:<30} {id}")
}
