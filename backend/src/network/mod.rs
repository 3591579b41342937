//! Who else is on the network, who speaks, and where nothing of ours may be sent.

pub mod subscriber;

pub mod guard;
pub mod http;

pub mod directory;

pub mod authenticate;
pub mod self_check;
pub mod standing;

pub mod registration;

pub mod gateway;
