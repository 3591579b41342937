//! `tripline-bpp item`: what riders can book.

use clap::{Args, Subcommand};

use super::{How, unless};
use crate::error::BppError;
use crate::operate::item::{self, ItemChange, ItemView, NewItem};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ItemCommand {
    /// Add an item
    Add(AddArgs),
    /// List the items by id
    List(How),
    /// Show an item
    Show(ShowArgs),
    /// Change an item, or whether it is offered
    Change(ChangeArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    /// Its id, which stands in catalogs and orders and never changes: letters, digits, '-', '_' and '.'
    id: String,
    /// Who offers it
    #[arg(long)]
    provider: String,
    /// Its name, as riders see it
    #[arg(long)]
    name: String,
    /// What it is, in a line or two, as riders see it
    #[arg(long)]
    short_desc: Option<String>,
    /// Where a picture of it is: an https URL; the best first, 8 at most
    #[arg(long = "image", value_name = "URL")]
    images: Vec<String>,
    /// Category of the vehicle that comes
    #[arg(long)]
    vehicle_category: String,
    /// Code of its tariff, of which the newest version counts
    #[arg(long)]
    tariff: String,
    /// How it is sold
    #[arg(long, default_value = "spot", value_parser = ["spot", "rental", "outstation"])]
    kind: String,
    /// Id of the form that riders fill in before they book it
    #[arg(long)]
    form: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The item's id
    id: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ChangeArgs {
    /// The item's id
    id: String,
    /// Its name
    #[arg(long)]
    name: Option<String>,
    /// What it is; empty for nothing
    #[arg(long)]
    short_desc: Option<String>,
    /// Where a picture of it is, in place of those there were; the best first, 8 at most
    #[arg(long = "image", value_name = "URL", conflicts_with = "no_images")]
    images: Vec<String>,
    /// Show no pictures of it
    #[arg(long)]
    no_images: bool,
    /// Category of the vehicle that comes
    #[arg(long)]
    vehicle_category: Option<String>,
    /// Code of its tariff
    #[arg(long)]
    tariff: Option<String>,
    /// Whether it is offered: true or false
    #[arg(long)]
    active: Option<bool>,
    /// Id of the form that riders fill in before they book it; "" for none
    #[arg(long)]
    form: Option<String>,
    #[command(flatten)]
    how: How,
}

pub(in crate::cli) async fn run(command: ItemCommand) -> Result<(), BppError> {
    match command {
        ItemCommand::Add(args) => {
            let opened = args.how.open().await?;
            let (new, how) = new(args);
            let added =
                opened.change(async |tx, actor, now| item::add(tx, actor, new.clone(), now).await);
            how.print(&added.await?, as_text)
        }
        ItemCommand::List(how) => {
            how.print_all(async |tx, page| item::list(tx, page).await, as_text).await
        }
        ItemCommand::Show(args) => {
            let opened = args.how.open().await?;
            let shown = opened.look(async |tx| item::show(tx, &args.id).await).await?;
            args.how.print(&shown, shown_as_text)
        }
        ItemCommand::Change(args) => {
            let opened = args.how.open().await?;
            let (id, change, how) = change(args);
            let changed = opened.change(async |tx, actor, now| {
                item::change(tx, actor, &id, change.clone(), now).await
            });
            how.print(&changed.await?, as_text)
        }
    }
}

fn new(args: AddArgs) -> (NewItem, How) {
    let AddArgs {
        id,
        provider,
        name,
        short_desc,
        images,
        vehicle_category,
        tariff,
        kind,
        form,
        how,
    } = args;
    let active = true;
    let new = NewItem {
        id,
        provider,
        name,
        short_desc,
        images,
        vehicle_category,
        tariff,
        kind,
        active,
        form,
    };
    (new, how)
}

fn change(args: ChangeArgs) -> (String, ItemChange, How) {
    let ChangeArgs {
        id,
        name,
        short_desc,
        images,
        no_images,
        vehicle_category,
        tariff,
        active,
        form,
        how,
    } = args;
    let images = (no_images || !images.is_empty()).then_some(images);
    (id, ItemChange { name, short_desc, images, vehicle_category, tariff, active, form }, how)
}

fn as_text(view: &ItemView) -> String {
    let off = unless(view.active, "(not offered)");
    let ItemView { id, provider, name, vehicle_category, tariff, kind, .. } = view;
    let form = view.form.as_ref().map(|form| format!(" form {form}")).unwrap_or_default();
    let line = format!(
        "{id:<20} {provider:<16} {kind:<10} {vehicle_category:<16} tariff {tariff:<16} {name}{form} {off}"
    );
    line.trim_end().to_owned()
}

fn shown_as_text(view: &ItemView) -> String {
    let what = view.short_desc.iter().map(|text| format!("\nwhat     {text}"));
    let images = view.images.iter().map(|url| format!("\npicture  {url}"));
    what.chain(images).fold(as_text(view), |all, line| all + &line)
}
