//! `tripline-bpp erase`: takes a rider or a driver out of what is stored.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tripline_protocol::id::DriverId;

use super::ConfigPath;
use super::opened::{Opened, counted};
use crate::error::BppError;
use crate::retention::erase::{Erased, Erasing, erase_driver, erase_order, erase_rider};
use crate::service::ServiceError;
use crate::store::erase::phone_digits;
use crate::time;

#[derive(Debug, Subcommand)]
pub(super) enum EraseCommand {
    /// A rider: name, phone, OTP, addresses, places, and the trail of the rides
    Rider(RiderArgs),
    /// A driver: name, phone, PIN and papers, in the fleet and in every order; they may not drive any more
    Driver(DriverArgs),
}

#[derive(Debug, Args)]
pub(super) struct RiderArgs {
    /// The rider's phone, with or without the country's code: all rides of it
    #[arg(long, required_unless_present = "order", conflicts_with = "order")]
    phone: Option<String>,
    /// One order alone
    #[arg(long, value_name = "ID")]
    order: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(super) struct DriverArgs {
    /// The driver's id
    id: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct How {
    #[command(flatten)]
    config: ConfigPath,
    /// Do it. Without this it is only said what would be done
    #[arg(long)]
    yes: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl How {
    const fn erasing(&self) -> Erasing {
        if self.yes { Erasing::OnRequest } else { Erasing::DryRun }
    }

    fn print(&self, erased: &Erased) {
        if self.json {
            println!("{}", as_json(erased, self.yes));
        } else {
            print(erased, self.yes);
        }
    }
}

pub(super) async fn run(command: EraseCommand) -> Result<(), BppError> {
    match command {
        EraseCommand::Rider(args) => rider(args).await,
        EraseCommand::Driver(args) => driver(args).await,
    }
}

async fn rider(args: RiderArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.how.config).await?;
    let erasing = args.how.erasing();
    let erased = match (&args.phone, &args.order) {
        (Some(phone), _) => {
            if phone_digits(phone).is_none() {
                let message = format!("{phone:?} is no phone: it has no digit");
                return Err(BppError::Refused { message });
            }
            erase_rider(&opened.store, phone, erasing, time::now()).await
        }
        (None, order) => {
            let id = order.as_deref().unwrap_or_default();
            erase_order(&opened.store, id, erasing, time::now()).await
        }
    };
    finish(&opened, erased, &args.how).await
}

async fn driver(args: DriverArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.how.config).await?;
    let unknown = || BppError::Refused { message: format!("there is no driver {:?}", args.id) };
    let id: DriverId = args.id.parse().map_err(|_| unknown())?;
    let found = async { opened.store.read().await?.driver(&id).await }.await;
    let driver = found.map_err(|source| opened.failed(source))?.ok_or_else(unknown)?;
    let erased = erase_driver(&opened.store, &driver, args.how.erasing(), time::now()).await;
    finish(&opened, erased, &args.how).await
}

async fn finish(
    opened: &Opened,
    erased: Result<Erased, ServiceError>,
    how: &How,
) -> Result<(), BppError> {
    let erased = erased.map_err(|error| opened.not_done(error))?;
    opened.store.close().await;
    if erased == Erased::default() {
        let message = "nothing stored is theirs".into();
        return Err(BppError::Refused { message });
    }
    how.print(&erased);
    Ok(())
}

fn as_json(erased: &Erased, done: bool) -> Value {
    let mut told = json!({ "done": done });
    if let (Some(told), Ok(Value::Object(counts))) =
        (told.as_object_mut(), serde_json::to_value(erased))
    {
        told.extend(counts);
    }
    told
}

fn print(erased: &Erased, done: bool) {
    let verb = if done { "Erased" } else { "Would erase" };
    println!(
        "{verb} them in {} and {}: {} deleted, {} and {} emptied, {} of the trail made a gap.",
        counted(erased.orders, "order"),
        counted(erased.drivers, "driver"),
        counted(erased.callbacks, "callback"),
        counted(erased.commands, "command"),
        counted(erased.events, "event"),
        counted(erased.fixes, "fix"),
    );
    if erased.set_aside > 0 {
        println!("Emptied as well: {} of revoked devices.", counted(erased.set_aside, "message"));
    }
    if erased.submissions > 0 {
        let submissions = counted(erased.submissions, "submission");
        println!("Deleted as well: {submissions} of forms with all answers.");
    }
    if erased.under_way > 0 {
        println!(
            "{} not over, or not told to the end, to rider or vehicle: run this again when they are.",
            counted(erased.under_way, "order")
        );
    }
    if !done {
        println!("Nothing was changed: add --yes to do it. It cannot be undone.");
    }
}
