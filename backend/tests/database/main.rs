//! Databases that are killed in the middle of transactions, and such as are refused from the start.

#[path = "../both/mod.rs"]
#[expect(dead_code, reason = "the tests of the store need more of it")]
mod both;
mod ledger;
mod platform;
#[path = "../quoted/mod.rs"]
mod quoted;
mod server;
mod settings;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tripline_backend::store::Store;

use ledger::{begin, check, prepare, ride};
use server::Server;

/// The variable by which a process of this test knows its store, and from which ride on it writes.
const CHILD: &str = "TRIPLINE_TEST_KILLED_CHILD";

/// Longest wait for a store to be back.
const PATIENCE: Duration = Duration::from_mins(1);

/// Rides that are acknowledged before something is killed.
const RIDES: u64 = 20;

/// How often a process is killed.
const KILLS: usize = 6;

/// A ride that is begun and never committed.
const HALF: u64 = 1 << 40;

/// Not a test by itself: the process that is killed. It tells each commit, then begins what it never commits.
#[test]
#[ignore = "a process that the next test starts and kills"]
fn a_process_that_writes_until_it_is_killed() {
    let Ok(text) = std::env::var(CHILD) else { return };
    let (first, url) = text.split_once(' ').expect("a number and a URL");
    let first: u64 = first.parse().expect("a number");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(url).await.expect("opens");
        for n in first..first + RIDES + first % 7 {
            ride(&store, n, |n, transactions| println!("committed {n} {transactions}"))
                .await
                .expect("written");
        }
        let mut tx = store.write().await.expect("begins");
        begin(&mut tx, HALF).await.expect("written");
        println!("half");
        std::future::pending::<()>().await;
    });
}

/// Runs that process and kills it after so many of its lines, or in the middle of its last transaction.
fn write_and_kill(url: &str, first: u64, lines: usize, known: &mut BTreeMap<u64, u64>) {
    let own = std::env::current_exe().expect("this test");
    let mut child = Command::new(own)
        .args(["--exact", "a_process_that_writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(CHILD, format!("{first} {url}"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let out = BufReader::new(child.stdout.take().expect("its output"));
    let mut count = 0;
    for line in out.lines().map_while(Result::ok) {
        // The harness writes before the first of ours, on its line.
        if let Some((_, told)) = line.split_once("committed ") {
            let (n, transactions) = told.split_once(' ').expect("two numbers");
            let transactions = transactions.parse().expect("a number");
            known.insert(n.parse().expect("a number"), transactions);
            count += 1;
        }
        if count == lines || line.contains("half") {
            break;
        }
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(count > 0, "it wrote");
}

#[tokio::test]
async fn a_process_killed_in_mid_transaction_leaves_nothing_half_done_in_sqlite() {
    let dir = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", dir.path().join("test.db").display());
    let store = Store::open(&url).await.expect("opens");
    prepare(&store).await;
    store.close().await;
    let mut known = BTreeMap::new();
    for (kill, first) in (0..KILLS).zip((0..).step_by(1_000)) {
        // In the transaction that stays open, or wherever it is after some commits.
        let lines = if kill % 2 == 0 { usize::MAX } else { 7 * kill };
        write_and_kill(&url, first, lines, &mut known);
        let store = Store::open(&url).await.expect("opens again");
        let rides = check(&store, &known).await;
        assert!(rides >= known.len() && rides <= known.len() + kill + 1, "{rides}");
        let goes_on = first + 999;
        ride(&store, goes_on, |n, transactions| {
            known.insert(n, transactions);
        })
        .await
        .expect("it goes on");
        assert_eq!(store.health().await.expect("answers").findings, [""; 0]);
        store.close().await;
    }
}

type Known = Arc<Mutex<BTreeMap<u64, u64>>>;

fn acknowledged(known: &Known) -> BTreeMap<u64, u64> {
    known.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Writes rides until the store fails.
async fn write_until_it_fails(store: Store, writer: u64, known: Known) {
    for n in (writer << 20).. {
        let told = |n, transactions| {
            known.lock().unwrap_or_else(PoisonError::into_inner).insert(n, transactions);
        };
        if let Err(error) = ride(&store, n, told).await {
            assert!(error.is_of_the_store(), "{error}");
            return;
        }
    }
}

/// Waits until a store answers.
async fn wait_for(store: &Store) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = async { store.read().await?.vehicles().await };
        match answer.await {
            Ok(_) => return,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_server_killed_in_mid_transaction_leaves_nothing_half_done() {
    let Some(server) = Server::start("") else { return };
    // Two backends, each with writers of its own.
    let stores = [Store::open(&server.url()).await, Store::open(&server.url()).await];
    let stores = stores.map(|store| store.expect("opens"));
    prepare(&stores[0]).await;
    let known = Known::default();
    for (round, kill) in (0_u64..).zip([Server::stop_at_once, Server::kill, Server::kill]) {
        let mut half = stores[0].write().await.expect("begins");
        // Of a vehicle that nobody else asks for, whom its lock would hold up.
        begin(&mut half, HALF).await.expect("written");
        let mut writers = JoinSet::new();
        for (writer, store) in (0..4).zip(stores.iter().cycle()) {
            let number = round * 4 + writer + 1;
            writers.spawn(write_until_it_fails(store.clone(), number, Arc::clone(&known)));
        }
        let enough = (round + 1) * RIDES;
        let deadline = Instant::now() + PATIENCE;
        while (acknowledged(&known).len() as u64) < enough {
            assert!(Instant::now() < deadline, "{:?}", acknowledged(&known));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        kill(&server);
        while let Some(ended) = writers.join_next().await {
            ended.expect("a writer stops at an error of the store, and at no other");
        }
        assert!(half.commit().await.is_err(), "it cannot be committed any more");
        server.start_again();
        for store in &stores {
            wait_for(store).await;
            check(store, &acknowledged(&known)).await;
        }
        let mut tx = stores[0].read().await.expect("begins");
        assert!(tx.order(ledger::id(HALF)).await.expect("answers").is_none());
    }
    let told = |_, _| {};
    ride(&stores[1], 1, told).await.expect("it goes on");
    check(&stores[0], &acknowledged(&known)).await;
}
