//! A gateway, for people and for programs.

use tripline_protocol::unit::Timestamp;

use crate::cli::opened::{print_json, utc};
use crate::error::BppError;
use crate::operate::gateway::{GatewayView, RegistrationView, StatusView, TokenState};

pub(super) fn print(view: &GatewayView, json: bool, now: Timestamp) -> Result<(), BppError> {
    if json {
        return print_json(view);
    }
    print!("{}", as_text(view, now));
    Ok(())
}

/// Every status, in one line.
pub(in crate::cli) fn statuses(view: &GatewayView) -> String {
    let Some(registration) = &view.registration else { return "not registered".into() };
    let word = |status: &Option<StatusView>| {
        status.as_ref().map_or_else(|| "no status".to_owned(), |told| told.status.clone())
    };
    let mut parts = vec![format!("registration {}", word(&registration.status))];
    if registration.endpoint_status.is_some() {
        parts.push(format!("endpoint {}", word(&registration.endpoint_status)));
    }
    for document in &registration.documents {
        parts.push(format!("{} {}", document.name, word(&document.status)));
    }
    parts.join(", ")
}

fn as_text(view: &GatewayView, now: Timestamp) -> String {
    let mut text = format!("{}  {}\n", view.gateway, view.url);
    let mut line = |key: &str, value: &str| text += &format!("  {key:<13} {value}\n");
    if let Some(message) = &view.message {
        line("says", message);
    }
    if let Some(at) = view.unanswered_signup_at_unix_ms {
        let at = utc(Timestamp::from_unix_ms(at));
        line("signup", &format!("sent {at}, and no answer came; ask whoever runs it"));
    }
    let Some(registration) = &view.registration else {
        line("registration", "none; `tripline-bpp gateway signup` makes one");
        return text;
    };
    let told_at = registration.told_at_unix_ms;
    let status = |told: &Option<StatusView>| told_status(told.as_ref(), told_at);
    line("registration", &format!("{}: {}", registration.id, status(&registration.status)));
    let at = |unix_ms| utc(Timestamp::from_unix_ms(unix_ms));
    line("signed up", &at(registration.signed_up_at_unix_ms));
    line("told", &format!("{}, {}", at(told_at), age(told_at, now)));
    line("token", &token(registration));
    let endpoint =
        format!("{}: {}", registration.endpoint_url, status(&registration.endpoint_status));
    line("endpoint", &endpoint);
    line("name", &registration.info.name);
    line("phone", &registration.info.phone);
    line("email", &registration.info.email);
    line("company id", &registration.info.company_id);
    for document in &registration.documents {
        let id = document.id.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
        line("document", &format!("{}{id}: {}", document.name, status(&document.status)));
    }
    text
}

/// A status; one that the last answer did not tell, with when it was.
fn told_status(told: Option<&StatusView>, last_unix_ms: i64) -> String {
    match told {
        None => "no status told".to_owned(),
        Some(told) if told.told_at_unix_ms == last_unix_ms => told.status.clone(),
        Some(told) => {
            let at = utc(Timestamp::from_unix_ms(told.told_at_unix_ms));
            format!("{} (told {at}, and not since)", told.status)
        }
    }
}

/// How long ago something was.
fn age(at_unix_ms: i64, now: Timestamp) -> String {
    let s = (now.unix_ms - at_unix_ms).max(0) / 1000;
    match s {
        0..120 => format!("{s} s ago"),
        120..7_200 => format!("{} min ago", s / 60),
        7_200..172_800 => format!("{} h ago", s / 3_600),
        _ => format!("{} days ago", s / 86_400),
    }
}

/// When the token runs out, in words.
pub(in crate::cli) fn token(registration: &RegistrationView) -> String {
    let ends = registration.token_ends_unix_ms.map(|at| utc(Timestamp::from_unix_ms(at)));
    let ends = ends.unwrap_or_default();
    match registration.token {
        TokenState::Holds => format!("holds until {ends}"),
        TokenState::Ending => format!("runs out {ends}"),
        TokenState::Over => format!("ran out {ends}"),
        TokenState::Unknown => "the gateway did not say when it runs out".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::gateway::company::Info;
    use crate::operate::gateway::DocumentView;

    fn told(status: &str, told_at_unix_ms: i64) -> StatusView {
        StatusView { status: status.into(), told_at_unix_ms }
    }

    fn view() -> GatewayView {
        let document = |name: &str, id: Option<&str>, status| DocumentView {
            id: id.map(str::to_owned),
            name: name.into(),
            status,
        };
        GatewayView {
            gateway: "city".into(),
            url: "https://gateway.example".into(),
            registration: Some(RegistrationView {
                id: "r1".into(),
                status: Some(told("UPDATE-PENDING", 1_800_000_000_000)),
                signed_up_at_unix_ms: 1_790_000_000_000,
                told_at_unix_ms: 1_800_000_000_000,
                token: TokenState::Ending,
                token_ends_unix_ms: Some(1_800_100_000_000),
                info: Info { name: "A".into(), ..Info::default() },
                endpoint_url: "https://bpp.example".into(),
                endpoint_status: None,
                documents: vec![
                    document("a.pdf", Some("d1"), Some(told("VERIFIED", 1_790_000_000_000))),
                    document("b.pdf", None, None),
                ],
                is_waiting: true,
                is_failed: false,
            }),
            unanswered_signup_at_unix_ms: None,
            message: Some("updated".into()),
        }
    }

    #[test]
    fn everything_that_is_known_is_printed_with_when_it_was_told() {
        let text = as_text(&view(), Timestamp::from_unix_ms(1_800_000_600_000));
        for line in [
            "city  https://gateway.example\n",
            "  says          updated\n",
            "  registration  r1: UPDATE-PENDING\n",
            "  told          2027-01-15T08:00:00Z, 10 min ago\n",
            "  token         runs out 2027-01-16T11:46:40Z\n",
            "  endpoint      https://bpp.example: no status told\n",
            "  document      a.pdf (d1): VERIFIED (told 2026-09-21T14:13:20Z, and not since)\n",
            "  document      b.pdf: no status told\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
        let expected = "registration UPDATE-PENDING, a.pdf VERIFIED, b.pdf no status";
        assert_eq!(statuses(&view()), expected);
    }

    #[test]
    fn what_is_not_registered_says_so() {
        let view = GatewayView { registration: None, message: None, ..view() };
        let now = Timestamp::from_unix_ms(0);
        assert!(as_text(&view, now).contains("registration  none"), "{}", as_text(&view, now));
        let sent = GatewayView { unanswered_signup_at_unix_ms: Some(1), ..view };
        assert!(as_text(&sent, now).contains("no answer came"));
    }
}
