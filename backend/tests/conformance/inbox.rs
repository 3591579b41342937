//! Requests that were acknowledged: the same one twice has one effect.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tripline_backend::store::Tx;
use tripline_backend::store::inbox::{RequestKey, Seen};
use tripline_protocol::unit::Timestamp;

use crate::{Checked, NOW};

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Note { action: usize, message: u8, variant: bool, digest: u8, at_ms: i64 },
    Forget { before_ms: i64, limit: u32 },
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (0..2_usize, 0..3_u8, any::<bool>(), 0..2_u8, 0..100_i64).prop_map(
            |(action, message, variant, digest, at_ms)| {
                Op::Note { action, message, variant, digest, at_ms }
            }
        ),
        1 => (0..100_i64, 1..4_u32).prop_map(|(before_ms, limit)| Op::Forget { before_ms, limit }),
    ]
}

type Key = (usize, u8, Vec<u8>);

#[derive(Debug, Clone, Default)]
pub(crate) struct Inbox {
    rows: BTreeMap<Key, (u8, Timestamp)>,
    /// Forgotten with some others of the same age, of which nobody can tell which went.
    is_unsure: bool,
}

impl Inbox {
    pub(crate) async fn run(&mut self, tx: &mut Tx, op: Op) -> Checked {
        match op {
            Op::Note { action, message, variant, digest, at_ms } => {
                let variant = if variant { vec![digest] } else { Vec::new() };
                self.note(tx, (action, message, variant), digest, NOW.plus_ms(at_ms)).await
            }
            Op::Forget { before_ms, limit } => self.forget(tx, NOW.plus_ms(before_ms), limit).await,
        }
    }

    async fn note(&mut self, tx: &mut Tx, key: Key, digest: u8, at: Timestamp) -> Checked {
        if self.is_unsure {
            return Ok(());
        }
        let asked = RequestKey {
            subscriber_id: "bap.example".into(),
            action: ["search", "confirm"][key.0].into(),
            message_id: key.1.to_string(),
            variant: key.2.clone(),
        };
        let seen = tx.note_request(&asked, &[digest], at).await.expect("answers");
        let known = self.rows.entry(key);
        let expected = match &known {
            std::collections::btree_map::Entry::Vacant(_) => Seen::New,
            std::collections::btree_map::Entry::Occupied(row) if row.get().0 == digest => {
                Seen::Same
            }
            std::collections::btree_map::Entry::Occupied(_) => Seen::Other,
        };
        known.or_insert((digest, at));
        prop_assert_eq!(seen, expected);
        Ok(())
    }

    async fn forget(&mut self, tx: &mut Tx, before: Timestamp, limit: u32) -> Checked {
        let forgotten = tx.forget_requests(before, limit).await.expect("answers");
        if self.is_unsure {
            return Ok(());
        }
        let old = self.rows.values().filter(|(_, at)| *at < before).count();
        prop_assert_eq!(forgotten, (old as u64).min(limit.into()));
        self.is_unsure = old > limit as usize;
        self.rows.retain(|_, (_, at)| *at >= before);
        Ok(())
    }
}
