//! The identity: whether the device is enrolled, and how long its certificate counts.

use tripline_agent_link::{Clock, Identity};

use super::Finding;
use crate::config::Config;
use crate::credentials::Credentials;
use crate::error::AgentError;
use crate::time::date;

const CHECK: &str = "identity";

/// What was found, and the credentials to try the backend with, if there are any.
pub(super) fn check(config: &Config, clock: &Clock) -> (Finding, Option<Credentials>) {
    match Credentials::load(&config.data_dir, clock) {
        Ok(credentials) => (judge(&credentials.identity, clock), Some(credentials)),
        Err(AgentError::NotEnrolled { .. }) => {
            let remedy = "get a code from `tripline-bpp vehicle add`, then `tripline-agent enrol`";
            (Finding::fault(CHECK, "this device is not enrolled", remedy), None)
        }
        Err(error) => {
            let remedy = "run doctor as the agent's own user; where that is not it, enrol with a new code from \
                          `tripline-bpp vehicle rekey`";
            (Finding::fault(CHECK, error.to_string(), remedy), None)
        }
    }
}

fn judge(identity: &Identity, clock: &Clock) -> Finding {
    let (now, expires) = (clock.now(), date(identity.expires_at));
    let device = &identity.device;
    if identity.is_expired(now) {
        return Finding::fault(
            CHECK,
            format!("the certificate of device {device} has expired on {expires}"),
            format!(
                "a running agent renews it as soon as it reaches {}; if it was revoked, enrol with a new code",
                identity.backend_url
            ),
        );
    }
    if now >= identity.renew_at {
        return Finding::note(
            CHECK,
            format!(
                "device {device}; its certificate is due to be renewed, and expires on {expires}"
            ),
            format!("a running agent renews it as soon as it reaches {}", identity.backend_url),
        );
    }
    Finding::good(CHECK, format!("device {device}; its certificate counts until {expires}"))
}
