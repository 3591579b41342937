//! `tripline-bpp promotion`: what comes off the fare of riders who take one up.

use clap::{Args, Subcommand};

use super::{How, rupees, unless, when};
use crate::error::BppError;
use crate::operate::promotion::{self, NewPromotion, PromotionChange, PromotionView};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PromotionCommand {
    /// Add a promotion
    Add(AddArgs),
    /// List the promotions by id
    List(How),
    /// Show a promotion
    Show(ShowArgs),
    /// Change a promotion, or whether riders can take it up; orders keep what they were quoted
    Change(ChangeArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    /// Its id, which stands in catalogs, orders and receipts and never changes: up to 36 letters, digits, '-',
    /// '_' and '.'
    id: String,
    /// Its title, as riders see it
    #[arg(long)]
    title: String,
    /// What it is, in a line or two, as riders see it
    #[arg(long)]
    description: Option<String>,
    /// The amount that it takes off, in paise
    #[arg(long, required_unless_present = "percent_bp")]
    amount_paise: Option<i64>,
    /// The part of the charges that it takes off, in basis points: 1000 is 10 %
    #[arg(long)]
    percent_bp: Option<u32>,
    /// The most that a part may come to, in paise
    #[arg(long)]
    max_paise: Option<i64>,
    /// It takes nothing off charges of less than this, in paise
    #[arg(long, default_value_t = 0)]
    least_fare_paise: i64,
    /// From when on: a date, from its beginning in UTC, or a time
    #[arg(long)]
    from: Option<String>,
    /// Until when: a date, through its end in UTC, or a time
    #[arg(long)]
    until: Option<String>,
    /// Of which item; once for each, and of all if none is named
    #[arg(long = "item", value_name = "ITEM")]
    items: Vec<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// The promotion's id
    id: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ChangeArgs {
    /// The promotion's id
    id: String,
    /// Its title
    #[arg(long)]
    title: Option<String>,
    /// What it is; empty for nothing
    #[arg(long)]
    description: Option<String>,
    /// The amount that it takes off, in paise, in place of a part
    #[arg(long)]
    amount_paise: Option<i64>,
    /// The part of the charges that it takes off, in basis points, in place of an amount
    #[arg(long)]
    percent_bp: Option<u32>,
    /// The most that a part may come to, in paise; 0 for no such limit
    #[arg(long)]
    max_paise: Option<i64>,
    /// It takes nothing off charges of less than this, in paise
    #[arg(long)]
    least_fare_paise: Option<i64>,
    /// From when on; empty for no beginning
    #[arg(long)]
    from: Option<String>,
    /// Until when; empty for no end
    #[arg(long)]
    until: Option<String>,
    /// Of which item, in place of those there were; once for each
    #[arg(long = "item", value_name = "ITEM", conflicts_with = "all_items")]
    items: Vec<String>,
    /// Of all items
    #[arg(long)]
    all_items: bool,
    /// Whether riders can take it up: true or false
    #[arg(long)]
    active: Option<bool>,
    #[command(flatten)]
    how: How,
}

pub(in crate::cli) async fn run(command: PromotionCommand) -> Result<(), BppError> {
    match command {
        PromotionCommand::Add(args) => add(args).await,
        PromotionCommand::List(how) => {
            how.print_all(async |tx, page| promotion::list(tx, page).await, as_text).await
        }
        PromotionCommand::Show(args) => {
            let opened = args.how.open().await?;
            let shown = opened.look(async |tx| promotion::show(tx, &args.id).await).await?;
            args.how.print(&shown, shown_as_text)
        }
        PromotionCommand::Change(args) => change(args).await,
    }
}

async fn add(args: AddArgs) -> Result<(), BppError> {
    let new = NewPromotion {
        id: args.id,
        title: args.title,
        description: args.description,
        amount_paise: args.amount_paise,
        percent_bp: args.percent_bp,
        max_paise: args.max_paise,
        least_fare_paise: args.least_fare_paise,
        from: args.from,
        until: args.until,
        items: args.items,
        active: true,
    };
    let opened = args.how.open().await?;
    let added =
        opened.change(async |tx, actor, now| promotion::add(tx, actor, new.clone(), now).await);
    args.how.print(&added.await?, as_text)
}

async fn change(args: ChangeArgs) -> Result<(), BppError> {
    let items = (args.all_items || !args.items.is_empty()).then_some(args.items);
    let change = PromotionChange {
        title: args.title,
        description: args.description,
        amount_paise: args.amount_paise,
        percent_bp: args.percent_bp,
        max_paise: args.max_paise,
        least_fare_paise: args.least_fare_paise,
        from: args.from,
        until: args.until,
        items,
        active: args.active,
    };
    let opened = args.how.open().await?;
    let changed = opened.change(async |tx, actor, now| {
        promotion::change(tx, actor, &args.id, change.clone(), now).await
    });
    args.how.print(&changed.await?, as_text)
}

fn as_text(view: &PromotionView) -> String {
    let off = match (view.percent_bp, view.amount_paise) {
        (Some(bp), _) => {
            let most = view.max_paise.map(|most| format!(", at most {}", rupees(most)));
            format!("{}.{:02} %{}", bp / 100, bp % 100, most.unwrap_or_default())
        }
        (None, amount) => rupees(amount.unwrap_or_default()),
    };
    let off_now = unless(view.active, "(not offered)");
    format!("{:<24} {off:<24} {} {off_now}", view.id, view.title).trim_end().to_owned()
}

fn shown_as_text(view: &PromotionView) -> String {
    let mut lines = vec![as_text(view)];
    lines.extend(view.description.iter().map(|text| format!("what     {text}")));
    if view.least_fare_paise > 0 {
        lines.push(format!("from     a fare of {} on", rupees(view.least_fare_paise)));
    }
    if view.from_unix_ms.is_some() || view.until_unix_ms.is_some() {
        let (from, until) = (when(view.from_unix_ms), when(view.until_unix_ms));
        lines.push(format!("when     {from} to {until}"));
    }
    if !view.items.is_empty() {
        lines.push(format!("items    {}", view.items.join(", ")));
    }
    lines.join("\n")
}
