//! `tripline-bpp tariff`: what rides cost.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::How;
use super::import::{ImportArgs, take_in};
use crate::error::BppError;
use crate::operate::tariff::{self, TariffView};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TariffCommand {
    /// Take in versions of tariffs from TOML files; the same as `tripline-bpp import`
    Import(TakeArgs),
    /// List every version of every tariff
    List(ListArgs),
    /// Show a version of a tariff, the newest if none is named
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TakeArgs {
    /// TOML files with [[tariff]] rows
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Only say what would be done
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Of this code only
    #[arg(long)]
    code: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The tariff's code
    code: String,
    /// The version
    #[arg(long = "tariff-version", value_name = "VERSION")]
    version: Option<u32>,
    #[command(flatten)]
    how: How,
}

pub(in crate::cli) async fn run(command: TariffCommand) -> Result<(), BppError> {
    match command {
        TariffCommand::Import(TakeArgs { files, check, how }) => {
            take_in(&ImportArgs { files, rows: None, check, how }).await
        }
        TariffCommand::List(args) => {
            let code = args.code.as_deref();
            let list = async |tx: &mut _, page: &_| tariff::list(tx, code, page).await;
            args.how.print_all(list, as_text).await
        }
        TariffCommand::Show(args) => {
            let opened = args.how.open().await?;
            let show = async |tx: &mut _| tariff::show(tx, &args.code, args.version).await;
            let shown = opened.look(show).await?;
            args.how.print(&shown, shown_as_text)
        }
    }
}

fn as_text(view: &TariffView) -> String {
    let (base, least) = (view.terms.base_paise, view.terms.minimum_paise);
    format!("{:<24} version {:<6} base {base}, at least {least}", view.code, view.version)
}

/// As a file has it.
fn shown_as_text(view: &TariffView) -> String {
    let terms = serde_json::to_string_pretty(&view.terms).unwrap_or_default();
    format!("{}\n{terms}", as_text(view))
}
