//! NMEA 0183: bytes to checked sentences, sentences to fields, all in integers and without allocation.

mod field;
mod framer;
mod number;
mod parse;
mod reader;
mod sentence;

pub use crate::calendar::{Date, TimeOfDay};
pub use framer::{Faults, Framer, SENTENCE_LEN_MAX};
pub use reader::{Reader, Tally};
pub use sentence::{
    Accuracy, Gga, Gll, Gns, Gsa, Gsv, Rmc, Sentence, Signal, Unread, Verdict, Vtg, Zda,
};
