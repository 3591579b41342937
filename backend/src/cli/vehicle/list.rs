//! `tripline-bpp vehicle list`

use clap::Args;
use serde_json::{Value, json};
use tripline_protocol::unit::Timestamp;

use super::super::ConfigPath;
use super::super::opened::{Opened, unix_ms, utc};
use crate::error::BppError;
use crate::store::certificate::REVOKED;
use crate::store::fleet::FleetRow;
use crate::time;

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Print as JSON, one object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ListArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let rows = async { opened.store.read().await?.fleet(None).await }.await;
    let now = time::now();
    for row in rows.map_err(|source| opened.failed(source))? {
        if args.json {
            println!("{}", as_json(&row, now));
            continue;
        }
        let vehicle = &row.vehicle;
        println!(
            "{:<14} {:<20} {:<20} {:<34} {}",
            vehicle.registration,
            vehicle.device,
            vehicle.driver_name,
            presence(&row),
            Standing::of(&row, now).for_people(&row, now),
        );
    }
    opened.store.close().await;
    Ok(())
}

/// Whether a device may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    NotEnrolled,
    Enrolled,
    Expired,
    Ended,
    Revoked,
}

impl Standing {
    pub(super) fn of(row: &FleetRow, now: Timestamp) -> Self {
        match (row.certificate_expires_at, &row.ended) {
            (Some(until), _) if now < until => Self::Enrolled,
            (Some(_), _) => Self::Expired,
            (None, Some((_, why))) if why == REVOKED => Self::Revoked,
            (None, Some(_)) => Self::Ended,
            (None, None) => Self::NotEnrolled,
        }
    }

    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::NotEnrolled => "not-enrolled",
            Self::Enrolled => "enrolled",
            Self::Expired => "expired",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
        }
    }

    pub(super) fn for_people(self, row: &FleetRow, now: Timestamp) -> String {
        let at = |at: Option<Timestamp>| at.map(utc).unwrap_or_default();
        let ended_at = row.ended.as_ref().map(|(at, _)| *at);
        let standing = match self {
            Self::NotEnrolled => "not enrolled".into(),
            Self::Enrolled => format!("enrolled until {}", at(row.certificate_expires_at)),
            Self::Expired => format!("certificate expired {}", at(row.certificate_expires_at)),
            Self::Ended => format!("certificate ended {}", at(ended_at)),
            Self::Revoked => format!("revoked {}", at(ended_at)),
        };
        match open_code(row, now) {
            Some(until) => format!("{standing}, code waiting until {}", utc(until)),
            None => standing,
        }
    }
}

/// Until when a code may be used, if there is one.
pub(super) fn open_code(row: &FleetRow, now: Timestamp) -> Option<Timestamp> {
    row.code_expires_at.filter(|until| now < *until)
}

pub(super) fn presence(row: &FleetRow) -> String {
    match row.presence {
        Some((true, since)) => format!("connected since {}", utc(since)),
        Some((false, since)) => format!("last seen {}", utc(since)),
        None => "never seen".into(),
    }
}

pub(super) fn as_json(row: &FleetRow, now: Timestamp) -> Value {
    let vehicle = &row.vehicle;
    json!({
        "device": vehicle.device.as_str(),
        "registration": vehicle.registration,
        "category": vehicle.category,
        "make": vehicle.make,
        "model": vehicle.model,
        "color": vehicle.color,
        "driver": vehicle.driver.as_ref().map(ToString::to_string),
        "driver_name": vehicle.driver_name,
        "driver_phone": vehicle.driver_phone,
        "connected": row.presence.is_some_and(|(connected, _)| connected),
        "since_unix_ms": unix_ms(row.presence.map(|(_, since)| since)),
        "certificate": Standing::of(row, now).code(),
        "certificate_expires_at_unix_ms": unix_ms(row.certificate_expires_at),
        "code_expires_at_unix_ms": unix_ms(open_code(row, now)),
    })
}
