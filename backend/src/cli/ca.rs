//! `tripline-bpp ca`: the device CA, and how it is replaced by a new one without a device noticing.
//!
//! `rotate` adds an authority, which issues from there on, while the old one still signs what the backend
//! shows. With every renewal a device gets both. Once no certificate of the old one counts, `retire`
//! removes it.

use clap::{Args, Subcommand};
use serde_json::json;
use tripline_protocol::unit::Timestamp;

use super::ConfigPath;
use super::opened::{Opened, counted, unix_ms, utc};
use crate::audit::{AuditKind, Entry};
use crate::enrol::revoke::note;
use crate::error::BppError;
use crate::identity::authority::{self, Authorities, Authority, hex};
use crate::operate::Actor;
use crate::service::ServiceError;
use crate::time;

/// Authorities at once.
const ACTIVE_MAX: usize = 2;

#[derive(Debug, Subcommand)]
pub(super) enum CaCommand {
    /// Show the authorities that are active, oldest first
    Show(CaArgs),
    /// Add an authority: it issues from here on, and the one before it goes on being trusted
    Rotate(CaArgs),
    /// Remove the older of two authorities, once no certificate of it counts
    Retire(RetireArgs),
}

#[derive(Debug, Args)]
pub(super) struct CaArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RetireArgs {
    #[command(flatten)]
    common: CaArgs,
    /// Also if certificates of it count: their devices are put out and have to enrol anew
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(command: CaCommand) -> Result<(), BppError> {
    match command {
        CaCommand::Show(args) => show(&args).await,
        CaCommand::Rotate(args) => rotate(&args).await,
        CaCommand::Retire(args) => retire(&args).await,
    }
}

async fn show(args: &CaArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let authorities = opened.authorities()?;
    for authority in authorities.all() {
        let (devices, until) = counting(&opened, authority, time::now()).await?;
        let fingerprint = hex(&authority.fingerprint());
        let serves = authority.generation == authorities.serving().generation;
        let issues = authority.generation == authorities.issuing().generation;
        if args.json {
            let shown = json!({ "generation": authority.generation, "fingerprint": fingerprint,
                "serves": serves, "issues": issues, "devices": devices,
                "until_unix_ms": unix_ms(until) });
            println!("{shown}");
            continue;
        }
        let does = match (serves, issues) {
            (true, true) => "serves and issues",
            (true, false) => "serves",
            (false, true) => "issues",
            (false, false) => "is trusted",
        };
        println!("CA {} {does}; SHA-256 {fingerprint}", authority.generation);
        println!("  {}", certificates(devices, until));
    }
    opened.store.close().await;
    Ok(())
}

async fn rotate(args: &CaArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let (dir, authorities) = (opened.config.ca_dir(), opened.authorities()?);
    if authorities.all().len() >= ACTIVE_MAX {
        let message =
            "two authorities are active already; `tripline-bpp ca retire` removes the older";
        return Err(BppError::Refused { message: message.into() });
    }
    let now = time::now();
    authorities.add(&dir, now)?;
    let added = Authorities::load(&dir)?;
    let (old, new) = (added.serving().generation, added.issuing());
    let written = async {
        let mut tx = opened.store.write().await?;
        note(&mut tx, changed(format!("CA {} added", new.generation)), now).await?;
        Ok::<_, ServiceError>(tx.commit().await?)
    };
    written.await.map_err(|error| opened.not_done(error))?;
    opened.store.close().await;
    if args.json {
        let fingerprint = hex(&new.fingerprint());
        println!("{}", json!({ "added": new.generation, "fingerprint": fingerprint }));
        return Ok(());
    }
    println!("CA {} is added. A running platform issues with it within seconds.", new.generation);
    println!("CA {old} goes on serving. When every device has renewed its certificate,");
    println!("`tripline-bpp ca retire` removes it; `tripline-bpp ca show` says when that is.");
    Ok(())
}

async fn retire(args: &RetireArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.common.config).await?;
    let authorities = opened.authorities()?;
    let oldest = authorities.serving();
    if authorities.all().len() < ACTIVE_MAX {
        let message = "this is the only authority; `tripline-bpp ca rotate` adds one first";
        return Err(BppError::Refused { message: message.into() });
    }
    let now = time::now();
    let (devices, until) = counting(&opened, oldest, now).await?;
    if devices > 0 && !args.force {
        let message = format!(
            "CA {} is needed: {}; devices renew by themselves. With --force those that have not yet \
             are put out and have to enrol anew",
            oldest.generation,
            certificates(devices, until),
        );
        return Err(BppError::Refused { message });
    }
    let ended = end_all(&opened, oldest, now).await.map_err(|error| opened.not_done(error))?;
    authority::remove(&opened.config.ca_dir(), oldest.generation)?;
    opened.store.close().await;
    if args.common.json {
        println!("{}", json!({ "retired": oldest.generation, "devices_put_out": ended }));
        return Ok(());
    }
    println!("CA {} is retired. A running platform follows within seconds.", oldest.generation);
    println!("Enrolment codes printed before do not fit any more: `tripline-bpp vehicle rekey`.");
    if ended > 0 {
        println!(
            "{} had certificates of it, and may have to enrol anew.",
            counted(ended, "device")
        );
    }
    Ok(())
}

/// Ends what the authority issued: nobody can show it any more.
async fn end_all(opened: &Opened, oldest: &Authority, now: Timestamp) -> Result<u64, ServiceError> {
    let mut tx = opened.store.write().await?;
    let devices = tx.end_certificates_of_authority(&oldest.fingerprint(), now).await?;
    for device in &devices {
        tx.signal_device(device, now).await?;
    }
    note(&mut tx, changed(format!("CA {} retired", oldest.generation)), now).await?;
    tx.commit().await?;
    Ok(devices.len() as u64)
}

fn changed(detail: String) -> Entry {
    Entry {
        kind: AuditKind::AuthorityChanged,
        device: None,
        peer: None,
        actor: Some(Actor::CLI.to_owned()),
        detail,
    }
}

async fn counting(
    opened: &Opened,
    authority: &Authority,
    now: Timestamp,
) -> Result<(u64, Option<Timestamp>), BppError> {
    let fingerprint = authority.fingerprint();
    async { opened.store.read().await?.counting_of_authority(&fingerprint, now).await }
        .await
        .map_err(|source| opened.failed(source))
}

fn certificates(devices: u64, until: Option<Timestamp>) -> String {
    match until {
        Some(until) => format!(
            "{} with a certificate of it, the last of which counts until {}",
            counted(devices, "device"),
            utc(until)
        ),
        None => "no certificate of it counts".into(),
    }
}
