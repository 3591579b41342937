//! The provider platform (BPP).
//!
//! [`domain`] decides and does no I/O. [`service`] loads, lets the domain decide, and stores the
//! decision with everything it calls for in one transaction. Around it: [`beckn`] translates (one
//! folder a version), [`listen`] lets in, [`http`] and [`device`] serve, [`identity`] is the device CA,
//! [`enrol`] issues its certificates, [`operate`] is what operators do, [`callback`] delivers, [`network`]
//! knows the subscribers, [`store`] keeps, [`audit`] and [`metrics`] tell.
//! [`enrol`] issues its certificates, [`callback`] delivers, [`network`] knows the subscribers, [`store`]
//! keeps, [`retention`] forgets, [`audit`] and [`metrics`] tell.

pub mod domain;

pub mod chance;
pub mod time;

pub mod beckn;
pub mod identity;
pub mod network;
pub mod settings;
pub mod store;

pub mod audit;
pub mod metrics;

pub mod receipt;
pub mod service;

pub mod listen;

pub mod device;

pub mod enrol;

pub mod operate;

pub mod callback;
pub mod http;

pub mod retention;

pub mod config;
pub mod error;
mod file;
pub mod keys;
mod seldom;

pub mod cli;
