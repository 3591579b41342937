//! A database that would lose what it commits is refused by name, whoever set it up so.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tripline_backend::store::Store;

use crate::both::postgres;
use crate::server::Server;

async fn said(url: &str) -> String {
    for opened in [Store::open(url).await, Store::open_as_is(url).await] {
        let error = opened.expect_err("it is refused");
        let told = error.to_string();
        assert!(told.contains("it must be"), "{told}");
    }
    Store::open(url).await.expect_err("refused").to_string()
}

#[tokio::test]
async fn sqlite_in_memory_keeps_nothing_and_is_refused() {
    let told = said("sqlite::memory:").await;
    assert!(told.contains("journal_mode is memory, it must be wal"), "{told}");
}

#[tokio::test]
async fn a_database_whose_commits_do_not_wait_for_the_disk_is_refused() {
    let Some(url) = postgres().await else { return };
    let (server, database) = url.rsplit_once('/').expect("a database");
    let mut connection = PgConnection::connect(&url).await.expect("the database");
    let sql = format!("ALTER DATABASE {database} SET synchronous_commit = off");
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.expect("set");
    let told = said(&format!("{server}/{database}")).await;
    assert!(told.contains("synchronous_commit is off, it must be on"), "{told}");
    let sql = format!("ALTER DATABASE {database} SET synchronous_commit = local");
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.expect("set");
    Store::open(&url).await.expect("the disk of this server is enough").close().await;
}

#[tokio::test]
async fn a_server_that_does_not_sync_or_may_tear_pages_is_refused() {
    for setting in ["fsync", "full_page_writes"] {
        let Some(server) = Server::start(&format!("{setting} = off")) else { return };
        let told = said(&server.url()).await;
        assert!(told.contains(&format!("{setting} is off, it must be on")), "{told}");
    }
}
