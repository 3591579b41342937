//! A line on standard error every few seconds, for whoever watches.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::session::Common;

/// Between two lines.
const EVERY: Duration = Duration::from_secs(5);

/// Says a sentence.
pub fn say(text: &str) {
    // Whoever closed our standard error does not want to know; the fleet goes on.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says how things stand, for ever.
pub async fn tell(common: Arc<Common>, vehicles: u64) {
    let mut before = (Instant::now(), 0);
    loop {
        tokio::time::sleep(EVERY).await;
        let tally = &common.tally;
        let acknowledged = tally.trail_batches_acknowledged.get();
        let puback = tally.puback.quantiles();
        say(&format!(
            "{:>5} s  enrolled {}  connected {}/{vehicles}  published {}  acknowledged {} ({}/s)  \
             p50 {:.1} ms  p99 {:.1} ms  reconnects {}",
            common.watch.now().ms / 1_000,
            tally.enrolled.get(),
            tally.connected(),
            tally.trail_batches_published.get(),
            acknowledged,
            per_s(acknowledged - before.1, before.0.elapsed()),
            puback.p50_ms,
            puback.p99_ms,
            tally.reconnects(),
        ));
        before = (Instant::now(), acknowledged);
    }
}

fn per_s(count: u64, elapsed: Duration) -> u64 {
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    count * 1_000 / ms.max(1)
}
