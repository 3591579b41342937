//! `tripline-bpp audit`: what was written down.

use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use super::ConfigPath;
use super::opened::{Opened, utc};
use crate::audit::AuditKind;
use crate::error::BppError;
use crate::store::audit::{AuditFilter, AuditRow};
use crate::time;

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Of this device or registration only
    #[arg(long)]
    device: Option<String>,
    /// Of this kind only, for instance enrolled, revoked, code-reused or connect-refused
    #[arg(long, value_parser = kind)]
    kind: Option<AuditKind>,
    /// From then on: 90s, 5m, 1h or 7d ago, a date, or a time such as 2026-11-21T10:00:00Z
    #[arg(long, value_parser = since)]
    since: Option<Timestamp>,
    /// The last so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// Print as JSON, one object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: AuditArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let device = match &args.device {
        Some(name) => Some(opened.vehicle(name).await?.device),
        None => None,
    };
    let filter = AuditFilter { device, kind: args.kind, since: args.since };
    let rows = async { opened.store.read().await?.audit(&filter, args.limit).await }.await;
    for row in rows.map_err(|source| opened.failed(source))? {
        if args.json {
            println!("{}", as_json(&row));
        } else {
            println!("{}", as_text(&row));
        }
    }
    opened.store.close().await;
    Ok(())
}

pub(super) fn as_json(row: &AuditRow) -> serde_json::Value {
    json!({
        "at_unix_ms": row.at.unix_ms,
        "kind": row.entry.kind.code(),
        "device": row.entry.device.as_ref().map(DeviceId::as_str),
        "peer": row.entry.peer.map(|peer| peer.to_string()),
        "detail": row.entry.detail,
        "count": row.count,
    })
}

pub(super) fn as_text(row: &AuditRow) -> String {
    let device = row.entry.device.as_ref().map_or("-", DeviceId::as_str);
    let peer = row.entry.peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string());
    let times = if row.count == 1 { String::new() } else { format!(" ({} times)", row.count) };
    let (at, kind, detail) = (utc(row.at), row.entry.kind, &row.entry.detail);
    format!("{at}  {kind:<20}  {device:<20}  {peer:<15}  {detail}{times}")
}

fn kind(text: &str) -> Result<AuditKind, String> {
    text.parse().map_err(|_| {
        let codes: Vec<&str> = AuditKind::ALL.iter().map(|kind| kind.code()).collect();
        format!("one of {}", codes.join(", "))
    })
}

pub(super) fn since(text: &str) -> Result<Timestamp, String> {
    parse_since(text, time::now())
        .ok_or_else(|| "such as 90s, 5m, 1h or 7d, 2026-11-21, or 2026-11-21T10:00:00Z".to_owned())
}

fn parse_since(text: &str, now: Timestamp) -> Option<Timestamp> {
    let units_ms = [("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    for (unit, unit_ms) in units_ms {
        if let Some(number) = text.strip_suffix(unit).and_then(|text| text.parse::<u32>().ok()) {
            return Some(now.plus_ms(-i64::from(number).saturating_mul(unit_ms)));
        }
    }
    let time = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let date: Date = text.parse().ok()?;
        Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })?;
    Some(Timestamp::from_unix_ms(time.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_as_an_age_a_date_or_an_instant() {
        let now = Timestamp::from_unix_ms(1_800_000_000_000);
        assert_eq!(parse_since("1h", now), Some(now.plus_ms(-3_600_000)));
        assert_eq!(parse_since("90s", now), Some(now.plus_ms(-90_000)));
        let day = Some(Timestamp::from_unix_ms(1_795_219_200_000));
        assert_eq!(parse_since("2026-11-21", now), day);
        assert_eq!(parse_since("2026-11-21T00:00:00Z", now), day);
        for text in ["", "h", "-1h", "yesterday", "2026-13-01"] {
            assert_eq!(parse_since(text, now), None, "{text:?}");
        }
    }
}
