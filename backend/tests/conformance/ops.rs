//! What is done to a store: the operations of every area, and the ends of transactions.

use proptest::prelude::*;
use tripline_backend::store::Tx;

use crate::Checked;
use crate::model::Model;
use crate::{callbacks, commands, holds, inbox, lanes, orders, presence};

/// A step of a run.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Do(Op),
    Commit,
    RollBack,
    BeginPart,
    KeepPart,
    UndoPart,
    Reopen,
}

/// An operation of one of the areas.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Order(orders::Op),
    Hold(holds::Op),
    Lane(lanes::Op),
    Inbox(inbox::Op),
    Callback(callbacks::Op),
    Command(commands::Op),
    Presence(presence::Op),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => orders::op().prop_map(Op::Order),
        3 => holds::op().prop_map(Op::Hold),
        3 => lanes::op().prop_map(Op::Lane),
        2 => inbox::op().prop_map(Op::Inbox),
        2 => callbacks::op().prop_map(Op::Callback),
        2 => commands::op().prop_map(Op::Command),
        1 => presence::op().prop_map(Op::Presence),
    ]
}

/// Some operations a transaction, one with a part in it now and then.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => op().prop_map(Step::Do),
        3 => Just(Step::Commit),
        2 => Just(Step::RollBack),
        2 => Just(Step::BeginPart),
        1 => Just(Step::KeepPart),
        1 => Just(Step::UndoPart),
        1 => Just(Step::Reopen),
    ]
}

impl Model {
    /// Does it to both, and compares what they say.
    pub(crate) async fn run(&mut self, tx: &mut Tx, op: Op) -> Checked {
        match op {
            Op::Order(op) => self.orders.run(tx, op).await,
            Op::Hold(op) => self.holds.run(tx, op, &self.orders).await,
            Op::Lane(op) => {
                self.holds.add_vehicles(tx).await?;
                self.lanes.run(tx, op).await
            }
            Op::Inbox(op) => self.inbox.run(tx, op).await,
            Op::Callback(op) => self.callbacks.run(tx, op).await,
            Op::Command(op) => {
                self.holds.add_vehicles(tx).await?;
                self.commands.run(tx, op).await
            }
            Op::Presence(op) => {
                self.holds.add_vehicles(tx).await?;
                self.presence.run(tx, op).await
            }
        }
    }
}
