//! `tripline-bpp order dispatch`: whom an order was offered to, and why nobody else.

use clap::Args;
use tripline_protocol::unit::Timestamp;

use super::ConfigPath;
use super::opened::{Opened, print_json, utc};
use crate::error::BppError;
use crate::operate::dispatch;

#[derive(Debug, Args)]
pub(super) struct DispatchArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The order
    order: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &DispatchArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let view = opened.look(async |tx| dispatch::show(tx, &args.order).await).await;
    opened.store.close().await;
    let view = view?;
    if args.json {
        return print_json(&view);
    }
    if view.decisions.is_empty() {
        println!("No driver was looked for: the order has not been booked.");
    }
    for decision in view.decisions {
        println!("{}  {}", utc(Timestamp::from_unix_ms(decision.at_unix_ms)), decision.text);
    }
    Ok(())
}
