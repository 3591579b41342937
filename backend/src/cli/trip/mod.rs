//! `tripline-bpp trip`: trips, and what dispatchers do on a driver's behalf.

mod args;
mod explain;
mod printed;
mod receipt;
mod report;

use clap::Subcommand;
use tripline_protocol::link::down::DriveVerb;

pub(super) use self::printed::case_line;

use self::args::{ActArgs, DriveArgs, ListArgs, ShowArgs};
use super::opened::{Opened, print_json};
use super::order::Answered;
use crate::error::BppError;
use crate::operate::{LIMIT_MAX, Page, form, trip};
use crate::service::Platform;
use crate::time;

#[derive(Debug, Subcommand)]
pub(super) enum TripCommand {
    /// List trips, newest order first: those under way, if not told otherwise
    List(ListArgs),
    /// Show a trip with its record: what happened, who did it, what became of it
    Show(ShowArgs),
    /// Start a trip on its driver's behalf; you answer for the OTP. A start that the platform did not let
    /// pass is let pass
    Start(DriveArgs),
    /// Pause a trip on its driver's behalf
    Pause(DriveArgs),
    /// Resume a trip on its driver's behalf
    Resume(DriveArgs),
    /// Stop a trip on its driver's behalf
    Stop(DriveArgs),
    /// Call a ride off before it began, at no cost for the rider
    Cancel(ActArgs),
    /// Close a trip without its device: the rider pays as far as it was heard, and the vehicle is free
    Close(ActArgs),
    /// Let OTPs be tried on the device again after too many wrong ones
    UnlockOtp(DriveArgs),
    /// Say why a ride's fare was charged: each line, where its figures come from, and whether it comes out the
    /// same when it is computed once more from the events. Exit code 9 if not
    Explain(explain::ExplainArgs),
    /// Print a ride's receipt, or write it as PDF
    Receipt(receipt::ReceiptArgs),
}

pub(super) async fn run(command: TripCommand) -> Result<(), BppError> {
    match command {
        TripCommand::List(args) => list(&args).await,
        TripCommand::Show(args) => show(&args).await,
        TripCommand::Start(args) => Box::pin(drive(&args, DriveVerb::Start)).await,
        TripCommand::Pause(args) => Box::pin(drive(&args, DriveVerb::Pause)).await,
        TripCommand::Resume(args) => Box::pin(drive(&args, DriveVerb::Resume)).await,
        TripCommand::Stop(args) => Box::pin(drive(&args, DriveVerb::Stop)).await,
        TripCommand::Cancel(args) => Box::pin(act(&args, Act::Cancel)).await,
        TripCommand::Close(args) => Box::pin(act(&args, Act::Close)).await,
        TripCommand::UnlockOtp(args) => Box::pin(unlock(&args)).await,
        TripCommand::Explain(args) => explain::run(args).await,
        TripCommand::Receipt(args) => receipt::run(args).await,
    }
}

async fn list(args: &ListArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let (platform, filter) = (opened.platform()?, args.filter());
    let mut after = None;
    loop {
        let page = Page::new(Some(LIMIT_MAX), after.as_deref());
        let page = page.map_err(|error| opened.not_operated(error))?;
        let now = time::now();
        let listed =
            opened.look(async |tx| trip::list(&platform, tx, &filter, &page, now).await).await?;
        for view in listed.items.iter().filter(|view| !args.silent || view.silent) {
            if args.json {
                print_json(view)?;
            } else {
                println!("{}", printed::line(view));
            }
        }
        after = listed.next;
        if after.is_none() {
            break;
        }
    }
    opened.store.close().await;
    Ok(())
}

async fn show(args: &ShowArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let platform = opened.platform()?;
    let now = time::now();
    let shown = opened.look(async |tx| {
        let view = trip::show(&platform, tx, &args.trip, now).await?;
        let form = form::of_order(tx, &view.trip.order).await?;
        Ok(Answered { view, form })
    });
    let shown = shown.await;
    opened.store.close().await;
    let shown = shown?;
    if args.json {
        return print_json(&shown);
    }
    printed::detail(&shown.view);
    shown.print_form();
    Ok(())
}

async fn drive(args: &DriveArgs, verb: DriveVerb) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let platform = opened.platform()?;
    let asked = opened.change(async |tx, actor, now| {
        trip::drive(&platform, tx, actor, (&args.trip, verb), &args.reason, now).await
    });
    let done = asked.await?;
    reported(&opened, &platform, args, done).await
}

async fn unlock(args: &DriveArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let platform = opened.platform()?;
    let asked = opened.change(async |tx, actor, now| {
        trip::unlock_otp(&platform, tx, actor, &args.trip, &args.reason, now).await
    });
    let done = asked.await?;
    reported(&opened, &platform, args, done).await
}

/// Waits for the device's report, where one is needed, and prints the trip as it stands then.
async fn reported(
    opened: &Opened,
    platform: &Platform,
    args: &DriveArgs,
    done: trip::Done,
) -> Result<(), BppError> {
    let waited = match &done.pending {
        Some(pending) => report::wait(opened, pending, args.wait_s).await,
        None => Ok(()),
    };
    let now = time::now();
    let id = &done.trip.id;
    let detail = opened.look(async |tx| trip::show(platform, tx, id, now).await).await;
    opened.store.close().await;
    waited?;
    let view = detail?.trip;
    if args.json {
        return print_json(&view);
    }
    println!("{}", printed::line(&view));
    Ok(())
}

/// What acts at once.
#[derive(Debug, Clone, Copy)]
enum Act {
    Cancel,
    Close,
}

async fn act(args: &ActArgs, act: Act) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let platform = opened.platform()?;
    let (id, reason) = (&args.trip, &args.reason);
    let done = opened.change(async |tx, actor, now| match act {
        Act::Cancel => trip::cancel(&platform, tx, actor, id, reason, now).await,
        Act::Close => trip::close(&platform, tx, actor, id, reason, now).await,
    });
    let done = done.await;
    opened.store.close().await;
    let view = done?.trip;
    if args.json {
        return print_json(&view);
    }
    println!("{}", printed::line(&view));
    Ok(())
}
