//! The client of a gateway's registration API: how a provider signs up, is looked at, and hands in papers.
//!
//! What is sent and what is answered are plain values: [`check`](mod@check) judges fields before they are
//! sent, [`message`] writes requests, [`answer`] reads what comes back, and none of them does any I/O.
//! [`client`] carries a request over HTTP, [`shelf`] keeps what a gateway gave us, [`desk`] puts them
//! together, and [`watch`] looks again while the platform serves. What the document leaves open, and what
//! was chosen, is in `docs/gateway.md`.

mod lenient;
mod words;

pub mod expiry;
pub mod status;
pub mod token;

pub mod field;

pub mod check;
pub mod company;
pub mod document;
pub mod papers;

pub mod answer;
pub mod message;

pub mod client;
mod upload;

pub mod shelf;

pub mod desk;

pub mod watch;
