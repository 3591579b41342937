//! `tripline-bpp area`: where rides are served, and where another tariff applies.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{How, or_dash, unless};
use crate::error::BppError;
use crate::operate::area::{self, AreaShown, AreaView, NewArea};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AreaCommand {
    /// Add a service area or a tariff zone
    Add(AddArgs),
    /// List the areas by id
    List(How),
    /// Show an area with its shape
    Show(NamedArgs),
    /// Remove an area
    Remove(NamedArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    /// Its id, which never changes: letters, digits, '-', '_' and '.'
    id: String,
    /// Its name
    #[arg(long)]
    name: String,
    /// service: rides are served here, and only in such areas; zone: rides from here have another tariff
    #[arg(long, value_parser = ["service", "zone"])]
    kind: String,
    /// GeoJSON with its shape: a polygon or several, alone or in features
    #[arg(long, value_name = "FILE")]
    geojson: PathBuf,
    /// Code of a zone's tariff
    #[arg(long)]
    tariff: Option<String>,
    /// Of this item only
    #[arg(long)]
    item: Option<String>,
    /// Where zones lie over each other, the highest counts
    #[arg(long, default_value_t = 0)]
    priority: u32,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NamedArgs {
    /// The area's id
    id: String,
    #[command(flatten)]
    how: How,
}

pub(in crate::cli) async fn run(command: AreaCommand) -> Result<(), BppError> {
    match command {
        AreaCommand::Add(args) => add(args).await,
        AreaCommand::List(how) => {
            how.print_all(async |tx, page| area::list(tx, page).await, as_text).await
        }
        AreaCommand::Show(args) => {
            let opened = args.how.open().await?;
            let shown = opened.look(async |tx| area::show(tx, &args.id).await).await?;
            args.how.print(&shown, shown_as_text)
        }
        AreaCommand::Remove(args) => {
            let opened = args.how.open().await?;
            let removed = opened
                .change(async |tx, actor, now| area::remove(tx, actor, &args.id, now).await)
                .await?;
            args.how.print(&removed.area, as_text)
        }
    }
}

async fn add(args: AddArgs) -> Result<(), BppError> {
    let opened = args.how.open().await?;
    let text = fs::read_to_string(&args.geojson).map_err(|error| BppError::File {
        path: args.geojson.clone(),
        reason: format!("cannot be read: {error}"),
    })?;
    let new = NewArea {
        id: args.id,
        name: args.name,
        kind: args.kind,
        item: args.item,
        tariff: args.tariff,
        priority: Some(args.priority),
        geojson: Value::String(text),
        active: true,
    };
    let added = opened.change(async |tx, actor, now| area::add(tx, actor, new.clone(), now).await);
    args.how.print(&added.await?.area, as_text)
}

fn as_text(view: &AreaView) -> String {
    let (off, item) = (unless(view.active, "(not in force)"), or_dash(view.item.as_ref()));
    let tariff = or_dash(view.tariff.as_ref());
    let AreaView { id, name, kind, priority, .. } = view;
    let line = format!(
        "{id:<20} {kind:<8} item {item:<12} tariff {tariff:<16} priority {priority:<4} {name} {off}"
    );
    line.trim_end().to_owned()
}

fn shown_as_text(shown: &AreaShown) -> String {
    format!("{}\n{}", as_text(&shown.area), shown.geojson)
}
