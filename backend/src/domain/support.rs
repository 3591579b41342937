//! Where riders find help.

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
