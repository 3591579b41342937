//! Publishes that wait for their commit, in the order in which they came.
//!
//! PubAcks go out in the order of their publishes (MQTT 3.1.1, section 4.6), so what needs no commit
//! waits here too for what came before it.

use std::collections::VecDeque;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::service::Applied;

/// Publishes of one connection that wait at once; beyond it the connection is not read. Ours sends six
/// batches at most before it waits for a CommitAck.
pub(super) const IN_FLIGHT_MAX: usize = 16;

/// A publish and what became of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    /// Its packet identifier, if it was sent with QoS 1.
    pub(super) pkid: Option<u16>,
    /// What became of its batch, if it was one.
    pub(super) applied: Option<Applied>,
}

#[derive(Debug)]
struct Waiting {
    pkid: Option<u16>,
    outcome: Option<oneshot::Receiver<Applied>>,
}

/// Whoever commits let go of a batch: it was not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotCommitted;

/// The publishes that wait.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    waiting: VecDeque<Waiting>,
}

impl InFlight {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= IN_FLIGHT_MAX
    }

    /// A publish has come; `outcome` tells what becomes of its batch, if it is one.
    pub(super) fn push(&mut self, pkid: Option<u16>, outcome: Option<oneshot::Receiver<Applied>>) {
        if pkid.is_some() || outcome.is_some() {
            self.waiting.push_back(Waiting { pkid, outcome });
        }
    }

    /// The oldest publish, once it is known what became of it. Must not be
    /// called when there is none. May be dropped while it waits.
    pub(super) async fn settled(&mut self) -> Result<Settled, NotCommitted> {
        let applied = match self.waiting.front_mut().and_then(|oldest| oldest.outcome.as_mut()) {
            Some(outcome) => Some(outcome.await.map_err(|_| NotCommitted)?),
            None => None,
        };
        let oldest = self.waiting.pop_front();
        Ok(Settled { pkid: oldest.and_then(|oldest| oldest.pkid), applied })
    }

    /// The oldest publish, if it is known already what became of it.
    pub(super) fn settled_already(&mut self) -> Result<Option<Settled>, NotCommitted> {
        let Some(oldest) = self.waiting.front_mut() else { return Ok(None) };
        let pkid = oldest.pkid;
        let applied = match oldest.outcome.as_mut().map(oneshot::Receiver::try_recv) {
            None => None,
            Some(Ok(applied)) => Some(applied),
            Some(Err(TryRecvError::Empty)) => return Ok(None),
            Some(Err(TryRecvError::Closed)) => return Err(NotCommitted),
        };
        self.waiting.pop_front();
        Ok(Some(Settled { pkid, applied }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_waits_for_the_first_also_if_it_needs_no_commit() {
        let mut in_flight = InFlight::default();
        let (commit, outcome) = oneshot::channel();
        in_flight.push(Some(1), Some(outcome));
        in_flight.push(Some(2), None);
        in_flight.push(None, None);
        assert!(in_flight.settled_already().expect("still possible").is_none());
        commit.send(Applied::Early).expect("awaited");
        assert_eq!(in_flight.settled().await.expect("known").pkid, Some(1));
        let second = in_flight.settled_already().expect("known").expect("there");
        assert_eq!((second.pkid, second.applied), (Some(2), None));
        assert!(in_flight.is_empty(), "what nobody waits for is not kept");
    }

    #[tokio::test]
    async fn a_batch_that_was_let_go_was_not_committed() {
        let mut in_flight = InFlight::default();
        let (commit, outcome) = oneshot::channel();
        in_flight.push(Some(1), Some(outcome));
        drop(commit);
        assert!(in_flight.settled().await.is_err());
    }
}
