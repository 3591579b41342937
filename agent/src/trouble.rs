//! Which troubles the backend was told of: each is told once when it comes to stay, and once when it is
//! over.

use tripline_protocol::link::up::Trouble;
use tripline_protocol::unit::Uptime;

/// How long a trouble must last to be told, in ms: a plug pulled and put back is no news.
const TOLD_AFTER_MS: u64 = 10_000;

/// Troubles there are, since when, and whether they were told.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    present: Vec<(Trouble, Uptime, bool)>,
}

impl Troubles {
    /// Takes in what is wrong at `now`; gives what is to be told, with whether it is there.
    pub(crate) fn handle(&mut self, found: Vec<Trouble>, now: Uptime) -> Vec<(Trouble, bool)> {
        let mut tell = Vec::new();
        self.present.retain(|(trouble, _, told)| {
            let stays = found.contains(trouble);
            if !stays && *told {
                tell.push((*trouble, false));
            }
            stays
        });
        for trouble in found {
            let known = self.present.iter_mut().find(|(known, _, _)| *known == trouble);
            match known {
                None => self.present.push((trouble, now, false)),
                Some((_, since, told)) if !*told && now.since_ms(*since) >= TOLD_AFTER_MS => {
                    *told = true;
                    tell.push((trouble, true));
                }
                Some(_) => {}
            }
        }
        tell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_once_it_lasts_and_once_it_is_over() {
        let at = Uptime::from_ms;
        let mut troubles = Troubles::default();
        let missing = || vec![Trouble::ReceiverMissing];
        assert_eq!(troubles.handle(missing(), at(0)), []);
        assert_eq!(troubles.handle(Vec::new(), at(5_000)), [], "it was short");
        assert_eq!(troubles.handle(missing(), at(6_000)), []);
        assert_eq!(troubles.handle(missing(), at(16_000)), [(Trouble::ReceiverMissing, true)]);
        assert_eq!(troubles.handle(missing(), at(99_000)), [], "once");
        assert_eq!(troubles.handle(Vec::new(), at(99_500)), [(Trouble::ReceiverMissing, false)]);
    }
}
