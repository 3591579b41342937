//! `tripline-bpp rating`: what riders think of rides, drivers and vehicles.

use clap::{Args, Subcommand};

use super::{How, or_dash, when};
use crate::cli::order::stars;
use crate::error::BppError;
use crate::operate::rating::{self, RatingView};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RatingCommand {
    /// List ratings, the newest first, with what riders said
    List(ListArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Of rides with this driver only
    #[arg(long)]
    driver: Option<String>,
    /// Of this order only
    #[arg(long)]
    order: Option<String>,
    #[command(flatten)]
    how: How,
}

pub(in crate::cli) async fn run(command: RatingCommand) -> Result<(), BppError> {
    let RatingCommand::List(args) = command;
    let of = (args.driver.as_deref(), args.order.as_deref());
    args.how.print_all(async |tx, page| rating::list(tx, of, page).await, as_text).await
}

fn as_text(view: &RatingView) -> String {
    let (at, order) = (when(Some(view.at_unix_ms)), or_dash(view.order.as_ref()));
    let (driver, value) = (or_dash(view.driver.as_ref()), stars(view.value_centistars));
    let line =
        format!("{at}  {order:<36}  {:<8} {value}  {driver:<16} {}", view.category, view.note);
    let answers = view.answers.iter();
    let answers = answers.map(|answer| format!("\n    {}: {}", answer.question, answer.text));
    answers.fold(line.trim_end().to_owned(), |all, line| all + &line)
}
