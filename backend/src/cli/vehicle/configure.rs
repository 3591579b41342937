//! `tripline-bpp vehicle configure`: settings to devices from afar.

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use figment::Figment;
use figment::providers::{Format as _, Toml};
use serde_json::{Value, json};
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::unit::Timestamp;

use super::super::ConfigPath;
use super::super::opened::{Opened, counted};
use crate::error::BppError;
use crate::service::ServiceError;
use crate::service::settings::{Change, Configured, configure};
use crate::settings::SettingTables;
use crate::store::Store;
use crate::time;

/// Longest expiry that can be asked for, in s: a year.
const EXPIRES_S_MAX: i64 = 365 * 86_400;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("which").required(true).args(["vehicle", "all"])),
    group(ArgGroup::new("what").required(true).multiple(true).args(["set", "file", "clear", "again"])),
    after_help = "\
Keys and values are those of the agent's configuration, with the table in front:
  tripline-bpp vehicle configure ka01ab1234 --set live.on_trip_ms=2000 --set trail.parked='every 600 s'

What is set lies over what was set before, over [device.settings] of this configuration, over the device's
own file. `vehicle show` tells what a device runs."
)]
pub(in crate::cli) struct ConfigureArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The vehicle: its device id or its registration
    vehicle: Option<String>,
    /// Every vehicle, all or none
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
    let device = match &args.vehicle {
        Some(name) => Some(opened.vehicle(name).await?.device),
        None => None,
    };
    let fleet = opened.config.device.settings.0;
    let written = write(&opened.store, device, change, &fleet, now).await;
    let written = written.map_err(|error| opened.not_done(error))?;
    opened.store.close().await;
    for (device, configured) in &written {
        if args.json {
            println!("{}", row(device, configured));
        } else if !args.all {
            tell(device, configured);
        }
    }
    if args.all && !args.json {
        println!("Sent to {}.", counted(written.len() as u64, "device"));
    }
    Ok(())
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

/// Writes the commands in one transaction. Without a device to name, all of them are meant.
async fn write(
    store: &Store,
    device: Option<DeviceId>,
    change: Change,
    fleet: &DeviceSettings,
    now: Timestamp,
) -> Result<Vec<(DeviceId, Configured)>, ServiceError> {
    let mut tx = store.write().await?;
    let devices = match device {
        Some(device) => vec![device],
        None => tx.vehicles().await?.into_iter().map(|vehicle| vehicle.device).collect(),
    };
    let mut written = Vec::with_capacity(devices.len());
    for device in devices {
        if let Some(configured) = configure(&mut tx, &device, change, fleet, now).await? {
            written.push((device, configured));
        }
    }
    tx.commit().await?;
    Ok(written)
}

fn row(device: &DeviceId, configured: &Configured) -> Value {
    json!({
        "device": device.as_str(),
        "number": configured.number.0,
        "wanted": SettingTables(configured.wanted),
        "sent": SettingTables(configured.sent),
    })
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
    use super::*;

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
}
