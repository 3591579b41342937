//! Commands to devices: open until the device says what became of them, and then over once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use proptest::prelude::*;
use tripline_backend::store::Tx;
use tripline_protocol::id::CommandNumber;
use tripline_protocol::link::up::CommandOutcome;

use crate::holds::{DEVICES, device};
use crate::{Checked, NOW};

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Add { device: u8, number: u64 },
    Finish { device: u8, number: u64, outcome: CommandOutcome },
    Supersede { device: u8, number: u64 },
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let one = || (1..=DEVICES, 1..5_u64);
    let outcome = prop::sample::select(CommandOutcome::ALL.to_vec());
    prop_oneof![
        3 => one().prop_map(|(device, number)| Op::Add { device, number }),
        2 => (one(), outcome)
            .prop_map(|((device, number), outcome)| Op::Finish { device, number, outcome }),
        1 => one().prop_map(|(device, number)| Op::Supersede { device, number }),
    ]
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Commands {
    /// Whether each is open.
    rows: BTreeMap<(u8, u64), bool>,
}

fn payload(number: u64) -> Vec<u8> {
    vec![u8::try_from(number).expect("small"), 0, 255]
}

impl Commands {
    pub(crate) async fn run(&mut self, tx: &mut Tx, op: Op) -> Checked {
        match op {
            Op::Add { device: n, number } => {
                if let Entry::Vacant(row) = self.rows.entry((n, number)) {
                    let (number, payload) = (CommandNumber(number), payload(number));
                    let added = tx.add_down_message(&device(n), number, payload, NOW).await;
                    added.expect("added");
                    row.insert(true);
                }
            }
            Op::Finish { device: n, number, outcome } => {
                let told = tx.finish_down_message(&device(n), CommandNumber(number), outcome).await;
                let open = self.rows.get_mut(&(n, number)).filter(|open| **open);
                let expected = open.map(|open| {
                    *open = false;
                    payload(number)
                });
                prop_assert_eq!(told.expect("answers"), expected);
            }
            Op::Supersede { device: n, number } => {
                tx.supersede_down_message(&device(n), CommandNumber(number)).await.expect("done");
                if let Some(open) = self.rows.get_mut(&(n, number)) {
                    *open = false;
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn check(&self, tx: &mut Tx) -> Checked {
        for n in 1..=DEVICES {
            let found = tx.open_down_messages(&device(n), CommandNumber(0), 100).await;
            let open = self.rows.iter().filter(|((of, _), open)| *of == n && **open);
            let expected: Vec<_> =
                open.map(|((_, number), _)| (CommandNumber(*number), payload(*number))).collect();
            prop_assert_eq!(found.expect("answers"), expected);
        }
        Ok(())
    }
}
