//! Waiting for a device to report on a command.

use std::time::Duration;

use crate::cli::opened::Opened;
use crate::error::BppError;
use crate::operate::trip::Pending;

/// How often the store is looked at, in ms.
const LOOK_MS: u64 = 200;

/// How often somebody who waits is told so, in ms.
const TELL_MS: u64 = 5_000;

/// Waits until the device has reported that it did it. That it did not, and that nothing came, are errors.
pub(super) async fn wait(opened: &Opened, pending: &Pending, wait_s: u64) -> Result<(), BppError> {
    let (device, number) = (&pending.device, pending.number);
    let mut waited_ms = 0;
    loop {
        let outcome = async {
            let mut tx = opened.store.read().await?;
            tx.down_outcome(device, number).await
        };
        match outcome.await.map_err(|source| opened.failed(source))?.as_deref() {
            Some("applied") => return Ok(()),
            Some(outcome) => {
                let message = format!(
                    "the device of {device} did not do it: {outcome}; `tripline-bpp trip show` \
                     tells where the trip stands there"
                );
                return Err(BppError::Refused { message });
            }
            None => {}
        }
        if waited_ms >= wait_s.saturating_mul(1000) {
            return Err(BppError::NotReported { device: device.to_string(), waited_s: wait_s });
        }
        if waited_ms % TELL_MS == 0 {
            eprintln!("waiting for device {device}: {} s", waited_ms / 1000);
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        waited_ms += LOOK_MS;
    }
}
