//! `tripline-bpp form`: what riders fill in before they book, and what they answered.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;

use super::{How, when};
use crate::error::BppError;
use crate::operate::form::{self, FormField, FormView, NewForm, SubmissionView};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum FormCommand {
    /// Add a form; `import` changes one that is there
    Add(AddArgs),
    /// List the forms by id
    List(How),
    /// Show a form with its fields
    Show(NamedArgs),
    /// List what riders answered to a form, the newest first
    Submissions(NamedArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
The fields stand in a TOML file, in their order:
  [[field]]
  id = \"name\"
  label = \"Name of whoever travels\"
  kind = \"text\"            # text, long-text, number, date, email, phone or choice
  required = true          # if nothing is said
  length_max = 80
  [[field]]
  id = \"seat\"
  label = \"Seat\"
  kind = \"choice\"
  options = [\"Front\", \"Back\"]")]
pub(in crate::cli) struct AddArgs {
    /// Its id, which items name and which never changes: letters, digits, '-', '_' and '.'
    id: String,
    /// Its title, as riders read it
    #[arg(long)]
    title: String,
    /// Whether nothing is booked without it: true or false
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    required: bool,
    /// TOML with its fields
    #[arg(long, value_name = "FILE")]
    fields: PathBuf,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NamedArgs {
    /// The form's id
    id: String,
    #[command(flatten)]
    how: How,
}

pub(in crate::cli) async fn run(command: FormCommand) -> Result<(), BppError> {
    match command {
        FormCommand::Add(args) => add(args).await,
        FormCommand::List(how) => {
            how.print_all(async |tx, page| form::list(tx, page).await, as_text).await
        }
        FormCommand::Show(args) => {
            let opened = args.how.open().await?;
            let shown = opened.look(async |tx| form::show(tx, &args.id).await).await?;
            args.how.print(&shown, shown_as_text)
        }
        FormCommand::Submissions(args) => {
            let list = async |tx: &mut _, page: &_| form::submissions(tx, &args.id, page).await;
            args.how.print_all(list, submission_as_text).await
        }
    }
}

/// What a file with fields has in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    field: Vec<FormField>,
}

async fn add(args: AddArgs) -> Result<(), BppError> {
    let opened = args.how.open().await?;
    let failed = |reason: String| BppError::File { path: args.fields.clone(), reason };
    let text = fs::read_to_string(&args.fields)
        .map_err(|error| failed(format!("cannot be read: {error}")))?;
    let Fields { field } = toml::from_str(&text)
        .map_err(|error| failed(format!("has no fields that can be used: {error}")))?;
    let AddArgs { id, title, required, how, .. } = args;
    let new = NewForm { id, title, required, fields: field };
    let added = opened.change(async |tx, actor, now| form::add(tx, actor, new.clone(), now).await);
    how.print(&added.await?, shown_as_text)
}

fn as_text(view: &FormView) -> String {
    let needed = if view.required { "required" } else { "may be skipped" };
    let (count, FormView { id, title, .. }) = (view.fields.len(), view);
    format!("{id:<20} {needed:<15} {count:>2} fields  {title}")
}

fn shown_as_text(view: &FormView) -> String {
    view.fields.iter().fold(as_text(view), |text, field| {
        let FormField { id, label, kind, required, length_max, options } = field;
        let required = if *required { "required" } else { "" };
        let bound = match length_max {
            Some(length) => format!("up to {length}"),
            None => options.join(" | "),
        };
        let line = format!("  {id:<18} {kind:<10} {required:<9} {label} ({bound})");
        format!("{text}\n{line}")
    })
}

/// A submission, an answer a line.
pub(in crate::cli) fn submission_as_text(view: &SubmissionView) -> String {
    let at = when(Some(view.at_unix_ms));
    let SubmissionView { id, form, item, subscriber, .. } = view;
    let head = format!("{id}  {at}  form {form}, item {item}, by {subscriber}");
    view.answers.iter().fold(head, |text, answer| {
        // What a rider typed in several lines stays within its answer.
        let value = answer.value.replace('\n', "\n      ");
        format!("{text}\n  {}: {value}", answer.label)
    })
}
