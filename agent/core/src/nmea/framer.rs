//! Cuts a byte stream into sentences with a valid checksum. Garbage is counted, never fatal.

/// Longest sentence kept, in bytes from `$` to before the line end. The standard says 82; receivers
/// send up to 105.
pub const SENTENCE_LEN_MAX: usize = 128;

/// What was wrong on the line, counted since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Sentences that ended without a checksum.
    pub without_checksum: u64,
    /// Sentences whose checksum is not that of their bytes.
    pub bad_checksum: u64,
    /// Sentences longer than [`SENTENCE_LEN_MAX`].
    pub too_long: u64,
    /// Sentences cut off by the beginning of the next.
    pub cut_off: u64,
    /// Bytes outside any sentence, line ends not counted.
    pub stray_bytes: u64,
}

impl Faults {
    /// Sentences lost, whatever the reason.
    pub const fn sentences(&self) -> u64 {
        self.without_checksum + self.bad_checksum + self.too_long + self.cut_off
    }
}

/// The framer. Feed it bytes; it calls back with the inside of each valid sentence, the text between
/// `$` and `*`.
#[derive(Debug)]
pub struct Framer {
    buffer: [u8; SENTENCE_LEN_MAX],
    len: usize,
    inside: bool,
    faults: Faults,
    sentences: u64,
}

impl Default for Framer {
    fn default() -> Self {
        Self {
            buffer: [0; SENTENCE_LEN_MAX],
            len: 0,
            inside: false,
            faults: Faults::default(),
            sentences: 0,
        }
    }
}

impl Framer {
    /// What was wrong so far.
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Valid sentences so far.
    pub const fn sentences(&self) -> u64 {
        self.sentences
    }

    /// Takes in bytes and hands on every valid sentence they complete.
    pub fn push(&mut self, bytes: &[u8], mut on_sentence: impl FnMut(&str)) {
        for byte in bytes {
            match byte {
                b'$' => {
                    self.faults.cut_off += u64::from(self.inside);
                    self.inside = true;
                    self.len = 0;
                }
                b'\r' | b'\n' => {
                    if self.inside {
                        self.inside = false;
                        self.finish(&mut on_sentence);
                    }
                }
                _ if !self.inside => self.faults.stray_bytes += 1,
                byte => {
                    if let Some(slot) = self.buffer.get_mut(self.len) {
                        *slot = *byte;
                        self.len += 1;
                    } else {
                        self.faults.too_long += 1;
                        self.inside = false;
                    }
                }
            }
        }
    }

    fn finish(&mut self, on_sentence: &mut impl FnMut(&str)) {
        let line = &self.buffer[..self.len];
        let Some((inside, [b'*', high, low])) = line.split_last_chunk::<3>() else {
            self.faults.without_checksum += 1;
            return;
        };
        let sum = inside.iter().fold(0, |sum, byte| sum ^ byte);
        match (hex(*high), hex(*low), core::str::from_utf8(inside)) {
            (Some(high), Some(low), Ok(text)) if high << 4 | low == sum => {
                self.sentences += 1;
                on_sentence(text);
            }
            _ => self.faults.bad_checksum += 1,
        }
    }
}

/// The value of a hexadecimal digit of either case.
const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;

    fn run(bytes: &[u8]) -> (Vec<String>, Faults) {
        let mut framer = Framer::default();
        let mut sentences = Vec::new();
        framer.push(bytes, |text| sentences.push(text.into()));
        (sentences, *framer.faults())
    }

    #[test]
    fn a_sentence_with_a_valid_checksum_comes_out_whatever_its_case_and_line_end() {
        for line in ["$GPGLL,,*50\r\n", "$GPGLL,,*50\n", "$PX,*7b\r", "$PX,*7B\n"] {
            let sum = line.bytes().skip(1).take_while(|b| *b != b'*').fold(0, |s, b| s ^ b);
            let line = line.replace("50", &alloc::format!("{sum:02X}"));
            let line = line.replace("7b", &alloc::format!("{sum:02x}"));
            let line = line.replace("7B", &alloc::format!("{sum:02X}"));
            let (sentences, faults) = run(line.as_bytes());
            assert_eq!((sentences.len(), faults), (1, Faults::default()), "{line:?}");
        }
    }

    #[test]
    fn every_fault_is_counted_by_its_kind_and_the_next_sentence_is_found() {
        let long = "x".repeat(200);
        let text = alloc::format!(
            "noise$GPGGA,1*00\r\n$GPGGA,1\r\n$GPGGA,cut$PA*11\r\n${long}\r\n$PA*11\r\n"
        );
        let (sentences, faults) = run(text.as_bytes());
        assert_eq!(sentences, ["PA", "PA"]);
        assert_eq!(
            faults,
            Faults {
                bad_checksum: 1,
                without_checksum: 1,
                cut_off: 1,
                too_long: 1,
                // The five of "noise", and what follows the 129th byte of the long one.
                stray_bytes: 5 + 200 - 129,
            }
        );
    }
}
