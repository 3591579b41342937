//! The command line: what can be asked for, and the exit codes that answer.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::control::{ControlClient, SpeakError};
use crate::fleet::FleetError;
use crate::fleet::cli::{self as fleet, EXIT_FLEET, FleetArgs};
use crate::lever::lines_from_words;
use crate::pins;
use crate::receiver::{self, ReceiverError, Settings, TimeMode};

/// A lever was refused, or nobody was there to pull it.
const EXIT_REFUSED: u8 = 1;
/// The trace cannot be read or understood. (2, a wrong command line, is clap's.)
const EXIT_TRACE: u8 = 3;
/// The port or the control socket cannot be made.
const EXIT_PORT: u8 = 4;

const EXIT_CODES: &str = "\
Exit codes:
  0  ended by a signal, or all levers were moved
  1  a lever was refused, or no simulator listens at the control socket
  2  the command line is wrong
  3  the trace cannot be read or understood
  4  the pseudo-terminal or the control socket cannot be made
  5  fixes of a fleet were lost, or not committed in time
  6  a fleet could not be enrolled or connected";

const RECEIVER_EXAMPLES: &str = "\
Examples:
  Two minutes of a recorded drive, from its 13th minute on, as if they were driven now:
    tripline-sim receiver --pty /tmp/gnss --trace drive.nmea --from 780 --seconds 120

  A GPX track over and over at 9600 baud, with levers:
    tripline-sim receiver --pty /tmp/gnss --trace tour.gpx --baud 9600 --loop --control /tmp/gnss.sock
    tripline-sim lever --control /tmp/gnss.sock fix off

  Then let the agent open /tmp/gnss as its serial port, at the same baud rate.

What is played:
  NMEA log  Lines as recorded, each ended by CR LF. Blank lines and lines that begin with # are skipped.
            Damaged lines are sent as they are. What stands before the first time is left out. A gap in
            the recording is a gap on the line.
  GPX       Track points with times, joined by straight lines, as one GGA and one RMC each second. A new
            segment (trkseg) is a gap.

What the line does:
  Bytes come at the pace of the baud rate. If the port is set to another rate, the reader gets garbage. If
  an epoch holds more than the line can carry before the next one, its last sentences are dropped. If nobody
  reads, bytes are dropped. SIGINT, SIGTERM and SIGHUP end the receiver and remove the link.

With --json, standard output has one object a line:
  {\"event\":\"ready\",\"pty\":\"/tmp/gnss\",\"device\":\"/dev/pts/5\",\"trace_start_unix_ms\":1581042437000,\"shift_ms\":184000000000,\"epochs\":120}
  {\"event\":\"end\"}
  trace_start_unix_ms is the trace's own time of the first epoch played; shift_ms is what is added to it.

Exit codes:
  0  ended by a signal
  2  the command line is wrong
  3  the trace cannot be read or understood
  4  the pseudo-terminal or the control socket cannot be made";

const PINS_EXAMPLES: &str = "\
Examples:
  tripline-sim pins --socket /tmp/pins.sock --control /tmp/hands.sock
  tripline-sim lever --control /tmp/hands.sock press accept
  tripline-sim lever --control /tmp/hands.sock press stop 2000 ignition off status

  Then let the agent's configuration say [panel] chip = \"unix:/tmp/pins.sock\" and name the lines:
    1  accept       a button, low when pressed      5  ignition     high when on
    2  start_pause  a button, low when pressed      6  status LED   lights when high
    3  stop         a button, low when pressed      7  trouble LED  lights when high
    4  sos          a button, low when pressed

The lines' socket takes one object of JSON a line, {\"do\":\"get\",\"line\":1} or
{\"do\":\"set\",\"line\":6,\"high\":true}, and answers {\"high\":true} or {\"error\":\"...\"}.

With --json, standard output has {\"event\":\"pins_ready\",\"socket\":\"...\"} once both sockets are there.

Exit codes:
  0  ended by a signal
  2  the command line is wrong
  4  a socket cannot be made";

const LEVER_HELP: &str = "\
Levers of a receiver:
  fix off|on       off: as in a tunnel; status V, quality 0, no position (from the next epoch on)
  antenna off|on   off: its plug is out; no position, and no satellite in view
  corrupt PERCENT  so many percent of the sentences get one byte flipped; 0 is off (from the next epoch on)
  garbage on|off   random bytes in place of everything
  silence on|off   nothing is sent
  unplug           the port vanishes, and readers see the end of the file
  plug             a new port appears at the same path
  status           one line of JSON: where the drive is, what was sent, how the levers stand

Levers of pins:
  press BUTTON [MS]   a button is pressed for so long, 200 ms if not said; answered when it is let go
  bounce BUTTON [MS]  the same with worn contacts, which chatter
  hold BUTTON         a button is pressed
  release BUTTON      and let go
  ignition on|off
  status              one line of JSON: what is pressed, which LEDs light, how often they flashed

The drive goes on while the receiver is silent or unplugged: the vehicle moves all the same.

Examples:
  tripline-sim lever --control /tmp/gnss.sock fix off
  tripline-sim lever --control /tmp/gnss.sock unplug
  tripline-sim lever --control /tmp/gnss.sock plug corrupt 5 status

Each lever's answer is one line: ok, error: ..., or the JSON of status. The socket itself speaks the same:
one lever a line.

Exit codes:
  0  all levers were moved
  1  a lever was refused, or no simulator listens at the socket
  2  the command line is wrong";

/// A GNSS receiver in software, on a pseudo-terminal that a vehicle agent opens as its serial port.
#[derive(Debug, Parser)]
#[command(name = "tripline-sim", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a recorded drive on a pseudo-terminal, at the pace it was driven.
    #[command(after_help = RECEIVER_EXAMPLES)]
    Receiver(ReceiverArgs),
    /// Be the GPIO chip of a driver's panel: four buttons, the ignition, two LEDs.
    #[command(after_help = PINS_EXAMPLES)]
    Pins(PinsArgs),
    /// Move levers of a running receiver or of pins: take a fix, pull a plug, press a button.
    #[command(after_help = LEVER_HELP)]
    Lever(LeverArgs),
    /// Drive a fleet of real agent cores over real connections: the load generator.
    #[command(after_help = fleet::HELP)]
    Fleet(FleetArgs),
}

#[derive(Debug, clap::Args)]
struct ReceiverArgs {
    /// Where to make the port: a symbolic link to the pseudo-terminal. A symbolic link that is there is
    /// replaced; anything else is refused.
    #[arg(long, value_name = "PATH")]
    pty: PathBuf,

    /// What to play: an NMEA log, or a GPX track with times (told apart by content).
    #[arg(long, value_name = "FILE")]
    trace: PathBuf,

    /// Where to begin, in whole seconds since the first epoch of the trace.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    from: u32,

    /// How much to play, in whole seconds of the trace [default: to its end].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: Option<u32>,

    /// Which time the sentences carry. now: the first epoch is sent at the next whole second of UTC and
    /// says so; all times, dates and checksums follow. original: every sentence as it was recorded.
    #[arg(long, value_enum, default_value_t = TimeMode::Now, hide_possible_values = true, value_name = "now|original")]
    time: TimeMode,

    /// The receiver's rate in baud, 8N1 (ten bits a byte), 300 to 4000000.
    #[arg(long, default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(300..=4_000_000))]
    baud: u32,

    /// Be a u-blox receiver of this protocol version, 14 to 40: take UBX commands, and send NAV-PVT and
    /// NAV-DOP once they are switched on. 18 is generation 8, 32 generation 9, 34 generation 10.
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u8).range(14..=40))]
    ubx: Option<u8>,

    /// Start over at the end, re-dated onwards. Without it the port stays open and silent after the end.
    #[arg(long = "loop")]
    looped: bool,

    /// A Unix socket to make, at which `tripline-sim lever` moves levers while the drive goes on.
    #[arg(long, value_name = "SOCKET")]
    control: Option<PathBuf>,

    /// Report events as JSON on standard output, one object a line, beside the sentences on standard error.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct PinsArgs {
    /// A Unix socket to make, at which an agent reads and sets lines.
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,

    /// A Unix socket to make, at which `tripline-sim lever` presses buttons.
    #[arg(long, value_name = "SOCKET")]
    control: PathBuf,

    /// Report events as JSON on standard output, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct LeverArgs {
    /// The socket that the receiver or the pins were given as --control.
    #[arg(long, value_name = "SOCKET")]
    control: PathBuf,

    /// The levers to move, in order; quotes are not needed.
    #[arg(required = true, value_name = "LEVER")]
    levers: Vec<String>,
}

/// The whole program.
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Receiver(args) => receive(args),
        Command::Pins(args) => be_pins(args),
        Command::Lever(args) => pull(&args.control, &args.levers),
        Command::Fleet(args) => drive(args),
    };
    outcome.unwrap_or_else(|failure| {
        let _ = writeln!(io::stderr(), "tripline-sim: {}", failure.sentence);
        ExitCode::from(failure.exit_code)
    })
}

/// What a person and a script are told.
struct Failure {
    sentence: String,
    exit_code: u8,
}

impl From<ReceiverError> for Failure {
    fn from(error: ReceiverError) -> Self {
        let exit_code = match error {
            ReceiverError::Trace(_) => EXIT_TRACE,
            ReceiverError::Line(_) | ReceiverError::Control(_) | ReceiverError::Runtime(_) => {
                EXIT_PORT
            }
        };
        Self { sentence: error.to_string(), exit_code }
    }
}

impl From<SpeakError> for Failure {
    fn from(error: SpeakError) -> Self {
        Self { sentence: error.to_string(), exit_code: EXIT_REFUSED }
    }
}

fn receive(args: ReceiverArgs) -> Result<ExitCode, Failure> {
    let settings = Settings {
        pty: args.pty,
        trace: args.trace,
        from_s: args.from,
        seconds: args.seconds,
        time: args.time,
        baud: args.baud,
        ubx: args.ubx,
        looped: args.looped,
        control: args.control,
        json: args.json,
    };
    runtime()?.block_on(receiver::run(settings))?;
    Ok(ExitCode::SUCCESS)
}

fn be_pins(PinsArgs { socket, control, json }: PinsArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(pins::run(pins::Settings { socket, control, json }))?;
    Ok(ExitCode::SUCCESS)
}

impl From<FleetError> for Failure {
    fn from(error: FleetError) -> Self {
        Self { sentence: error.to_string(), exit_code: EXIT_FLEET }
    }
}

fn drive(args: FleetArgs) -> Result<ExitCode, Failure> {
    Ok(runtime()?.block_on(fleet::run(args))?)
}

fn runtime() -> Result<tokio::runtime::Runtime, ReceiverError> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn pull(control: &Path, words: &[String]) -> Result<ExitCode, Failure> {
    let mut client = ControlClient::connect(control)?;
    let mut refused = false;
    for line in lines_from_words(words.iter().map(String::as_str)) {
        let answer = client.pull(&line)?;
        refused |= answer.starts_with("error");
        let _ = writeln!(io::stdout(), "{answer}");
    }
    Ok(if refused { ExitCode::from(EXIT_REFUSED) } else { ExitCode::SUCCESS })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
