//! `tripline-agent enrol`.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tripline_agent_link::enrol::{EnrolError, keep, obtain, present};
use tripline_agent_link::https::BackendUrl;
use tripline_agent_link::identity::IdentityError;
use tripline_agent_link::{Clock, FolderLock, Identity};
use tripline_protocol::enrol::EnrolCode;

use super::ConfigPath;
use crate::config::Config;
use crate::credentials;
use crate::error::AgentError;
use crate::journal;
use crate::run::VERSION;
use crate::time::{FLOOR, date};

#[derive(Debug, Args)]
pub(super) struct EnrolArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The data folder, for a device that has no configuration yet; looked up in the configuration if not
    /// given
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Where the backend enrols devices: `https://HOST` or `https://HOST:PORT`
    #[arg(long, value_name = "URL")]
    backend: BackendUrl,
    /// The code that `tripline-bpp vehicle add` printed; case and dashes do not matter. Here it is seen in
    /// `ps` and the shell's history: if it is not given, it is read from a line of standard input
    #[arg(long, env = "TRIPLINE_ENROL_CODE", hide_env_values = true)]
    code: Option<EnrolCode>,
    /// Print who the device is as JSON
    #[arg(long)]
    json: bool,
}

/// Longest line that is read for a code, in bytes: several times what a code has.
const LINE_LEN_MAX: u64 = 256;

/// What became of the identity that was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// There was none.
    Enrolled,
    /// It is of this code.
    AlreadyEnrolled,
    /// It was of another code.
    Replaced,
}

/// Who the device is.
#[derive(Debug, Serialize)]
struct Report {
    outcome: Outcome,
    device: String,
    host: String,
    port: u16,
    backend_url: String,
    issued_at_unix_ms: i64,
    renew_at_unix_ms: i64,
    expires_at_unix_ms: i64,
}

pub(super) fn execute(args: &EnrolArgs) -> Result<(), AgentError> {
    let data_dir = match &args.data_dir {
        Some(data_dir) => data_dir.clone(),
        None => Config::load_data_dir(&args.config.config)?,
    };
    let code = match args.code {
        Some(code) => code,
        None => read_code()?,
    };
    let (identity, outcome) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| AgentError::Internal(error.to_string()))?
        .block_on(enrol(args, &code, &data_dir))?;
    let report = Report::new(&identity, outcome);
    if args.json {
        let json = serde_json::to_string(&report)
            .map_err(|error| AgentError::Internal(error.to_string()))?;
        println!("{json}");
    } else {
        print!("{}", report.text());
    }
    Ok(())
}

/// The code, from standard input.
fn read_code() -> Result<EnrolCode, AgentError> {
    let input = io::stdin().lock();
    if input.is_terminal() {
        eprint!("Code: ");
    }
    let mut line = String::new();
    let failed = |reason: String| AgentError::Enrolment {
        reason: format!("no code on standard input: {reason}; or give it with --code"),
    };
    input.take(LINE_LEN_MAX).read_line(&mut line).map_err(|error| failed(error.to_string()))?;
    line.trim().parse().map_err(|error| failed(format!("{error}")))
}

async fn enrol(
    args: &EnrolArgs,
    code: &EnrolCode,
    data_dir: &Path,
) -> Result<(Identity, Outcome), AgentError> {
    let dir = credentials::folder(data_dir);
    let failed = |error: EnrolError| AgentError::Enrolment { reason: error.to_string() };
    // A renewal of the running agent waits until this one is through.
    let _lock =
        FolderLock::take(&dir).await.map_err(|error| failed(IdentityError::from(error).into()))?;
    let former = present(&dir).map_err(|error| failed(error.into()))?;
    let outcome = match &former {
        None => Outcome::Enrolled,
        Some(former) if former.is_of(code) => Outcome::AlreadyEnrolled,
        Some(former) => {
            eprintln!("This code is new: it replaces the identity of device {}.", former.device);
            Outcome::Replaced
        }
    };
    eprintln!("Asking {} for a certificate.", args.backend);
    let clock = Clock::new(FLOOR);
    let identity = obtain(&dir, &args.backend, code, VERSION, &clock).await.map_err(failed)?;
    refuse_foreign_journal(data_dir, &identity)?;
    keep(&dir, &identity).map_err(|error| failed(error.into()))?;
    Ok((identity, outcome))
}

/// What another device recorded must not be told in this one's name.
fn refuse_foreign_journal(data_dir: &Path, identity: &Identity) -> Result<(), AgentError> {
    match journal::owner(data_dir).filter(|owner| *owner != identity.device) {
        None => Ok(()),
        Some(owner) => Err(AgentError::Refused {
            message: format!(
                "{} holds the journal of device {owner}, and this code is for {}: move the folder \
                 `journal` in it away and run the same command again, which needs no new code",
                data_dir.display(),
                identity.device
            ),
        }),
    }
}

impl Report {
    fn new(identity: &Identity, outcome: Outcome) -> Self {
        Self {
            outcome,
            device: identity.device.to_string(),
            host: identity.host.clone(),
            port: identity.port,
            backend_url: identity.backend_url.to_string(),
            issued_at_unix_ms: identity.issued_at.unix_ms,
            renew_at_unix_ms: identity.renew_at.unix_ms,
            expires_at_unix_ms: identity.expires_at.unix_ms,
        }
    }

    fn text(&self) -> String {
        let Self { device, host, port, .. } = self;
        let is = match self.outcome {
            Outcome::Enrolled | Outcome::Replaced => "is",
            Outcome::AlreadyEnrolled => "was enrolled with this code before, and is",
        };
        let date = |unix_ms| date(tripline_protocol::unit::Timestamp::from_unix_ms(unix_ms));
        format!(
            "This {is} device {device}.\n\
             certificate  until {}, renewed from {} on\n\
             connects to  {host}:{port}\n",
            date(self.expires_at_unix_ms),
            date(self.renew_at_unix_ms)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_who_the_device_is_until_when_and_where_it_connects() {
        let report = Report {
            outcome: Outcome::Enrolled,
            device: "ka01ab1234".into(),
            host: "bpp.example".into(),
            port: 8_883,
            backend_url: "https://bpp.example:8884".into(),
            issued_at_unix_ms: 1_795_000_000_000,
            renew_at_unix_ms: 1_800_000_000_000,
            expires_at_unix_ms: 1_802_500_000_000,
        };
        assert_eq!(
            report.text(),
            "This is device ka01ab1234.\n\
             certificate  until 2027-02-13 06:26 UTC, renewed from 2027-01-15 08:00 UTC on\n\
             connects to  bpp.example:8883\n"
        );
        let json = serde_json::to_string(&report).expect("JSON");
        assert!(json.starts_with(r#"{"outcome":"enrolled","device":"ka01ab1234""#), "{json}");
    }
}
