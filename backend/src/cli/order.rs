//! `tripline-bpp order` and `tripline-bpp case`: what was booked, and what somebody has to look at.

use clap::{Args, Subcommand};
use serde::Serialize;
use tripline_protocol::order::OrderState;
use tripline_protocol::unit::{Paise, Timestamp};

use super::fleet::form::submission_as_text;
use super::opened::{Opened, print_json, utc};
use super::trip::case_line;
use super::{ConfigPath, dispatch};
use crate::error::BppError;
use crate::operate::form::{self, SubmissionView};
use crate::operate::order::{self, OrderShown, OrderView};
use crate::operate::rating::RatingMark;
use crate::operate::{LIMIT_MAX, Page, case};
use crate::store::listing::OrderFilter;

#[derive(Debug, Subcommand)]
pub(super) enum OrderCommand {
    /// List orders, newest first
    List(ListArgs),
    /// Show an order: prices, payment, trips, cases. No OTP, and no rider's name or phone
    Show(ShowArgs),
    /// Call an order off before its ride began, at no cost for the rider
    Cancel(CancelArgs),
    /// Show whom an order was offered to, by what score, and why nobody else
    Dispatch(dispatch::DispatchArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum CaseCommand {
    /// List the cases that nobody has looked at, those of the newest order first
    List(CaseListArgs),
    /// Say what was done about a case
    Resolve(ResolveArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// In this state only: quoted, initialized, confirmed, active, completed, cancelled, unserved or expired
    #[arg(long, value_parser = state)]
    state: Option<OrderState>,
    /// The newest so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(LIMIT_MAX)))]
    limit: u32,
    /// Print as JSON, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The order's id
    order: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The order's id
    order: String,
    /// Why; the rider's platform may read it, and the audit trail has it
    #[arg(long)]
    reason: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct CaseListArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Those that were resolved too
    #[arg(long)]
    all: bool,
    /// Print as JSON, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ResolveArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The case's id, as `case list` shows it
    case: String,
    /// What was done about it
    #[arg(long)]
    reason: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// A view with what the rider answered to the item's form: whoever has the store may read that too.
#[derive(Debug, Serialize)]
pub(super) struct Answered<T> {
    #[serde(flatten)]
    pub(super) view: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) form: Option<SubmissionView>,
}

impl<T> Answered<T> {
    pub(super) fn print_form(&self) {
        if let Some(form) = &self.form {
            println!("form           {}", submission_as_text(form));
        }
    }
}

pub(super) async fn run(command: OrderCommand) -> Result<(), BppError> {
    match command {
        OrderCommand::List(args) => list(&args).await,
        OrderCommand::Show(args) => show(&args).await,
        OrderCommand::Cancel(args) => cancel(&args).await,
        OrderCommand::Dispatch(args) => dispatch::run(&args).await,
    }
}

pub(super) async fn run_case(command: CaseCommand) -> Result<(), BppError> {
    match command {
        CaseCommand::List(args) => list_cases(&args).await,
        CaseCommand::Resolve(args) => resolve(&args).await,
    }
}

async fn list(args: &ListArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let filter = OrderFilter { state: args.state, ..OrderFilter::default() };
    let page = Page::new(Some(args.limit), None).map_err(|error| opened.not_operated(error))?;
    let listed = opened.look(async |tx| order::list(tx, &filter, &page).await).await;
    opened.store.close().await;
    for view in &listed?.items {
        if args.json {
            print_json(view)?;
        } else {
            println!("{}", line(view));
        }
    }
    Ok(())
}

async fn show(args: &ShowArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let shown = opened.look(async |tx| {
        let view = order::show(tx, &args.order).await?;
        Ok(Answered { view, form: form::of_order(tx, &args.order).await? })
    });
    let shown = shown.await;
    opened.store.close().await;
    let shown = shown?;
    if args.json {
        return print_json(&shown);
    }
    let OrderShown { order, ratings } = &shown.view;
    print(order, false)?;
    for mark in ratings {
        println!("{}", rating_line(mark));
    }
    shown.print_form();
    Ok(())
}

async fn cancel(args: &CancelArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let platform = opened.platform()?;
    let (id, reason) = (&args.order, &args.reason);
    let done = opened
        .change(async |tx, actor, now| order::cancel(&platform, tx, actor, id, reason, now).await);
    let done = done.await;
    opened.store.close().await;
    print(&done?, args.json)
}

async fn list_cases(args: &CaseListArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let mut after = None;
    loop {
        let page = Page::new(Some(LIMIT_MAX), after.as_deref());
        let page = page.map_err(|error| opened.not_operated(error))?;
        let listed = opened.look(async |tx| case::list(tx, args.all, &page).await).await?;
        for view in &listed.items {
            if args.json {
                print_json(view)?;
            } else {
                println!("{}", case_line(view));
            }
        }
        after = listed.next;
        if after.is_none() {
            break;
        }
    }
    opened.store.close().await;
    Ok(())
}

async fn resolve(args: &ResolveArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let (id, note) = (&args.case, &args.reason);
    let done = opened.change(async |tx, actor, now| case::resolve(tx, actor, id, note, now).await);
    let done = done.await;
    opened.store.close().await;
    let view = done?;
    if args.json {
        return print_json(&view);
    }
    println!("{}", case_line(&view));
    Ok(())
}

fn state(text: &str) -> Result<OrderState, String> {
    text.parse().map_err(|_| {
        let codes: Vec<&str> = OrderState::ALL.iter().map(|state| state.code()).collect();
        format!("one of {}", codes.join(", "))
    })
}

fn line(view: &OrderView) -> String {
    let total = Paise(view.charged_paise.unwrap_or(view.quoted_paise));
    let vehicle = view.registration.as_deref().unwrap_or("-");
    let at = utc(Timestamp::from_unix_ms(view.created_at_unix_ms));
    format!(
        "{}  {at}  {:<12}  {vehicle:<12}  {total:>10}  {}",
        view.id, view.state, view.subscriber
    )
}

/// `rated          driver 4.50 stars`
pub(super) fn rating_line(mark: &RatingMark) -> String {
    format!("rated          {} {}", mark.category, stars(mark.value_centistars))
}

/// `4.50 stars`
pub(super) fn stars(centistars: u16) -> String {
    format!("{}.{:02} stars", centistars / 100, centistars % 100)
}

fn print(view: &OrderView, json: bool) -> Result<(), BppError> {
    if json {
        return print_json(view);
    }
    println!("order          {}", view.id);
    println!("state          {}", view.state);
    println!("booked by      {}", view.subscriber);
    println!("item           {}", view.item);
    println!("made           {}", utc(Timestamp::from_unix_ms(view.created_at_unix_ms)));
    println!("quoted         {}", Paise(view.quoted_paise));
    if let Some(charged) = view.charged_paise {
        println!("charged        {}", Paise(charged));
    }
    println!("payment        {}, collected by the {}", view.payment, view.collected_by);
    if let Some(collected) = view.collected_paise {
        println!("collected      {}", Paise(collected));
    }
    if let (Some(by), Some(reason)) = (&view.cancelled_by, &view.cancel_reason) {
        println!("cancelled      by {by}: {reason}");
    }
    for trip in view.trip.iter().chain(&view.past_trips) {
        println!("trip           {trip}");
    }
    view.cases.iter().for_each(|case| println!("{}", case_line(case)));
    Ok(())
}
