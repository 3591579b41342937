//! Orders: compare-and-set, the ways to find one, what is due, what is over.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tripline_backend::domain::order::{Order, Rider};
use tripline_backend::store::erase::rider_key;
use tripline_backend::store::order::StoredOrder;
use tripline_backend::store::{StoreError, Tx};
use tripline_protocol::id::{AssignmentId, OrderId, TripId};
use tripline_protocol::machine::Machine as _;
use tripline_protocol::order::OrderState;

use crate::{Checked, NOW, quoted};

/// Few enough that they meet.
pub(crate) const ORDERS: u8 = 4;

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Add(u8),
    /// Reads one, to be saved later.
    Read(u8),
    /// Saves what was read so many reads ago, changed.
    Save {
        which: usize,
        state: OrderState,
        until_ms: i64,
        rider: Option<u8>,
    },
    AddAssignment {
        order: u8,
        assignment: u8,
    },
    Due {
        at_ms: i64,
        limit: u32,
    },
    Over {
        state: OrderState,
        before_ms: i64,
    },
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let order = || 1..=ORDERS;
    let state = || prop::sample::select(OrderState::ALL.to_vec());
    prop_oneof![
        3 => order().prop_map(Op::Add),
        4 => order().prop_map(Op::Read),
        5 => (0..4_usize, state(), 0..100_i64, prop::option::of(1..4_u8)).prop_map(
            |(which, state, until_ms, rider)| Op::Save { which, state, until_ms, rider }
        ),
        2 => (order(), 1..8_u8)
            .prop_map(|(order, assignment)| Op::AddAssignment { order, assignment }),
        2 => (0..100_i64, 0..4_u32).prop_map(|(at_ms, limit)| Op::Due { at_ms, limit }),
        1 => (state(), 0..100_i64).prop_map(|(state, before_ms)| Op::Over { state, before_ms }),
    ]
}

pub(crate) fn id(n: u8) -> OrderId {
    quoted::order(n, NOW).id
}

/// An order, and how often it was written.
type Row = (Order, u64);

#[derive(Debug, Clone, Default)]
pub(crate) struct Orders {
    rows: BTreeMap<u8, Row>,
    assignments: BTreeMap<u8, u8>,
    /// What was read, the last first, and how often it had been written then.
    read: Vec<(u8, StoredOrder, u64)>,
}

impl Orders {
    pub(crate) fn has(&self, n: u8) -> bool {
        self.rows.contains_key(&n)
    }

    pub(crate) async fn run(&mut self, tx: &mut Tx, op: Op) -> Checked {
        match op {
            Op::Add(n) => self.add(tx, n).await,
            Op::Read(n) => self.read(tx, n).await,
            Op::Save { which, state, until_ms, rider } => {
                self.save(tx, which, |order| {
                    order.state = state;
                    order.quote_expires_at = NOW.plus_ms(until_ms);
                    order.search_until = Some(NOW.plus_ms(until_ms));
                    order.rider = rider.map(|n| Rider { name: "R".into(), phone: phone(n) });
                    order.updated_at = NOW.plus_ms(until_ms);
                    order.callbacks += 1;
                })
                .await
            }
            Op::AddAssignment { order, assignment } => {
                self.add_assignment(tx, order, assignment).await
            }
            Op::Due { at_ms, limit } => self.due(tx, at_ms, limit).await,
            Op::Over { state, before_ms } => self.over(tx, state, before_ms).await,
        }
    }

    /// One that is there is refused, and the part that tried it alone is undone.
    async fn add(&mut self, tx: &mut Tx, n: u8) -> Checked {
        let order = quoted::order(n, NOW);
        tx.begin_part().await.expect("begun");
        let added = tx.add_order(&order).await;
        prop_assert_eq!(added.is_ok(), !self.has(n), "{:?}", added);
        if added.is_ok() {
            tx.keep_part().await.expect("kept");
            self.rows.insert(n, (order, 1));
        } else {
            tx.undo_part().await.expect("undone");
        }
        Ok(())
    }

    async fn read(&mut self, tx: &mut Tx, n: u8) -> Checked {
        let found = tx.order(id(n)).await.expect("answers");
        prop_assert_eq!(found.as_ref().map(|it| &it.order), self.rows.get(&n).map(|it| &it.0));
        if let (Some(found), Some((_, written))) = (found, self.rows.get(&n)) {
            self.read.insert(0, (n, found, *written));
            self.read.truncate(4);
        }
        Ok(())
    }

    /// It is saved if it was not written since it was read, and else a conflict.
    async fn save(
        &mut self,
        tx: &mut Tx,
        which: usize,
        change: impl FnOnce(&mut Order),
    ) -> Checked {
        let Some((n, stored, read)) = self.read.get(which).cloned() else { return Ok(()) };
        let mut stored = stored;
        change(&mut stored.order);
        let saved = tx.save_order(&stored).await;
        match self.rows.get_mut(&n) {
            Some((order, written)) if *written == read => {
                prop_assert!(saved.is_ok(), "{:?}", saved);
                *order = stored.order;
                *written += 1;
            }
            Some(_) | None => {
                let is_conflict = matches!(saved, Err(StoreError::Conflict { .. }));
                prop_assert!(is_conflict, "{:?} of what was read at {}", saved, read);
            }
        }
        Ok(())
    }

    async fn add_assignment(&mut self, tx: &mut Tx, order: u8, assignment: u8) -> Checked {
        if !self.has(order) || self.assignments.contains_key(&assignment) {
            return Ok(());
        }
        let trip = TripId::from_bytes([assignment; 16]);
        tx.add_assignment(assignment_id(assignment), trip, id(order)).await.expect("added");
        self.assignments.insert(assignment, order);
        Ok(())
    }

    async fn due(&self, tx: &mut Tx, at_ms: i64, limit: u32) -> Checked {
        let at = NOW.plus_ms(at_ms);
        let found = tx.due_orders(at, None, limit).await.expect("answers");
        if let Some((first, behind)) = found.split_first() {
            // What is behind one of them is what it is without that one, in one order for all.
            let limit = u32::try_from(behind.len()).expect("few");
            let again = tx.due_orders(at, Some(*first), limit).await.expect("answers");
            prop_assert_eq!(&again[..], behind);
        }
        let found: Vec<_> = found.into_iter().map(|(_, id)| id).collect();
        let due = |id: &OrderId| {
            let row = self.rows.values().find(|(order, _)| order.id == *id);
            row.and_then(|(order, _)| order.due_at()).filter(|due| *due <= at)
        };
        let times: Vec<_> = found.iter().map(due).collect();
        prop_assert!(times.iter().all(Option::is_some) && times.is_sorted(), "{:?}", found);
        let all = self.rows.values().filter(|(order, _)| due(&order.id).is_some()).count();
        prop_assert_eq!(found.len(), all.min(limit as usize));
        Ok(())
    }

    async fn over(&self, tx: &mut Tx, state: OrderState, before_ms: i64) -> Checked {
        let before = NOW.plus_ms(before_ms);
        for personal in [false, true] {
            let mut found = tx.orders_over(state, personal, before, 100).await.expect("answers");
            found.sort();
            let is_over = |order: &Order| {
                state.is_terminal() && order.state == state && order.updated_at < before
            };
            let rows = self.rows.values().filter(|(order, _)| is_over(order));
            let mut expected: Vec<_> = rows.map(|(order, _)| order.id.to_string()).collect();
            expected.sort();
            prop_assert_eq!(found, expected);
        }
        Ok(())
    }

    pub(crate) async fn check(&self, tx: &mut Tx) -> Checked {
        for n in 1..=ORDERS {
            let expected = self.rows.get(&n).map(|(order, _)| order);
            let order = quoted::order(n, NOW);
            for found in [
                tx.order(order.id).await,
                tx.order_of_fulfillment(&order.fulfillment_id).await,
                tx.order_of_track_token(&order.track_token).await,
            ] {
                let found = found.expect("answers").map(|stored| stored.order);
                prop_assert_eq!(found.as_ref(), expected, "order {}", n);
            }
        }
        for assignment in 1..8 {
            let order = self.assignments.get(&assignment);
            let found = tx.order_of_assignment(assignment_id(assignment)).await;
            let found = found.expect("answers").map(|stored| stored.order.id);
            prop_assert_eq!(found, order.map(|n| id(*n)), "assignment {}", assignment);
        }
        for n in 1..4 {
            let key = rider_key(&phone(n)).expect("a phone");
            let found = tx.orders_of_rider(&key).await.expect("answers");
            let rides = |order: &Order| order.rider.as_ref().is_some_and(|it| it.phone == phone(n));
            let rows = self.rows.values().filter(|(order, _)| rides(order));
            let mut expected: Vec<_> = rows.map(|(order, _)| order.id.to_string()).collect();
            expected.sort();
            prop_assert_eq!(found, expected, "rider {}", n);
        }
        Ok(())
    }
}

fn phone(n: u8) -> String {
    format!("+91-980000000{n}")
}

fn assignment_id(n: u8) -> AssignmentId {
    AssignmentId::from_bytes([n; 16])
}
