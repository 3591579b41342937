//! Table `registration`: keys of ours that the registry was asked to take up, one row a key, and how often
//! its challenge was answered since.

use tripline_protocol::unit::Timestamp;

use super::{StoreError, Tx, on_db};

/// How long the registry's challenge is answered after it was asked to take up a key, in ms. Registries send
/// it within seconds; some have a person look first.
pub const REGISTRATION_MS: i64 = 3_600_000;

/// Challenges answered for a key each time that the registry is asked: it sends one, or some more where the
/// answer was late.
pub const ANSWERS_MAX: u32 = 16;

impl Tx {
    /// Notes that the registry is asked to take up a key; what was noted of the key before is forgotten.
    pub async fn note_registration(
        &mut self,
        unique_key_id: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO registration (unique_key_id, asked_at, answers) \
             VALUES ($1, $2, 0) ON CONFLICT (unique_key_id) \
             DO UPDATE SET asked_at = excluded.asked_at, answers = 0";
        on_db!(self, conn => sqlx::query(SQL)
            .bind(unique_key_id.to_owned()).bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// The keys whose challenge may be answered at this time, the one last asked for first.
    pub async fn pending_registrations(
        &mut self,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT unique_key_id FROM registration \
             WHERE asked_at > $1 AND asked_at < $2 AND answers < $3 \
             ORDER BY asked_at DESC, unique_key_id";
        let (from, to) = window(now);
        Ok(on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(from).bind(to).bind(i64::from(ANSWERS_MAX))
            .fetch_all(conn).await?))
    }

    /// Counts an answer to a key's challenge. Says whether it may be given: it may not any more if others
    /// were given meanwhile, or the time is over.
    pub async fn count_answer(
        &mut self,
        unique_key_id: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE registration SET answers = answers + 1 \
             WHERE unique_key_id = $1 AND asked_at > $2 AND asked_at < $3 AND answers < $4";
        let (from, to) = window(now);
        Ok(on_db!(self, conn => sqlx::query(SQL)
            .bind(unique_key_id.to_owned()).bind(from).bind(to).bind(i64::from(ANSWERS_MAX))
            .execute(conn).await?.rows_affected())
            == 1)
    }
}

/// When the registry must have been asked. A time that lies ahead is one of another machine's clock, or of
/// ours before it was set back: it does not count for ever.
const fn window(now: Timestamp) -> (i64, i64) {
    (now.plus_ms(-REGISTRATION_MS).unix_ms, now.plus_ms(REGISTRATION_MS).unix_ms)
}
