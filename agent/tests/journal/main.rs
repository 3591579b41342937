//! The journal on a disk that loses what was not synced and fails on demand, against a ledger of what
//! was promised.

mod change;
mod crash;
mod damage;
mod disk;
mod faults;
mod ledger;
mod otp;
