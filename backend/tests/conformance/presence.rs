//! Who is connected, and who was told that something changed.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tripline_backend::store::Tx;
use tripline_backend::store::presence::PresenceRow;
use tripline_protocol::unit::Timestamp;

use crate::holds::{DEVICES, device};
use crate::{Checked, NOW};

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Set { device: u8, connected: bool, version: bool },
    EndAll,
    Signal { device: u8, at_ms: i64 },
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (1..=DEVICES, any::<bool>(), any::<bool>())
            .prop_map(|(device, connected, version)| Op::Set { device, connected, version }),
        1 => Just(Op::EndAll),
        2 => (1..=DEVICES, 1..50_i64).prop_map(|(device, at_ms)| Op::Signal { device, at_ms }),
    ]
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Presence {
    rows: BTreeMap<u8, PresenceRow>,
    signals: BTreeMap<u8, Timestamp>,
}

impl Presence {
    pub(crate) async fn run(&mut self, tx: &mut Tx, op: Op) -> Checked {
        match op {
            Op::Set { device: n, connected, version } => {
                let known = self.rows.get(&n).map(|row| row.agent_version.clone());
                let mut row = PresenceRow {
                    device: device(n),
                    connected,
                    since: NOW,
                    peer: "192.0.2.7".into(),
                    agent_version: if version { "1.0".into() } else { String::new() },
                };
                tx.set_presence(row.clone()).await.expect("set");
                if !version {
                    row.agent_version = known.unwrap_or_default();
                }
                self.rows.insert(n, row);
            }
            Op::EndAll => {
                tx.end_all_presence(NOW.plus_ms(1)).await.expect("ended");
                for row in self.rows.values_mut().filter(|row| row.connected) {
                    (row.connected, row.since) = (false, NOW.plus_ms(1));
                }
            }
            Op::Signal { device: n, at_ms } => {
                let at = NOW.plus_ms(at_ms);
                tx.signal_device(&device(n), at).await.expect("given");
                let later = self.signals.get(&n).map_or(at, |known| at.max(known.plus_ms(1)));
                self.signals.insert(n, later);
            }
        }
        Ok(())
    }

    pub(crate) async fn check(&self, tx: &mut Tx) -> Checked {
        for n in 1..=DEVICES {
            let found = tx.presence(&device(n)).await.expect("answers");
            prop_assert_eq!(found.as_ref(), self.rows.get(&n));
        }
        let mut found = tx.signals_since(NOW).await.expect("answers");
        prop_assert!(found.is_sorted_by_key(|(_, at)| *at), "{:?}", found);
        found.sort();
        let signals = self.signals.iter().map(|(n, at)| (device(*n), *at));
        prop_assert_eq!(found, signals.collect::<Vec<_>>());
        Ok(())
    }
}
