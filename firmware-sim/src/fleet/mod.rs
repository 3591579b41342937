//! A fleet in one process: real agent cores on real connections, without serial lines.
//!
//! The modules stand in the order data flows. [`town`] drives, [`vehicle`] feeds the drive to an agent
//! core and keeps what it wants sent in a [`journal`], [`session`] carries it over [`packets`] through a
//! [`door`]. Before that [`codes`], [`enrolment`] and the [`roster`] make identities; beside it [`tally`]
//! and [`histogram`] count, and [`summary`] says what it came to. `town`, `journal` and `vehicle` do no
//! I/O and read no clock.

pub mod town;

pub mod journal;
pub mod vehicle;

pub mod door;
pub mod pacing;
pub mod packets;
pub mod session;

pub mod codes;
pub mod enrolment;
pub mod roster;
pub mod target;

pub mod histogram;
pub mod tally;

pub mod process;
pub mod progress;
pub mod summary;

pub mod cli;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tripline_agent_link::Clock;
use tripline_protocol::id::JournalEpoch;
use tripline_protocol::unit::Uptime;

use codes::CodeSource;
use pacing::{Ramp, Watch};
use process::{allow_connections, cpu_ms};
use progress::say;
use roster::Roster;
use session::{AGENT_VERSION, Common, Plan, Proof, Session, State};
use summary::{DriveEnd, Load, Stage, Stages, Summary};
use tally::Tally;
use target::{Broker, Member, Sources, of_broker, of_platform};
use vehicle::{Pace, Shift, Vehicle};

use crate::chance::Chance;

/// Longest wait for every vehicle to be connected, in ms, beyond what the ramp takes.
const GATHER_MS_MAX: u64 = 120_000;

/// Longest wait for every vehicle to say goodbye.
const LEAVE_MAX: Duration = Duration::from_secs(15);

/// How often the counts are looked at while the fleet waits for one.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What a fleet is to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it goes.
    pub target: Target,
    /// How many, how long, how often.
    pub load: Load,
    /// Source addresses of its connections; the system chooses if there are none.
    pub from: Option<Sources>,
    /// Longest wait at the end for everything to be committed, in s.
    pub drain_s: u32,
}

/// Where a fleet goes.
#[derive(Debug, Clone)]
pub enum Target {
    /// A platform, where it enrols first.
    Platform {
        /// Where codes come from; none if all identities are there already.
        codes: Option<CodeSource>,
        /// The folder of its identities.
        state: PathBuf,
    },
    /// A broker.
    Broker(Broker),
}

/// Why a fleet did not drive.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The system allows fewer connections.
    #[error(
        "this process may hold {max} connections at most; raise the hard limit of open files (ulimit -Hn)"
    )]
    Descriptors {
        /// How many.
        max: u64,
    },
    /// The roster.
    #[error(transparent)]
    Roster(#[from] roster::RosterError),
    /// Enrolment.
    #[error(transparent)]
    Enrolment(#[from] enrolment::EnrolmentError),
    /// Some have no identity, and there is nowhere to get one.
    #[error(
        "{missing} vehicles have no identity in {}; say with --bpp-config or --codes where to enrol them",
        state.display()
    )]
    NotEnrolled {
        /// How many.
        missing: usize,
        /// Where identities were looked for.
        state: PathBuf,
    },
    /// Where it goes.
    #[error(transparent)]
    Target(#[from] target::TargetError),
    /// Some did not get a connection.
    #[error("{reached} of {vehicles} vehicles were connected in time; the last error: {words}")]
    NotConnected {
        /// How many did.
        reached: u64,
        /// How many there are.
        vehicles: u64,
        /// The words of the last failure.
        words: String,
    },
    /// No random numbers, no signals.
    #[error("the system gives no {what}: {reason}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A signal ended it before it drove.
    #[error("ended by a signal before the fleet was connected")]
    Interrupted,
}

/// Enrols, connects, drives, drains and leaves. A signal (SIGINT, SIGTERM) ends the drive early.
pub async fn run(settings: Settings) -> Result<Summary, FleetError> {
    let Settings { target, load, from, drain_s } = settings;
    allow_connections(load.vehicles).map_err(|max| FleetError::Descriptors { max })?;
    let proof = match &target {
        Target::Platform { .. } => Proof::CommitAck,
        Target::Broker(_) => Proof::PubAck,
    };
    let (watch, ramp) = (Watch::start(), Ramp::new(load.connects_per_s));
    let common = Arc::new(Common { tally: Tally::default(), watch, ramp, proof });
    let progress = tokio::spawn(progress::tell(Arc::clone(&common), load.vehicles));
    let outcome = Fleet { common, load, stages: Stages::default() };
    let outcome = outcome.run(&target, from, drain_s, Signals::listen()?).await;
    progress.abort();
    outcome
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, FleetError> {
        let failed = |error: std::io::Error| FleetError::System {
            what: "signals",
            reason: error.to_string(),
        };
        let listen = |kind| signal(kind).map_err(failed);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A run, stage by stage.
struct Fleet {
    common: Arc<Common>,
    load: Load,
    stages: Stages,
}

impl Fleet {
    async fn run(
        mut self,
        target: &Target,
        from: Option<Sources>,
        drain_s: u32,
        mut signals: Signals,
    ) -> Result<Summary, FleetError> {
        let lap = Lap::begin(&self.common.watch);
        let members = tokio::select! {
            members = self.enrol(target, from) => members?,
            () = signals.any() => return Err(FleetError::Interrupted),
        };
        self.stages.enrol = lap.end(&self.common.watch);

        let (plan, plans) = watch::channel(Plan::default());
        let mut tasks = JoinSet::new();
        let lap = Lap::begin(&self.common.watch);
        for (number, member) in members.into_iter().enumerate() {
            tasks.spawn(self.session(number, member)?.run(plans.clone()));
        }
        tokio::select! {
            gathered = self.gather() => gathered?,
            () = signals.any() => return Err(FleetError::Interrupted),
        }
        self.stages.connect = lap.end(&self.common.watch);
        let Load { vehicles, seconds, .. } = self.load;
        say(&format!("all {vehicles} vehicles are connected; {seconds} s begin"));

        self.stages.drive = self.drive(&plan, &mut signals).await;
        let end = DriveEnd::now(&self.common.tally);

        let lap = Lap::begin(&self.common.watch);
        self.drain(drain_s, &mut signals).await;
        self.stages.drain = lap.end(&self.common.watch);

        plan.send_modify(|plan| plan.leaves = true);
        let everybody = async { while tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LEAVE_MAX, everybody).await;
        Ok(Summary::of(&self.common.tally, self.load, self.stages, end))
    }

    fn vehicles(&self) -> usize {
        usize::try_from(self.load.vehicles).unwrap_or(usize::MAX)
    }

    async fn enrol(
        &self,
        target: &Target,
        from: Option<Sources>,
    ) -> Result<Vec<Member>, FleetError> {
        let (codes, state) = match target {
            Target::Broker(broker) => return Ok(of_broker(broker, self.vehicles(), from).await?),
            Target::Platform { codes, state } => (codes, state),
        };
        let mut roster = Roster::open(state)?;
        let missing = self.vehicles().saturating_sub(roster.enlisted().len());
        if missing > 0 {
            let state = state.clone();
            let nowhere = || FleetError::NotEnrolled { missing, state };
            let codes = codes.as_ref().ok_or_else(nowhere)?;
            enrolment::enrol(codes, &mut roster, self.vehicles(), &self.common).await?;
        }
        say(&format!("the fleet's identities are in {}", state.display()));
        let clock = Clock::new(self.common.watch.began());
        let enlisted = roster.enlisted().get(..self.vehicles()).unwrap_or(roster.enlisted());
        Ok(of_platform(enlisted, from, &clock).await?)
    }

    /// The vehicle with this number, on its own seed, a little later than the one before it.
    fn session(&self, number: usize, member: Member) -> Result<Session, FleetError> {
        let failed = |error: getrandom::Error| FleetError::System {
            what: "random numbers",
            reason: error.to_string(),
        };
        // Never seeded: an epoch that was used before would make its records replays.
        let epoch = getrandom::u64().map(JournalEpoch).map_err(failed)?;
        let number = number as u64;
        let seeds = [self.load.seed.to_le_bytes(), number.to_le_bytes()].concat();
        let mut chance = Chance::from_bytes(&seeds);
        let Load { batch_s, live_ms, .. } = self.load;
        let pace = Pace { batch_s, live_ms: (live_ms > 0).then_some(live_ms) };
        let (began, now) = (self.common.watch.began(), self.common.watch.now());
        let vehicle = Vehicle::new(chance.number(), pace, epoch, began, AGENT_VERSION, now);
        let batch_ms = u64::from(batch_s) * 1_000;
        Ok(Session {
            common: Arc::clone(&self.common),
            device: member.device,
            command_keys: member.command_keys,
            door: member.door,
            vehicle,
            chance,
            offset_ms: number * batch_ms / self.load.vehicles.max(1),
            state: State::default(),
        })
    }

    /// Waits until every vehicle has been connected.
    async fn gather(&self) -> Result<(), FleetError> {
        let Load { vehicles, connects_per_s, .. } = self.load;
        let ramp_ms = vehicles * 1_000 / u64::from(connects_per_s.max(1));
        let reached = || self.common.tally.reached.get();
        let all = self.until(ramp_ms + GATHER_MS_MAX, || reached() >= vehicles).await;
        if all {
            return Ok(());
        }
        let words = self.common.tally.last_failure().unwrap_or_else(|| "none".into());
        Err(FleetError::NotConnected { reached: reached(), vehicles, words })
    }

    /// Drives, or holds, for as long as asked, or until a signal. What it gives begins with the first
    /// batch of the first vehicle, and ends with the last of the last.
    async fn drive(&self, plan: &watch::Sender<Plan>, signals: &mut Signals) -> Stage {
        let watch = &self.common.watch;
        let ms = |s: u32| u64::from(s) * 1_000;
        let from = watch.now();
        let until = from.plus_ms(if self.load.idle { 0 } else { ms(self.load.seconds) });
        plan.send_modify(|plan| plan.shift = Some(Shift { from, until }));
        let first = from.plus_ms(if self.load.idle { 0 } else { ms(self.load.batch_s) });
        let drive = async {
            tokio::time::sleep_until(watch.instant(first)).await;
            let lap = Lap::begin(watch);
            let last = first.plus_ms(ms(self.load.seconds));
            tokio::time::sleep_until(watch.instant(last)).await;
            lap.end(watch)
        };
        let whole = Lap::begin(watch);
        tokio::select! {
            stage = drive => stage,
            () = signals.any() => {
                say("ended by a signal; waiting for what is not committed yet");
                let until = watch.now().min(until);
                plan.send_modify(|plan| plan.shift = Some(Shift { from, until }));
                whole.end(watch)
            }
        }
    }

    /// Waits until everything is committed, or long enough, or for another signal.
    async fn drain(&self, drain_s: u32, signals: &mut Signals) {
        let drained = || self.common.tally.drained.get() >= self.load.vehicles;
        // A drive that a signal ended ends for the last vehicle a batch later.
        let longest_ms = u64::from(drain_s + self.load.batch_s) * 1_000;
        tokio::select! {
            _ = self.until(longest_ms, drained) => {}
            () = signals.any() => {}
        }
    }

    /// Waits for a condition; whether it came true in time.
    async fn until(&self, longest_ms: u64, condition: impl Fn() -> bool) -> bool {
        let late: Uptime = self.common.watch.now().plus_ms(longest_ms);
        while !condition() {
            if self.common.watch.now() >= late {
                return false;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        true
    }
}

/// The beginning of a stage.
struct Lap {
    at: Uptime,
    cpu_ms: u64,
}

impl Lap {
    fn begin(watch: &Watch) -> Self {
        Self { at: watch.now(), cpu_ms: cpu_ms() }
    }

    fn end(&self, watch: &Watch) -> Stage {
        Stage { wall_ms: watch.now().since_ms(self.at), cpu_ms: cpu_ms() - self.cpu_ms }
    }
}
