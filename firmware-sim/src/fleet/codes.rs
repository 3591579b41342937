//! Enrolment codes for vehicles that have none: from the platform's own command, or from a file with
//! what it printed.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Where codes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeSource {
    /// The platform on this machine.
    Platform {
        /// Its program, `tripline-bpp`.
        program: PathBuf,
        /// Its configuration, `bpp.toml`.
        config: PathBuf,
    },
    /// What `tripline-bpp vehicle import --json` printed.
    File(PathBuf),
}

/// A code, as the platform prints it.
#[derive(Debug, Clone, Deserialize)]
pub struct IssuedCode {
    /// The plate of the vehicle it is for.
    pub registration: String,
    /// The code.
    pub code: String,
    /// Where it is good.
    pub url: String,
}

/// A vehicle to be added.
#[derive(Serialize)]
struct NewVehicle<'a> {
    registration: &'a str,
    driver_name: &'a str,
    driver_phone: &'a str,
}

/// Why there are no codes.
#[derive(Debug, thiserror::Error)]
pub enum CodesError {
    /// The platform's program does not run.
    #[error("{} cannot be run ({source}); name it with --bpp", program.display())]
    Program {
        /// Which program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It refused.
    #[error("`tripline-bpp {command}` failed: {words}")]
    Refused {
        /// Which command.
        command: String,
        /// Its words.
        words: String,
    },
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was printed is not understood.
    #[error("line {line} of what the platform printed is not understood: {reason}")]
    Garbage {
        /// Which line, counted from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// The file has too few.
    #[error("{} has {found} codes for new vehicles, and {wanted} are needed", path.display())]
    TooFew {
        /// Which file.
        path: PathBuf,
        /// How many it has.
        found: usize,
        /// How many are needed.
        wanted: usize,
    },
}

/// A vehicle, as the platform lists it.
#[derive(Deserialize)]
struct ListedVehicle {
    registration: String,
}

/// What plates of simulated vehicles begin with.
const PLATE: &str = "SIM-";

/// The plate of the vehicle with this number, from 0.
pub fn registration(number: usize) -> String {
    format!("{PLATE}{:06}", number + 1)
}

impl CodeSource {
    /// So many codes of vehicles that are not among `known`. A platform adds vehicles for them, with the
    /// plates after the highest it has.
    pub async fn codes(
        &self,
        wanted: usize,
        known: &HashSet<&str>,
    ) -> Result<Vec<IssuedCode>, CodesError> {
        match self {
            Self::Platform { program, config } => {
                let platform = Platform { program, config };
                let first = platform.plates_taken().await?;
                let plates: Vec<_> = (first..first + wanted).map(registration).collect();
                parse(&platform.run(&["vehicle", "import", "-", "--json"], lines(&plates)).await?)
            }
            Self::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| CodesError::File { path: path.clone(), source })?;
                let mut codes: Vec<IssuedCode> = parse(&text)?;
                codes.retain(|code| !known.contains(code.registration.as_str()));
                if codes.len() < wanted {
                    let found = codes.len();
                    return Err(CodesError::TooFew { path: path.clone(), found, wanted });
                }
                codes.truncate(wanted);
                Ok(codes)
            }
        }
    }
}

/// The platform's program and configuration.
struct Platform<'a> {
    program: &'a Path,
    config: &'a Path,
}

impl Platform<'_> {
    /// The highest number on a simulated vehicle's plate.
    async fn plates_taken(&self) -> Result<usize, CodesError> {
        let listed = self.run(&["vehicle", "list", "--json"], Vec::new()).await?;
        let listed: Vec<ListedVehicle> = parse(&listed)?;
        let numbers = listed
            .iter()
            .filter_map(|vehicle| vehicle.registration.strip_prefix(PLATE)?.parse::<usize>().ok());
        Ok(numbers.max().unwrap_or(0))
    }

    /// Runs a command of it; gives what it prints.
    async fn run(&self, arguments: &[&str], input: Vec<u8>) -> Result<String, CodesError> {
        let failed = |source| CodesError::Program { program: self.program.into(), source };
        let mut child = Command::new(self.program)
            .args(arguments)
            .args([OsStr::new("--config"), self.config.as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let stdin = child.stdin.take();
        let write = async move {
            if let Some(mut stdin) = stdin {
                // One that ends before it has read everything says why on its own.
                let _ = stdin.write_all(&input).await;
            }
        };
        let ((), output) = tokio::join!(write, child.wait_with_output());
        let output = output.map_err(failed)?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(CodesError::Refused { command: arguments.join(" "), words });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn lines(registrations: &[String]) -> Vec<u8> {
    let mut lines = Vec::new();
    for registration in registrations {
        let (driver_name, driver_phone) = ("Simulated", "+910000000000");
        let vehicle = NewVehicle { registration, driver_name, driver_phone };
        // Three strings are always JSON.
        let _ = serde_json::to_writer(&mut lines, &vehicle);
        lines.push(b'\n');
    }
    lines
}

/// The objects of a text, one a line.
fn parse<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, CodesError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parsed = lines.map(|(at, line)| {
        // Where, and not what: the text of the error may quote a code.
        serde_json::from_str(line).map_err(|error| CodesError::Garbage {
            line: at + 1,
            reason: format!("column {}", error.column()),
        })
    });
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: &str = "\
        {\"device\":\"sim000001\",\"registration\":\"SIM-000001\",\"code\":\"A\",\"url\":\"u\",\"expires_at_unix_ms\":1}\n\
        {\"device\":\"sim000002\",\"registration\":\"SIM-000002\",\"code\":\"B\",\"url\":\"u\",\"expires_at_unix_ms\":1}\n";

    #[tokio::test]
    async fn codes_of_a_file_are_taken_in_order_and_those_of_known_vehicles_left_out() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("codes");
        std::fs::write(&path, CODES).expect("written");
        let source = CodeSource::File(path);
        let codes = async |wanted, known: &[&str]| {
            let codes = source.codes(wanted, &known.iter().copied().collect()).await;
            codes.map(|codes| codes.into_iter().map(|code| code.code).collect::<Vec<_>>())
        };
        assert_eq!(codes(2, &[]).await.expect("two"), ["A", "B"]);
        assert_eq!(codes(1, &["SIM-000001"]).await.expect("the other"), ["B"]);
        let error = codes(2, &["SIM-000001"]).await.expect_err("only one").to_string();
        assert!(error.contains("has 1 codes") && error.contains("2 are needed"), "{error}");
    }

    #[test]
    fn a_line_that_is_no_code_is_named_and_not_quoted() {
        let parsed = parse::<IssuedCode>("\n{\"code\":\"secret\"}\n");
        let error = parsed.expect_err("no plate").to_string();
        assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
    }
}
