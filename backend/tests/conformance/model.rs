//! What is to be in the store.

use tripline_backend::store::Tx;

use crate::Checked;
use crate::callbacks::Callbacks;
use crate::commands::Commands;
use crate::holds::Holds;
use crate::inbox::Inbox;
use crate::lanes::Lanes;
use crate::orders::Orders;
use crate::presence::Presence;

/// One field an area.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) orders: Orders,
    pub(crate) holds: Holds,
    pub(crate) lanes: Lanes,
    pub(crate) inbox: Inbox,
    pub(crate) callbacks: Callbacks,
    pub(crate) commands: Commands,
    pub(crate) presence: Presence,
}

impl Model {
    /// Reads everything back.
    pub(crate) async fn check(&self, tx: &mut Tx) -> Checked {
        self.orders.check(tx).await?;
        self.holds.check(tx).await?;
        self.lanes.check(tx).await?;
        // What is in the inbox is known by asking again, which changes it: its operations do.
        self.callbacks.check(tx).await?;
        self.commands.check(tx).await?;
        self.presence.check(tx).await
    }
}
