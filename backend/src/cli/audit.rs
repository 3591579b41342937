//! `tripline-bpp audit`: what was written down.

use clap::Args;
use tripline_protocol::id::DeviceId;

use super::ConfigPath;
use super::newest::Newest;
use super::opened::{Opened, utc};
use crate::audit::AuditKind;
use crate::error::BppError;
use crate::operate::audit::AuditView;
use crate::store::audit::{AuditFilter, AuditRow};

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Of this device or registration only
    #[arg(long)]
    device: Option<String>,
    /// By this operator only: the name of a token, or cli
    #[arg(long)]
    actor: Option<String>,
    /// Of this kind only, for instance enrolled, revoked, code-reused or connect-refused
    #[arg(long, value_parser = kind)]
    kind: Option<AuditKind>,
    #[command(flatten)]
    newest: Newest,
}

pub(super) async fn run(args: AuditArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let device = match &args.device {
        Some(name) => Some(opened.vehicle(name).await?.device),
        None => None,
    };
    let filter = AuditFilter {
        device,
        kind: args.kind,
        actor: args.actor.clone(),
        since: args.newest.since,
    };
    let rows = async { opened.store.read().await?.audit(&filter, args.newest.limit).await }.await;
    let rows = rows.map_err(|source| opened.failed(source))?;
    args.newest.print(&rows, as_json, as_text);
    opened.store.close().await;
    Ok(())
}

pub(super) fn as_json(row: &AuditRow) -> serde_json::Value {
    serde_json::to_value(AuditView::from(row.clone())).unwrap_or_default()
}

pub(super) fn as_text(row: &AuditRow) -> String {
    let device = row.entry.device.as_ref().map_or("-", DeviceId::as_str);
    let peer = row.entry.peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
    let times = if row.count == 1 { String::new() } else { format!(" ({} times)", row.count) };
    let actor = row.entry.actor.as_ref().map_or(String::new(), |actor| format!(", by {actor}"));
    let (at, kind, detail) = (utc(row.at), row.entry.kind, &row.entry.detail);
    format!("{at}  {kind:<20}  {device:<20}  {peer:<15}  {detail}{actor}{times}")
}

fn kind(text: &str) -> Result<AuditKind, String> {
    text.parse().map_err(|_| {
        let codes: Vec<&str> = AuditKind::ALL.iter().map(|kind| kind.code()).collect();
        format!("one of {}", codes.join(", "))
    })
}
