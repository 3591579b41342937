//! A driver's PIN, from where nobody else sees it.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tripline_protocol::duty::TypedPin;

use crate::error::AgentError;

/// Longest line that is read for a PIN, in bytes: several times what a PIN has.
const LINE_LEN_MAX: u64 = 64;

/// The PIN: the first line of `file`, of standard input if that is `-`, or typed unseen.
pub(super) fn read(file: Option<&Path>) -> Result<TypedPin, AgentError> {
    let failed = |error: io::Error| {
        let from = file.map_or("the terminal".into(), |file| file.display().to_string());
        AgentError::Refused { message: format!("the PIN cannot be read from {from}: {error}") }
    };
    match file {
        Some(file) if file != Path::new("-") => first_line(File::open(file).map_err(failed)?),
        Some(_) => first_line(io::stdin().lock()),
        None => typed(),
    }
    .map_err(failed)
}

fn typed() -> io::Result<TypedPin> {
    if !io::stdin().is_terminal() {
        let reason = "there is none; give the PIN with --pin-file, or `--pin-file -` to pipe it in";
        return Err(io::Error::other(reason));
    }
    let quiet = Quiet::new()?;
    eprint!("PIN: ");
    let pin = first_line(io::stdin().lock());
    eprintln!(); // the line's end was not shown either
    drop(quiet);
    pin
}

fn first_line(input: impl Read) -> io::Result<TypedPin> {
    let mut line = String::new();
    BufReader::new(input.take(LINE_LEN_MAX)).read_line(&mut line)?;
    Ok(TypedPin(line.trim().into()))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_the_first_line_without_blanks_and_a_long_one_is_not_read_to_its_end() {
        let read = |text: &str| first_line(text.as_bytes()).expect("text").0;
        assert_eq!(read("4711\n0815\n"), "4711");
        assert_eq!(read(" 4711"), "4711");
        assert_eq!(read(""), "");
        assert_eq!(read(&"1".repeat(5_000)).len() as u64, LINE_LEN_MAX);
    }
}
