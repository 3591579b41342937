//! NMEA 0183: bytes to checked sentences, sentences to fields, all in integers and without allocation.

mod framer;
mod number;
mod sentence;

pub use framer::{Faults, Framer, SENTENCE_LEN_MAX};
pub use sentence::{Gga, Rmc, Sentence};

pub use crate::calendar::{Date, TimeOfDay};
