//! `tripline-bpp vehicle configure`: what an operator types, and what becomes of it in the store.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tripline_backend::store::{Store, Tx};
use tripline_protocol::id::{CommandNumber, DeviceId};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::envelope::decode;
use tripline_protocol::link::settings::{DeviceSettings, Keep};
use tripline_tests::world::Binaries;

/// A platform's folder with vehicles in it; nothing of it runs.
struct Office {
    binaries: Binaries,
    dir: TempDir,
}

impl Office {
    fn with(vehicles: &[&str]) -> Result<Self> {
        let office = Self { binaries: Binaries::find()?, dir: tempfile::tempdir()? };
        let dir = office.dir.path().to_str().context("UTF-8")?;
        office.binaries.bpp(&["init", "--dir", dir, "--json"])?;
        for vehicle in vehicles {
            let config = office.config()?;
            let who = ["--driver-name", "Asha", "--driver-phone", "+91-98000"];
            let add = ["vehicle", "add", "--config", &config, "--registration", vehicle, "--json"];
            office.binaries.bpp(&[&add[..], &who].concat())?;
        }
        Ok(office)
    }

    fn config(&self) -> Result<String> {
        Ok(self.dir.path().join("bpp.toml").to_str().context("UTF-8")?.to_owned())
    }

    /// Runs `vehicle configure`; gives its exit code and the objects it printed.
    async fn configure(&self, arguments: &[&str]) -> Result<(i32, Vec<Value>)> {
        let config = self.config()?;
        let begin = ["vehicle", "configure", "--config", &config, "--json"];
        let (code, printed) =
            self.binaries.run("tripline-bpp", &[&begin[..], arguments].concat()).await?;
        let rows = printed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok((code, rows))
    }

    async fn tx(&self) -> Result<Tx> {
        let url = format!("sqlite:{}", self.dir.path().join("data/tripline.db").display());
        Ok(Store::open(&url).await?.read().await?)
    }

    /// The settings in the commands that wait for a device.
    async fn waiting(&self, device: &str) -> Result<Vec<DeviceSettings>> {
        let device: DeviceId = device.parse()?;
        let mut tx = self.tx().await?;
        let open = tx.open_down_messages(&device, CommandNumber::default(), 100).await?;
        open.iter()
            .map(|(_, payload)| {
                let body = decode::<Command>(payload)?.body;
                let CommandBody::Configure(settings) = body else { anyhow::bail!("{body:?}") };
                Ok(settings)
            })
            .collect()
    }
}

#[tokio::test]
async fn settings_add_up_and_one_command_a_vehicle_waits() -> Result<()> {
    let office = Office::with(&["KA01", "KA02"])?;
    let arguments = ["KA01", "--set", "live.on_trip_ms=2000", "--set", "trail.parked=every 600 s"];
    let (code, rows) = office.configure(&arguments).await?;
    ensure!(code == 0 && rows.len() == 1, "{code}: {rows:?}");
    let wanted = json!({ "live": { "on_trip_ms": 2000 }, "trail": { "parked": "every 600 s" } });
    ensure!(rows[0]["wanted"] == wanted && rows[0]["device"] == "ka01", "{}", rows[0]);

    let file = office.dir.path().join("settings.toml");
    std::fs::write(&file, "[live]\non_trip_ms = 3000\nidle_ms = 9000\n")?;
    let file = file.to_str().context("UTF-8")?;
    let arguments = ["ka01", "--file", file, "--set", "live.idle_ms=8000", "--expires", "1h"];
    let (code, _) = office.configure(&arguments).await?;
    ensure!(code == 0, "{code}");
    let all = DeviceSettings {
        live_on_trip_ms: Some(3_000),
        live_idle_ms: Some(8_000),
        trail_parked: Some(Keep::EveryS(600)),
        ..DeviceSettings::default()
    };
    let waiting = office.waiting("ka01").await?;
    ensure!(waiting == [all], "{waiting:?}");
    ensure!(office.waiting("ka02").await?.is_empty(), "nobody asked");

    let (code, rows) =
        office.configure(&["--all", "--clear", "--set", "fence.radius_m=50"]).await?;
    ensure!(code == 0 && rows.len() == 2, "{code}: {rows:?}");
    let fence = DeviceSettings { fence_radius_m: Some(50), ..DeviceSettings::default() };
    for device in ["ka01", "ka02"] {
        let waiting = office.waiting(device).await?;
        ensure!(waiting == [fence], "{device}: {waiting:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_fleets_settings_lie_below_those_of_a_vehicle_and_are_sent_again_when_they_change()
-> Result<()> {
    let office = Office::with(&["KA01"])?;
    office.configure(&["ka01", "--set", "live.idle_ms=8000"]).await?;
    let config = office.config()?;
    let text = std::fs::read_to_string(&config)?;
    let fleet = "\n[device.settings.live]\nidle_ms = 9000\non_trip_ms = 4000\n";
    std::fs::write(&config, text + fleet)?;
    let (code, rows) = office.configure(&["--all", "--again"]).await?;
    ensure!(code == 0, "{code}");
    ensure!(rows[0]["wanted"] == json!({ "live": { "idle_ms": 8000 } }), "{}", rows[0]);
    ensure!(
        rows[0]["sent"] == json!({ "live": { "idle_ms": 8000, "on_trip_ms": 4000 } }),
        "{}",
        rows[0]
    );
    Ok(())
}

#[tokio::test]
async fn mistakes_are_named_and_nothing_is_sent() -> Result<()> {
    let office = Office::with(&["KA01"])?;
    let config = office.config()?;
    for (arguments, code, said) in [
        (
            &["ka01", "--set", "fence.radius_m=5"][..],
            9,
            "fence.radius_m is 5; it must be between 10",
        ),
        (&["ka01", "--set", "fence.radius=5"], 9, "there is no setting fence.radius;"),
        (&["ka01", "--set", "trail.moving=all"], 9, "\"all\" is no policy"),
        (&["ka01", "--set", "fence.radius_m"], 9, "it must be KEY=VALUE"),
        (&["ka01", "--file", "/nowhere.toml"], 9, "there is no file /nowhere.toml"),
        (&["ka09", "--set", "fence.radius_m=50"], 9, "there is no device or registration"),
        (&["ka01", "--expires", "soon", "--clear"], 2, "a time such as 90s"),
        (&["ka01"], 2, "--set"),
        (&["--clear"], 2, "--all"),
        (&["ka01", "--all", "--clear"], 2, "cannot be used with"),
    ] {
        let begin = ["vehicle", "configure", "--config", &config];
        let (found, error) =
            office.binaries.fail("tripline-bpp", &[&begin[..], arguments].concat()).await?;
        ensure!(found == code && error.contains(said), "{arguments:?}: {found}, {error}");
    }
    ensure!(office.waiting("ka01").await?.is_empty(), "something was sent");
    Ok(())
}
