//! A ride from its booking to its end, and whether it was told as it was.

use anyhow::{Context as _, Result, ensure};

use super::{Booking, LOOK_AGAIN, PATIENCE, RowCounts, WHOLE_RIDE, World};

/// Metres driven before and after the pause: a few seconds each.
pub const METRES: u64 = 40;

impl World {
    /// Books, drives to the pickup, and starts with the rider's OTP.
    pub async fn start_ride(&self) -> Result<Booking> {
        let booking = self.book().await?;
        self.drive_to_pickup().await?;
        let otp = self.otp(&booking).await?;
        self.drive(&["start", "--otp", &otp]).await?;
        Ok(booking)
    }

    /// Pauses, resumes and stops, with some driving before, between and after.
    pub async fn finish_ride(&self) -> Result<()> {
        self.drive_on(METRES).await?;
        self.drive(&["pause"]).await?;
        self.wait_for_fixes(2_000).await?;
        self.drive(&["resume"]).await?;
        self.drive_on(METRES).await?;
        self.drive(&["stop"]).await?;
        Ok(())
    }

    /// Waits until a ride was told to its end, and checks that it was told as it was: every state once in
    /// effect and in order, each message with the same body and a fresh signature at every attempt.
    pub async fn check_told(&self, booking: &Booking) -> Result<()> {
        self.wait_for_final_fare(booking).await?;
        let states = self.bap.fulfillment_states(&booking.order_id);
        ensure!(states == WHOLE_RIDE, "the rider's platform was told {states:?}");
        let faults = self.bap.faults_of_attempts();
        ensure!(faults.is_empty(), "{faults:#?}");
        let order = self.evidence().order(&booking.order_id).await?;
        ensure!(order.cases.is_empty(), "cases for the operator: {:?}", order.cases);
        ensure!(order.settlement.is_some(), "no final fare");
        Ok(())
    }

    /// Insists that nothing was logged at ERROR.
    pub fn check_no_errors(&self) -> Result<()> {
        let errors = self.error_lines();
        ensure!(errors.is_empty(), "errors were logged: {errors:#?}");
        Ok(())
    }

    /// Waits until no callback waits; gives what there is in the store then.
    pub async fn wait_until_all_is_told(&self) -> Result<RowCounts> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let rows = self.evidence().rows().await?;
            if rows.pending == 0 {
                return Ok(rows);
            }
            let in_time = tokio::time::Instant::now() < until;
            in_time.then_some(()).with_context(|| format!("callbacks still wait: {rows:?}"))?;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}
