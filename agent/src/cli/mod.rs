//! The command line.

mod enrol;
mod show;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use tripline_agent_link::Clock;
use tripline_protocol::unit::Timestamp;

use crate::config::{Config, SAMPLE};
use crate::control::client;
use crate::control::message::Request;
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
    Trip(TripArgs),
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

#[derive(Debug, Args)]
struct TripArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The agent's control socket; looked up in the configuration if not given
    #[arg(long, global = true)]
    socket: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the offer, the trip and the meter
    Show,
    /// Take the offer
    Accept,
    /// Decline the offer
    Reject {
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Set off for the pickup
    Depart,
    /// At the pickup
    Arrive,
    /// The rider is aboard: start the ride
    Start {
        /// The OTP the rider tells
        #[arg(long)]
        otp: Option<String>,
    },
    /// A stop on the way: distance is not billed until `resume`
    Pause,
    /// On again
    Resume,
    /// The rider is dropped: stop the ride and show what to collect
    Stop,
    /// Call the trip off, before its start
    Cancel {
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// The rider did not come
    NoShow,
    /// The rider has paid
    Collected {
        /// How much, in rupees such as 45 or 45.50; the whole fare if not given
        #[arg(long, value_parser = rupees)]
        amount: Option<i64>,
    },
    /// Call for help: the operator is told at once, with the trip under way
    Sos,
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
            Command::Trip(args) => ask(args),
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

fn ask(args: TripArgs) -> Result<(), AgentError> {
    let socket = match args.socket {
        Some(socket) => socket,
        None => socket_of(&args.config.config)?,
    };
    let response = client::ask(&socket, &args.verb.request())?;
    if args.json {
        let text = serde_json::to_string(&response)
            .map_err(|error| AgentError::Internal(error.to_string()))?;
        println!("{text}");
    } else if response.error.is_none() {
        print!("{}", show::text(&response.status));
    }
    match response.error {
        Some(message) => Err(AgentError::Refused { message }),
        None => Ok(()),
    }
}

fn socket_of(config: &Path) -> Result<PathBuf, AgentError> {
    Config::load(config).map(|config| config.socket())
}

impl Verb {
    fn request(self) -> Request {
        match self {
            Self::Show => Request::Show,
            Self::Accept => Request::Accept,
            Self::Reject { reason } => Request::Reject { reason },
            Self::Depart => Request::Depart,
            Self::Arrive => Request::Arrive,
            Self::Start { otp } => Request::Start { otp },
            Self::Pause => Request::Pause,
            Self::Resume => Request::Resume,
            Self::Stop => Request::Stop,
            Self::Cancel { reason } => Request::Cancel { reason },
            Self::NoShow => Request::NoShow,
            Self::Collected { amount } => Request::Collected { amount_paise: amount },
            Self::Sos => Request::Sos,
        }
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

/// Rupees with at most two decimals, as paise.
fn rupees(text: &str) -> Result<i64, String> {
    let (whole, paise) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(paise) || paise.len() > 2 {
        return Err("give rupees such as 45 or 45.50".into());
    }
    let whole: i64 = whole.parse().map_err(|_| "too much".to_string())?;
    let paise: i64 = format!("{paise:0<2}").parse().map_err(|_| "too much".to_string())?;
    whole.checked_mul(100).and_then(|sum| sum.checked_add(paise)).ok_or_else(|| "too much".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn rupees_are_read_as_paise() {
        for (text, paise) in [("45", 4500), ("45.5", 4550), ("0.05", 5), ("45.50", 4550)] {
            assert_eq!(rupees(text), Ok(paise));
        }
        for text in ["", ".", "-1", "1.234", "1e3", "99999999999999999999"] {
            assert!(rupees(text).is_err(), "{text:?}");
        }
    }
}
