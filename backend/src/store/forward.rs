//! Orders of earlier versions, written anew in the form of this one once the schema has been brought forward.
//!
//! They would read without it. But what orders are found by is in columns that are written with the body: one
//! that nobody changed would be listed nowhere, and a trip under way would never be looked at again.

use tracing::{error, info};

use super::order::{Row, stored};
use super::retry::retry;
use super::upgrade::BODY_VERSION;
use super::{Store, StoreError, Tx, on_db};

/// Orders written in one transaction: others write in between.
const AT_ONCE: i64 = 100;

/// What became of a piece of them.
struct Piece {
    /// The id of its last one.
    last: String,
    /// How many were written.
    written: u64,
    /// Those that cannot be read, each with why.
    unreadable: Vec<StoreError>,
}

/// Writes every order of an earlier version anew. One that cannot be read stays as it is, and is reported.
pub(super) async fn write_anew(store: &Store) -> Result<(), StoreError> {
    let (mut after, mut written) = (String::new(), 0);
    while let Some(piece) = retry(|| write_piece(store, &after)).await? {
        for error in &piece.unreadable {
            error!(%error, "an order of an earlier version is left as it is");
        }
        after = piece.last;
        written += piece.written;
    }
    if written > 0 {
        info!(orders = written, "orders of earlier versions were written anew");
    }
    Ok(())
}

/// The first of them after an order's id; nothing if there is none.
async fn write_piece(store: &Store, after: &str) -> Result<Option<Piece>, StoreError> {
    let mut tx = store.write().await?;
    let rows = tx.orders_of_before(after).await?;
    let Some((last, ..)) = rows.last() else { return Ok(None) };
    let mut piece = Piece { last: last.clone(), written: 0, unreadable: Vec::new() };
    for row in rows {
        match stored(row) {
            Ok(order) => {
                tx.save_order(&order).await?;
                for offer in &order.order.offers {
                    tx.note_trip(offer.trip, order.order.id).await?;
                }
                piece.written += 1;
            }
            Err(error) => piece.unreadable.push(error),
        }
    }
    tx.commit().await?;
    Ok(Some(piece))
}

impl Tx {
    /// Orders of earlier versions behind this id, as many as are written at once.
    async fn orders_of_before(&mut self, after: &str) -> Result<Vec<Row>, StoreError> {
        // The number stands in the text, so that the index of those with lower ones is used.
        const PLAIN: &str = "SELECT order_id, version, body_version, body FROM ride_order \
             WHERE body_version < 2 AND order_id > $1 ORDER BY order_id LIMIT $2";
        const LOCKING: &str = "SELECT order_id, version, body_version, body FROM ride_order \
             WHERE body_version < 2 AND order_id > $1 ORDER BY order_id LIMIT $2 FOR UPDATE";
        const {
            assert!(BODY_VERSION == 2, "a new form needs its number here, and an index of its own");
        }
        let sql = match self {
            Self::Sqlite(_) | Self::Postgres(_) => PLAIN,
            Self::PostgresWriting(_) => LOCKING,
        };
        Ok(on_db!(self, conn => sqlx::query_as(sql)
            .bind(after.to_owned()).bind(AT_ONCE).fetch_all(conn).await?))
    }
}
