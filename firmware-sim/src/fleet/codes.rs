//! Enrolment codes for vehicles that have none: from the platform's own command, or from a file with
//! what it printed.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

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
    #[error("`tripline-bpp vehicle import` failed: {words}")]
    Refused {
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
    #[error("line {line} of the codes is not understood: {reason}")]
    Garbage {
        /// Which line, counted from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// Some are missing.
    #[error("there is no code for {registration}; the codes are for vehicles SIM-000001 and on")]
    Missing {
        /// The plate of the first without one.
        registration: String,
    },
}

/// The plate of the vehicle with this number, from 0.
pub fn registration(number: usize) -> String {
    format!("SIM-{:06}", number + 1)
}

impl CodeSource {
    /// Codes for these vehicles, in their order. A platform adds those that it does not know.
    pub async fn codes(&self, registrations: &[String]) -> Result<Vec<IssuedCode>, CodesError> {
        let text = match self {
            Self::Platform { program, config } => import(program, config, registrations).await?,
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|source| CodesError::File { path: path.clone(), source })?,
        };
        pick(&text, registrations)
    }
}

/// Has the platform add the vehicles; gives what it prints.
async fn import(
    program: &Path,
    config: &Path,
    registrations: &[String],
) -> Result<String, CodesError> {
    let failed = |source| CodesError::Program { program: program.into(), source };
    let mut child = Command::new(program)
        .args(["vehicle", "import", "-", "--json", "--config"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let stdin = child.stdin.take();
    let lines = lines(registrations);
    let write = async move {
        if let Some(mut stdin) = stdin {
            // One that ends before it has read everything says why on its own.
            let _ = stdin.write_all(&lines).await;
        }
    };
    let ((), output) = tokio::join!(write, child.wait_with_output());
    let output = output.map_err(failed)?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(CodesError::Refused { words });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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

fn pick(text: &str, registrations: &[String]) -> Result<Vec<IssuedCode>, CodesError> {
    let wanted: HashSet<&str> = registrations.iter().map(String::as_str).collect();
    let mut found = BTreeMap::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let code: IssuedCode = serde_json::from_str(line)
            // Where, and not what: the text of the error may quote a code.
            .map_err(|error| CodesError::Garbage {
                line: at + 1,
                reason: format!("column {}", error.column()),
            })?;
        if wanted.contains(code.registration.as_str()) {
            found.insert(code.registration.clone(), code);
        }
    }
    registrations
        .iter()
        .map(|registration| {
            let missing = || CodesError::Missing { registration: registration.clone() };
            found.remove(registration).ok_or_else(missing)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_picked_by_plate_in_the_order_asked_for() {
        let text = "{\"device\":\"sim000002\",\"registration\":\"SIM-000002\",\"code\":\"B\",\"url\":\"u\",\"expires_at_unix_ms\":1}\n\
                    {\"device\":\"sim000001\",\"registration\":\"SIM-000001\",\"code\":\"A\",\"url\":\"u\",\"expires_at_unix_ms\":1}\n";
        let plates = [registration(0), registration(1)];
        let codes = pick(text, &plates).expect("both are there");
        assert_eq!(codes.iter().map(|code| code.code.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        let missing = pick(text, &[registration(2)]).expect_err("a third");
        assert!(missing.to_string().contains("SIM-000003"), "{missing}");
    }

    #[test]
    fn a_line_that_is_no_code_is_named_and_not_quoted() {
        let error = pick("\n{\"code\":\"secret\"}\n", &[]).expect_err("no plate").to_string();
        assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
    }
}
