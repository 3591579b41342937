//! How the registry treats those who ask it.

/// What the registry does with a request. For one that is not there at all, stop it: connections are
/// refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behavior {
    /// Answers what its book says.
    Honest,
    /// Takes the request and never answers. The connection is closed when the behavior changes, or after a
    /// minute.
    Silent,
    /// Answers what its book says, so many ms late.
    Slow(u64),
    /// Breaks: HTTP 500.
    Error500,
    /// Answers a lookup with something that must not be believed. Subscriptions are treated honestly.
    Lying(Lie),
}

/// What a lookup is answered with in place of the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// The entries of everybody else.
    AnotherSubscriber,
    /// The right entries, each with a signing key that is nobody's.
    AnotherKey,
    /// The right entries, each with an address where nobody is.
    AnotherUrl,
    /// A page for people.
    NotJson,
    /// A list that never ends.
    Endless,
    /// A redirect to where the truth is told. Nobody may follow it.
    Redirect,
}

impl Lie {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::AnotherSubscriber,
        Self::AnotherKey,
        Self::AnotherUrl,
        Self::NotJson,
        Self::Endless,
        Self::Redirect,
    ];
}
