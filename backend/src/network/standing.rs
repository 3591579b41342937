//! Whether the registry knows us as we are.

/// What our own entry in the registry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is as it should be, or there is no registry that could say otherwise.
    Good,
    /// There is none that holds.
    Unregistered,
    /// It has another address than ours: requests that come to us were meant for somebody else, or peers
    /// will refuse what we send.
    Moved {
        /// The address it has.
        registered: String,
    },
}

impl Standing {
    /// Why the network is not served; `None` if it is.
    pub fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Good => None,
            Self::Unregistered => Some("this platform has no entry in the registry that holds"),
            Self::Moved { .. } => Some("the registry has another address for this platform"),
        }
    }
}
