//! Ports for what is started next.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail};

/// An address for a process that is started next. Its port lies below those the system gives out by
/// itself, and in a block of this process's own, so that no other test can come by it meanwhile.
pub(super) fn free_address() -> Result<SocketAddr> {
    const PORT_MIN: u32 = 10_000;
    const PORTS_PER_PROCESS: u32 = 20;
    const PROCESSES: u32 = 1_100;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let block = PORT_MIN + std::process::id() % PROCESSES * PORTS_PER_PROCESS;
    for _ in 0..PORTS_PER_PROCESS {
        let port = block + NEXT.fetch_add(1, Ordering::Relaxed) % PORTS_PER_PROCESS;
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port)?));
        if std::net::TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("ports {block} to {} are all taken", block + PORTS_PER_PROCESS - 1)
}
