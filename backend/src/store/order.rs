//! Table `ride_order`: orders, each with everything that hangs on it, changed by compare-and-set.

use tripline_protocol::id::{AssignmentId, OrderId, TripId};
use tripline_protocol::unit::Timestamp;

use super::erase::rider_key;
use super::upgrade::{BODY_VERSION, upgraded};
use super::{StoreError, Tx, on_db};
use crate::domain::order::Order;

const TABLE: &str = "ride_order";

/// An order as it was read, with the version that a change must find again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOrder {
    /// The order.
    pub order: Order,
    version: i64,
}

impl StoredOrder {
    /// Which version of the order it is: the higher, the newer.
    pub const fn version(&self) -> i64 {
        self.version
    }
}

/// One way to find an order, without and with PostgreSQL's lock on its row.
struct By {
    plain: &'static str,
    locking: &'static str,
}

macro_rules! select {
    () => {
        "SELECT o.order_id, o.version, o.body_version, o.body FROM ride_order o "
    };
}

macro_rules! by {
    ($condition:literal) => {
        By {
            plain: concat!(select!(), $condition),
            locking: concat!(select!(), $condition, " FOR UPDATE OF o"),
        }
    };
}

const OF_TRIP: By = by!("JOIN trip t ON t.order_id = o.order_id WHERE t.trip_id = $1");

const OF_ASSIGNMENT: By =
    by!("JOIN assignment a ON a.order_id = o.order_id WHERE a.assignment_id = $1");

pub(super) type Row = (String, i64, i64, String);

pub(super) fn stored((id, version, body_version, body): Row) -> Result<StoredOrder, StoreError> {
    let order = read(body_version, &body).map_err(|error| StoreError::BadRow {
        table: TABLE,
        row: id,
        reason: format!("column body: {error}"),
    })?;
    Ok(StoredOrder { order, version })
}

fn read(version: i64, body: &str) -> serde_json::Result<Order> {
    if version == BODY_VERSION {
        return serde_json::from_str(body);
    }
    serde_json::from_value(upgraded(version, serde_json::from_str(body)?))
}

fn body(order: &Order) -> Result<String, StoreError> {
    serde_json::to_string(order).map_err(|error| StoreError::BadRow {
        table: TABLE,
        row: order.id.to_string(),
        reason: error.to_string(),
    })
}

/// What of the trip that counts is a column.
struct Columns {
    trip_id: Option<String>,
    driver_id: Option<String>,
    device_id: Option<String>,
    trip_state: Option<&'static str>,
    accepted_at: Option<i64>,
}

impl Columns {
    fn of(order: &Order) -> Self {
        let trip = order.trip.as_ref();
        Self {
            trip_id: trip.map(|trip| trip.id.to_string()),
            driver_id: trip
                .and_then(|trip| trip.vehicle.driver.as_ref())
                .map(|driver| driver.as_str().to_owned()),
            device_id: trip.map(|trip| trip.vehicle.device.as_str().to_owned()),
            trip_state: trip.map(|trip| trip.state.code()),
            accepted_at: trip.map(|trip| trip.accepted_at.unix_ms),
        }
    }
}

fn open_cases(order: &Order) -> i64 {
    i64::try_from(order.cases.open()).unwrap_or(i64::MAX)
}

/// By what the orders of its rider are found.
fn key_of_rider(order: &Order) -> Option<Vec<u8>> {
    order.rider.as_ref().and_then(|rider| rider_key(&rider.phone))
}

impl Tx {
    /// Adds a new order.
    pub async fn add_order(&mut self, order: &Order) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO ride_order (order_id, version, trip_id, state, due_at, \
             updated_at, body, body_version, driver_id, device_id, trip_state, accepted_at, ended_at, \
             open_cases, fulfillment_id, subscriber_id, track_token, created_at, rider_key, \
             receipt_token, provider_id, submission_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
             $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
        let Columns { trip_id, driver_id, device_id, trip_state, accepted_at } = Columns::of(order);
        let body = body(order)?;
        on_db!(self, conn => sqlx::query(SQL)
            .bind(order.id.to_string())
            .bind(1_i64)
            .bind(trip_id)
            .bind(order.state.code())
            .bind(order.due_at().map(|at| at.unix_ms))
            .bind(order.updated_at.unix_ms)
            .bind(body)
            .bind(BODY_VERSION)
            .bind(driver_id)
            .bind(device_id)
            .bind(trip_state)
            .bind(accepted_at)
            .bind(order.ended_at().map(|at| at.unix_ms))
            .bind(open_cases(order))
            .bind(order.fulfillment_id.clone())
            .bind(order.subscriber_id.clone())
            .bind(order.track_token.clone())
            .bind(order.created_at.unix_ms)
            .bind(key_of_rider(order))
            .bind(order.receipt_token.clone())
            .bind(order.listing.provider_id.as_str().to_owned())
            .bind(order.submission.map(|id| id.to_string()))
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// Writes a changed order. It must not have been changed by anybody else since it was read.
    pub async fn save_order(&mut self, stored: &StoredOrder) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE ride_order SET version = version + 1, trip_id = $3, state = $4, \
             due_at = $5, updated_at = $6, body = $7, body_version = $8, driver_id = $9, \
             device_id = $10, trip_state = $11, accepted_at = $12, ended_at = $13, open_cases = $14, \
             rider_key = $15, provider_id = $16, submission_id = $17 \
             WHERE order_id = $1 AND version = $2";
        let StoredOrder { order, version } = stored;
        let Columns { trip_id, driver_id, device_id, trip_state, accepted_at } = Columns::of(order);
        let body = body(order)?;
        let rows = on_db!(self, conn => sqlx::query(SQL)
            .bind(order.id.to_string())
            .bind(*version)
            .bind(trip_id)
            .bind(order.state.code())
            .bind(order.due_at().map(|at| at.unix_ms))
            .bind(order.updated_at.unix_ms)
            .bind(body)
            .bind(BODY_VERSION)
            .bind(driver_id)
            .bind(device_id)
            .bind(trip_state)
            .bind(accepted_at)
            .bind(order.ended_at().map(|at| at.unix_ms))
            .bind(open_cases(order))
            .bind(key_of_rider(order))
            .bind(order.listing.provider_id.as_str().to_owned())
            .bind(order.submission.map(|id| id.to_string()))
            .execute(conn).await?.rows_affected());
        if rows == 1 {
            return Ok(());
        }
        Err(StoreError::Conflict { table: TABLE, row: order.id.to_string() })
    }

    /// An order by its id.
    pub async fn order(&mut self, id: OrderId) -> Result<Option<StoredOrder>, StoreError> {
        const BY: By = by!("WHERE o.order_id = $1");
        self.find_order(BY, id.to_string()).await
    }

    /// An order by its fulfillment's id.
    pub async fn order_of_fulfillment(
        &mut self,
        id: &str,
    ) -> Result<Option<StoredOrder>, StoreError> {
        const BY: By = by!("WHERE o.fulfillment_id = $1");
        self.find_order(BY, id.into()).await
    }

    /// An order by its trip.
    pub async fn order_of_trip(&mut self, id: TripId) -> Result<Option<StoredOrder>, StoreError> {
        self.find_order(OF_TRIP, id.to_string()).await
    }

    /// The same, not locked: to see whose it is.
    pub async fn look_at_order_of_trip(
        &mut self,
        id: TripId,
    ) -> Result<Option<StoredOrder>, StoreError> {
        self.select_order(OF_TRIP.plain, id.to_string()).await
    }

    /// An order by the capability of its tracking link.
    pub async fn order_of_track_token(
        &mut self,
        token: &str,
    ) -> Result<Option<StoredOrder>, StoreError> {
        const BY: By = by!("WHERE o.track_token = $1");
        self.find_order(BY, token.into()).await
    }

    /// An order by the capability of its receipt, unless its rider was taken out of it.
    pub async fn order_of_receipt_token(
        &mut self,
        token: &str,
    ) -> Result<Option<StoredOrder>, StoreError> {
        const BY: By = by!("WHERE o.receipt_token = $1 AND o.erased_at IS NULL");
        self.find_order(BY, token.into()).await
    }

    /// An order by one of its offers.
    pub async fn order_of_assignment(
        &mut self,
        id: AssignmentId,
    ) -> Result<Option<StoredOrder>, StoreError> {
        self.find_order(OF_ASSIGNMENT, id.to_string()).await
    }

    /// The same, not locked: to see whose it is.
    pub async fn look_at_order_of_assignment(
        &mut self,
        id: AssignmentId,
    ) -> Result<Option<StoredOrder>, StoreError> {
        self.select_order(OF_ASSIGNMENT.plain, id.to_string()).await
    }

    async fn find_order(&mut self, by: By, key: String) -> Result<Option<StoredOrder>, StoreError> {
        let sql = match self {
            Self::Sqlite(_) | Self::Postgres(_) => by.plain,
            Self::PostgresWriting(_) => by.locking,
        };
        self.select_order(sql, key).await
    }

    async fn select_order(
        &mut self,
        sql: &'static str,
        key: String,
    ) -> Result<Option<StoredOrder>, StoreError> {
        let row: Option<Row> =
            on_db!(self, conn => sqlx::query_as(sql).bind(key).fetch_optional(conn).await?);
        row.map(stored).transpose()
    }

    /// Notes which order an offer belongs to, and the trip that it becomes.
    pub async fn add_assignment(
        &mut self,
        id: AssignmentId,
        trip: TripId,
        order: OrderId,
    ) -> Result<(), StoreError> {
        const OFFER: &str = "INSERT INTO assignment (assignment_id, order_id) VALUES ($1, $2)";
        const TRIP: &str = "INSERT INTO trip (trip_id, order_id) VALUES ($1, $2)";
        on_db!(self, conn => {
            sqlx::query(OFFER)
                .bind(id.to_string()).bind(order.to_string()).execute(&mut *conn).await?;
            sqlx::query(TRIP)
                .bind(trip.to_string()).bind(order.to_string()).execute(conn).await?.rows_affected()
        });
        Ok(())
    }

    /// Notes which order a trip belongs to, unless that is noted.
    pub(super) async fn note_trip(
        &mut self,
        trip: TripId,
        order: OrderId,
    ) -> Result<(), StoreError> {
        const SQL: &str =
            "INSERT INTO trip (trip_id, order_id) VALUES ($1, $2) ON CONFLICT (trip_id) DO NOTHING";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(trip.to_string()).bind(order.to_string()).execute(conn).await?.rows_affected());
        Ok(())
    }

    /// At most `limit` orders about which something is to be done by `at`, longest due first, behind `after`;
    /// of each since when it is due and its id.
    pub async fn due_orders(
        &mut self,
        at: Timestamp,
        after: Option<(Timestamp, OrderId)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, OrderId)>, StoreError> {
        const SQL: &str = "SELECT due_at, order_id FROM ride_order \
             WHERE due_at <= $1 AND due_at >= $2 AND (due_at > $2 OR order_id > $3) \
             ORDER BY due_at, order_id LIMIT $4";
        let (since, id) =
            after.map_or((i64::MIN, String::new()), |(due, id)| (due.unix_ms, id.to_string()));
        let rows: Vec<(i64, String)> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(at.unix_ms).bind(since).bind(id).bind(i64::from(limit)).fetch_all(conn).await?);
        let due = |(due, id): &(i64, String)| {
            Ok((Timestamp::from_unix_ms(*due), super::parse(TABLE, id, "order_id", id)?))
        };
        rows.iter().map(due).collect()
    }
}
