//! Who else is on the network: subscribers, their addresses and keys.

pub mod subscribers;
