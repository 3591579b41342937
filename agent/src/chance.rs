//! Waits that a fleet does not share.

/// A random wait below a bound that begins at `min_ms` and doubles with every attempt up to `max_ms`, so
/// that a fleet that lost its backend does not come back all at once.
pub(crate) fn jittered_ms(attempt: u32, min_ms: u64, max_ms: u64) -> u64 {
    let bound = min_ms.saturating_mul(1_u64 << attempt.min(20)).min(max_ms);
    // Without randomness the full bound is still a wait.
    getrandom::u64().map_or(bound, |random| random % bound.max(1))
}
