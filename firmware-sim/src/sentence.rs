//! NMEA 0183 sentences as text: framing, checksum, fields.
//!
//! Knows where a field stands, not what it means. A sentence that exists is intact; everything
//! else stays the bytes it was, because a simulator must pass damage on unrepaired.

/// How the last fields of every sentence end on the wire.
pub const TERMINATOR: &[u8] = b"\r\n";

/// An intact sentence: `$`, comma-separated fields, `*`, a checksum that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    fields: Vec<String>,
}

impl Sentence {
    /// A sentence from its fields; the first is the address, talker and kind (`GPRMC`).
    pub fn new<F: Into<String>>(fields: impl IntoIterator<Item = F>) -> Self {
        Self { fields: fields.into_iter().map(Into::into).collect() }
    }

    /// Reads one line, with or without its terminator. `None` if it is damaged: no `$`, no
    /// checksum or a wrong one, or a byte outside printable ASCII.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?.trim_end_matches(['\r', '\n']);
        let (body, claimed) = text.strip_prefix('$')?.rsplit_once('*')?;
        let printable = |byte: u8| (b' '..=b'~').contains(&byte);
        let two_hex_digits = claimed.len() == 2 && claimed.bytes().all(|b| b.is_ascii_hexdigit());
        if !two_hex_digits || !body.bytes().all(printable) {
            return None;
        }
        let intact = u8::from_str_radix(claimed, 16).ok()? == checksum(body.as_bytes());
        intact.then(|| Self::new(body.split(',')))
    }

    /// The three letters that say what the sentence is (`RMC`), whoever the talker is. Empty for
    /// proprietary sentences: `$PGRMC` configures a receiver and is no RMC.
    pub fn kind(&self) -> &str {
        let address = self.field(0);
        if address.len() == 5 && !address.starts_with('P') { &address[2..] } else { "" }
    }

    /// Field `index`, where 0 is the address; empty if the sentence is shorter.
    pub fn field(&self, index: usize) -> &str {
        self.fields.get(index).map_or("", String::as_str)
    }

    /// Replaces field `index`. A sentence that is shorter (older versions of NMEA lack the mode
    /// fields) stays as short as it is.
    pub fn set(&mut self, index: usize, value: impl Into<String>) {
        if let Some(field) = self.fields.get_mut(index) {
            *field = value.into();
        }
    }

    /// The bytes for the wire, with a fresh checksum in upper-case hexadecimal and [`TERMINATOR`].
    pub fn to_line(&self) -> Vec<u8> {
        let body = self.fields.join(",");
        let checksum = checksum(body.as_bytes());
        format!("${body}*{checksum:02X}\r\n").into_bytes()
    }
}

/// Exclusive or of all bytes between `$` and `*`.
pub fn checksum(body: &[u8]) -> u8 {
    body.iter().fold(0, |sum, byte| sum ^ byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLL: &[u8] = b"$GNGLL,3725.58362,N,12205.61915,W,021417.00,A,D*66\r\n";

    #[test]
    fn an_intact_sentence_comes_back_byte_for_byte() {
        let sentence = Sentence::parse(GLL).expect("intact");
        assert_eq!(sentence.kind(), "GLL");
        assert_eq!(sentence.field(5), "021417.00");
        assert_eq!(sentence.to_line(), GLL);
    }

    #[test]
    fn a_changed_field_gets_a_checksum_that_matches() {
        let mut sentence = Sentence::parse(GLL).expect("intact");
        sentence.set(6, "V");
        assert_eq!(Sentence::parse(&sentence.to_line()), Some(sentence));
    }

    #[test]
    fn a_lower_case_checksum_is_read_and_an_upper_case_one_written() {
        let sentence = Sentence::parse(b"$GPTXT,f*05").expect("intact");
        assert_eq!(sentence, Sentence::new(["GPTXT", "f"]));
        assert_eq!(sentence.to_line(), b"$GPTXT,f*05\r\n");
    }

    #[test]
    fn damage_is_no_sentence() {
        for damaged in [
            &b"$GNGLL,3725.58362,N,12205.61915,W,021418.00,A,D*66"[..],
            b"$GNGLL,3725.58362,N",
            b"GNGLL*66",
            b"$GPTXT,f*+5",
            b"$GPTXT,\xff*81",
            b"$",
            b"",
        ] {
            assert_eq!(Sentence::parse(damaged), None, "{}", damaged.escape_ascii());
        }
    }

    #[test]
    fn a_proprietary_sentence_has_no_standard_kind() {
        assert_eq!(Sentence::new(["PGRMC", "A"]).kind(), "");
        assert_eq!(Sentence::new(["PUBX", "00"]).kind(), "");
    }
}
