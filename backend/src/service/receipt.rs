//! The receipt's link: what a ride cost, once that is final and as long as its rider is not forgotten.

use super::{Platform, ServiceError};
use crate::chance::is_token;
use crate::receipt::Receipt;

impl Platform {
    /// The receipt that the link with this capability shows; none if there is no such link, or nothing to show
    /// yet.
    pub async fn receipt(&self, token: &str) -> Result<Option<Receipt>, ServiceError> {
        // Anybody may ask: what cannot be a capability does not reach the store.
        if !is_token(token) {
            return Ok(None);
        }
        let found = self.store.read().await?.order_of_receipt_token(token).await?;
        Ok(found.and_then(|stored| Receipt::of(&stored.order)))
    }
}
