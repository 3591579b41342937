//! Table `ride_order`, asked whether orders changed that somebody watches.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use tripline_protocol::id::OrderId;

use super::rows::ManyRows;
use super::{StoreError, Tx, on_db, parse};

const TABLE: &str = "ride_order";

static VERSIONS: LazyLock<ManyRows> = LazyLock::new(|| {
    let head = "SELECT order_id, version FROM ride_order WHERE order_id IN (VALUES";
    ManyRows::new(head, 1, ")")
});

impl Tx {
    /// The versions of these orders, without reading what is in them. One that is not there has none.
    pub async fn versions_of_orders(
        &mut self,
        orders: &[OrderId],
    ) -> Result<BTreeMap<OrderId, i64>, StoreError> {
        let mut versions = BTreeMap::new();
        for (sql, piece) in VERSIONS.pieces(orders) {
            let rows: Vec<(String, i64)> = on_db!(self, conn => {
                let mut query = sqlx::query_as(sql);
                for order in piece {
                    query = query.bind(order.to_string());
                }
                query.fetch_all(conn).await?
            });
            for (id, version) in rows {
                versions.insert(parse(TABLE, &id, "order_id", &id)?, version);
            }
        }
        Ok(versions)
    }
}
