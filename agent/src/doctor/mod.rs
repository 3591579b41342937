//! `tripline-agent doctor`: looks at everything the agent needs, and names what is wrong.
//!
//! One file a check. A check changes nothing: where an agent is running, the receiver and the backend
//! connection are its own, so it is asked instead of disturbed.

mod backend;
mod clock;
mod disk;
mod finding;
mod identity;
mod receiver;

use std::path::Path;

use tripline_agent_link::Clock;

use crate::config::Config;
use crate::control::client;
use crate::control::message::{Request, Response, Status};
use crate::error::AgentError;
use crate::time::FLOOR;

pub use finding::{Finding, Level, Report};

/// Examines the agent of the configuration at `path`.
pub async fn examine(path: &Path) -> Report {
    let mut report = Report::default();
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => {
            report.add(Finding::fault(
                "configuration",
                error.to_string(),
                "correct the file; `tripline-agent config check` checks it again",
            ));
            return report;
        }
    };
    report.add(Finding::good("configuration", format!("{} is usable", path.display())));
    let clock = Clock::new(FLOOR);
    let (finding, credentials) = identity::check(&config, &clock);
    report.add(finding);
    let running = running(&config);
    report.add(agent(&running));
    let status = running.ok().map(|response| response.status);
    report.add(clock::check(status.as_ref()));
    report.extend(disk::check(&config, status.as_ref()));
    report.extend(receiver::check(&config, status.as_ref()).await);
    if let Some(credentials) = credentials {
        report.extend(backend::check(&config, &credentials, status.as_ref()).await);
    }
    report
}

/// What the running agent says, if there is one.
fn running(config: &Config) -> Result<Response, AgentError> {
    client::ask(&config.socket(), &Request::Show)
}

fn agent(running: &Result<Response, AgentError>) -> Finding {
    match running {
        Ok(Response { status: Status { device, .. }, .. }) => {
            Finding::good("agent", format!("running, as device {device}"))
        }
        Err(AgentError::NotRunning { .. }) => Finding::note(
            "agent",
            "not running; everything below is looked at directly",
            "start it when all is well: `tripline-agent run`, or its service",
        ),
        Err(error) => Finding::fault(
            "agent",
            error.to_string(),
            "run doctor as the agent's own user, and look at the agent's log",
        ),
    }
}
