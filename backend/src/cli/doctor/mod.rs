//! `tripline-bpp doctor`: looks at everything the platform needs, and at who knows it, and names what is
//! wrong. It changes nothing but what gateways tell, which is kept as by `gateway get`.

mod finding;
mod gateways;
mod network;

use clap::Args;

use self::finding::{Finding, Report};
use super::opened::counted;
use super::{ConfigPath, open_store, without_password};
use crate::config::Config;
use crate::error::BppError;
use crate::identity::authority::Authorities;
use crate::keys::file as key_file;
use crate::keys::ring::KeyRing;
use crate::network::http::builder;
use crate::store::Store;
use crate::time;

/// Longest wait for the platform on this machine, in ms.
const PLATFORM_MS_MAX: u64 = 2_000;

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Ask neither the registry nor gateways: say what they told last
    #[arg(long)]
    offline: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &DoctorArgs) -> Result<(), BppError> {
    let report = examine(args).await;
    if args.json {
        let json = serde_json::to_string(&report);
        println!("{}", json.map_err(|error| BppError::Internal(error.to_string()))?);
    } else {
        print!("{}", report.text());
    }
    match report.faults().count() {
        0 => Ok(()),
        count => Err(BppError::Unwell { count }),
    }
}

async fn examine(args: &DoctorArgs) -> Report {
    let (mut report, now) = (Report::default(), time::now());
    let path = &args.config.config;
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => {
            let remedy = "correct the file; nothing else is looked at until then";
            report.add(Finding::fault("configuration", error.to_string(), remedy));
            return report;
        }
    };
    report.add(Finding::good("configuration", format!("{} can be used", path.display())));
    let ring = KeyRing::load(&config.keys_file());
    report.add(keys(&config, ring.as_ref()));
    report.add(device_ca(&config));
    let (finding, store) = self::store(&config).await;
    report.add(finding);
    report.add(platform(&config).await);
    if let (Ok(ring), Some(store)) = (&ring, &store) {
        report.add(network::check(&config, store, ring, args.offline, now).await);
    }
    if let Some(store) = store {
        store.close().await;
    }
    report.extend(gateways::check(&config, args.offline, now).await);
    report
}

fn keys(config: &Config, ring: Result<&KeyRing, &BppError>) -> Finding {
    let remedy = "put a copy back, with mode 0600; `tripline-bpp init` makes what is missing";
    let ring = match ring {
        Ok(ring) => ring,
        Err(error) => return Finding::fault("keys", error.to_string(), remedy),
    };
    if let Err(error) = key_file::load(&config.command_key_file()) {
        return Finding::fault("keys", error.to_string(), remedy);
    }
    let signing = &ring.signing().unique_key_id;
    let beside = match (ring.next(), ring.previous()) {
        (Some(next), _) => format!("; {} waits to sign", next.unique_key_id),
        (None, Some(previous)) => format!("; {} signed before", previous.unique_key_id),
        (None, None) => String::new(),
    };
    Finding::good("keys", format!("{signing} signs{beside}"))
}

fn device_ca(config: &Config) -> Finding {
    let authorities = match Authorities::load(&config.ca_dir()) {
        Ok(authorities) => authorities,
        Err(error) => {
            let remedy =
                "put a copy back, with mode 0600; without it every device has to enrol anew";
            return Finding::fault("device-ca", error.to_string(), remedy);
        }
    };
    let count = counted(authorities.all().len() as u64, "generation");
    Finding::good("device-ca", format!("it can be used, with {count}"))
}

async fn store(config: &Config) -> (Finding, Option<Store>) {
    let shown = without_password(&config.store_url());
    match open_store(config).await {
        Err(error) => {
            let remedy = "[store] url, the database's server, and the rights on the data folder; a schema \
                          of another version: `tripline-bpp serve` or `init` brings it up to date";
            (Finding::fault("store", error.to_string(), remedy), None)
        }
        Ok(store) => {
            let version = Store::versions().last().unwrap_or_default();
            (Finding::good("store", format!("{shown}, schema version {version}")), Some(store))
        }
    }
}

/// Whether a platform serves at the address of the configuration.
async fn platform(config: &Config) -> Finding {
    let listen = config.admin.listen;
    let asked = async {
        let client = builder(PLATFORM_MS_MAX).build()?;
        client.get(format!("http://{listen}/health")).send().await?.error_for_status()
    };
    match asked.await {
        Ok(_) => Finding::good("platform", format!("it serves, with its admin API on {listen}")),
        Err(_) => Finding::note(
            "platform",
            format!("nothing answers on {listen}, the admin API's address"),
            "start it when all is well: `tripline-bpp serve`, or its service",
        ),
    }
}
