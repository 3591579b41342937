//! `tripline-bpp provider`: who offers rides.

use clap::{Args, Subcommand};

use super::{How, unless};
use crate::error::BppError;
use crate::operate::provider::{self, NewProvider, ProviderChange, ProviderView};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ProviderCommand {
    /// Add a provider: the operator itself, or one of its agencies
    Add(AddArgs),
    /// List the providers by id
    List(How),
    /// Show a provider
    Show(ShowArgs),
    /// Change a provider's name, or whether its items are offered
    Change(ChangeArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    /// Its id, which stands in catalogs and orders and never changes: letters, digits, '-', '_' and '.'
    id: String,
    /// Its name, as riders see it
    #[arg(long)]
    name: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The provider's id
    id: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ChangeArgs {
    /// The provider's id
    id: String,
    /// Its name
    #[arg(long)]
    name: Option<String>,
    /// Whether its items are offered: true or false
    #[arg(long)]
    active: Option<bool>,
    #[command(flatten)]
    how: How,
}

pub(in crate::cli) async fn run(command: ProviderCommand) -> Result<(), BppError> {
    match command {
        ProviderCommand::Add(args) => {
            let opened = args.how.open().await?;
            let new = NewProvider { id: args.id, name: args.name, active: true };
            let added = opened
                .change(async |tx, actor, now| provider::add(tx, actor, new.clone(), now).await);
            args.how.print(&added.await?, as_text)
        }
        ProviderCommand::List(how) => {
            how.print_all(async |tx, page| provider::list(tx, page).await, as_text).await
        }
        ProviderCommand::Show(args) => {
            let opened = args.how.open().await?;
            let shown = opened.look(async |tx| provider::show(tx, &args.id).await).await?;
            args.how.print(&shown, as_text)
        }
        ProviderCommand::Change(args) => {
            let opened = args.how.open().await?;
            let change = ProviderChange { name: args.name, active: args.active };
            let changed = opened.change(async |tx, actor, now| {
                provider::change(tx, actor, &args.id, change.clone(), now).await
            });
            args.how.print(&changed.await?, as_text)
        }
    }
}

fn as_text(view: &ProviderView) -> String {
    format!("{:<24} {} {}", view.id, view.name, unless(view.active, "(not offered)"))
        .trim_end()
        .to_owned()
}
