//! How much there is in the store: the evidence that a repetition had no effect.

use anyhow::Result;
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use super::Evidence;

const ORDERS: &str = "SELECT COUNT(*) FROM ride_order";
const ASSIGNMENTS: &str = "SELECT COUNT(*) FROM assignment";
const CALLBACKS: &str = "SELECT COUNT(*) FROM callback";
const PENDING: &str = "SELECT COUNT(*) FROM callback WHERE state = 'pending'";
const REQUESTS: &str = "SELECT COUNT(*) FROM inbox";

/// How many rows there are of what a request may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowCounts {
    /// Orders.
    pub orders: i64,
    /// Offers to vehicles, taken or not.
    pub assignments: i64,
    /// Callbacks, delivered or not.
    pub callbacks: i64,
    /// Callbacks that wait.
    pub pending: i64,
    /// Requests taken in.
    pub requests: i64,
}

impl Evidence<'_> {
    /// Counts.
    pub async fn rows(&self) -> Result<RowCounts> {
        let mut counts = [0; 5];
        let queries = [ORDERS, ASSIGNMENTS, CALLBACKS, PENDING, REQUESTS];
        for (count, query) in counts.iter_mut().zip(queries) {
            *count = self.count(query).await?;
        }
        let [orders, assignments, callbacks, pending, requests] = counts;
        Ok(RowCounts { orders, assignments, callbacks, pending, requests })
    }

    async fn count(&self, query: &'static str) -> Result<i64> {
        if self.store_url.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(self.store_url).await?;
            Ok(sqlx::query_scalar(query).fetch_one(&mut connection).await?)
        } else {
            let mut connection = PgConnection::connect(self.store_url).await?;
            Ok(sqlx::query_scalar(query).fetch_one(&mut connection).await?)
        }
    }
}
