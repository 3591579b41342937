//! What stands between an agent core and its backend: who the device is, how it enrols and renews, and
//! TLS with that identity. The agent and the simulated fleet use the same code.
//!
//! [`enrol`] turns a code into an [`Identity`] and an old identity into its next; [`tls`] turns an
//! identity into what a TLS client needs. The journal and MQTT are not its business.

mod file;

pub mod clock;
pub mod key;

pub mod identity;
pub mod lock;
pub mod pending;

pub mod https;
pub mod tls;

pub mod enrol;

pub use clock::Clock;
pub use identity::Identity;
pub use key::Key;
pub use lock::FolderLock;
