//! `tripline-agent decode`: a recorded stream through the code that runs in the vehicle.

mod print;
mod recording;
mod stats;

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use tripline_agent_core::stream::{Decoder, Heard};
use tripline_protocol::unit::Timestamp;

use crate::error::AgentError;
use print::Printer;
use recording::Recording;
pub use stats::Stats;

/// Bytes read at once.
const CHUNK_LEN: usize = 64 * 1024;

/// How to decode, and what to tell of it.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// One JSON object a fix, or for all the figures.
    pub json: bool,
    /// The figures at the end, in place of the fixes.
    pub stats: bool,
    /// The whole recording is one trip.
    pub trip: bool,
    /// Dates before this are week rollovers.
    pub not_before: Timestamp,
    /// The error bound of "points kept", in mm.
    pub error_mm: u64,
}

/// Decodes the file at `path`, or standard input, onto standard output.
pub fn run(path: Option<&Path>, options: Options) -> Result<(), AgentError> {
    let name = || path.map_or_else(|| PathBuf::from("standard input"), Path::to_path_buf);
    let unreadable =
        |error: io::Error| AgentError::Recording { path: name(), reason: error.to_string() };
    let mut input: Box<dyn Read> = match path {
        Some(path) => Box::new(File::open(path).map_err(unreadable)?),
        None => Box::new(io::stdin().lock()),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match decode(&mut input, &mut out, options) {
        // The figures say it themselves.
        Ok(_) if options.stats => Ok(()),
        Ok(Found { bytes, valid: 0, .. }) => Err(AgentError::NoRecording { path: name(), bytes }),
        Ok(Found { fixes: 0, .. }) => {
            eprintln!("{} has sentences or frames, and no position in them", name().display());
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(Broken::Input(error)) => Err(unreadable(error)),
        // Whoever read has seen enough: `... | head`.
        Err(Broken::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(Broken::Output(error)) => {
            Err(AgentError::Internal(format!("the output cannot be written: {error}")))
        }
    }
}

/// Which side broke.
#[derive(Debug)]
enum Broken {
    Input(io::Error),
    Output(io::Error),
}

fn decode(input: &mut dyn Read, out: &mut dyn Write, options: Options) -> Result<Found, Broken> {
    let mut decoder = Decoder::new(options.not_before);
    let mut recording = Recording::new(&options);
    let mut printer = Printer::new(options.json);
    let mut chunk = vec![0; CHUNK_LEN];
    let mut heard = Vec::new();
    let mut bytes: u64 = 0;
    loop {
        let len = match input.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(Broken::Input)?,
        };
        let collect = |one| {
            if let Heard::Observation(observation) = one {
                heard.push(observation);
            }
        };
        match chunk.get(..len).filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => decoder.push(bytes, collect),
            None => decoder.finish(collect),
        }
        for observation in heard.drain(..) {
            let seen = recording.take(&observation);
            if !options.stats {
                printer.fix(&seen, out).map_err(Broken::Output)?;
            }
        }
        // Whoever watches a line sees each fix as it comes.
        out.flush().map_err(Broken::Output)?;
        if len == 0 {
            break;
        }
        bytes += len as u64;
    }
    if options.stats {
        let stats = recording.stats(&decoder, &options);
        printer.stats(&stats, out).map_err(Broken::Output)?;
    }
    out.flush().map_err(Broken::Output)?;
    Ok(Found { bytes, valid: decoder.counts().valid(), fixes: recording.seen() })
}

/// What a recording turned out to be.
#[derive(Debug, Clone, Copy)]
struct Found {
    bytes: u64,
    valid: u64,
    fixes: u64,
}
