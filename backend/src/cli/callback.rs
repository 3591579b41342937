//! `tripline-bpp callback`: what subscribers are told.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ConfigPath;
use super::newest::Newest;
use super::opened::{Opened, counted, utc};
use crate::error::BppError;
use crate::operate::callback::{self, CallbackView, Replayed};
use crate::store::callback::{CallbackFilter, Delivery, KeptCallback, Replay};
use crate::time;

#[derive(Debug, Subcommand)]
pub(super) enum CallbackCommand {
    /// List callbacks, newest last: those that wait and those that were given up, if not told otherwise
    List(ListArgs),
    /// Show all that is known of a callback
    Show(ShowArgs),
    /// Try callbacks that were given up once more, as long as news of a booking; a platform that serves
    /// takes them up by itself
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// In this state only: pending, delivered or dead
    #[arg(long)]
    state: Option<Delivery>,
    /// To this subscriber only
    #[arg(long, value_name = "ID")]
    subscriber: Option<String>,
    /// Of this order only
    #[arg(long, value_name = "ID")]
    order: Option<String>,
    #[command(flatten)]
    newest: Newest,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Its order, as `callback list` shows it
    order: String,
    /// Its place among the order's callbacks
    sequence: u64,
    /// Show its body too. It holds what the rider's platform is told: names, phones, places. Do not paste it
    #[arg(long)]
    body: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    config: ConfigPath,
    #[command(flatten)]
    which: Which,
    /// Only say how many
    #[arg(long)]
    dry_run: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// One of three.
#[derive(Debug, Args)]
struct Which {
    /// The callback's order
    #[arg(requires = "sequence", required_unless_present_any = ["subscriber", "all"])]
    order: Option<String>,
    /// Its place among the order's callbacks
    sequence: Option<u64>,
    /// All that were given up to this subscriber
    #[arg(long, value_name = "ID", conflicts_with_all = ["order", "all"])]
    subscriber: Option<String>,
    /// All that were given up
    #[arg(long, conflicts_with = "order")]
    all: bool,
}

impl Which {
    fn replay(self) -> Replay {
        match (self.order, self.sequence, self.subscriber) {
            (Some(order_key), Some(sequence), _) => Replay::One { order_key, sequence },
            (_, _, Some(subscriber_id)) => Replay::To(subscriber_id),
            (_, _, None) => Replay::All,
        }
    }
}

pub(super) async fn run(command: CallbackCommand) -> Result<(), BppError> {
    match command {
        CallbackCommand::List(args) => list(args).await,
        CallbackCommand::Show(args) => show(args).await,
        CallbackCommand::Replay(args) => replay(args).await,
    }
}

async fn list(args: ListArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let filter = CallbackFilter {
        state: args.state,
        subscriber_id: args.subscriber,
        order_key: args.order,
        since: args.newest.since,
    };
    let rows =
        async { opened.store.read().await?.callbacks(&filter, args.newest.limit).await }.await;
    let rows = rows.map_err(|source| opened.failed(source))?;
    args.newest.print(&rows, as_json, as_text);
    opened.store.close().await;
    Ok(())
}

async fn show(args: ShowArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let found = async { opened.store.read().await?.callback(&args.order, args.sequence).await };
    let found = found.await.map_err(|source| opened.failed(source))?;
    let (row, body) = found.ok_or_else(|| BppError::Refused {
        message: format!(
            "there is no callback {} of {:?}; `tripline-bpp callback list` shows them",
            args.sequence, args.order
        ),
    })?;
    if args.json {
        let mut shown = as_json(&row);
        if args.body {
            shown["body"] = String::from_utf8_lossy(&body).into();
        }
        println!("{shown}");
    } else {
        print(&row, body.len());
        if args.body {
            println!("{}", String::from_utf8_lossy(&body));
        }
    }
    opened.store.close().await;
    Ok(())
}

async fn replay(args: ReplayArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let replay = args.which.replay();
    let count = if args.dry_run {
        opened.look(async |tx| Ok(tx.count_replayed(&replay, time::now()).await?)).await
    } else {
        replay_all(&opened, &replay).await
    };
    opened.store.close().await;
    let count = count?;
    if let (Replay::One { order_key, sequence }, 0) = (&replay, count) {
        return Err(BppError::Refused {
            message: format!(
                "there is no callback {sequence} of {order_key:?} that was given up; \
                 `tripline-bpp callback list --state dead` shows them"
            ),
        });
    }
    if args.json {
        println!("{}", json!({ "replayed": count, "dry_run": args.dry_run }));
    } else if args.dry_run {
        println!("{} would be tried once more.", counted(count, "callback"));
    } else {
        println!("{} will be tried once more.", counted(count, "callback"));
    }
    Ok(())
}

/// Has every dead callback that is meant tried once more, in steps; says how many. What is given up once more
/// while it works is left as it is.
async fn replay_all(opened: &Opened, which: &Replay) -> Result<u64, BppError> {
    let (mut count, dead_by) = (0, time::now());
    loop {
        let step =
            opened.change(async |tx, actor, _| callback::replay(tx, actor, which, dead_by).await);
        let Replayed { replayed, more } = step.await?;
        count += replayed;
        if !more {
            return Ok(count);
        }
    }
}

fn as_json(row: &KeptCallback) -> Value {
    serde_json::to_value(CallbackView::from(row.clone())).unwrap_or_default()
}

fn as_text(row: &KeptCallback) -> String {
    let (at, state, error) =
        (utc(row.created_at), row.state.code(), row.last_error.as_deref().unwrap_or("-"));
    let KeptCallback { order_key, sequence, subscriber_id, action, attempts, .. } = row;
    format!(
        "{at}  {state:<9}  {order_key} {sequence:<3}  {action:<10}  {subscriber_id:<24}  \
         {:<11}  {error}",
        counted(*attempts, "attempt"),
    )
}

fn print(row: &KeptCallback, body_len: usize) {
    println!("order          {}", row.order_key);
    println!("sequence       {}", row.sequence);
    println!("action         {}", row.action);
    println!("subscriber     {}", row.subscriber_id);
    println!("url            {}", row.url);
    println!("state          {}", row.state.code());
    println!("attempts       {}", row.attempts);
    println!("written        {}", utc(row.created_at));
    if row.state == Delivery::Pending {
        println!("next attempt   {}", utc(row.next_attempt_at));
    }
    println!("expires        {}", utc(row.expires_at));
    if let Some(at) = row.finished_at {
        println!("finished       {}", utc(at));
    }
    if let Some(error) = &row.last_error {
        println!("last error     {error}");
    }
    println!("body           {}", counted(body_len as u64, "byte"));
}
