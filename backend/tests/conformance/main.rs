//! The store against a model of it in memory: random operations, one after another, on SQLite and on PostgreSQL,
//! in transactions that are committed or rolled back, with parts that are kept or undone, and the store closed
//! and opened again in between. After every transaction all that the model knows is read back.
//!
//! An area is a file: its operations, what the model knows of it, and how it is read back. A new one needs that
//! file, a field in `Model` and a line in each list of `ops.rs`. Callbacks under workers that stall and break off
//! are in `outbox_model.rs`.

#[path = "../both/mod.rs"]
#[expect(dead_code, reason = "the tests of the store need more of it")]
mod both;
#[path = "../quoted/mod.rs"]
mod quoted;

mod callbacks;
mod commands;
mod holds;
mod inbox;
mod lanes;
mod model;
mod ops;
mod orders;
mod presence;
mod tables;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tripline_backend::store::{Store, Tx};
use tripline_protocol::unit::Timestamp;

use model::Model;
use ops::{Op, Step};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

pub(crate) type Checked = Result<(), TestCaseError>;

/// How many runs, and steps in each.
const CASES: u32 = 48;
const STEPS_MAX: usize = 80;

/// A store under test: how to open it again, and the model beside it.
struct Game {
    url: String,
    store: Store,
    /// What is committed.
    kept: Model,
}

/// A transaction, the model in it, and the model as it was when each part of it that is open began.
struct Open {
    tx: Tx,
    model: Model,
    parts: Vec<Model>,
}

impl Game {
    async fn play(&mut self, steps: Vec<Step>) -> Checked {
        let mut open: Option<Open> = None;
        for step in steps {
            match step {
                Step::Do(op) => self.at(&mut open).await.run(op).await?,
                Step::Commit => self.commit(open.take()).await?,
                Step::RollBack => {
                    drop(open.take());
                    self.check().await?;
                }
                Step::BeginPart => self.at(&mut open).await.begin_part().await,
                Step::KeepPart => self.at(&mut open).await.keep_part().await,
                Step::UndoPart => self.at(&mut open).await.undo_part().await?,
                Step::Reopen => {
                    drop(open.take());
                    self.reopen().await;
                    self.check().await?;
                }
            }
        }
        self.commit(open).await
    }

    /// The transaction under way, or a new one.
    async fn at<'o>(&self, open: &'o mut Option<Open>) -> &'o mut Open {
        if open.is_none() {
            let tx = self.store.write().await.expect("begins");
            *open = Some(Open { tx, model: self.kept.clone(), parts: Vec::new() });
        }
        open.as_mut().expect("it is there")
    }

    async fn commit(&mut self, open: Option<Open>) -> Checked {
        let Some(mut open) = open else { return Ok(()) };
        open.model.check(&mut open.tx).await?;
        open.tx.commit().await.expect("commits");
        self.kept = open.model;
        self.check().await
    }

    async fn reopen(&mut self) {
        self.store.close().await;
        self.store = Store::open(&self.url).await.expect("it opens again");
    }

    /// All that is committed, as a reader sees it.
    async fn check(&self) -> Checked {
        let mut tx = self.store.read().await.expect("begins");
        self.kept.check(&mut tx).await
    }
}

impl Open {
    async fn run(&mut self, op: Op) -> Checked {
        self.model.run(&mut self.tx, op).await
    }

    async fn begin_part(&mut self) {
        // One within another, as far as two.
        if self.parts.len() < 2 {
            self.tx.begin_part().await.expect("begun");
            self.parts.push(self.model.clone());
        }
    }

    async fn keep_part(&mut self) {
        if self.parts.pop().is_some() {
            self.tx.keep_part().await.expect("kept");
        }
    }

    async fn undo_part(&mut self) -> Checked {
        if let Some(before) = self.parts.pop() {
            self.tx.undo_part().await.expect("undone");
            self.model = before;
        }
        self.model.check(&mut self.tx).await
    }
}

#[test]
fn both_databases_do_what_the_model_does_whatever_comes_in_which_order() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let mut urls = vec![format!("sqlite:{}", dir.path().join("test.db").display())];
    urls.extend(runtime.block_on(both::postgres()));
    for url in urls {
        let config = Config { cases: CASES, max_shrink_iters: 512, ..Config::default() };
        let steps = prop::collection::vec(ops::step(), 1..STEPS_MAX);
        let outcome = TestRunner::new(config).run(&steps, |steps| {
            runtime.block_on(async {
                let store = Store::open(&url).await.expect("it opens");
                tables::clear(&store).await;
                let mut game = Game { url: url.clone(), store, kept: Model::default() };
                let played = game.play(steps).await;
                game.store.close().await;
                played
            })
        });
        outcome.unwrap_or_else(|error| panic!("{}: {error}", &url[..8]));
    }
}
