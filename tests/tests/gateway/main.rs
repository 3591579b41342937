//! Registering with gateways: the real program against gateways in software.

mod chapter;
mod document;
mod faults;
mod office;
mod refusals;
mod secrets;
mod serving;
mod signup;
mod stub;
