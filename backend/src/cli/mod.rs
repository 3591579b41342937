//! The command line.

mod newest;
mod opened;
mod reader;

mod audit;
mod ca;
mod callback;
mod dispatch;
mod doctor;
mod erase;
mod fleet;
mod gateway;
mod init;
mod key;
mod lock;
mod openapi;
mod order;
mod serve;
mod store;
mod subscriber;
mod token;
mod trip;
mod vehicle;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use self::lock::Lock;
use crate::config::Config;
use crate::error::BppError;
use crate::network::directory::{Counts, Directory};
use crate::store::Store;
use crate::time;

/// The provider platform: puts a fleet on a Beckn network.
#[derive(Debug, Parser)]
#[command(
    name = "tripline-bpp",
    version,
    after_help = "\
Exit codes:
  0  done                                5  the registry or a gateway cannot be asked
  1  something that should not happen    6  the store cannot be used
  2  wrong use of the command line       7  an address to listen on is taken
  3  the configuration is not usable     8  the registry has another address for us
  4  a file of ours cannot be used       9  refused, with the reason
 10  asked for, and the device, or the gateway, has not reported in time
 11  doctor found something wrong, and says what

A first run:
  tripline-bpp init --dir fleet
  tripline-bpp serve --config fleet/bpp.toml        and, while it runs:
  tripline-bpp vehicle add --config fleet/bpp.toml --registration KA01AB1234 --driver-name Asha \\
      --driver-phone +91-9800000000
`vehicle add` prints what to type on the vehicle's device within 10 minutes."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a folder with a configuration, keys, a device CA, an empty store and no subscribers
    Init(init::InitArgs),
    /// Run the platform until SIGTERM or Ctrl-C
    Serve(serve::ServeArgs),
    /// The fleet's vehicles and their devices: add, enrol, look at, revoke
    #[command(subcommand)]
    Vehicle(vehicle::VehicleCommand),
    /// Take in a whole fleet from TOML and CSV files, all or none
    Import(fleet::import::ImportArgs),
    /// Who offers rides: the operator itself, or its agencies
    #[command(subcommand)]
    Provider(fleet::provider::ProviderCommand),
    /// Who drives: add, change, PIN, ratings
    #[command(subcommand)]
    Driver(fleet::driver::DriverCommand),
    /// Papers of drivers and vehicles, and when they expire
    #[command(subcommand)]
    Document(fleet::document::DocumentCommand),
    /// Who is signed in on which vehicle
    #[command(subcommand)]
    Duty(fleet::duty::DutyCommand),
    /// Drivers' time, and the cash that they have in hand
    #[command(subcommand)]
    Shift(fleet::shift::ShiftCommand),
    /// What rides cost: versions that never change
    #[command(subcommand)]
    Tariff(fleet::tariff::TariffCommand),
    /// What riders can book
    #[command(subcommand)]
    Item(fleet::item::ItemCommand),
    /// What riders fill in before they book, and what they answered
    #[command(subcommand)]
    Form(fleet::form::FormCommand),
    /// What comes off the fare of riders who take it up
    #[command(subcommand)]
    Promotion(fleet::promotion::PromotionCommand),
    /// Where rides are served, and where another tariff applies
    #[command(subcommand)]
    Area(fleet::area::AreaCommand),
    /// Trips: look at them, explain their fares, print receipts, and start, pause, resume, stop, cancel or close
    /// them on a driver's behalf
    #[command(subcommand)]
    Trip(trip::TripCommand),
    /// What was booked: list, show, cancel, and whom it was offered to
    #[command(subcommand)]
    Order(order::OrderCommand),
    /// Contradictions that somebody has to look at: list, resolve
    #[command(subcommand)]
    Case(order::CaseCommand),
    /// Who is on the network, as the registry or the file of subscribers has it
    #[command(subcommand)]
    Subscriber(subscriber::SubscriberCommand),
    /// The device CA, which signs the certificates of devices
    #[command(subcommand)]
    Ca(ca::CaCommand),
    /// Our keys on the network: show, register, rotate
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Gateways: sign up, hand in papers, and how far they are with it
    #[command(subcommand)]
    Gateway(gateway::GatewayCommand),
    /// What subscribers are told: what waits, what was given up; look at it, try it once more
    #[command(subcommand)]
    Callback(callback::CallbackCommand),
    /// Tokens for the admin API: make, list, revoke
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Look at everything the platform needs, and at who knows it, and say what is wrong
    Doctor(doctor::DoctorArgs),
    /// Print the OpenAPI document of the admin API
    Openapi,
    /// The store as a whole: how large and how sound it is; copy it from SQLite into PostgreSQL
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Take a rider or a driver out of what is stored; amounts, dates and ids stay
    #[command(subcommand)]
    Erase(erase::EraseCommand),
    /// What was written down: enrolments, revocations, who was turned away and why; newest last
    Audit(audit::AuditArgs),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigPath {
    /// The configuration file
    #[arg(long, env = "TRIPLINE_CONFIG", default_value = "/etc/tripline/bpp.toml")]
    config: PathBuf,
}

impl Cli {
    /// Does what the command line asks.
    pub fn execute(self) -> Result<(), BppError> {
        // One crypto provider for everything in this process, before anything needs one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // The platform goes on whoever reads what it prints.
        if !matches!(self.command, Command::Serve(_)) {
            reader::end_without_a_reader();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| BppError::Internal(error.to_string()))?;
        match self.command {
            Command::Init(args) => runtime.block_on(init::run(&args)),
            Command::Serve(args) => runtime.block_on(serve::run(&args)),
            Command::Vehicle(command) => runtime.block_on(vehicle::run(command)),
            Command::Import(args) => runtime.block_on(fleet::import::run(args)),
            Command::Provider(command) => runtime.block_on(fleet::provider::run(command)),
            Command::Driver(command) => runtime.block_on(fleet::driver::run(command)),
            Command::Document(command) => runtime.block_on(fleet::document::run(command)),
            Command::Duty(command) => runtime.block_on(fleet::duty::run(command)),
            Command::Shift(command) => runtime.block_on(fleet::shift::run(command)),
            Command::Tariff(command) => runtime.block_on(fleet::tariff::run(command)),
            Command::Item(command) => runtime.block_on(fleet::item::run(command)),
            Command::Form(command) => runtime.block_on(fleet::form::run(command)),
            Command::Promotion(command) => runtime.block_on(fleet::promotion::run(command)),
            Command::Area(command) => runtime.block_on(fleet::area::run(command)),
            Command::Trip(command) => runtime.block_on(trip::run(command)),
            Command::Order(command) => runtime.block_on(order::run(command)),
            Command::Case(command) => runtime.block_on(order::run_case(command)),
            Command::Subscriber(command) => runtime.block_on(subscriber::run(command)),
            Command::Ca(command) => runtime.block_on(ca::run(command)),
            Command::Key(command) => runtime.block_on(key::run(command)),
            Command::Gateway(command) => runtime.block_on(gateway::run(command)),
            Command::Callback(command) => runtime.block_on(callback::run(command)),
            Command::Token(command) => runtime.block_on(token::run(command)),
            Command::Doctor(args) => runtime.block_on(doctor::run(&args)),
            Command::Openapi => openapi::run(),
            Command::Store(command) => runtime.block_on(store::run(command)),
            Command::Erase(command) => runtime.block_on(erase::run(command)),
            Command::Audit(args) => runtime.block_on(audit::run(args)),
        }
    }
}

fn start_log(filter: &str) -> Result<(), BppError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| BppError::Config { reason: format!("--log {filter}: {error}") })?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // A log that cannot be written (a full disk) would otherwise be reported on standard error,
        // which is that log, with a panic.
        .log_internal_errors(false)
        .init();
    Ok(())
}

/// The store as it is: a platform of another version may serve from it.
async fn open_store(config: &Config) -> Result<Store, BppError> {
    let url = config.store_url();
    let shown = without_password(&url);
    Store::open_as_is(&url).await.map_err(|source| BppError::Store { url: shown, source })
}

/// The store with its schema brought up to date, which nobody else serves from while `_lock` is held.
async fn migrate_store(config: &Config, _lock: &Lock) -> Result<Store, BppError> {
    let url = config.store_url();
    let shown = without_password(&url);
    Store::open(&url).await.map_err(|source| BppError::Store { url: shown, source })
}

/// Who is on the network, with what the registry said before.
async fn open_directory(
    config: &Config,
    store: &Store,
    counts: Counts,
) -> Result<Directory, BppError> {
    let directory = Directory::open(config, store.clone(), counts)?;
    let shown = without_password(&config.store_url());
    let loaded = directory.load(time::now()).await;
    loaded.map_err(|source| BppError::Store { url: shown, source })?;
    Ok(directory)
}

/// A store's URL as it may be shown.
fn without_password(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            let _ = parsed.set_password(Some("..."));
            parsed.to_string()
        }
        Ok(_) | Err(_) => url.to_owned(),
    }
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
    fn a_password_is_not_shown() {
        let shown = without_password("postgres://tripline:secret@db/tripline");
        assert_eq!(shown, "postgres://tripline:...@db/tripline");
        assert_eq!(without_password("sqlite:/a/b.db"), "sqlite:/a/b.db");
    }
}
