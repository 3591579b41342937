//! The command line.

mod ask;
mod driver;
mod enrol;
mod fare;
mod pin;
mod show;
mod trip;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use tripline_agent_link::Clock;
use tripline_protocol::unit::Timestamp;

use crate::config::{Config, SAMPLE};
use crate::credentials::Credentials;
use crate::decode;
use crate::doctor;
use crate::error::AgentError;
use crate::run;
use crate::time::FLOOR;

/// Puts a vehicle on a Beckn network: reads its GNSS receiver, takes the driver's word, tells the
/// backend.
#[derive(Debug, Parser)]
#[command(
    name = "tripline-agent",
    version,
    after_help = "\
Exit codes:
  0  done                                5  no NMEA and no UBX is heard
  1  something that should not happen    6  the journal cannot be used
  2  wrong use of the command line       7  another agent holds the folder or the socket
  3  the configuration is not usable     8  no agent is running
  4  no such serial device or recording  9  the running agent refused, and says why
                                        10  doctor found something wrong, and says what
                                        11  this device is not enrolled, or its identity is not usable
                                        12  enrolment failed, and says why

A first ride:
  tripline-agent config sample > agent.toml     then set data_dir and port in it
  tripline-agent enrol --config agent.toml --backend https://HOST     and type the code
  tripline-agent run --config agent.toml
  tripline-agent driver sign-in --config agent.toml --id ID     and type the PIN
  tripline-agent trip show --config agent.toml"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make this device known to its backend, with the code that `tripline-bpp vehicle add` printed
    ///
    /// The key is made here and stays here. If the power goes at any point, the same command with the
    /// same code finishes it. A new code replaces the identity that is there; a running agent takes the
    /// new one into use by itself.
    Enrol(enrol::EnrolArgs),
    /// Run the agent until SIGTERM or Ctrl-C
    Run(RunArgs),
    /// What the driver does: show, accept, depart, arrive, start, pause, resume, stop, ...
    ///
    /// Each verb is answered only when its event is on the disk. None needs a network.
    Trip(trip::TripArgs),
    /// Who drives: sign in, take rides, have a break, go home
    ///
    /// None needs a network; whether a sign-in is granted the platform says when it is reached.
    Driver(driver::DriverArgs),
    /// Show what the agent makes of a recording of its receiver: NMEA, UBX or both
    ///
    /// The same code that runs in the vehicle reads it. Each fix is a line; a refused one says why.
    Decode(DecodeArgs),
    /// Look at everything the agent needs, and name what is wrong
    ///
    /// Configuration, identity, clock, disk, receiver, antenna and backend. It changes nothing. A running agent is
    /// asked for what it alone can know; without one the port is opened and listened to, which takes up
    /// to half a minute.
    Doctor(DoctorArgs),
    /// Print or check a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Args)]
struct DecodeArgs {
    /// The recording; standard input if not given, or `-`
    file: Option<PathBuf>,
    /// Print JSON: an object a fix, or one object with --stats. What is unknown is null
    #[arg(long)]
    json: bool,
    /// Print a summary in place of the fixes: faults, refusals, odometer, standing still, trail bytes
    #[arg(long)]
    stats: bool,
    /// Take the whole recording for one trip; the summary of --stats then has its distance and duration
    #[arg(long)]
    trip: bool,
    /// Dates before this day (YYYY-MM-DD, UTC) are GPS week rollovers and are moved forward
    #[arg(long, default_value = "2000-01-01", value_parser = day)]
    not_before: Timestamp,
    /// The error bound of the points kept, in metres, 1 to 1000
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    error_m: u64,
}

#[derive(Debug, Args)]
struct DoctorArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Start also when the serial device is missing or sends garbage, and go on looking for it.
    /// Without it that ends the agent at its start, so that an installer sees it; a trip under way
    /// always goes on.
    #[arg(long)]
    wait_for_receiver: bool,
    /// What to log on standard error: error, warn, info, debug or trace, also per module
    #[arg(long, env = "TRIPLINE_LOG", default_value = "info")]
    log: String,
}

#[derive(Debug, Args)]
struct ConfigPath {
    /// The configuration file
    #[arg(
        long,
        global = true,
        env = "TRIPLINE_CONFIG",
        default_value = "/etc/tripline/agent.toml"
    )]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print a commented configuration to begin with
    Sample,
    /// Check a configuration and say what is wrong with it
    Check(ConfigPath),
}

impl Cli {
    /// Does what the command line asks.
    pub fn execute(self) -> Result<(), AgentError> {
        match self.command {
            Command::Enrol(args) => enrol::execute(&args),
            Command::Run(args) => run_agent(&args),
            Command::Trip(args) => trip::execute(args),
            Command::Driver(args) => driver::execute(args),
            Command::Decode(args) => decode(&args),
            Command::Doctor(args) => examine(&args),
            Command::Config(ConfigCommand::Sample) => {
                print!("{SAMPLE}");
                Ok(())
            }
            Command::Config(ConfigCommand::Check(path)) => {
                let config = Config::load(&path.config)?;
                println!("{} is usable; {}", path.config.display(), who(&config));
                Ok(())
            }
        }
    }
}

/// Who the device of a configuration is; being nobody yet is no fault of the configuration.
fn who(config: &Config) -> String {
    match Credentials::load(&config.data_dir, &Clock::new(FLOOR)) {
        Ok(Credentials { identity, .. }) => format!("this is device {}", identity.device),
        Err(AgentError::NotEnrolled { .. }) => {
            "this device is not enrolled yet: `tripline-agent enrol`".into()
        }
        Err(error) => error.to_string(),
    }
}

fn run_agent(args: &RunArgs) -> Result<(), AgentError> {
    let filter = EnvFilter::try_new(&args.log)
        .map_err(|error| AgentError::Config { reason: format!("--log {}: {error}", args.log) })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // A log that cannot be written (a full disk) would otherwise be reported on standard error,
        // which is that log, with a panic.
        .log_internal_errors(false)
        .init();
    let config = Config::load(&args.config.config)?;
    // One worker: while it waits for the disk, the runtime puts another in its place.
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| AgentError::Internal(error.to_string()))?
        .block_on(async move {
            // As a task of the one worker: a root future would run on a thread of its own and be
            // woken across threads for every fix.
            tokio::spawn(run::run(config, args.wait_for_receiver)).await
        })
        .map_err(|error| AgentError::Internal(error.to_string()))?
}

fn decode(args: &DecodeArgs) -> Result<(), AgentError> {
    let file = args.file.as_deref().filter(|file| *file != Path::new("-"));
    let options = decode::Options {
        json: args.json,
        stats: args.stats,
        trip: args.trip,
        not_before: args.not_before,
        error_mm: args.error_m * 1000,
    };
    decode::run(file, options)
}

fn examine(args: &DoctorArgs) -> Result<(), AgentError> {
    if !args.json {
        eprintln!(
            "Looking at everything the agent needs; listening to the receiver may take half a minute."
        );
    }
    let internal = |reason: String| AgentError::Internal(reason);
    let report = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| internal(error.to_string()))?
        .block_on(doctor::examine(&args.config.config));
    let text = if args.json {
        let json = serde_json::to_string(&report).map_err(|error| internal(error.to_string()))?;
        format!("{json}\n")
    } else {
        report.text()
    };
    print!("{text}");
    match report.faults().count() {
        0 => Ok(()),
        count => Err(AgentError::Unwell { count }),
    }
}

/// The beginning of a day.
fn day(text: &str) -> Result<Timestamp, String> {
    let day: jiff::civil::Date =
        text.parse().map_err(|_| "give a day such as 2019-04-07".to_string())?;
    let midnight = day.to_datetime(jiff::civil::Time::midnight());
    let zoned = midnight.to_zoned(jiff::tz::TimeZone::UTC).map_err(|error| error.to_string())?;
    Ok(Timestamp::from_unix_ms(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
