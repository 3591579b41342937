//! `tripline-bpp driver`: who drives.

use std::io::{self, IsTerminal as _, Write as _};

use clap::{Args, Subcommand};

use super::{How, or_dash, unless, when};
use crate::error::BppError;
use crate::keys::pin::PinKey;
use crate::operate::driver::{
    self, DriverChange, DriverShown, DriverView, NewDriver, NewDriverRating,
};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DriverCommand {
    /// Add a driver
    Add(AddArgs),
    /// List the drivers by id
    List(ListArgs),
    /// Show a driver: whether a PIN is set, whether they are locked, where they are signed in
    Show(NamedArgs),
    /// Change a driver's name, phone or provider
    Change(ChangeArgs),
    /// Let a driver drive no more; nothing of theirs is removed
    Deactivate(NamedArgs),
    /// Let a driver drive again
    Activate(NamedArgs),
    /// Set the PIN with which a driver signs in on a device, and unlock them
    SetPin(SetPinArgs),
    /// Let a driver try again who is locked after five wrong PINs
    Unlock(NamedArgs),
    /// Rate a driver with 1 to 5 stars
    Rate(RateArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    /// Their id, which they type to sign in and which never changes: a-z, 0-9 and '-'
    id: String,
    /// Their name, as riders see it
    #[arg(long)]
    name: String,
    /// Their phone, as riders see it
    #[arg(long)]
    phone: String,
    /// For whom they drive; for every provider if not given
    #[arg(long)]
    provider: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Of this provider only
    #[arg(long)]
    provider: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NamedArgs {
    /// The driver's id
    id: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ChangeArgs {
    /// The driver's id
    id: String,
    /// Their name
    #[arg(long)]
    name: Option<String>,
    /// Their phone
    #[arg(long)]
    phone: Option<String>,
    /// For whom they drive; "" for every provider
    #[arg(long)]
    provider: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The PIN is read from standard input, so that it is in no `ps` and no shell history:
  printf 4711 | tripline-bpp driver set-pin asha")]
pub(in crate::cli) struct SetPinArgs {
    /// The driver's id
    id: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RateArgs {
    /// The driver's id
    id: String,
    /// 1 to 5
    #[arg(long)]
    stars: u8,
    /// For which order; each is rated once
    #[arg(long)]
    order: Option<String>,
    /// In words
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    how: How,
}

pub(in crate::cli) async fn run(command: DriverCommand) -> Result<(), BppError> {
    match command {
        DriverCommand::Add(args) => add(args).await,
        DriverCommand::List(args) => {
            let provider = args.provider.as_deref();
            let list = async |tx: &mut _, page: &_| driver::list(tx, provider, page).await;
            args.how.print_all(list, as_text).await
        }
        DriverCommand::Show(args) => {
            let opened = args.how.open().await?;
            let shown = opened.look(async |tx| driver::show(tx, &args.id).await).await?;
            args.how.print(&shown, shown_as_text)
        }
        DriverCommand::Change(args) => {
            let ChangeArgs { id, name, phone, provider, how } = args;
            change(&id, DriverChange { name, phone, provider, active: None }, &how).await
        }
        DriverCommand::Deactivate(args) => activate(&args, false).await,
        DriverCommand::Activate(args) => activate(&args, true).await,
        DriverCommand::SetPin(args) => set_pin(args).await,
        DriverCommand::Unlock(args) => {
            let opened = args.how.open().await?;
            let unlocked = opened
                .change(async |tx, actor, now| driver::unlock(tx, actor, &args.id, now).await)
                .await?;
            args.how.print(&unlocked, shown_as_text)
        }
        DriverCommand::Rate(args) => rate(args).await,
    }
}

async fn add(args: AddArgs) -> Result<(), BppError> {
    let opened = args.how.open().await?;
    let AddArgs { id, name, phone, provider, how } = args;
    let new = NewDriver { id, name, phone, provider, active: true };
    let added =
        opened.change(async |tx, actor, now| driver::add(tx, actor, new.clone(), now).await);
    how.print(&added.await?, as_text)
}

async fn activate(args: &NamedArgs, active: bool) -> Result<(), BppError> {
    let asked = DriverChange { active: Some(active), ..DriverChange::default() };
    change(&args.id, asked, &args.how).await
}

async fn change(id: &str, change: DriverChange, how: &How) -> Result<(), BppError> {
    let opened = how.open().await?;
    let changed = opened
        .change(async |tx, actor, now| driver::change(tx, actor, id, change.clone(), now).await);
    how.print(&changed.await?, as_text)
}

async fn set_pin(args: SetPinArgs) -> Result<(), BppError> {
    let opened = args.how.open().await?;
    let key = PinKey::load_or_make(&opened.config.pin_key_file())?;
    let pin = read_pin()?;
    let set = opened.change(async |tx, actor, now| {
        driver::set_pin(tx, actor, &args.id, pin.trim(), &key, now).await
    });
    args.how.print(&set.await?, shown_as_text)
}

fn read_pin() -> Result<String, BppError> {
    let failed = |error: io::Error| BppError::Internal(format!("standard input: {error}"));
    if io::stdin().is_terminal() {
        eprint!("PIN, 4 to 8 digits: ");
        io::stderr().flush().map_err(failed)?;
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(failed)?;
    Ok(line)
}

async fn rate(args: RateArgs) -> Result<(), BppError> {
    let opened = args.how.open().await?;
    let RateArgs { id, stars, order, note, how } = args;
    let new = NewDriverRating { stars, order, note };
    let rated =
        opened.change(async |tx, actor, now| driver::rate(tx, actor, &id, new.clone(), now).await);
    how.print(&rated.await?, as_text)
}

fn as_text(view: &DriverView) -> String {
    let rating = match view.rating_centistars {
        Some(mean) => format!("{}.{:02} of {}", mean / 100, mean % 100, view.ratings),
        None => "not rated".into(),
    };
    let (provider, inactive) =
        (or_dash(view.provider.as_ref()), unless(view.active, "(deactivated)"));
    let line = format!(
        "{:<20} {:<24} {:<16} {provider:<16} {rating} {inactive}",
        view.id, view.name, view.phone
    );
    line.trim_end().to_owned()
}

fn shown_as_text(shown: &DriverShown) -> String {
    let pin = match (shown.pin_set, shown.locked) {
        (false, _) => "no PIN is set",
        (true, false) => "PIN set",
        (true, true) => "locked after too many wrong PINs; `driver unlock` lets them try again",
    };
    let duty = match &shown.duty {
        Some(duty) => {
            let since = when(Some(duty.since_unix_ms));
            format!("{} on {} since {since}", duty.state, duty.device)
        }
        None => "not signed in".into(),
    };
    format!("{}\nsign-in  {pin}\nduty     {duty}", as_text(&shown.driver))
}
