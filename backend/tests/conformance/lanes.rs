//! What devices report: cursors that move on, events, and trail batches as they came.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tripline_backend::store::Tx;
use tripline_backend::store::lane::{EventRow, LaneKey, TrailRow};
use tripline_backend::store::retention::Aged;
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::Timestamp;

use crate::holds::{DEVICES, device};
use crate::{Checked, NOW};

/// Epochs of which one is beyond what a signed number of the database holds.
const EPOCHS: [u64; 2] = [7, u64::MAX - 3];

/// A device, one of its journals, and a stream.
type Lane = (u8, usize, bool);

#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// Locks lanes, and begins those that are not there.
    Lock {
        lanes: Vec<Lane>,
        at_ms: i64,
    },
    /// Takes in so many records of a lane: events one by one, fixes as one batch.
    TakeIn {
        lane: Lane,
        records: u64,
        at_ms: i64,
    },
    ForgetEmpty(Lane),
    Age {
        trail: bool,
        before_ms: i64,
    },
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let lane = || (1..=DEVICES, 0..EPOCHS.len(), any::<bool>());
    prop_oneof![
        3 => (prop::collection::vec(lane(), 1..5), 0..100_i64)
            .prop_map(|(lanes, at_ms)| Op::Lock { lanes, at_ms }),
        5 => (lane(), 1..70_u64, 0..100_i64)
            .prop_map(|(lane, records, at_ms)| Op::TakeIn { lane, records, at_ms }),
        1 => lane().prop_map(Op::ForgetEmpty),
        1 => (any::<bool>(), 0..100_i64)
            .prop_map(|(trail, before_ms)| Op::Age { trail, before_ms }),
    ]
}

fn key((n, epoch, is_event): Lane) -> LaneKey {
    let stream = if is_event { Stream::Event } else { Stream::Trail };
    LaneKey { device: device(n), epoch: JournalEpoch(EPOCHS[epoch]), stream }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Lanes {
    /// How far each lane is committed, and when it was begun.
    cursors: BTreeMap<LaneKey, (u64, Timestamp)>,
    /// By lane and sequence, with when they came.
    events: BTreeMap<(LaneKey, u64), (EventRow, Timestamp)>,
    trail: BTreeMap<(LaneKey, u64), (TrailRow, Timestamp)>,
}

impl Lanes {
    pub(crate) async fn run(&mut self, tx: &mut Tx, op: Op) -> Checked {
        match op {
            Op::Lock { lanes, at_ms } => {
                self.lock(tx, lanes.into_iter().map(key).collect(), NOW.plus_ms(at_ms)).await
            }
            Op::TakeIn { lane, records, at_ms } => {
                self.take_in(tx, &key(lane), records, NOW.plus_ms(at_ms)).await
            }
            Op::ForgetEmpty(lane) => {
                let lane = key(lane);
                tx.forget_empty_lane(&lane).await.expect("answers");
                self.cursors.retain(|known, (sequence, _)| *known != lane || *sequence > 0);
                Ok(())
            }
            Op::Age { trail, before_ms } => self.age(tx, trail, NOW.plus_ms(before_ms)).await,
        }
    }

    async fn lock(&mut self, tx: &mut Tx, lanes: BTreeSet<LaneKey>, at: Timestamp) -> Checked {
        for lane in &lanes {
            self.cursors.entry(lane.clone()).or_insert((0, at));
        }
        let locked = tx.lock_cursors(lanes.clone(), at).await.expect("answers");
        prop_assert_eq!(locked.len(), lanes.len());
        for (lane, cursor) in locked {
            let expected = self.cursors.get(&lane).copied();
            prop_assert_eq!(Some((cursor.sequence.0, cursor.created_at)), expected);
        }
        Ok(())
    }

    async fn take_in(
        &mut self,
        tx: &mut Tx,
        lane: &LaneKey,
        records: u64,
        at: Timestamp,
    ) -> Checked {
        self.lock(tx, BTreeSet::from([lane.clone()]), at).await?;
        let (cursor, _) = self.cursors[lane];
        let through = cursor + records;
        match lane.stream {
            Stream::Event => self.add_events(tx, lane, (cursor + 1)..=through, at).await,
            Stream::Trail => self.add_batch(tx, lane, cursor, through, at).await,
        }
        tx.move_cursors(&[(lane.clone(), Sequence(through))], at).await.expect("moved");
        if let Some(known) = self.cursors.get_mut(lane) {
            known.0 = through;
        }
        Ok(())
    }

    async fn add_events(
        &mut self,
        tx: &mut Tx,
        lane: &LaneKey,
        sequences: std::ops::RangeInclusive<u64>,
        at: Timestamp,
    ) {
        let event = |n: u64| EventRow {
            sequence: Sequence(n),
            at: NOW.plus_ms(n.cast_signed()),
            trip: None,
            refused: n.is_multiple_of(3).then(|| "why".to_owned()),
            payload: n.to_be_bytes().to_vec(),
        };
        let rows: Vec<_> = sequences.map(|n| (lane.clone(), event(n))).collect();
        tx.add_events(&rows, at).await.expect("added");
        for (lane, row) in rows {
            self.events.insert((lane, row.sequence.0), (row, at));
        }
    }

    async fn add_batch(
        &mut self,
        tx: &mut Tx,
        lane: &LaneKey,
        cursor: u64,
        through: u64,
        at: Timestamp,
    ) {
        let row = TrailRow {
            through: Sequence(through),
            skip: cursor % 2,
            times: None,
            records: through - cursor + cursor % 2,
            payload: vec![0, 255, u8::try_from(through % 256).expect("a byte")],
        };
        tx.add_trail_batches(&[(lane.clone(), row.clone())], at).await.expect("added");
        self.trail.insert((lane.clone(), through), (row, at));
    }

    async fn age(&mut self, tx: &mut Tx, trail: bool, before: Timestamp) -> Checked {
        let what = if trail { Aged::Trail } else { Aged::Events };
        let deleted = tx.delete_aged(what, before).await.expect("deleted");
        let count = |rows: usize, left: usize| (rows - left) as u64;
        let expected = if trail {
            let rows = self.trail.len();
            self.trail.retain(|_, (_, at)| *at >= before);
            count(rows, self.trail.len())
        } else {
            let rows = self.events.len();
            self.events.retain(|_, (_, at)| *at >= before);
            count(rows, self.events.len())
        };
        prop_assert_eq!(deleted, expected);
        Ok(())
    }

    pub(crate) async fn check(&self, tx: &mut Tx) -> Checked {
        for n in 1..=DEVICES {
            for is_event in [false, true] {
                let stream = key((n, 0, is_event)).stream;
                let mut found = tx.cursors(&device(n), stream).await.expect("answers");
                found.sort();
                let own = self
                    .cursors
                    .iter()
                    .filter(|(lane, _)| lane.device == device(n) && lane.stream == stream);
                let expected: Vec<_> =
                    own.map(|(lane, (through, _))| (lane.epoch, Sequence(*through))).collect();
                prop_assert_eq!(found, expected);
            }
            for epoch in 0..EPOCHS.len() {
                self.check_journal(tx, n, epoch).await?;
            }
        }
        Ok(())
    }

    async fn check_journal(&self, tx: &mut Tx, n: u8, epoch: usize) -> Checked {
        let (events, trail) = (key((n, epoch, true)), key((n, epoch, false)));
        let found = tx.events(&device(n), events.epoch).await.expect("answers");
        let own = self.events.iter().filter(|((lane, _), _)| *lane == events);
        let expected: Vec<_> = own.map(|(_, (row, _))| row.clone()).collect();
        prop_assert_eq!(found, expected);
        let found = tx.trail_batches(&device(n), trail.epoch).await.expect("answers");
        let own = self.trail.iter().filter(|((lane, _), _)| *lane == trail);
        let expected: Vec<_> = own.map(|(_, (row, _))| row.clone()).collect();
        prop_assert_eq!(found, expected);
        Ok(())
    }
}
