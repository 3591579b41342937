//! `tripline-bpp shift`: drivers' time, and the cash that they have in hand.

use clap::{Args, Subcommand};

use super::{How, rupees, when};
use crate::error::BppError;
use crate::operate::shift::{self, Settling, ShiftShown, ShiftView};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ShiftCommand {
    /// List shifts, the newest first, with the cash in hand
    List(ListArgs),
    /// Show a shift with its cash account
    Show(ShowArgs),
    /// Take cash from a driver, and write it into the account of a shift
    Settle(SettleArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Of this driver only
    #[arg(long)]
    driver: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The shift's id
    id: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SettleArgs {
    /// The shift's id
    id: String,
    /// How much is handed over, in paise; all of it if not given
    #[arg(long)]
    amount_paise: Option<i64>,
    /// In words
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    how: How,
}

pub(in crate::cli) async fn run(command: ShiftCommand) -> Result<(), BppError> {
    match command {
        ShiftCommand::List(args) => {
            let driver = args.driver.as_deref();
            let list = async |tx: &mut _, page: &_| shift::list(tx, driver, page).await;
            args.how.print_all(list, as_text).await
        }
        ShiftCommand::Show(args) => {
            let opened = args.how.open().await?;
            let shown = opened.look(async |tx| shift::show(tx, &args.id).await).await?;
            args.how.print(&shown, shown_as_text)
        }
        ShiftCommand::Settle(args) => {
            let opened = args.how.open().await?;
            let settling = Settling { amount_paise: args.amount_paise, note: args.note };
            let settled = opened.change(async |tx, actor, now| {
                shift::settle(tx, actor, &args.id, settling.clone(), now).await
            });
            args.how.print(&settled.await?, shown_as_text)
        }
    }
}

fn as_text(view: &ShiftView) -> String {
    let (from, until) = (when(Some(view.started_at_unix_ms)), view.ended_at_unix_ms);
    let until = until.map_or_else(|| "open".to_owned(), |at| when(Some(at)));
    let cash = rupees(view.cash_paise);
    let ShiftView { id, driver, device, .. } = view;
    format!("{id} {driver:<20} {device:<20} {from} - {until:<20} cash {cash}")
}

fn shown_as_text(shown: &ShiftShown) -> String {
    let mut lines = vec![as_text(&shown.shift)];
    lines.extend(shown.entries.iter().map(|entry| {
        let what = entry.order.as_ref().map_or(entry.note.as_str(), String::as_str);
        let (at, amount) = (when(Some(entry.at_unix_ms)), rupees(entry.amount_paise));
        format!("  {at} {:<10} {amount:>12}  {what}", entry.kind).trim_end().to_owned()
    }));
    lines.join("\n")
}
