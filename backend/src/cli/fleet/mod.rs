//! What operators change of the fleet: a file a resource, over the verbs of `operate`.

pub(super) mod area;
pub(super) mod document;
pub(super) mod driver;
pub(super) mod duty;
pub(super) mod form;
pub(super) mod import;
pub(super) mod item;
pub(super) mod promotion;
pub(super) mod provider;
pub(super) mod shift;
pub(super) mod tariff;

use clap::Args;
use serde::Serialize;
use tripline_protocol::unit::{Paise, Timestamp};

use super::ConfigPath;
use super::opened::{Opened, print_json, utc};
use crate::error::BppError;
use crate::operate::{LIMIT_MAX, Listed, OperateError, Page};
use crate::store::Tx;

/// Which store, and how it is told.
#[derive(Debug, Args)]
pub(super) struct How {
    #[command(flatten)]
    config: ConfigPath,
    /// Print as JSON; of a list one object a line
    #[arg(long)]
    json: bool,
}

impl How {
    pub(super) async fn open(&self) -> Result<Opened, BppError> {
        Opened::open(&self.config).await
    }

    /// Prints a view, for programs or for people.
    pub(super) fn print<T: Serialize>(
        &self,
        view: &T,
        as_text: impl FnOnce(&T) -> String,
    ) -> Result<(), BppError> {
        if self.json {
            return print_json(view);
        }
        println!("{}", as_text(view));
        Ok(())
    }

    /// Prints a whole list, a line an item.
    async fn print_all<T: Serialize>(
        &self,
        list: impl AsyncFn(&mut Tx, &Page) -> Result<Listed<T>, OperateError>,
        as_text: impl Fn(&T) -> String,
    ) -> Result<(), BppError> {
        let opened = self.open().await?;
        let mut after = None;
        loop {
            let page = Page::new(Some(LIMIT_MAX), after.as_deref());
            let page = page.map_err(|error| opened.not_operated(error))?;
            let listed = opened.look(async |tx| list(tx, &page).await).await?;
            for item in &listed.items {
                self.print(item, &as_text)?;
            }
            after = listed.next;
            if after.is_none() {
                break;
            }
        }
        opened.store.close().await;
        Ok(())
    }
}

/// A time for people; nothing for none.
fn when(at_unix_ms: Option<i64>) -> String {
    at_unix_ms.map(|at| utc(Timestamp::from_unix_ms(at))).unwrap_or_default()
}

/// An amount for people, in rupees.
fn rupees(paise: i64) -> String {
    Paise(paise).to_string()
}

/// A word where something is not as usual.
const fn unless(usual: bool, word: &'static str) -> &'static str {
    if usual { "" } else { word }
}

/// What may be missing.
fn or_dash(text: Option<&String>) -> &str {
    text.map_or("-", String::as_str)
}
