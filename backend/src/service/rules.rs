//! What the configuration says of how the network is met.

/// What a BAP is told, and what it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkRules {
    /// Whether a search that we do not serve is taken and then not answered. Otherwise it is refused.
    pub silent_when_not_served: bool,
}

/// Where riders find help. What is not set is not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Support {
    /// A phone.
    pub phone: Option<String>,
    /// An address of electronic mail.
    pub email: Option<String>,
    /// A page: an http or https URL.
    pub url: Option<String>,
}

impl Support {
    /// Whether nobody could find help.
    pub const fn is_none(&self) -> bool {
        self.phone.is_none() && self.email.is_none() && self.url.is_none()
    }
}
