//! Callbacks: those of an order go one after another, and each comes back as it was written.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tripline_backend::store::Tx;
use tripline_backend::store::callback::{CallbackCounts, Delivery, NewCallback, Note, Noted};

use crate::{Checked, NOW};

const KEYS: u8 = 3;

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Add(u8),
    /// Takes whatever has its turn, and ends it.
    Deliver(Delivery),
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let delivery = prop_oneof![Just(Delivery::Delivered), Just(Delivery::Dead)];
    prop_oneof![3 => (1..=KEYS).prop_map(Op::Add), 2 => delivery.prop_map(Op::Deliver)]
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Callbacks {
    /// By key, in sequence.
    rows: BTreeMap<u8, Vec<Delivery>>,
}

impl Callbacks {
    pub(crate) async fn run(&mut self, tx: &mut Tx, op: Op) -> Checked {
        match op {
            Op::Add(n) => {
                let rows = self.rows.entry(n).or_default();
                rows.push(Delivery::Pending);
                tx.add_callback(callback(n, rows.len() as u64), NOW).await.expect("added");
                Ok(())
            }
            Op::Deliver(delivery) => self.deliver(tx, delivery).await,
        }
    }

    /// The first of each key that is pending has its turn, and no other.
    async fn deliver(&mut self, tx: &mut Tx, delivery: Delivery) -> Checked {
        let turns = tx.callback_turns("bap", NOW, 100).await.expect("answers");
        let mut due = tx.claim_callbacks(turns, NOW, NOW.plus_ms(1)).await.expect("answers");
        due.sort_by(|one, other| one.order_key.cmp(&other.order_key));
        let mut notes = Vec::new();
        let mut due = due.into_iter();
        for (n, rows) in &mut self.rows {
            let Some(first) = rows.iter().position(|row| *row == Delivery::Pending) else {
                continue;
            };
            let Some(due) = due.next() else {
                return Err(TestCaseError::fail(format!("{n} waits for its turn")));
            };
            let expected = callback(*n, first as u64 + 1);
            prop_assert_eq!(
                (&due.order_key, due.sequence),
                (&expected.order_key, expected.sequence)
            );
            prop_assert_eq!(&due.body, &expected.body);
            rows[first] = delivery;
            notes.push(Note { due, noted: Noted::Finished(delivery, NOW), error: None });
        }
        prop_assert!(due.next().is_none(), "none out of turn");
        tx.note_callbacks(&notes).await.expect("noted");
        Ok(())
    }

    pub(crate) async fn check(&self, tx: &mut Tx) -> Checked {
        for (n, rows) in &self.rows {
            for (sequence, delivery) in (1..).zip(rows) {
                let expected = callback(*n, sequence);
                let found = tx.callback(&expected.order_key, sequence).await.expect("answers");
                let Some((kept, body)) = found else {
                    return Err(TestCaseError::fail(format!("{n} {sequence} is not there")));
                };
                prop_assert_eq!(kept.state, *delivery);
                prop_assert_eq!((kept.url, body), (expected.url, expected.body));
            }
        }
        let all = || self.rows.values().flatten();
        let count = |state| all().filter(|row| **row == state).count();
        let count = |state| i64::try_from(count(state)).expect("few");
        let expected =
            CallbackCounts { pending: count(Delivery::Pending), dead: count(Delivery::Dead) };
        prop_assert_eq!(tx.callback_counts().await.expect("answers"), expected);
        Ok(())
    }
}

fn callback(n: u8, sequence: u64) -> NewCallback {
    NewCallback {
        order_key: format!("order-{n}"),
        sequence,
        subscriber_id: "bap".into(),
        action: "on_status".into(),
        url: format!("https://bap.example/{sequence}"),
        body: vec![0, n, 255],
        expires_at: NOW.plus_ms(1_000_000),
    }
}
