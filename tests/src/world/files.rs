//! The configurations of a world.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::Plan;

/// Where a platform listens, and the port that devices are told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) beckn: SocketAddr,
    pub(super) device: SocketAddr,
    pub(super) enrol: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) device_port: u16,
}

/// What the platform's configuration says of who is on the network.
#[derive(Debug, Default)]
pub(super) struct NetworkKeys {
    /// At the end of `[beckn]`.
    pub(super) beckn: String,
    /// The table `[registry]`.
    pub(super) registry: String,
}

/// What the platform offers; `init` takes it in.
const FLEET: &str = r#"[[provider]]
id = "city-cabs"
name = "City Cabs"

[[item]]
id = "auto"
provider = "city-cabs"
name = "Auto ride"
images = ["https://city-cabs.example/auto.png"]
vehicle_category = "AUTO_RICKSHAW"
tariff = "auto"

[[tariff]]
code = "auto"
version = 1
base_paise = 3000
base_distance_m = 100
bands = [{ from_m = 100, per_km_paise = 1500 }]
per_minute_paise = 100
waiting_per_minute_paise = 200
waiting_free_s = 3
minimum_paise = 3000
rounding_paise = 1
"#;

/// What the platform offers, before there is a platform.
pub(super) fn write_fleet(dir: &Path, plan: &Plan) -> Result<()> {
    let folder = dir.join("bpp");
    fs::create_dir(&folder)?;
    Ok(fs::write(folder.join("fleet.toml"), format!("{FLEET}{}", plan.tariff_keys))?)
}

/// The platform's, over the one that `init` made.
pub(super) fn write_bpp(
    dir: &Path,
    plan: &Plan,
    Addresses { beckn, device, enrol, admin, device_port }: Addresses,
    store_url: &str,
    network: &NetworkKeys,
) -> Result<()> {
    let text = format!(
        r#"data_dir = "data"

[beckn]
listen = "{beckn}"
uri = "http://{beckn}/beckn"
subscriber_id = "{id}"
{beckn_keys}

{registry}

[device]
listen = "{device}"
port = {device_port}
{device_keys}

[enrol]
listen = "{enrol}"

[admin]
listen = "{admin}"

[store]
url = "{store_url}"

[dispatch]
radius_m = 5000
offer_s = {offer_s}
search_s = {search_s}
{dispatch_keys}

[ride]
otp = {otp}

[callback]
retry_ms_max = 500
timeout_ms = 2000
private_networks = ["127.0.0.0/8"]

{platform}
"#,
        id = super::BPP_ID,
        offer_s = plan.offer_s,
        search_s = plan.search_s,
        otp = plan.otp,
        device_keys = plan.device_keys,
        dispatch_keys = plan.dispatch_keys,
        platform = plan.platform,
        beckn_keys = network.beckn,
        registry = network.registry,
    );
    Ok(fs::write(dir.join("bpp/bpp.toml"), text)?)
}

/// The agent's.
pub(super) fn write_agent(dir: &Path, plan: &Plan) -> Result<()> {
    let replay = plan.replay.as_ref().map_or(String::new(), |recording| {
        format!("replay = \"{}\"\nreplay_speed = 0", recording.display())
    });
    let mut text = format!(
        r#"data_dir = "{dir}/agent"

[receiver]
port = "{dir}/gnss"
baud = 115200
{replay}

[backend]
reconnect_ms_max = 500

[journal]
sync_ms = 1000
retry_ms = 1000
segments_kept = 1000

[live]
on_trip_ms = 1000
idle_ms = 1000
"#,
        dir = dir.display(),
    );
    if plan.panel {
        text.push_str(&super::panel::configuration(dir));
    }
    text.push_str(&plan.agent);
    fs::write(dir.join("agent.toml"), text)?;
    Ok(())
}
