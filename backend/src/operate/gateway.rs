//! Gateways at which we register, as operators see them. No token is in a view, and no document's contents.
//!
//! Unlike the other verbs these are no transactions over the store: what a gateway gave us is a file beside
//! our keys, and what is asked for is somebody else's to do.

use serde::{Deserialize, Serialize};
use tripline_protocol::unit::Timestamp;

use crate::config::Config;
use crate::error::BppError;
use crate::network::gateway::client::Listener;
use crate::network::gateway::company::{Info, Paper};
use crate::network::gateway::desk::{Desk, DeskError, Look, Signup};
use crate::network::gateway::expiry::{self, Expiry};
use crate::network::gateway::field::Refusal;
use crate::network::gateway::papers;
use crate::network::gateway::shelf::{Kept, KnownDocument, Shelf, Told};
use crate::network::gateway::status::{Phase, phase};

/// A status, and when it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// In the gateway's words.
    pub status: String,
    /// When it told it, in Unix milliseconds.
    pub told_at_unix_ms: i64,
}

impl From<&Told> for StatusView {
    fn from(told: &Told) -> Self {
        Self { status: told.status.clone(), told_at_unix_ms: told.at_unix_ms }
    }
}

/// A document that a gateway has of us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentView {
    /// Its id at the gateway, if it told one.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// How far it is; none if it was never told.
    pub status: Option<StatusView>,
}

impl From<&KnownDocument> for DocumentView {
    fn from(known: &KnownDocument) -> Self {
        Self {
            id: known.id.clone(),
            name: known.name.clone(),
            status: known.status.as_ref().map(Into::into),
        }
    }
}

/// How it stands with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenState {
    /// It holds.
    Holds,
    /// It runs out within a week.
    Ending,
    /// It has run out.
    Over,
    /// When it runs out is not known.
    Unknown,
}

impl From<Expiry> for TokenState {
    fn from(expiry: Expiry) -> Self {
        match expiry {
            Expiry::Later => Self::Holds,
            Expiry::Soon => Self::Ending,
            Expiry::Over => Self::Over,
            Expiry::Unknown => Self::Unknown,
        }
    }
}

/// A registration at a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationView {
    /// Its id.
    pub id: String,
    /// How far it is; none if it was never told.
    pub status: Option<StatusView>,
    /// When we signed up, in Unix milliseconds.
    pub signed_up_at_unix_ms: i64,
    /// When the gateway last told how things are, in Unix milliseconds.
    pub told_at_unix_ms: i64,
    /// How it stands with our token.
    pub token: TokenState,
    /// When it runs out, in Unix milliseconds; none if that is not known.
    pub token_ends_unix_ms: Option<i64>,
    /// The company, as the gateway knows it.
    pub info: Info,
    /// Where requests come to, as the gateway knows it.
    pub endpoint_url: String,
    /// How far that address is; none if it was never told.
    pub endpoint_status: Option<StatusView>,
    /// The documents.
    pub documents: Vec<DocumentView>,
    /// Whether something of it waited to be looked at, as it was last told.
    pub is_waiting: bool,
    /// Whether something of it was not taken, as it was last told.
    pub is_failed: bool,
}

/// A gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayView {
    /// Its name.
    pub gateway: String,
    /// Its address; none of one that is not in the configuration any more and never was registered at.
    pub url: String,
    /// Our registration there; none if there is none.
    pub registration: Option<RegistrationView>,
    /// When a signup was sent to which no answer came, in Unix milliseconds.
    pub unanswered_signup_at_unix_ms: Option<i64>,
    /// What it said last, where it was asked just now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl GatewayView {
    /// A gateway and what is kept of it.
    pub fn of(name: &str, url: &str, kept: Option<&Kept>, now: Timestamp) -> Self {
        Self {
            gateway: name.to_owned(),
            url: url.to_owned(),
            registration: kept.and_then(|kept| registration(kept, now)),
            unanswered_signup_at_unix_ms: kept.and_then(|kept| kept.unanswered_signup_at_unix_ms),
            message: None,
        }
    }
}

fn registration(kept: &Kept, now: Timestamp) -> Option<RegistrationView> {
    let known = kept.registration.as_ref()?;
    let ends = known.token_ends();
    // What was told before the last answer may have changed since.
    let is_fresh = |told: &&Told| told.at_unix_ms == known.told_at_unix_ms;
    let is = |wanted| known.statuses().filter(is_fresh).any(|told| phase(&told.status) == wanted);
    Some(RegistrationView {
        id: known.id.clone(),
        status: known.status.as_ref().map(Into::into),
        signed_up_at_unix_ms: known.signed_up_at_unix_ms,
        told_at_unix_ms: known.told_at_unix_ms,
        token: expiry::judge(ends, now).into(),
        token_ends_unix_ms: ends.map(|at| at.unix_ms),
        info: known.info.clone(),
        endpoint_url: known.endpoint_url.clone(),
        endpoint_status: known.api_status.as_ref().map(Into::into),
        documents: known.documents.iter().map(Into::into).collect(),
        is_waiting: is(Phase::Waiting),
        is_failed: is(Phase::Failed),
    })
}

/// Every gateway of the configuration with what is kept of it; nobody is asked.
pub fn list(config: &Config, now: Timestamp) -> Result<Vec<GatewayView>, BppError> {
    let shelf = Shelf::new(config.gateways_dir());
    let view = |(name, gateway): (&String, &crate::config::Gateway)| {
        let kept = shelf.load(name)?;
        Ok(GatewayView::of(name, &gateway.url, kept.as_ref(), now))
    };
    config.gateways.iter().map(view).collect()
}

/// What is to be sent, as an operator gives it.
#[derive(Debug, Clone)]
pub struct NewSignup {
    /// All but the papers.
    pub signup: Signup,
    /// The papers' files.
    pub papers: Vec<Paper>,
}

/// Reads the papers and judges every field. Nothing is sent.
pub fn check_signup(desk: &Desk, new: NewSignup) -> Result<Signup, DeskError> {
    let mut refusal = Refusal::default();
    let documents = papers::read(&new.papers, &mut refusal);
    let signup = Signup { documents, ..new.signup };
    desk.check_signup(&signup, refusal)?;
    Ok(signup)
}

/// Signs up with what was checked.
pub async fn sign_up(
    desk: &Desk,
    signup: &Signup,
    now: Timestamp,
    listener: Listener<'_>,
) -> Result<GatewayView, DeskError> {
    let told = desk.sign_up(signup, now, listener).await?;
    Ok(told_view(desk, told, now))
}

/// Asks what the gateway knows of us.
pub async fn get(
    desk: &Desk,
    look: &Look,
    now: Timestamp,
    listener: Listener<'_>,
) -> Result<GatewayView, DeskError> {
    let told = desk.get(look, now, listener).await?;
    Ok(told_view(desk, told, now))
}

/// Tells the gateway of a change of the company.
pub async fn update_info(
    desk: &Desk,
    info: &Info,
    now: Timestamp,
    listener: Listener<'_>,
) -> Result<GatewayView, DeskError> {
    desk.check_update(info)?;
    let told = desk.update_info(info, now, listener).await?;
    Ok(told_view(desk, told, now))
}

/// Hands in further papers.
pub async fn add_documents(
    desk: &Desk,
    files: &[Paper],
    now: Timestamp,
    listener: Listener<'_>,
) -> Result<GatewayView, DeskError> {
    let mut refusal = Refusal::default();
    let documents = papers::read(files, &mut refusal);
    desk.invalid(refusal)?;
    let told = desk.add_documents(&documents, now, listener).await?;
    Ok(told_view(desk, told, now))
}

fn told_view(desk: &Desk, (kept, message): (Kept, String), now: Timestamp) -> GatewayView {
    let message = Some(message).filter(|message| !message.is_empty());
    GatewayView { message, ..GatewayView::of(desk.name(), &kept.url, Some(&kept), now) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::gateway::shelf::Registration;
    use crate::network::gateway::token::Token;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn kept(exp: Option<&str>, statuses: [Option<(&str, i64)>; 3]) -> Kept {
        let told = |status: Option<(&str, i64)>| {
            status.map(|(status, at_unix_ms)| Told { status: status.into(), at_unix_ms })
        };
        let [status, api_status, document] = statuses.map(told);
        let document = KnownDocument { id: None, name: "c".into(), status: document };
        let registration = Registration {
            id: "r1".into(),
            token: Token::new("s3cr3t").expect("a token"),
            token_exp: exp.map(str::to_owned),
            signed_up_at_unix_ms: 1,
            told_at_unix_ms: 2,
            info: Info::default(),
            endpoint_url: "https://bpp.example".into(),
            status,
            api_status,
            documents: vec![document],
        };
        let url = "https://gateway.example".into();
        Kept { url, registration: Some(registration), unanswered_signup_at_unix_ms: None }
    }

    fn view(exp: Option<&str>, statuses: [Option<(&str, i64)>; 3]) -> RegistrationView {
        let view = GatewayView::of("city", "u", Some(&kept(exp, statuses)), NOW);
        view.registration.expect("there is one")
    }

    #[test]
    fn what_waits_and_what_failed_is_judged_by_what_was_told_last() {
        let waits = |statuses| {
            let view = view(None, statuses);
            (view.is_waiting, view.is_failed)
        };
        assert_eq!(waits([None, None, None]), (false, false));
        assert_eq!(
            waits([Some(("NEW", 2)), None, Some(("PENDING-VERIFICATION", 2))]),
            (true, false)
        );
        assert_eq!(
            waits([Some(("NEW", 2)), None, Some(("PENDING-VERIFICATION", 1))]),
            (false, false)
        );
        assert_eq!(
            waits([Some(("UPDATE-PENDING", 2)), Some(("UPDATE-FAIL", 2)), None]),
            (true, true)
        );
    }

    #[test]
    fn a_view_says_when_the_token_runs_out_and_not_what_it_is() {
        for (exp, state) in [
            (Some("2030-01-01T00:00:00Z"), TokenState::Holds),
            (Some("2027-01-16T00:00:00Z"), TokenState::Ending),
            (Some("2027-01-01"), TokenState::Over),
            (Some("soon"), TokenState::Unknown),
            (None, TokenState::Unknown),
        ] {
            assert_eq!(view(exp, [None, None, None]).token, state, "{exp:?}");
        }
        let view = GatewayView::of("city", "u", Some(&kept(None, [None, None, None])), NOW);
        assert!(!serde_json::to_string(&view).expect("written").contains("s3cr3t"));
    }
}
