//! `tripline-sim fleet` on the command line.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use super::codes::CodeSource;
use super::summary::{Load, Summary};
use super::target::{Broker, Sources};
use super::{FleetError, Settings, Target, progress};

/// Fixes were made that were not committed at the end.
const EXIT_LOST: u8 = 5;
/// The fleet could not be enrolled or connected. (1, 3 and 4 are those of other subcommands.)
pub const EXIT_FLEET: u8 = 6;

/// Examples, the summary and the exit codes.
pub const HELP: &str = "\
Examples:
  A thousand vehicles against the platform on this machine, for two minutes, enrolled by themselves:
    tripline-sim fleet --vehicles 1000 --bpp-config /srv/tripline/bpp.toml --seconds 120 --state /tmp/fleet

  The same fleet again, without enrolling, holding its connections only:
    tripline-sim fleet --vehicles 1000 --state /tmp/fleet --idle

  The same load into any broker that takes QoS 1 over TLS:
    tripline-sim fleet --vehicles 1000 --mqtt localhost:8883 --ca ca.pem --seconds 120

What vehicles do:
  Each is a real agent core with a journal in memory, on a connection of its own: mutual TLS, MQTT 3.1.1.
  Once all are connected each drives its own way through a town, seeded, with a fix a second, and sends
  a batch of the fixes of --batch-s seconds as often. Vehicles take turns, so that the load is even. A
  vehicle that loses its connection drives on, and sends what is not committed again, as the agent does.
  At the end all wait until everything is committed.

  Vehicles are SIM-000001 and on. As many as are missing in --state are added to the platform, with the
  next plates, and enrolled with the codes it gives for them. The folder holds private keys.

  With --mqtt nothing is enrolled, and a broker's PubAck counts in place of the CommitAck.

Progress goes to standard error, the summary to standard output; with --json as one object, in which
  fixes_lost          fixes made and not known to be committed at the end
  publish_to_puback   from the write of a trail batch to its PubAck (p50_ms, p90_ms, p99_ms, max_ms; at
                      most 5 % too high)
  ready_to_commit     from when a batch was due, sent or not, to the CommitAck that covers it
  connect             from an attempt's turn to its ConnAck
  errors              failed attempts and broken connections, by kind

Exit codes:
  0  every fix was committed
  2  the command line is wrong
  5  fixes were lost, or not committed in time
  6  the fleet could not be enrolled or connected";

/// `tripline-sim fleet`
#[derive(Debug, clap::Args)]
pub struct FleetArgs {
    /// How many vehicles.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    vehicles: u64,

    /// The configuration of the platform on this machine: vehicles are added there with
    /// `tripline-bpp vehicle import`.
    #[arg(long, value_name = "PATH", conflicts_with = "codes")]
    bpp_config: Option<PathBuf>,

    /// The platform's program [default: tripline-bpp beside this one].
    #[arg(long, value_name = "PATH", requires = "bpp_config")]
    bpp: Option<PathBuf>,

    /// What `tripline-bpp vehicle import --json` printed for the vehicles; codes live ten minutes.
    #[arg(long, value_name = "FILE")]
    codes: Option<PathBuf>,

    /// The folder in which identities are kept, and found by the next run [default: a new one among the
    /// temporary files].
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,

    /// A broker to load in place of a platform, over TLS.
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_parser = host_and_port,
        requires = "ca",
        conflicts_with_all = ["bpp_config", "codes", "state"]
    )]
    mqtt: Option<(String, u16)>,

    /// The certificate of the broker's CA, in PEM.
    #[arg(long, value_name = "FILE", requires = "mqtt")]
    ca: Option<PathBuf>,

    /// A certificate to show the broker, in PEM.
    #[arg(long, value_name = "FILE", requires_all = ["mqtt", "key"])]
    cert: Option<PathBuf>,

    /// Its key, in PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// Seconds to drive, or to hold, once all are connected.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,

    /// Fixes in a batch, and seconds between two batches of a vehicle, 1 to 60.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=60))]
    batch_s: u32,

    /// Milliseconds between live positions of a vehicle, rounded up to whole seconds; 0: none.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=3_600_000))]
    live_ms: u64,

    /// Connect and hold the connections only.
    #[arg(long)]
    idle: bool,

    /// Attempts to connect a second, first ones and later ones together.
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connects_per_s: u32,

    /// Source addresses to take turns over, for more connections than one address has ports, or than a
    /// platform takes from one: 127.0.0.2-127.0.0.9.
    #[arg(long, value_name = "ADDRESS[-ADDRESS]")]
    from: Option<Sources>,

    /// Longest wait at the end for everything to be committed, in s.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=86_400))]
    drain_s: u32,

    /// Seed of the drives: the same seed gives the same ways.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Print the summary as one object of JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the fleet, and says what it came to.
pub async fn run(args: FleetArgs) -> Result<ExitCode, FleetError> {
    let json = args.json;
    let summary = super::run(args.settings()).await?;
    print(&summary, json);
    Ok(if summary.is_complete() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_LOST) })
}

fn print(summary: &Summary, json: bool) {
    let text = if json {
        // A summary is numbers and strings, which are always JSON.
        serde_json::to_string(summary).unwrap_or_default()
    } else {
        summary.to_string()
    };
    if writeln!(io::stdout(), "{text}").is_err() {
        progress::say("the summary could not be written to standard output");
    }
}

impl FleetArgs {
    fn settings(self) -> Settings {
        let load = Load {
            vehicles: self.vehicles,
            seed: self.seed,
            seconds: self.seconds,
            idle: self.idle,
            batch_s: self.batch_s,
            live_ms: self.live_ms,
            connects_per_s: self.connects_per_s,
        };
        let (from, drain_s) = (self.from, self.drain_s);
        Settings { target: self.target(), load, from, drain_s }
    }

    fn target(self) -> Target {
        if let (Some((host, port)), Some(ca)) = (self.mqtt, self.ca) {
            return Target::Broker(Broker { host, port, ca, client: self.cert.zip(self.key) });
        }
        let program = self.bpp.unwrap_or_else(beside);
        let platform = self.bpp_config.map(|config| CodeSource::Platform { program, config });
        let codes = platform.or(self.codes.map(CodeSource::File));
        Target::Platform { codes, state: self.state.unwrap_or_else(temporary) }
    }
}

fn host_and_port(text: &str) -> Result<(String, u16), &'static str> {
    let wrong = "it must be HOST:PORT, as in localhost:8883";
    let (host, port) = text.rsplit_once(':').ok_or(wrong)?;
    Ok((host.trim_matches(['[', ']']).to_owned(), port.parse().map_err(|_| wrong)?))
}

/// The platform's program in this one's folder; found by its name if the system does not say where we are.
fn beside() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.with_file_name("tripline-bpp")
}

/// A folder of this run's own.
fn temporary() -> PathBuf {
    std::env::temp_dir().join(format!("tripline-fleet-{}", std::process::id()))
}
