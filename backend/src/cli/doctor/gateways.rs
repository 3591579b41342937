//! Which gateways know us, with which status, and when our token runs out.

use tripline_protocol::unit::Timestamp;

use super::finding::Finding;
use crate::cli::gateway::{bpp_error, statuses, token_in_words};
use crate::config::Config;
use crate::network::gateway::desk::{Desk, DeskError, Look};
use crate::operate::gateway::{self, GatewayView, RegistrationView, TokenState};

pub(super) async fn check(config: &Config, offline: bool, now: Timestamp) -> Vec<Finding> {
    let listed = match gateway::list(config, now) {
        Ok(listed) => listed,
        Err(error) => {
            let remedy = "its mode and content, or a copy of it";
            return vec![Finding::fault("gateway", error.to_string(), remedy)];
        }
    };
    let mut findings = Vec::new();
    for view in listed {
        findings.push(check_one(config, view, offline, now).await);
    }
    findings
}

async fn check_one(config: &Config, kept: GatewayView, offline: bool, now: Timestamp) -> Finding {
    let name = kept.gateway.clone();
    if kept.registration.is_none() {
        return unregistered(&kept);
    }
    let view = if offline { Ok(kept) } else { ask(config, &name, now).await };
    match view {
        Ok(view) => known(&view, offline),
        Err(error) => unknown(&name, error),
    }
}

async fn ask(config: &Config, name: &str, now: Timestamp) -> Result<GatewayView, DeskError> {
    let desk = Desk::new(config, name)?;
    gateway::get(&desk, &Look::default(), now, &|_| {}).await
}

fn unregistered(kept: &GatewayView) -> Finding {
    let name = &kept.gateway;
    match kept.unanswered_signup_at_unix_ms {
        None => Finding::note(
            "gateway",
            format!("{name}: we are not registered"),
            format!("`tripline-bpp gateway signup {name} --from company.toml`"),
        ),
        Some(_) => Finding::fault(
            "gateway",
            format!("{name}: a signup was sent and no answer came"),
            format!("ask whoever runs it; `gateway signup {name} --again` if it was not taken"),
        ),
    }
}

fn known(view: &GatewayView, offline: bool) -> Finding {
    let name = &view.gateway;
    let Some(registration) = &view.registration else { return unregistered(view) };
    let said = if offline { "knew us when it was asked last" } else { "knows us" };
    let found = format!(
        "{name} {said} as {}: {}; our token {}",
        registration.id,
        statuses(view),
        token_in_words(registration)
    );
    judge(name, registration, found)
}

fn judge(name: &str, registration: &RegistrationView, found: String) -> Finding {
    let new_token = || {
        format!(
            "have whoever runs it give a new one: `tripline-bpp gateway get {name} --token-file FILE`"
        )
    };
    match registration.token {
        TokenState::Over => return Finding::fault("gateway", found, new_token()),
        TokenState::Ending if !registration.is_failed => {
            return Finding::note("gateway", found, new_token());
        }
        TokenState::Ending | TokenState::Holds | TokenState::Unknown => {}
    }
    if registration.is_failed {
        let remedy = format!(
            "mend what was not taken: `tripline-bpp gateway update-info {name}` or `add-document`"
        );
        return Finding::fault("gateway", found, remedy);
    }
    if registration.is_waiting {
        let remedy = format!("nothing, or `tripline-bpp gateway get {name} --wait`");
        return Finding::note("gateway", found, remedy);
    }
    Finding::good("gateway", found)
}

fn unknown(name: &str, error: DeskError) -> Finding {
    let remedy = match &error {
        DeskError::Refused { .. } => format!(
            "whoever runs it; if it has forgotten us, `tripline-bpp gateway signup {name} --again`"
        ),
        DeskError::Call { .. } => format!("its outage, our way out, [gateways.{name}] url"),
        DeskError::Unknown(_)
        | DeskError::NotRegistered(_)
        | DeskError::Registered { .. }
        | DeskError::Unanswered(_)
        | DeskError::Elsewhere { .. }
        | DeskError::Invalid { .. }
        | DeskError::Kept(_) => "what it says".to_owned(),
    };
    // One line a finding.
    let words = bpp_error(error).to_string().replace('\n', ";");
    Finding::fault("gateway", format!("{name}: {words}"), remedy)
}
