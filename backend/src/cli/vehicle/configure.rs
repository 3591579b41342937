//! `tripline-bpp vehicle configure`: settings to devices from afar.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use figment::Figment;
use figment::providers::{Format as _, Toml};
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::settings::DeviceSettings;

use super::super::ConfigPath;
use super::super::opened::{Opened, counted, print_json};
use crate::error::BppError;
use crate::operate::Actor;
use crate::operate::device::{ConfiguredView, EXPIRES_S_MAX};
use crate::service::ServiceError;
use crate::service::settings::{Change, Configured, configure_by};
use crate::settings::SettingTables;
use crate::store::retry::retry;
use crate::store::{Store, StoreError};
use crate::time;

/// Vehicles written to in one transaction: others wait for it, on SQLite everybody does.
const PORTION_MAX: usize = 500;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("which").required(true).args(["vehicle", "all"])),
    group(ArgGroup::new("what").required(true).multiple(true).args(["set", "file", "clear", "again"])),
    after_help = "\
Keys and values are those of the agent's configuration, with the table in front:
  tripline-bpp vehicle configure ka01ab1234 --set live.on_trip_ms=2000 --set trail.parked='every 600 s'

What is set lies over what was set before, over [device.settings] of this configuration, over the device's
own file. `vehicle show` tells what a device runs.

With --all, vehicles are written to in portions of 500. If that fails in between, it says to how many it was
sent; sending the same again does no harm."
)]
pub(in crate::cli) struct ConfigureArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The vehicle: its device id or its registration
    vehicle: Option<String>,
    /// Every vehicle, in portions of 500, each all or none
    #[arg(long)]
    all: bool,
    /// Set a key; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Set what this file says, in TOML with the tables of the agent's configuration; --set wins
    #[arg(long)]
    file: Option<PathBuf>,
    /// Forget what was set for the vehicle before
    #[arg(long)]
    clear: bool,
    /// Send again what is set, for instance after [device.settings] was changed
    #[arg(long, conflicts_with_all = ["set", "file", "clear"])]
    again: bool,
    /// Without effect on a device that gets it later than this: 90s, 30m, 1h, 7d; never if not given
    #[arg(long, value_name = "TIME", value_parser = milliseconds)]
    expires: Option<i64>,
    /// Print as JSON, one object a line and vehicle
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ConfigureArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let now = time::now();
    let change = Change {
        clear: args.clear,
        set: asked(&args.set, args.file.as_deref())?,
        expires_at: args.expires.map(|ms| now.plus_ms(ms)),
    };
    let devices = match &args.vehicle {
        Some(name) => vec![opened.vehicle(name).await?.device],
        None => all(&opened.store).await.map_err(|error| opened.failed(error))?,
    };
    let fleet = opened.config.device.settings.0;
    let mut written = Vec::with_capacity(devices.len());
    let outcome = write(&opened.store, &devices, change, &fleet, &mut written).await;
    opened.store.close().await;
    for (device, configured) in &written {
        if args.json {
            print_json(&ConfiguredView::of(device, configured))?;
        } else if !args.all {
            tell(device, configured);
        }
    }
    if args.all && !args.json {
        println!("Sent to {}.", counted(written.len() as u64, "device"));
    }
    if outcome.is_err() && args.all {
        eprintln!("sent to {} of {}; not to the others", written.len(), devices.len());
    }
    outcome.map_err(|error| opened.not_done(error))
}

async fn all(store: &Store) -> Result<Vec<DeviceId>, StoreError> {
    let vehicles = store.read().await?.vehicles().await?;
    Ok(vehicles.into_iter().map(|vehicle| vehicle.device).collect())
}

/// What the command line and the file ask for.
fn asked(set: &[String], file: Option<&Path>) -> Result<DeviceSettings, BppError> {
    let refused = |message| BppError::Refused { message };
    let mut settings = DeviceSettings::default();
    if let Some(path) = file {
        if !path.is_file() {
            return Err(refused(format!("--file: there is no file {}", path.display())));
        }
        let tables: SettingTables = Figment::from(Toml::file_exact(path))
            .extract()
            .map_err(|error| refused(format!("--file {}: {error}", path.display())))?;
        settings = tables.0;
    }
    for text in set {
        let (key, value) = text.split_once('=').ok_or_else(|| {
            refused(format!("--set {text}: it must be KEY=VALUE, such as live.idle_ms=5000"))
        })?;
        settings
            .set(key.trim(), value.trim().trim_matches('"'))
            .map_err(|error| refused(format!("--set: {error}")))?;
    }
    Ok(settings)
}

/// Writes the commands, a portion after the other; in `written` is what was, also if one fails.
async fn write(
    store: &Store,
    devices: &[DeviceId],
    change: Change,
    fleet: &DeviceSettings,
    written: &mut Vec<(DeviceId, Configured)>,
) -> Result<(), ServiceError> {
    for portion in devices.chunks(PORTION_MAX) {
        written.extend(retry(|| write_portion(store, portion, change, fleet)).await?);
    }
    Ok(())
}

/// Writes the commands of a portion, all or none.
async fn write_portion(
    store: &Store,
    devices: &[DeviceId],
    change: Change,
    fleet: &DeviceSettings,
) -> Result<Vec<(DeviceId, Configured)>, ServiceError> {
    let mut tx = store.write().await?;
    // Signals are heard for a minute after their time: it is the one of this portion.
    let now = time::now();
    let mut written = Vec::with_capacity(devices.len());
    for device in devices {
        let sent = configure_by(&mut tx, Some(Actor::CLI), device, change, fleet, now).await?;
        if let Some(configured) = sent {
            written.push((device.clone(), configured));
        }
    }
    tx.commit().await?;
    Ok(written)
}

fn tell(device: &DeviceId, configured: &Configured) {
    println!("Sent to {device} as command {}:", configured.number);
    if configured.sent.values().is_empty() {
        println!("  nothing is set: the device's own file decides");
    }
    for line in configured.sent.to_string().lines() {
        println!("  {line}");
    }
}

/// Milliseconds of a number with s, m, h or d behind it.
fn milliseconds(text: &str) -> Result<i64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let seconds = units.iter().find_map(|(unit, unit_s)| {
        let number: i64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*unit_s)
    });
    let seconds = seconds.filter(|seconds| (1..=EXPIRES_S_MAX).contains(seconds));
    seconds
        .map(|seconds| seconds * 1_000)
        .ok_or_else(|| "it must be a time such as 90s, 30m, 1h or 7d, a year at most".into())
}

#[cfg(test)]
mod tests {
    use tripline_protocol::id::CommandNumber;

    use super::*;
    use crate::domain::order::Vehicle;

    #[test]
    fn times_have_a_unit_and_are_no_longer_than_a_year() {
        assert_eq!(milliseconds("90s"), Ok(90_000));
        assert_eq!(milliseconds("365d"), Ok(EXPIRES_S_MAX * 1_000));
        for text in ["", "1", "h", "0s", "-1h", "366d", "9223372036854775807d", "1w"] {
            assert!(milliseconds(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_file_is_read_and_the_command_line_wins() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("settings.toml");
        let text = "[live]\nidle_ms = 9000\n[trail]\nparked = \"every 600 s\"\n";
        std::fs::write(&path, text).expect("written");
        let set = ["live.idle_ms = 7000".to_owned(), "trail.moving=\"within 20 m\"".to_owned()];
        let settings = asked(&set, Some(&path)).expect("usable").to_string();
        let lines = "live.idle_ms = 7000\ntrail.moving = within 20 m\ntrail.parked = every 600 s";
        assert_eq!(settings, lines);
        std::fs::write(&path, "[live]\nidle = 9000\n").expect("written");
        let error = asked(&[], Some(&path)).expect_err("refused").to_string();
        assert!(error.contains("there is no setting live.idle;"), "{error}");
        let error = asked(&["fence.radius_m=5".into()], None).expect_err("refused").to_string();
        assert_eq!(error, "--set: fence.radius_m is 5; it must be between 10 and 100000");
    }

    #[tokio::test]
    async fn portions_before_one_that_fails_are_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", dir.path().join("test.db").display());
        let store = Store::open(&url).await.expect("opens");
        let (now, fleet) = (time::now(), DeviceSettings::default());
        let mut tx = store.write().await.expect("begins");
        for n in 0..=PORTION_MAX {
            let vehicle = Vehicle {
                device: format!("d{n:04}").parse().expect("valid"),
                registration: format!("KA {n:04}"),
                category: "AUTO".into(),
                make: None,
                model: None,
                color: None,
                driver: None,
                driver_name: "Raghav".into(),
                driver_phone: "+91-98".into(),
                driver_rating_centistars: None,
            };
            assert!(tx.add_vehicle(vehicle, now).await.expect("added"));
        }
        let bad = DeviceSettings { live_on_trip_ms: Some(1), ..fleet };
        let last = format!("d{PORTION_MAX:04}").parse().expect("valid");
        tx.set_wanted(&last, bad, CommandNumber(1), now).await.expect("noted");
        tx.commit().await.expect("commits");

        let devices = all(&store).await.expect("answers");
        assert_eq!(devices.len(), PORTION_MAX + 1);
        let mut written = Vec::new();
        let outcome = write(&store, &devices, Change::default(), &fleet, &mut written).await;
        outcome.expect_err("its row cannot be read");
        assert_eq!(written.len(), PORTION_MAX);
        let mut tx = store.read().await.expect("begins");
        let first = tx.device_settings(&devices[0]).await.expect("answers").expect("there");
        assert!(first.wanted.is_some(), "it is committed");
    }
}
