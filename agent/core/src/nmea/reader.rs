//! Bytes to sentences in one step, with a tally of what could not be read.

use super::framer::{Faults, Framer};
use super::sentence::{Sentence, Unread};

/// What became of the sentences whose checksum held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Understood, those with a nonsense field among them.
    pub understood: u64,
    /// Of the understood, those with a field that could not be read and is taken for empty.
    pub nonsense_fields: u64,
    /// Of a known formatter, yet without sense.
    pub nonsense: u64,
    /// Of a formatter this agent has no use for. Not a fault.
    pub unknown: u64,
}

/// A framer with a parser behind it.
#[derive(Debug, Default)]
pub struct Reader {
    framer: Framer,
    tally: Tally,
}

impl Reader {
    /// Takes in bytes and hands on every sentence they complete.
    pub fn push(&mut self, bytes: &[u8], mut on_sentence: impl FnMut(&Sentence)) {
        let tally = &mut self.tally;
        self.framer.push(bytes, |inside| {
            if let Some(sentence) = tally.read(inside) {
                on_sentence(&sentence);
            }
        });
    }

    /// What was wrong on the line so far.
    pub const fn faults(&self) -> &Faults {
        self.framer.faults()
    }

    /// What became of the sentences so far.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Valid sentences so far.
    pub const fn sentences(&self) -> u64 {
        self.framer.sentences()
    }
}

impl Tally {
    /// Reads the inside of a sentence and counts what became of it.
    pub fn read(&mut self, inside: &[u8]) -> Option<Sentence> {
        match Sentence::read(inside) {
            Ok((sentence, nonsense)) => {
                self.understood += 1;
                self.nonsense_fields += u64::from(nonsense);
                Some(sentence)
            }
            Err(Unread::Unknown) => {
                self.unknown += 1;
                None
            }
            Err(Unread::Nonsense) => {
                self.nonsense += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    fn line(inside: &str) -> String {
        let sum = inside.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${inside}*{sum:02X}\r\n")
    }

    #[test]
    fn each_sentence_is_counted_by_what_became_of_it() {
        let mut reader = Reader::default();
        let mut heard = 0;
        for inside in [
            "GPRMC,000231.42,A,4829.0005,N,00022.0016,E,0.16,212.28,220899,,,A",
            "GPRMC,000231.099,A,4829.0005,N,00022.0015,E,0.15,212.28,2208-1,,,A",
            "GPRMC,2514,A",
            "PUBX,00",
            "GNTXT,01,01,00,txbuf alloc",
        ] {
            reader.push(line(inside).as_bytes(), |_| heard += 1);
        }
        reader.push(b"$GPRMC,1*00\r\n", |_| heard += 1);
        assert_eq!((heard, reader.sentences(), reader.faults().bad_checksum), (2, 5, 1));
        let tally = Tally { understood: 2, nonsense_fields: 1, nonsense: 1, unknown: 2 };
        assert_eq!(*reader.tally(), tally);
    }
}
