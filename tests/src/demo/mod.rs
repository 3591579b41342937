//! The demo: a recorded drive becomes a ride booked by a rider's app, step by step, in plain words.

mod narrator;
mod ride;
mod summary;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tripline_firmware_sim::trace::Trace;

use crate::world::{
    BPP_ID, Plan, Subscribers, World, build_binaries, committed_trace, committed_truth,
};
use narrator::Narrator;

/// Shortest trace that holds a ride, in seconds.
const SECONDS_MIN: f64 = 40.0;

/// One whole ride, visible: a recorded drive through a serial line, the agent, MQTT and the provider
/// platform to a rider's app and back.
#[derive(Debug, Parser)]
#[command(
    name = "cargo demo --",
    bin_name = "cargo demo --",
    after_help = "\
Exit codes: 0 after a complete ride (with --once) or Ctrl-C; 1 with the reason if the ride fails;
2 wrong use of the command line."
)]
pub struct Arguments {
    /// End after the ride: exit 0 if it was complete, 1 with the reason if not
    #[arg(long)]
    once: bool,
    /// Print the summary as JSON on standard output; everything else goes to standard error
    #[arg(long)]
    json: bool,
    /// The drive to play: an NMEA log or a GPX file; the recorded drive that comes with the code if
    /// not given
    #[arg(long)]
    trace: Option<PathBuf>,
    /// Where in the trace to begin, in seconds [default: 0; 10 in the drive that comes with the code]
    #[arg(long)]
    from: Option<f64>,
    /// How much of the trace to play, in seconds, at least 40
    #[arg(long, default_value_t = 120.0)]
    seconds: f64,
    /// How sentences are dated
    #[arg(long, value_enum, default_value_t = Time::Now)]
    time: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Time {
    /// Anew, to now, checksums recomputed
    Now,
    /// As recorded
    Original,
}

impl Arguments {
    fn plan(&self) -> Result<Plan> {
        if self.seconds < SECONDS_MIN {
            bail!(
                "--seconds {} is too short for a ride; give at least {SECONDS_MIN}",
                self.seconds
            );
        }
        let own = self.trace.is_none();
        Ok(Plan {
            trace: self.trace.clone().unwrap_or_else(committed_trace),
            from_s: self.from.unwrap_or(if own { 10.0 } else { 0.0 }),
            seconds: Some(self.seconds),
            redate: self.time == Time::Now,
            subscribers: Subscribers::Registry { keys: String::new() },
            ..Plan::default()
        })
    }
}

/// Plays the ride, and stays up afterwards unless told otherwise.
pub async fn run(arguments: Arguments) -> Result<()> {
    let plan = arguments.plan()?;
    // A trace that cannot be played is told before anything is built.
    Trace::load(&plan.trace).map_err(|error| anyhow::anyhow!("--trace: {error}"))?;
    let narrator = Narrator::start();
    narrator.say("demo", "building the three binaries (a few minutes the first time)");
    tokio::task::spawn_blocking(build_binaries).await??;
    let mut world = None;
    let outcome = tokio::select! {
        outcome = play(&arguments, plan, &narrator, &mut world) => outcome,
        stopped = stopped() => {
            stopped?;
            narrator.say("demo", "interrupted");
            if arguments.once { Err(anyhow::anyhow!("interrupted before the end of the ride")) }
            else { Ok(()) }
        }
    };
    if let Some(mut world) = world {
        narrator.say("demo", "stopping everything");
        world.stop().await?;
    }
    outcome
}

/// Ctrl-C, a closed terminal, or a polite kill.
async fn stopped() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

async fn play(
    arguments: &Arguments,
    plan: Plan,
    narrator: &Narrator,
    slot: &mut Option<World>,
) -> Result<()> {
    let truth = arguments.trace.is_none().then(committed_truth);
    let seconds = arguments.seconds;
    narrator
        .say("demo", "starting a registry, the platform on an empty folder, receiver and agent");
    let world = slot.insert(World::start(plan).await?);
    ensure!(world.registry().lookups_of(BPP_ID) > 0, "the platform did not look itself up");
    let registry = world.registry().url();
    narrator.say("platform", &format!("looked itself up at {registry}: found, with its address"));
    narrator
        .say("operator", &format!("added vehicle KA 01 AB 1234 with device {}", world.device()));
    let enrol_url = world.enrol_url();
    narrator.say("installer", &format!("enrolled it at {enrol_url} with the single-use code"));
    narrator.say("vehicle", "has its own key and certificate; MQTT over mutual TLS from here on");
    narrator.say("receiver", &format!("plays the drive on {}/gnss", world.folder().display()));
    let order_id = ride::play(world, narrator, seconds).await?;
    let summary = summary::make(world, &order_id, truth.as_deref()).await?;
    eprint!("{}", summary.text());
    if arguments.json {
        println!("{}", serde_json::to_string(&summary)?);
    }
    summary.check()?;
    if !arguments.once {
        stay(world).await?;
    }
    Ok(())
}

/// Prints the addresses to look at and waits for Ctrl-C, which ends `run`.
async fn stay(world: &World) -> Result<()> {
    let folder = world.folder().display();
    eprintln!("\nStill running; Ctrl-C stops all of it.");
    eprintln!("  Beckn API   {}/{{action}}  (signed requests)", world.beckn_uri());
    eprintln!("  rider's app {}", world.bap.uri());
    eprintln!("  registry    {}/lookup", world.registry().url());
    eprintln!("  metrics     {}/metrics", world.admin_url());
    eprintln!("  driver      tripline-agent trip --socket {folder}/agent/agent.sock show");
    eprintln!("  receiver    tripline-sim lever --control {folder}/sim.sock status");
    eprintln!("  logs        {folder}/bpp.log, {folder}/agent.log, {folder}/sim.log");
    std::future::pending().await
}
