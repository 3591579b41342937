//! This process: its limits, and what it used.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors beside the connections: standard streams, runtime, files, enrolment.
const SPARE: u64 = 64;

/// Lets this process have so many connections; an error says how many it may have.
pub fn allow_connections(count: u64) -> Result<(), u64> {
    let wanted = count + SPARE;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    if let Some(maximum) = limit.maximum.filter(|maximum| *maximum < wanted) {
        return Err(maximum.saturating_sub(SPARE));
    }
    limit.current = Some(wanted);
    setrlimit(Resource::Nofile, limit).map_err(|_| SPARE)
}

/// Processor time used so far by all threads, in ms; 0 where the system does not tell.
pub fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, field 2, may hold spaces and ends with the last parenthesis; utime is field 14.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    ticks * 1_000 / rustix::param::clock_ticks_per_second().max(1)
}

/// Resident memory, now and at its most, in KiB; 0 where the system does not tell.
pub fn resident_kib() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    (field("VmRSS:"), field("VmHWM:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_what_this_process_uses() {
        let (now_kib, most_kib) = resident_kib();
        assert!(now_kib > 100 && most_kib >= now_kib / 2, "{now_kib} and {most_kib} KiB");
        let before = cpu_ms();
        let mut number = 1_u64;
        while cpu_ms() < before + 20 {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
    }
}
