//! Booking and driving, quietly: what every test of a ride begins with.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{PATIENCE, TripAnswer, World};

/// Between two searches while the platform does not know of the vehicle.
const SEARCH_AGAIN: Duration = Duration::from_millis(200);

/// What a rider's platform hears of a whole ride with one pause, in order.
pub const WHOLE_RIDE: [&str; 7] = [
    "DRIVER_EN_ROUTE",
    "DRIVER_EN_ROUTE_TO_PICKUP",
    "DRIVER_AT_PICKUP",
    "RIDE_STARTED",
    "RIDE_PAUSED",
    "RIDE_RESUMED",
    "RIDE_ENDED",
];

/// A booked order.
#[derive(Debug, Clone)]
pub struct Booking {
    /// Its id.
    pub order_id: String,
    /// Message id of its `confirm`, which `on_confirm` answers.
    pub confirm: String,
}

impl World {
    /// Waits until the vehicle has a position; gives it as `lat,lon`.
    pub async fn wait_for_position(&self) -> Result<String> {
        let here = self
            .wait_for_trip("a first position", |answer| answer.body.pointer("/fix/gps").is_some())
            .await?;
        let gps = here.body.pointer("/fix/gps").and_then(Value::as_str);
        Ok(gps.context("a position")?.to_owned())
    }

    /// The platform knows of the vehicle once its live position is there; until then it refuses a
    /// search.
    pub async fn search_until_found(&self, pickup: &str, drop: &str) -> Result<Value> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.bap.search(pickup, drop).await {
                Ok(found) => return Ok(found),
                Err(error) if tokio::time::Instant::now() >= until => return Err(error),
                Err(_) => tokio::time::sleep(SEARCH_AGAIN).await,
            }
        }
    }

    /// Searches, selects, initializes and confirms where the vehicle is.
    pub async fn book(&self) -> Result<Booking> {
        let pickup = self.wait_for_position().await?;
        let drop = drop_near(&pickup)?;
        self.book_between(&pickup, &drop).await
    }

    /// The same between two places, `lat,lon` each.
    pub async fn book_between(&self, pickup: &str, drop: &str) -> Result<Booking> {
        self.search_until_found(pickup, drop).await?;
        let quoted = self.bap.select("auto", pickup, drop).await?;
        let terms = self.bap.init(&quoted, "Asha Rao", "+91-9800000000").await?;
        let order_id = terms.pointer("/message/order/id").and_then(Value::as_str);
        let order_id = order_id.context("on_init told no order id")?.to_owned();
        Ok(Booking { order_id, confirm: self.bap.confirm(&terms).await? })
    }

    /// Waits until the driver sees an offer.
    pub async fn wait_for_offer(&self) -> Result<TripAnswer> {
        self.wait_for_trip("the offer", |answer| {
            answer.body.get("offer").is_some_and(|offer| !offer.is_null())
        })
        .await
    }

    /// Accepts, departs and arrives.
    pub async fn drive_to_pickup(&self) -> Result<()> {
        self.wait_for_offer().await?;
        for verb in ["accept", "depart", "arrive"] {
            self.drive(&[verb]).await?;
        }
        Ok(())
    }

    /// The OTP that the rider was told with `on_confirm`.
    pub async fn otp(&self, booking: &Booking) -> Result<String> {
        let confirmed = self.bap.on_confirm(&booking.confirm).await?;
        let token = confirmed.pointer("/message/order/fulfillment/start/authorization/token");
        Ok(token.and_then(Value::as_str).context("on_confirm told no OTP")?.to_owned())
    }

    /// Waits until the meter shows `metres` more than it does.
    pub async fn drive_on(&self, metres: u64) -> Result<TripAnswer> {
        let until = self.drive(&["show"]).await?.distance_m() + metres;
        self.wait_for_trip("the vehicle to move on", |answer| answer.distance_m() >= until).await
    }

    /// Waits until the vehicle's last fix is `ms` later than it is, whatever the meter does.
    pub async fn wait_for_fixes(&self, ms: i64) -> Result<()> {
        let at = |answer: &TripAnswer| {
            answer.body.pointer("/fix/at_unix_ms").and_then(Value::as_i64).unwrap_or(0)
        };
        let until = at(&self.trip(&["show"]).await?) + ms;
        self.wait_for_trip("more fixes", |answer| at(answer) >= until).await.map(drop)
    }

    /// Waits until the rider's platform has been told of the end and the final fare of an order.
    pub async fn wait_for_final_fare(&self, booking: &Booking) -> Result<Value> {
        let order_id = booking.order_id.clone();
        self.bap
            .wait_for("the final fare", PATIENCE, move |entries| {
                entries
                    .iter()
                    .filter(|entry| entry.order_id.as_deref() == Some(&order_id))
                    .find(|entry| entry.body["message"]["update_target"] == FINAL_FARE)
                    .map(|entry| entry.body.clone())
            })
            .await
    }
}

/// What an `on_update` says it tells of when the fare is final.
const FINAL_FARE: &str = "order.quote,order.payment";

/// A drop about a kilometre and a half from a pickup, `lat,lon`.
pub fn drop_near(pickup: &str) -> Result<String> {
    let (lat, lon) = pickup.split_once(',').context("a position")?;
    let (lat, lon): (f64, f64) = (lat.parse()?, lon.parse()?);
    Ok(format!("{:.7},{:.7}", lat + 0.01, lon + 0.01))
}
