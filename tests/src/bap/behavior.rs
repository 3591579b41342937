//! How a rider's platform treats the callbacks that come.

/// What the platform does with a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behavior {
    /// Takes it: ACK. What is wrong with the sender or the content still gets a NACK.
    Ack,
    /// Refuses it: HTTP 200 and NACK.
    Nack,
    /// Breaks: HTTP 500.
    Error500,
    /// Takes it and never answers. The connection is closed when the behavior changes, or after a
    /// minute.
    Silent,
    /// Reads it and closes the connection without an answer, as a platform does that dies then. For
    /// one that is not there at all, stop it: connections are refused.
    Unreachable,
}
