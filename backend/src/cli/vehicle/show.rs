//! `tripline-bpp vehicle show`

use clap::Args;
use serde_json::{Value, json};
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::unit::Timestamp;

use super::super::opened::{Opened, counted, unix_ms, utc};
use super::super::{ConfigPath, audit};
use super::list::{Standing, as_json as row_json, presence};
use crate::error::BppError;
use crate::identity::authority::{Authorities, hex, serial, sha256};
use crate::operate::vehicle::{self, VehicleShown};
use crate::settings::SettingTables;
use crate::store::audit::{AuditFilter, AuditRow};
use crate::store::certificate::CertificateRow;
use crate::store::fleet::{FleetRow, SeenRow, SetAsideRow};
use crate::store::settings::{SettingsRow, Wanted};
use crate::store::{StoreError, Tx};
use crate::time;

/// Audit entries that are shown.
const AUDIT_SHOWN_MAX: u32 = 10;

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Device id or registration
    device: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// All that the store has of a device.
struct Shown {
    row: FleetRow,
    record: VehicleShown,
    seen: Option<SeenRow>,
    certificates: Vec<CertificateRow>,
    settings: SettingsRow,
    set_aside: Vec<SetAsideRow>,
    audit: Vec<AuditRow>,
}

pub(super) async fn run(args: &ShowArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let authorities = opened.authorities()?;
    let device = opened.vehicle(&args.device).await?.device;
    let rules = opened.config.roster_rules();
    let show = async |tx: &mut Tx| vehicle::show(tx, device.as_str(), &rules, time::now()).await;
    let record = opened.look(show).await?;
    let shown = look(&opened, &device, record).await.map_err(|source| opened.failed(source))?;
    opened.store.close().await;
    let now = time::now();
    if args.json {
        println!("{}", shown.as_json(&authorities, now));
    } else {
        shown.print(&authorities, now);
    }
    Ok(())
}

async fn look(
    opened: &Opened,
    device: &DeviceId,
    record: VehicleShown,
) -> Result<Shown, StoreError> {
    let mut tx = opened.store.read().await?;
    let row = tx.fleet(Some(device)).await?.pop().ok_or_else(|| StoreError::BadRow {
        table: "vehicle",
        row: device.to_string(),
        reason: "it went away".into(),
    })?;
    let of_device = AuditFilter { device: Some(device.clone()), ..AuditFilter::default() };
    Ok(Shown {
        row,
        record,
        seen: tx.last_seen(device).await?,
        certificates: tx.certificates(device).await?,
        settings: tx.device_settings(device).await?.unwrap_or_default(),
        set_aside: tx.set_aside_counts(device).await?,
        audit: tx.audit(&of_device, AUDIT_SHOWN_MAX).await?,
    })
}

impl Shown {
    fn as_json(&self, authorities: &Authorities, now: Timestamp) -> Value {
        let mut shown = row_json(&self.row, now);
        if let Ok(Value::Object(record)) = serde_json::to_value(&self.record) {
            for (field, value) in record {
                shown[field] = value;
            }
        }
        let certificates: Vec<Value> = self
            .certificates
            .iter()
            .map(|certificate| certificate_json(certificate, authorities, now))
            .collect();
        let set_aside: Vec<Value> = self
            .set_aside
            .iter()
            .map(|row| {
                json!({ "lane": row.lane, "count": row.count,
                    "last_at_unix_ms": row.last_at.unix_ms })
            })
            .collect();
        shown["peer"] = self.seen.as_ref().map_or(Value::Null, |seen| seen.peer.clone().into());
        shown["agent_version"] =
            self.seen.as_ref().map_or(Value::Null, |seen| seen.agent_version.clone().into());
        shown["certificates"] = certificates.into();
        shown["settings_wanted"] = self.settings.wanted.as_ref().map_or(Value::Null, wanted_json);
        shown["settings_running"] = self.settings.running.map_or(
            Value::Null,
            |(running, at)| json!({ "settings": SettingTables(running), "at_unix_ms": at.unix_ms }),
        );
        shown["set_aside"] = set_aside.into();
        shown["audit"] = self.audit.iter().map(audit::as_json).collect();
        shown
    }

    fn print(&self, authorities: &Authorities, now: Timestamp) {
        let vehicle = &self.row.vehicle;
        println!("registration   {}", vehicle.registration);
        println!("device         {}", vehicle.device);
        println!("category       {}", vehicle.category);
        let record = &self.record.vehicle;
        let words = [&record.make, &record.model, &record.variant, &record.color, &record.energy];
        let look: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
        if !look.is_empty() {
            println!("make           {}", look.join(", "));
        }
        if let Some(provider) = &record.provider {
            println!("provider       {provider}");
        }
        match &vehicle.driver {
            Some(id) => {
                println!("driver         {id}: {}, {}", vehicle.driver_name, vehicle.driver_phone);
            }
            None => println!("driver         nobody"),
        }
        if let Some(why) = &self.record.blocked_because {
            println!("no rides       {why}");
        }
        println!("presence       {}", presence(&self.row));
        if let Some(seen) = &self.seen {
            println!("               from {}, agent {}", seen.peer, seen.agent_version);
        }
        println!("enrolment      {}", Standing::of(&self.row, now).for_people(&self.row, now));
        for certificate in &self.certificates {
            print_certificate(certificate, authorities, now);
        }
        if let Some(Wanted { settings, number, at, outcome }) = &self.settings.wanted {
            let outcome = outcome.as_deref().unwrap_or("not reported on yet");
            println!("wanted         since {}, command {number}: {outcome}", utc(*at));
            print_settings(settings);
        }
        if let Some((settings, at)) = &self.settings.running {
            println!("running        since {}", utc(*at));
            print_settings(settings);
        }
        for row in &self.set_aside {
            let batches = counted(row.count, "batch");
            println!("set aside      {batches} of {}, the last {}", row.lane, utc(row.last_at));
        }
        let entries = counted(self.audit.len() as u64, "entry");
        println!("audit          {entries}, the newest last");
        for row in &self.audit {
            println!("  {}", audit::as_text(row));
        }
    }
}

/// Whether a certificate counts, in a word.
fn state(certificate: &CertificateRow, now: Timestamp) -> &str {
    match &certificate.ended {
        Some((_, why)) => why,
        None if certificate.counts(now) => "counts",
        None => "expired",
    }
}

/// Number of the authority that issued it; `None` if that is retired.
fn issuer(certificate: &CertificateRow, authorities: &Authorities) -> Option<u32> {
    let mut all = authorities.all().iter();
    all.find(|authority| authority.fingerprint()[..] == certificate.ca_fingerprint[..])
        .map(|authority| authority.generation)
}

fn certificate_json(row: &CertificateRow, authorities: &Authorities, now: Timestamp) -> Value {
    json!({
        "serial": serial(&row.der),
        "fingerprint": hex(&sha256(&row.der)),
        "key_fingerprint": hex(&row.key_hash),
        "ca": issuer(row, authorities),
        "ca_fingerprint": hex(&row.ca_fingerprint),
        "issued_at_unix_ms": row.issued_at.unix_ms,
        "expires_at_unix_ms": row.expires_at.unix_ms,
        "ended_at_unix_ms": unix_ms(row.ended.as_ref().map(|(at, _)| *at)),
        "state": state(row, now),
    })
}

fn print_certificate(row: &CertificateRow, authorities: &Authorities, now: Timestamp) {
    let ca =
        issuer(row, authorities).map_or_else(|| "a retired CA".into(), |ca| format!("CA {ca}"));
    println!("certificate    {}, by {ca}", state(row, now));
    println!("               {} to {}", utc(row.issued_at), utc(row.expires_at));
    println!("               serial {}", serial(&row.der).unwrap_or_default());
    println!("               SHA-256 {}", hex(&sha256(&row.der)));
}

fn wanted_json(wanted: &Wanted) -> Value {
    json!({
        "settings": SettingTables(wanted.settings),
        "at_unix_ms": wanted.at.unix_ms,
        "command": wanted.number.0,
        "outcome": wanted.outcome,
    })
}

fn print_settings(settings: &DeviceSettings) {
    for line in settings.to_string().lines() {
        println!("               {line}");
    }
}
