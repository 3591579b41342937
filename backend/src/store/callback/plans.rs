//! How SQLite goes about the statements here: each finds its rows in an index, however many others there are.

use super::super::rows::ManyRows;
use super::super::{Store, Tx, on_db};
use super::{claim, expire, note, prune, turns};

/// Callbacks of one order that were delivered.
const DELIVERED: i64 = 20_000;

/// An order with a long past, and two callbacks of it that wait.
async fn fill(store: &Store) {
    const SQL: &str = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < $1) \
        INSERT INTO callback (order_key, sequence, subscriber_id, action, url, body, state, attempts, \
        next_attempt_at, expires_at, created_at, finished_at) SELECT 'order', n, 'bap', 'on_status', \
        'url', '', CASE WHEN n < $1 - 1 THEN 'delivered' ELSE 'pending' END, 1, n, n, n, n FROM n";
    let mut tx = store.write().await.expect("begins");
    on_db!(&mut tx, conn => sqlx::query(SQL)
        .bind(DELIVERED + 2).execute(conn).await.expect("filled").rows_affected());
    tx.commit().await.expect("commits");
}

async fn plan(store: &Store, sql: &str) -> String {
    let mut tx = store.read().await.expect("begins");
    let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let Tx::Sqlite(conn) = &mut tx else { panic!("SQLite was opened") };
    let rows: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(sql).fetch_all(&mut **conn).await.expect("explained");
    rows.into_iter().map(|row| row.3 + "\n").collect()
}

/// Every statement, and what its plan must have.
fn statements() -> Vec<(String, &'static [&'static str])> {
    const ROW: &str = "(order_key=? AND sequence=?)";
    let one = |many: &ManyRows| {
        let (sql, _) = many.pieces(&[()]).next().expect("a piece");
        sql.as_str().to_owned()
    };
    vec![
        (turns::PENDING_SUBSCRIBERS.into(), &["callback_pending (subscriber_id>?)"]),
        (turns::FULL.into(), &["callback_pending (subscriber_id=?)"]),
        (
            turns::TURNS.into(),
            &[
                "callback_pending (subscriber_id=? AND next_attempt_at<?)",
                "callback_order_pending (order_key=?)",
                ROW,
            ],
        ),
        (expire::NEXT_EXPIRY.into(), &["callback_expiring"]),
        (expire::EXPIRE.into(), &["callback_expiring (expires_at<?)", ROW]),
        (one(&claim::CLAIM), &[ROW]),
        (one(&claim::PUT_BEHIND), &[ROW, "callback_order_pending (order_key=? AND sequence<?)"]),
        (one(&note::NOTE), &[ROW]),
        (one(&note::NEXT_OF), &["callback_order_pending (order_key=?)", ROW]),
        (prune::PRUNE_DELIVERED.into(), &["callback_delivered (finished_at<?)", ROW]),
        (prune::PRUNE_DEAD.into(), &["callback_dead (action=? AND finished_at<?)", ROW]),
    ]
}

/// Whether a step looks at more than the rows that are wanted.
fn is_wide(step: &str) -> bool {
    let scans = |table: &str| step.split(' ').eq(["SCAN", table]);
    scans("c")
        || scans("e")
        || scans("callback")
        || step.contains("sqlite_autoindex_callback_1 (order_key=?)")
        || step.contains("sqlite_autoindex_callback_1 (order_key=? AND sequence<?)")
        || step.contains("callback_order_pending (order_key=? AND sequence>?)")
        || step.ends_with("USING INDEX sqlite_autoindex_callback_1")
}

#[tokio::test]
async fn no_statement_reads_what_an_order_is_done_with_or_what_is_of_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", dir.path().join("test.db").display());
    let store = Store::open(&url).await.expect("it opens");
    fill(&store).await;
    // Without statistics, as we run, and with those of an operator who asks for them.
    for analyzed in [false, true] {
        if analyzed {
            let mut tx = store.write().await.expect("begins");
            on_db!(&mut tx, conn => sqlx::query("ANALYZE")
                .execute(conn).await.expect("done").rows_affected());
            tx.commit().await.expect("commits");
        }
        for (sql, steps) in statements() {
            let plan = plan(&store, &sql).await;
            let missing = steps.iter().find(|step| !analyzed && !plan.contains(**step));
            assert_eq!(missing, None, "{sql}\n{plan}");
            let wide = plan.lines().find(|step| is_wide(step));
            assert_eq!(wide, None, "analyzed: {analyzed}, {sql}\n{plan}");
        }
    }
}
