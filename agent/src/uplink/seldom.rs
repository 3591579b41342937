//! One log line a minute for each thing that goes on being wrong.

use tripline_protocol::unit::Uptime;

/// Between two lines for the same reason, in ms.
const AGAIN_MS: u64 = 60_000;

/// Reasons that are told apart at most; a sender of garbage has few.
const REASONS_MAX: usize = 16;

/// When each reason was last told.
#[derive(Debug, Default)]
pub struct Seldom {
    told: Vec<(String, Uptime)>,
}

impl Seldom {
    /// Whether to tell this reason at `now`.
    pub fn is_to_tell(&mut self, reason: &str, now: Uptime) -> bool {
        self.told.retain(|(_, at)| now.since_ms(*at) < AGAIN_MS);
        let known = self.told.iter().any(|(known, _)| known == reason);
        if known || self.told.len() >= REASONS_MAX {
            return false;
        }
        self.told.push((reason.into(), now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_once_a_minute() {
        let (mut seldom, at) = (Seldom::default(), Uptime::from_ms);
        assert!(seldom.is_to_tell("a", at(0)));
        assert!(!seldom.is_to_tell("a", at(59_999)));
        assert!(seldom.is_to_tell("b", at(59_999)));
        assert!(seldom.is_to_tell("a", at(60_000)));
    }
}
