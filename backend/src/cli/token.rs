//! `tripline-bpp token`: who may use the admin API.

use clap::{Args, Subcommand};

use super::ConfigPath;
use super::opened::{Opened, print_json, utc};
use crate::error::BppError;
use crate::operate::token::{self, EXPIRES_DAYS_MAX, MadeToken, NewToken, TokenView};
use crate::operate::{LIMIT_MAX, Page, Role};
use crate::time;
use tripline_protocol::unit::Timestamp;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token; its secret is printed, this once
    Add(AddArgs),
    /// List the tokens by name, revoked and expired ones too
    List(ListArgs),
    /// End a token: the next request with it is refused
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// A name of a-z, 0-9, '.', '_' and '-', for a person or a program; the audit trail has it
    #[arg(long)]
    name: String,
    /// What it may: viewer looks, dispatcher runs the day, admin changes the fleet and makes tokens
    #[arg(long)]
    role: Role,
    /// For how many days it counts; for ever if not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(EXPIRES_DAYS_MAX)))]
    expires_days: Option<u32>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// Print as JSON, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RevokeArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The token's name or id
    name: String,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: TokenCommand) -> Result<(), BppError> {
    match command {
        TokenCommand::Add(args) => add(args).await,
        TokenCommand::List(args) => list(&args).await,
        TokenCommand::Revoke(args) => revoke(&args).await,
    }
}

async fn add(args: AddArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let new = NewToken { name: args.name, role: args.role, expires_days: args.expires_days };
    let made = opened.change(async |tx, actor, now| token::add(tx, actor, &new, now).await).await;
    opened.store.close().await;
    let made = made?;
    if args.json {
        return print_json(&made);
    }
    let MadeToken { token, secret } = made;
    println!("Token {} may what a {} may, {}:", token.name, token.role, until(&token));
    println!();
    println!("  {secret}");
    println!();
    println!("It is not shown again. Send it as `Authorization: Bearer SECRET`.");
    Ok(())
}

fn until(token: &TokenView) -> String {
    let at = token.expires_at_unix_ms.map(|at| utc(Timestamp::from_unix_ms(at)));
    at.map_or_else(|| "until it is revoked".to_owned(), |at| format!("until {at}"))
}

async fn list(args: &ListArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let mut after = None;
    loop {
        let page = Page::new(Some(LIMIT_MAX), after.as_deref());
        let page = page.map_err(|error| opened.not_operated(error))?;
        let listed = opened.look(async |tx| token::list(tx, &page, time::now()).await).await?;
        for token in &listed.items {
            if args.json {
                print_json(token)?;
            } else {
                println!("{}", as_text(token));
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

fn as_text(token: &TokenView) -> String {
    let used = token.last_used_at_unix_ms.map(|at| utc(Timestamp::from_unix_ms(at)));
    let used = used.map_or_else(|| "never used".to_owned(), |at| format!("used about {at}"));
    let (role, state) = (token.role, token.state.code());
    format!("{:<24} {role:<10} {state:<8} {:<28} {used}", token.name, until(token))
}

async fn revoke(args: &RevokeArgs) -> Result<(), BppError> {
    let opened = Opened::open(&args.config).await?;
    let name = &args.name;
    let ended =
        opened.change(async |tx, actor, now| token::revoke(tx, actor, name, now).await).await;
    opened.store.close().await;
    let ended = ended?;
    if args.json {
        return print_json(&ended);
    }
    println!("Token {} counts no more.", ended.name);
    Ok(())
}
