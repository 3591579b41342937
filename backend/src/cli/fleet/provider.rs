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
    /// Change what a provider is to riders, or whether its items are offered
    Change(ChangeArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    /// Its id, which stands in catalogs and orders and never changes: letters, digits, '-', '_' and '.'
    id: String,
    /// Its name, as riders see it
    #[arg(long)]
    name: String,
    /// What it is, in a line or two, as riders see it
    #[arg(long)]
    short_desc: Option<String>,
    /// Where its logo is: an https URL
    #[arg(long)]
    logo_url: Option<String>,
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
    /// What it is; empty for nothing
    #[arg(long)]
    short_desc: Option<String>,
    /// Where its logo is: an https URL; empty for none
    #[arg(long)]
    logo_url: Option<String>,
    /// Whether its items are offered: true or false
    #[arg(long)]
    active: Option<bool>,
    #[command(flatten)]
    how: How,
}

pub(in crate::cli) async fn run(command: ProviderCommand) -> Result<(), BppError> {
    match command {
        ProviderCommand::Add(args) => {
            let AddArgs { id, name, short_desc, logo_url, how } = args;
            let opened = how.open().await?;
            let new = NewProvider { id, name, short_desc, logo_url, active: true };
            let added = opened
                .change(async |tx, actor, now| provider::add(tx, actor, new.clone(), now).await);
            how.print(&added.await?, as_text)
        }
        ProviderCommand::List(how) => {
            how.print_all(async |tx, page| provider::list(tx, page).await, as_text).await
        }
        ProviderCommand::Show(args) => {
            let opened = args.how.open().await?;
            let shown = opened.look(async |tx| provider::show(tx, &args.id).await).await?;
            args.how.print(&shown, shown_as_text)
        }
        ProviderCommand::Change(args) => {
            let ChangeArgs { id, name, short_desc, logo_url, active, how } = args;
            let opened = how.open().await?;
            let change = ProviderChange { name, short_desc, logo_url, active };
            let changed = opened.change(async |tx, actor, now| {
                provider::change(tx, actor, &id, change.clone(), now).await
            });
            how.print(&changed.await?, as_text)
        }
    }
}

fn as_text(view: &ProviderView) -> String {
    format!("{:<24} {} {}", view.id, view.name, unless(view.active, "(not offered)"))
        .trim_end()
        .to_owned()
}

fn shown_as_text(view: &ProviderView) -> String {
    let told = [("what", view.short_desc.as_ref()), ("logo", view.logo_url.as_ref())];
    let told = told.into_iter().filter_map(|(word, text)| text.map(|text| (word, text)));
    told.fold(as_text(view), |all, (word, text)| format!("{all}\n{word:<8} {text}"))
}
