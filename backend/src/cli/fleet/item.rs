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
            let AddArgs { id, provider, name, vehicle_category, tariff, kind, form, how } = args;
            let active = true;
            let new = NewItem { id, provider, name, vehicle_category, tariff, kind, active, form };
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
            args.how.print(&shown, as_text)
        }
        ItemCommand::Change(args) => {
            let opened = args.how.open().await?;
            let ChangeArgs { id, name, vehicle_category, tariff, active, form, how } = args;
            let change = ItemChange { name, vehicle_category, tariff, active, form };
            let changed = opened.change(async |tx, actor, now| {
                item::change(tx, actor, &id, change.clone(), now).await
            });
            how.print(&changed.await?, as_text)
        }
    }
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
