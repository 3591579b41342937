//! The system clock, read here and nowhere else.

use std::time::{SystemTime, UNIX_EPOCH};

use tripline_protocol::unit::Timestamp;

/// The system clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
