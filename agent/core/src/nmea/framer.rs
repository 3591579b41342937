//! Cuts a byte stream into sentences with a valid checksum. Garbage is counted, never fatal.

/// Longest sentence kept, in bytes from after `$` to before the line end. The standard says 82 for
/// all of it; receivers send up to 105.
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

/// The framer. Feed it bytes; it calls back with the inside of each valid sentence, the bytes between
/// `$` and `*`.
///
/// A sentence is whole with the last digit of its checksum, so one whose line end was lost is found
/// too. However the bytes are cut into pieces, the same comes out.
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
    pub fn push(&mut self, bytes: &[u8], mut on_sentence: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.inside {
                rest = self.go_on(rest, &mut on_sentence);
                continue;
            }
            let start = rest.iter().position(|byte| *byte == b'$').unwrap_or(rest.len());
            self.faults.stray_bytes += stray(&rest[..start]);
            let Some(after) = rest.get(start + 1..) else { return };
            if let Some(inside) = whole_sentence(after) {
                self.sentences += 1;
                on_sentence(inside);
                rest = &after[inside.len() + 3..];
            } else {
                self.begin();
                rest = after;
            }
        }
    }

    fn begin(&mut self) {
        self.inside = true;
        self.len = 0;
    }

    /// The careful way, byte by byte, for a sentence that is damaged or cut into pieces. Gives what
    /// is left when it has ended.
    fn go_on<'a>(&mut self, bytes: &'a [u8], on_sentence: &mut impl FnMut(&[u8])) -> &'a [u8] {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'$' => {
                    // Some receivers begin with two of them.
                    self.faults.cut_off += u64::from(self.len > 0);
                    self.begin();
                    // Whole in this piece, most likely: the fast way has a look first.
                    self.inside = whole_sentence(&bytes[at + 1..]).is_none();
                    if !self.inside {
                        return &bytes[at..];
                    }
                }
                b'\r' | b'\n' => self.give_up(),
                byte => self.take(*byte, on_sentence),
            }
            if !self.inside {
                return &bytes[at + 1..];
            }
        }
        &[]
    }

    fn take(&mut self, byte: u8, on_sentence: &mut impl FnMut(&[u8])) {
        let Some(slot) = self.buffer.get_mut(self.len) else {
            self.faults.too_long += 1;
            self.inside = false;
            return;
        };
        *slot = byte;
        self.len += 1;
        let line = &self.buffer[..self.len];
        if let Some((inside, [b'*', high, low])) = line.split_last_chunk::<3>()
            && matches(sum(inside), *high, *low)
        {
            self.inside = false;
            self.sentences += 1;
            on_sentence(inside);
        }
    }

    /// The line ends without a checksum that holds.
    fn give_up(&mut self) {
        self.inside = false;
        match self.buffer[..self.len].split_last_chunk::<3>() {
            Some((_, [b'*', ..])) => self.faults.bad_checksum += 1,
            _ => self.faults.without_checksum += 1,
        }
    }
}

/// The inside of the sentence that `after`, which follows a `$`, begins with, if all of it is there
/// and its checksum holds.
fn whole_sentence(after: &[u8]) -> Option<&[u8]> {
    let mut sum = 0;
    for (at, byte) in after.iter().take(SENTENCE_LEN_MAX - 2).enumerate() {
        match byte {
            b'*' => {
                let [high, low] = *after.get(at + 1..at + 3)? else { return None };
                return matches(sum, high, low).then(|| &after[..at]);
            }
            b'$' | b'\r' | b'\n' => return None,
            byte => sum ^= byte,
        }
    }
    None
}

fn sum(inside: &[u8]) -> u8 {
    inside.iter().fold(0, |sum, byte| sum ^ byte)
}

fn matches(sum: u8, high: u8, low: u8) -> bool {
    hex(high).zip(hex(low)).is_some_and(|(high, low)| high << 4 | low == sum)
}

fn stray(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(!matches!(byte, b'\r' | b'\n'))).sum()
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
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn run_in_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<String>, Faults) {
        let mut framer = Framer::default();
        let mut sentences = Vec::new();
        for piece in pieces {
            framer.push(piece, |inside| {
                sentences.push(String::from_utf8_lossy(inside).into_owned());
            });
        }
        assert_eq!(framer.sentences(), sentences.len() as u64);
        (sentences, *framer.faults())
    }

    fn run(bytes: &[u8]) -> (Vec<String>, Faults) {
        run_in_pieces(core::iter::once(bytes))
    }

    fn sentence(inside: &str) -> String {
        format!("${inside}*{:02X}", sum(inside.as_bytes()))
    }

    #[test]
    fn a_sentence_with_a_valid_checksum_comes_out_whatever_its_case_and_line_end() {
        for inside in ["GPGLL,,", "PX,"] {
            let line = sentence(inside);
            let lower = format!("${inside}*{:02x}", sum(inside.as_bytes()));
            for line in [&line, &lower] {
                for end in ["\r\n", "\n", ""] {
                    let (sentences, faults) = run(format!("{line}{end}").as_bytes());
                    assert_eq!(sentences, [inside]);
                    assert_eq!(faults, Faults::default());
                }
            }
        }
    }

    #[test]
    fn sentences_glued_or_begun_twice_are_both_found() {
        let text = format!("{}{}${}\r\n", sentence("A,1"), sentence("B,2"), sentence("C,3"));
        let (sentences, faults) = run(text.as_bytes());
        assert_eq!(sentences, ["A,1", "B,2", "C,3"]);
        assert_eq!(faults, Faults::default());
    }

    #[test]
    fn a_sentence_of_105_bytes_is_found_and_one_beyond_the_limit_is_not() {
        let fits = sentence(&"x".repeat(SENTENCE_LEN_MAX - 3));
        let (sentences, faults) = run(fits.as_bytes());
        assert_eq!((sentences.len(), faults), (1, Faults::default()));
        let too_long = sentence(&"x".repeat(SENTENCE_LEN_MAX - 2));
        let (sentences, faults) = run(too_long.as_bytes());
        assert_eq!((sentences.len(), faults.too_long), (0, 1));
    }

    #[test]
    fn every_fault_is_counted_by_its_kind_and_the_next_sentence_is_found() {
        let long = "x".repeat(200);
        let text =
            format!("noise$GPGGA,1*00\r\n$GPGGA,1\r\n$GPGGA,cut$PA*11\r\n${long}\r\n$PA*11\r\n");
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

    /// Whole sentences, damaged ones and noise. Noise is free of `$`, which would begin a sentence.
    fn line_parts() -> impl Strategy<Value = Vec<(Option<String>, Vec<u8>)>> {
        let inside = proptest::option::of("[A-Z]{5}(,[0-9A-Z.-]{0,6}){0,12}");
        let noise = prop::collection::vec(any::<u8>().prop_filter("begins", |b| *b != b'$'), 0..30);
        prop::collection::vec((inside, noise), 0..20)
    }

    proptest! {
        #[test]
        fn every_intact_sentence_is_found_between_any_noise(parts in line_parts()) {
            let mut line = Vec::new();
            let mut intact = Vec::new();
            for (inside, noise) in parts {
                line.extend(noise);
                if let Some(inside) = inside {
                    line.extend(sentence(&inside).into_bytes());
                    intact.push(inside);
                }
            }
            prop_assert_eq!(run(&line).0, intact);
        }

        #[test]
        fn any_bytes_cut_anywhere_give_the_same(
            bytes in prop::collection::vec(
                prop_oneof![Just(b'$'), Just(b'*'), Just(b'\n'), Just(b'1'), any::<u8>()], 0..600,
            ),
            parts in line_parts(),
            cut in 1_usize..50,
        ) {
            let mut line = bytes;
            for (inside, noise) in parts {
                line.extend(inside.map(|inside| sentence(&inside).into_bytes()).unwrap_or_default());
                line.extend(noise);
            }
            let whole = run(&line);
            prop_assert_eq!(&run_in_pieces(line.chunks(1)), &whole);
            prop_assert_eq!(&run_in_pieces(line.chunks(cut)), &whole);
        }
    }
}
