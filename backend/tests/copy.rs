//! `tripline-bpp store`: an SQLite store copied into PostgreSQL, all of it or nothing; and looked at.

#[expect(dead_code, reason = "the tests of the store need more of it")]
mod both;
mod dump;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tripline_backend::store::Store;

use both::postgres;
use dump::{dump_all, fill_empty, run};

/// Runs a command; gives its exit code, standard output and standard error.
fn bpp(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tripline-bpp"))
        .args(arguments)
        .env("TRIPLINE_CONFIG", dir.join("bpp.toml"))
        .output()
        .expect("runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("ends"), text(output.stdout), text(output.stderr))
}

/// A folder with a store in which every table has rows.
async fn folder() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a folder");
    let made = bpp(dir.path(), &["init", "--dir", dir.path().to_str().expect("UTF-8")]);
    assert_eq!(made.0, 0, "{}", made.2);
    let url = format!("sqlite:{}", dir.path().join("data/tripline.db").display());
    std::fs::remove_file(dir.path().join("data/tripline.db")).expect("removed");
    let store = Store::open_through(&url, 3).await.expect("an older one");
    run(&store, include_str!("migrations/0003.sql")).await;
    store.close().await;
    let store = Store::open(&url).await.expect("brought forward");
    fill_empty(&store).await;
    store.close().await;
    (dir, url)
}

#[tokio::test]
async fn every_row_of_every_table_arrives_and_the_copy_is_served_from() {
    let Some(to) = postgres().await else { return };
    let (dir, url) = folder().await;
    let (code, out, err) = bpp(dir.path(), &["store", "copy", "--to", &to, "--json"]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("ride_order: 11 of 11"), "{err}");
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert!(!out.contains("tripline:") || out.contains(":...@"), "no password: {out}");

    let (source, target) = (Store::open(&url).await, Store::open_as_is(&to).await);
    let (source, target) = (source.expect("opens"), target.expect("opens"));
    let (from, copied) = (dump_all(&source).await, dump_all(&target).await);
    assert_eq!(from, copied);
    for (table, rows) in &from {
        assert!(!rows.is_empty(), "{table} has rows to be copied");
        assert_eq!(told["rows"][table], rows.len(), "{table}");
    }
    source.close().await;
    target.close().await;

    let (code, _, err) = bpp(dir.path(), &["store", "copy", "--to", &to]);
    assert!(code == 9 && err.contains("holds something already"), "{code}: {err}");
}

#[tokio::test]
async fn a_row_that_cannot_be_copied_leaves_nothing_behind() {
    let Some(to) = postgres().await else { return };
    let (dir, url) = folder().await;
    let store = Store::open(&url).await.expect("opens");
    // PostgreSQL takes no such text. Orders and others were copied before vehicles are.
    let nul = "UPDATE vehicle SET registration = registration || CAST(BYTES('00') AS TEXT) \
         WHERE device_id = 'd2'";
    run(&store, nul).await;
    store.close().await;
    let (code, _, err) = bpp(dir.path(), &["store", "copy", "--to", &to]);
    assert!(code == 6 && err.contains("ride_order: 11 of 11"), "{code}: {err}");
    let target = Store::open_as_is(&to).await.expect("the schema is there");
    let new = format!("sqlite:{}", dir.path().join("new.db").display());
    let new = Store::open(&new).await.expect("a new one");
    assert_eq!(dump_all(&target).await, dump_all(&new).await, "nothing but what a new store has");
}

/// Kills the platform when the test is over.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_store_that_is_served_from_is_not_copied() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    assert_eq!(bpp(dir, &["init", "--dir", dir.to_str().expect("UTF-8")]).0, 0);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tripline-bpp"));
    for table in ["BECKN", "DEVICE", "ENROL", "ADMIN"] {
        command.env(format!("TRIPLINE_BPP_{table}__LISTEN"), "127.0.0.1:0");
    }
    let mut child = command
        .args(["serve", "--json", "--config"])
        .arg(dir.join("bpp.toml"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let out = child.stdout.take().expect("standard output");
    let _serving = Serving(child);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("ready");
    let to = "postgres://nobody@127.0.0.1:1/nowhere";
    let (code, _, err) = bpp(dir, &["store", "copy", "--to", to]);
    assert!(code == 4 && err.contains("another tripline-bpp serves"), "{code}: {err}");
}

#[tokio::test]
async fn a_check_tells_sizes_and_what_is_damaged() {
    let (dir, url) = folder().await;
    let (code, out, err) = bpp(dir.path(), &["store", "check", "--json"]);
    assert_eq!(code, 0, "{err}");
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(told["schema_version"], Store::versions().last().expect("versions"));
    let tables = told["tables"].as_array().expect("a list");
    let orders = tables.iter().find(|table| table["table"] == "ride_order").expect("there");
    assert_eq!(orders["rows"], 11);
    assert!(orders["bytes"].as_i64().expect("a number") > 10_000, "{orders}");
    // A hold of an order that there is not.
    let store = Store::open(&url).await.expect("opens");
    store.close().await;
    let unsafe_url = url.trim_start_matches("sqlite:");
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(unsafe_url).foreign_keys(false);
    let pool = sqlx::SqlitePool::connect_with(options).await.expect("opens");
    sqlx::query("UPDATE device_hold SET order_id = 'gone'").execute(&pool).await.expect("done");
    pool.close().await;
    let (code, out, err) = bpp(dir.path(), &["store", "check"]);
    assert!(code == 9 && err.contains("the store is damaged"), "{code}: {err}");
    assert!(out.contains("rows of table device_hold belong to nothing"), "{out}");
}
