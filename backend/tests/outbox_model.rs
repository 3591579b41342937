//! The outbox against the plainest words for it: two workers that look, take, note, stall and break off in any
//! order, while callbacks are added, expire and are replayed. And what happens at once on PostgreSQL.

#[expect(dead_code, reason = "the tests of the store need more of it")]
mod both;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tripline_backend::store::callback::{
    Delivery, DueCallback, NewCallback, Note, Noted, Replay, Turns,
};
use tripline_backend::store::{Store, Tx};
use tripline_protocol::unit::Timestamp;

use both::{both, postgres};

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

/// How long a worker that takes a callback has it for itself, in ms.
const LEASE_MS: i64 = 40_000;

const ORDERS: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    Pass(i64),
    Add { order: usize, tried_ms: i64 },
    Look(usize),
    Take { worker: usize, count: usize },
    Finish { worker: usize, which: usize, delivery: Delivery },
    PutOff { worker: usize, which: usize, wait_ms: i64 },
    BreakOff(usize),
    Expire,
    Replay(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let worker = || 0..2_usize;
    let index = || 0..1_000_usize;
    let delivery = prop_oneof![Just(Delivery::Delivered), Just(Delivery::Dead)];
    prop_oneof![
        2 => prop_oneof![1..100_i64, 1_000..10_000_i64, Just(LEASE_MS)].prop_map(Step::Pass),
        4 => (0..ORDERS, prop_oneof![1..20_000_i64, Just(10_000_000)])
            .prop_map(|(order, tried_ms)| Step::Add { order, tried_ms }),
        4 => worker().prop_map(Step::Look),
        5 => (worker(), 1..4_usize).prop_map(|(worker, count)| Step::Take { worker, count }),
        4 => (worker(), index(), delivery)
            .prop_map(|(worker, which, delivery)| Step::Finish { worker, which, delivery }),
        3 => (worker(), index(), 0..30_000_i64)
            .prop_map(|(worker, which, wait_ms)| Step::PutOff { worker, which, wait_ms }),
        1 => worker().prop_map(Step::BreakOff),
        2 => Just(Step::Expire),
        2 => index().prop_map(Step::Replay),
    ]
}

/// What must be known of a callback.
#[derive(Debug)]
struct Row {
    state: Delivery,
    /// Nobody else takes it before, in ms.
    leased_until: i64,
    /// Nobody at all takes it before, in ms.
    put_off_until: i64,
    expires_at: i64,
    /// It may come out of turn.
    replayed: bool,
}

type Place = (String, u64);

#[derive(Debug, Default)]
struct Worker {
    seen: Turns,
    taken: Vec<(DueCallback, i64)>,
}

/// The outbox in one transaction, and what must be so.
struct Game {
    tx: Tx,
    now: Timestamp,
    rows: BTreeMap<Place, Row>,
    workers: [Worker; 2],
}

fn place(due: &DueCallback) -> Place {
    (due.order_key.clone(), due.sequence)
}

impl Game {
    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Pass(ms) => self.now = self.now.plus_ms(ms),
            Step::Add { order, tried_ms } => self.add(order, tried_ms).await,
            Step::Look(worker) => self.look(worker).await,
            Step::Take { worker, count } => self.take(worker, count).await?,
            Step::Finish { worker, which, delivery } => {
                self.note(worker, which, Noted::Finished(delivery, self.now)).await;
            }
            Step::PutOff { worker, which, wait_ms } => {
                self.note(worker, which, Noted::PutOff(self.now.plus_ms(wait_ms))).await;
            }
            Step::BreakOff(worker) => self.workers[worker] = Worker::default(),
            Step::Expire => self.expire().await?,
            Step::Replay(which) => self.replay(which).await,
        }
        Ok(())
    }

    async fn add(&mut self, order: usize, tried_ms: i64) {
        let order_key = format!("order-{order}");
        let sequence = 1 + self.rows.keys().filter(|(key, _)| *key == order_key).count() as u64;
        let new = NewCallback {
            order_key: order_key.clone(),
            sequence,
            subscriber_id: "bap".into(),
            action: "on_status".into(),
            url: "https://bap.example/on_status".into(),
            body: Vec::new(),
            expires_at: self.now.plus_ms(tried_ms),
        };
        let row = Row {
            state: Delivery::Pending,
            leased_until: 0,
            put_off_until: 0,
            expires_at: new.expires_at.unix_ms,
            replayed: false,
        };
        self.tx.add_callback(new, self.now).await.expect("added");
        self.rows.insert((order_key, sequence), row);
    }

    async fn look(&mut self, worker: usize) {
        let seen = self.tx.callback_turns("bap", self.now, 10).await.expect("answers");
        self.workers[worker].seen = seen;
    }

    /// What is taken is pending, the first of its order, nobody else's, due, and in its time.
    async fn take(&mut self, worker: usize, count: usize) -> Result<(), TestCaseError> {
        let now = self.now.unix_ms;
        let mut turns = std::mem::take(&mut self.workers[worker].seen);
        let held: Vec<Place> = self.workers[worker].taken.iter().map(|it| place(&it.0)).collect();
        turns.keep(count, |key, sequence| !held.contains(&(key.to_owned(), sequence)));
        let until = self.now.plus_ms(LEASE_MS);
        let taken = self.tx.claim_callbacks(turns, self.now, until).await.expect("answers");
        for due in taken {
            let place = place(&due);
            for ((key, sequence), row) in &self.rows {
                let before = *key == place.0 && *sequence < place.1;
                let waits = before && row.state == Delivery::Pending && !row.replayed;
                prop_assert!(!waits, "{:?} goes before {}", place, sequence);
            }
            let row = self.rows.get_mut(&place).expect("known");
            prop_assert_eq!(row.state, Delivery::Pending, "{:?}", &place);
            prop_assert!(row.leased_until <= now, "{:?} is taken twice", &place);
            prop_assert!(row.put_off_until <= now, "{:?} does not wait", &place);
            prop_assert!(row.expires_at > now, "{:?} is late", &place);
            row.leased_until = until.unix_ms;
            self.workers[worker].taken.push((due, until.unix_ms));
        }
        Ok(())
    }

    /// That it is over holds whoever says so; it is put off only by whoever has it.
    async fn note(&mut self, worker: usize, which: usize, noted: Noted) {
        let taken = &mut self.workers[worker].taken;
        if taken.is_empty() {
            return;
        }
        let (due, lease) = taken.remove(which % taken.len());
        let row = self.rows.get_mut(&place(&due)).expect("known");
        let has_it = row.leased_until == lease && lease > self.now.unix_ms;
        self.tx.note_callbacks(&[Note { due, noted, error: None }]).await.expect("noted");
        if row.state != Delivery::Pending {
            return;
        }
        match noted {
            Noted::Finished(delivery, _) => (row.state, row.leased_until) = (delivery, 0),
            Noted::PutOff(until) if has_it => {
                (row.leased_until, row.put_off_until) = (0, until.unix_ms);
            }
            Noted::PutOff(_) => {}
        }
    }

    async fn expire(&mut self) -> Result<(), TestCaseError> {
        for expired in self.tx.expire_callbacks(self.now, 2).await.expect("answers") {
            let place = (expired.order_key, expired.sequence);
            let row = self.rows.get_mut(&place).expect("known");
            prop_assert_eq!(row.state, Delivery::Pending, "{:?}", &place);
            prop_assert!(row.expires_at <= self.now.unix_ms, "{:?} has time", &place);
            prop_assert!(row.leased_until <= self.now.unix_ms, "{:?} is under way", &place);
            row.state = Delivery::Dead;
        }
        Ok(())
    }

    async fn replay(&mut self, which: usize) {
        if self.rows.is_empty() {
            return;
        }
        let which = which % self.rows.len();
        let (place, row) = self.rows.iter_mut().nth(which).expect("that many");
        let replay = Replay::One { order_key: place.0.clone(), sequence: place.1 };
        let until = self.now.plus_ms(10_000_000);
        let count = self.tx.replay_callbacks(&replay, self.now, until).await.expect("answers");
        assert_eq!(count > 0, row.state == Delivery::Dead, "what is dead is replayed");
        if count > 0 {
            *row = Row {
                state: Delivery::Pending,
                leased_until: 0,
                put_off_until: 0,
                expires_at: until.unix_ms,
                replayed: true,
            };
        }
    }

    /// One worker alone brings everything to its end, going by nothing but what the store says is next.
    async fn drain(&mut self) -> Result<(), TestCaseError> {
        self.workers = Default::default();
        for _ in 0..self.rows.len() * 20 + 20 {
            let Some((_, next)) = self.tx.pending_subscribers().await.expect("answers").pop()
            else {
                break;
            };
            self.now = self.now.max(next);
            self.expire().await?;
            self.look(0).await;
            self.take(0, 10).await?;
            while !self.workers[0].taken.is_empty() {
                self.note(0, 0, Noted::Finished(Delivery::Delivered, self.now)).await;
            }
        }
        let left = self.rows.iter().find(|(_, row)| row.state == Delivery::Pending);
        prop_assert!(left.is_none(), "{:?} is lost", left);
        Ok(())
    }
}

async fn play(store: &Store, steps: Vec<Step>) -> Result<(), TestCaseError> {
    // Never committed: the next game begins with nothing.
    let tx = store.write().await.expect("begins");
    let mut game = Game { tx, now: NOW, rows: BTreeMap::new(), workers: Default::default() };
    for step in steps {
        game.step(step).await?;
    }
    game.drain().await
}

#[test]
fn nothing_is_lost_taken_twice_or_out_of_turn_whatever_two_workers_do() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (_dir, stores) = runtime.block_on(both());
    for store in stores {
        let mut runner = TestRunner::new(Config { cases: 200, ..Config::default() });
        let steps = prop::collection::vec(step(), 1..60);
        runner.run(&steps, |steps| runtime.block_on(play(&store, steps))).expect("it holds");
    }
}

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until a statement waits for another transaction.
async fn wait_for_a_waiter(store: &Store) {
    const SQL: &str = "SELECT COUNT(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut tx = store.read().await.expect("begins");
        let Tx::Postgres(conn) = &mut tx else { panic!("PostgreSQL was opened") };
        let waiting: i64 = sqlx::query_scalar(SQL).fetch_one(&mut **conn).await.expect("counted");
        if waiting > 0 {
            return;
        }
        assert!(Instant::now() < deadline, "nobody waits");
        drop(tx);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_one_backend_takes_in_the_last_moment_another_does_not_give_up() {
    let Some(url) = postgres().await else { return };
    let store = Store::open(&url).await.expect("it opens");
    let (added, last) = (NOW, NOW.plus_ms(1_000));
    let tx = store.write().await.expect("begins");
    let mut game = Game { tx, now: added, rows: BTreeMap::new(), workers: Default::default() };
    game.add(0, 1_000).await;
    game.tx.commit().await.expect("commits");

    let mut tx = store.write().await.expect("begins");
    let turns = tx.callback_turns("bap", last.plus_ms(-1), 10).await.expect("answers");
    let until = last.plus_ms(LEASE_MS);
    let taken = tx.claim_callbacks(turns, last.plus_ms(-1), until).await.expect("answers");
    assert_eq!(taken.len(), 1);
    let other = store.clone();
    let expiring = tokio::spawn(async move {
        let mut tx = other.write().await.expect("begins");
        let expired = tx.expire_callbacks(last, 10).await.expect("answers");
        tx.commit().await.expect("commits");
        expired
    });
    wait_for_a_waiter(&store).await;
    tx.commit().await.expect("commits");
    assert_eq!(expiring.await.expect("ends"), [], "it is under way");
}
