//! Orders by what they are listed by, newest first.

use sqlx::AssertSqlSafe;
use tripline_protocol::id::{DeviceId, DriverId, OrderId};
use tripline_protocol::order::OrderState;
use tripline_protocol::unit::Timestamp;

use super::order::{Row, StoredOrder, stored};
use super::{StoreError, Tx, on_db};

/// Which orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// In this state.
    pub state: Option<OrderState>,
    /// Of this provider, by its id.
    pub provider: Option<String>,
    /// Driven by this driver.
    pub driver: Option<DriverId>,
    /// Driven by this device's vehicle.
    pub device: Option<DeviceId>,
    /// Those that a driver accepted.
    pub with_trip: bool,
    /// Those whose trip is not over.
    pub under_way: bool,
    /// Those with cases that nobody has looked at.
    pub with_open_cases: bool,
    /// Made from then on.
    pub since: Option<Timestamp>,
}

/// States of a trip that is not over; the index of such trips has the same words.
const UNDER_WAY: &str =
    " AND o.trip_state IN ('assigned', 'en-route-to-pickup', 'at-pickup', 'started', 'paused')";

/// A value to be bound.
enum Bound {
    Text(String),
    Number(i64),
}

impl OrderFilter {
    /// What the filter adds to a query, and what is bound for it, numbered from `$1` on.
    fn conditions(&self) -> (String, Vec<Bound>) {
        let (mut sql, mut bound) = (String::new(), Vec::new());
        let columns = [
            ("o.state = ", self.state.map(|state| Bound::Text(state.code().to_owned()))),
            ("o.provider_id = ", self.provider.clone().map(Bound::Text)),
            ("o.driver_id = ", self.driver.as_ref().map(|id| Bound::Text(id.to_string()))),
            ("o.device_id = ", self.device.as_ref().map(|id| Bound::Text(id.to_string()))),
            ("o.created_at >= ", self.since.map(|since| Bound::Number(since.unix_ms))),
        ];
        for (column, value) in columns {
            if let Some(value) = value {
                bound.push(value);
                sql += &format!(" AND {column}${}", bound.len());
            }
        }
        for (asked, condition) in [
            (self.with_trip, " AND o.device_id IS NOT NULL"),
            (self.under_way, UNDER_WAY),
            (self.with_open_cases, " AND o.open_cases > 0"),
        ] {
            if asked {
                sql += condition;
            }
        }
        (sql, bound)
    }
}

impl Tx {
    /// At most `rows` orders that pass a filter, newest first, behind the one made at that time with that id.
    pub async fn orders_before(
        &mut self,
        filter: &OrderFilter,
        before: Option<(Timestamp, OrderId)>,
        rows: i64,
    ) -> Result<Vec<StoredOrder>, StoreError> {
        let (mut conditions, mut bound) = filter.conditions();
        if let Some((at, id)) = before {
            bound.push(Bound::Number(at.unix_ms));
            bound.push(Bound::Text(id.to_string()));
            let (at, id) = (bound.len() - 1, bound.len());
            conditions += &format!(" AND (o.created_at, o.order_id) < (${at}, ${id})");
        }
        bound.push(Bound::Number(rows));
        let sql = format!(
            "SELECT o.order_id, o.version, o.body_version, o.body FROM ride_order o WHERE 1 = 1\
             {conditions} ORDER BY o.created_at DESC, o.order_id DESC LIMIT ${}",
            bound.len()
        );
        let found: Vec<Row> = on_db!(self, conn => {
            let mut query = sqlx::query_as(AssertSqlSafe(sql));
            for value in bound {
                query = match value {
                    Bound::Text(text) => query.bind(text),
                    Bound::Number(number) => query.bind(number),
                };
            }
            query.fetch_all(conn).await?
        });
        found.into_iter().map(stored).collect()
    }

    /// The device of every trip that is not over, with when it was heard last: see [`Tx::heard`], and when the
    /// trip was accepted counts as well.
    pub async fn devices_under_way(
        &mut self,
        now: Timestamp,
    ) -> Result<Vec<(DeviceId, Timestamp)>, StoreError> {
        const SQL: &str = "SELECT o.device_id, o.accepted_at, \
             CASE WHEN p.connected THEN $1 ELSE p.since END, \
             (SELECT MAX(c.moved_at) FROM lane_cursor c WHERE c.device_id = o.device_id) \
             FROM ride_order o LEFT JOIN device_presence p ON p.device_id = o.device_id \
             WHERE o.device_id IS NOT NULL AND o.accepted_at IS NOT NULL \
             AND o.trip_state IN ('assigned', 'en-route-to-pickup', 'at-pickup', 'started', 'paused')";
        let rows: Vec<(String, i64, Option<i64>, Option<i64>)> =
            on_db!(self, conn => sqlx::query_as(SQL).bind(now.unix_ms).fetch_all(conn).await?);
        rows.into_iter()
            .map(|(device, accepted_at, present_at, moved_at)| {
                let id = super::parse("ride_order", &device, "device_id", &device)?;
                let heard =
                    [present_at, moved_at].into_iter().flatten().fold(accepted_at, i64::max);
                Ok((id, Timestamp::from_unix_ms(heard)))
            })
            .collect()
    }
}
