//! Trying a transaction again that others were in the way of.
//!
//! Transactions that lock several rows may wait for each other in a circle. PostgreSQL then ends one of
//! them, of which nothing is left: it is run again from its beginning, and the others are gone by then.

use std::time::Duration;

use super::StoreError;
use crate::chance;

/// Tries of one transaction in all. Each deadlock lets at least one of those in it through, so that a few
/// tries are enough for what is not a fault of ours.
pub const TRIES_MAX: u32 = 5;

/// Longest wait before the second try, in ms; twice as long before each further one. Random, so that two
/// that met do not meet again.
const WAIT_MS_MAX: u64 = 20;

/// An error that may be due to nothing but others at work beside us.
pub trait Contended {
    /// Whether the same transaction, run again, may well succeed.
    fn is_contended(&self) -> bool;
}

impl Contended for StoreError {
    fn is_contended(&self) -> bool {
        self.is_deadlock()
    }
}

/// Runs a transaction, whole, until others are in its way no more, at most [`TRIES_MAX`] times.
///
/// `transaction` begins it and commits it. What it does beside the store it must leave until then.
pub async fn retry<T, E, F>(mut transaction: impl FnMut() -> F) -> Result<T, E>
where
    E: Contended + std::fmt::Display,
    F: Future<Output = Result<T, E>>,
{
    let mut wait_ms_max = WAIT_MS_MAX;
    for _ in 1..TRIES_MAX {
        match transaction().await {
            Err(error) if error.is_contended() => {
                tracing::debug!(%error, "others were in the way; once more");
            }
            outcome => return outcome,
        }
        tokio::time::sleep(Duration::from_millis(chance::below(wait_ms_max))).await;
        wait_ms_max *= 2;
    }
    transaction().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("contended: {0}")]
    struct Met(bool);

    impl Contended for Met {
        fn is_contended(&self) -> bool {
            self.0
        }
    }

    /// How often a transaction ran that fails `failures` times, and what came of it.
    async fn run(failures: u32, error: bool) -> (u32, Result<(), Met>) {
        let mut runs = 0;
        let outcome = retry(|| {
            runs += 1;
            std::future::ready(if runs <= failures { Err(Met(error)) } else { Ok(()) })
        });
        let outcome = outcome.await;
        (runs, outcome)
    }

    #[tokio::test]
    async fn only_what_others_were_in_the_way_of_is_run_again_and_not_for_ever() {
        assert_eq!(run(0, true).await, (1, Ok(())));
        assert_eq!(run(TRIES_MAX - 1, true).await, (TRIES_MAX, Ok(())));
        assert_eq!(run(TRIES_MAX, true).await, (TRIES_MAX, Err(Met(true))));
        assert_eq!(run(1, false).await, (1, Err(Met(false))));
    }
}
