//! What the configuration says of how the network is met.

/// What a BAP is told, and what it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkRules {
    /// Whether a search that we do not serve is taken and then not answered. Otherwise it is refused.
    pub silent_when_not_served: bool,
}
