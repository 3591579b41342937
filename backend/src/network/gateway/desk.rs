//! A registration at one gateway: what is asked, and what is kept of the answer.
//!
//! What is refused, or not answered, changes nothing that is kept. One thing is written down before it is
//! asked: that a signup is on its way. Where no answer comes the gateway may have taken it, and a second one
//! would be another registration.

use tripline_protocol::unit::Timestamp;

use super::answer::{Answer, Reply, ToldDocument, Unusable};
use super::check::{check_endpoint, check_info, is_local};
use super::client::{CallError, GatewayClient, Listener};
use super::company::Info;
use super::document::Document;
use super::expiry::{self, Expiry};
use super::field::{FieldPath, Refusal};
use super::message::Body;
use super::shelf::{Kept, KnownDocument, Registration, Shelf};
use super::token::Token;
use crate::config::Config;
use crate::error::BppError;

/// What a first registration brings.
#[derive(Debug, Clone)]
pub struct Signup {
    /// The company.
    pub info: Info,
    /// Its papers.
    pub documents: Vec<Document>,
    /// Where requests are to come to.
    pub endpoint_url: String,
    /// A token that the gateway gave beforehand, where it wants one even for this.
    pub token: Option<Token>,
    /// Whether to sign up though there is a registration, or one may be on its way.
    pub again: bool,
}

/// How a registration is looked at.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// A token to be used from here on, if the gateway takes it.
    pub token: Option<Token>,
    /// Whether the gateway has moved to the address of the configuration.
    pub moved: bool,
}

/// Why something is not done at a gateway.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The configuration has no such gateway.
    #[error(
        "[gateways.{0}] is not in the configuration; `tripline-bpp gateway list` shows those that are"
    )]
    Unknown(String),
    /// We have not signed up.
    #[error(
        "we are not registered at {0}; `tripline-bpp gateway signup {0} --from company.toml` does that"
    )]
    NotRegistered(String),
    /// We have signed up.
    #[error(
        "we are registered at {name} as {id}; `gateway update-info` and `add-document` change that, and \
         --again makes another registration"
    )]
    Registered {
        /// The gateway.
        name: String,
        /// The registration.
        id: String,
    },
    /// We may have signed up.
    #[error(
        "a signup at {0} was sent and no answer came: it may have been taken. Ask whoever runs {0}, and \
         sign up with --again if it was not"
    )]
    Unanswered(String),
    /// The registration is that of a gateway elsewhere.
    #[error(
        "we registered at {registered}, and [gateways.{name}] url is {configured}: our token does not go \
         there. Set the old address, or say with `gateway get {name} --moved` that it is the same gateway"
    )]
    Elsewhere {
        /// The gateway.
        name: String,
        /// Where we registered.
        registered: String,
        /// What the configuration has.
        configured: String,
    },
    /// Fields that are not sent.
    #[error("nothing was sent to {name}: {refusal}")]
    Invalid {
        /// The gateway.
        name: String,
        /// Which, and why.
        refusal: Refusal,
    },
    /// The gateway does not take it.
    #[error("{name} refused: {refusal}{}", over(token_over))]
    Refused {
        /// The gateway.
        name: String,
        /// What it says.
        refusal: Refusal,
        /// The token that ran out before, and when in the gateway's words.
        token_over: Option<String>,
    },
    /// The gateway cannot be asked.
    #[error("{error}")]
    Call {
        /// The gateway.
        name: String,
        /// Its address.
        url: String,
        /// Why not.
        error: CallError,
    },
    /// What is kept cannot be read or written.
    #[error(transparent)]
    Kept(#[from] BppError),
}

fn over(token_exp: &Option<String>) -> String {
    token_exp.as_ref().map_or_else(String::new, |exp| {
        format!("\n  our token ran out ({exp}): whoever runs the gateway has to give a new one")
    })
}

/// Our side of one gateway.
#[derive(Debug)]
pub struct Desk {
    name: String,
    client: GatewayClient,
    shelf: Shelf,
}

impl Desk {
    /// The desk for a gateway of the configuration.
    pub fn new(config: &Config, name: &str) -> Result<Self, DeskError> {
        let gateway = config.gateways.get(name);
        let gateway = gateway.ok_or_else(|| DeskError::Unknown(name.to_owned()))?;
        let client = GatewayClient::new(gateway).map_err(BppError::Internal)?;
        Ok(Self { name: name.to_owned(), client, shelf: Shelf::new(config.gateways_dir()) })
    }

    /// The gateway's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is kept of it.
    pub fn kept(&self) -> Result<Option<Kept>, DeskError> {
        Ok(self.shelf.load(&self.name)?)
    }

    /// Whether a gateway of this address may be told an address of this machine.
    fn is_local(&self) -> bool {
        url::Url::parse(self.client.url()).is_ok_and(|url| is_local(&url))
    }

    /// Refuses what is not to be sent, each field with its reason, beside what was found wrong before.
    pub fn check_signup(&self, signup: &Signup, mut refusal: Refusal) -> Result<(), DeskError> {
        check_info(&signup.info, &mut refusal);
        if let Err(problem) = check_endpoint(&signup.endpoint_url, self.is_local()) {
            refusal.add(FieldPath::member("api", "endpoint_url"), &problem);
        }
        self.invalid(refusal)
    }

    /// The same of a change of the company.
    pub fn check_update(&self, info: &Info) -> Result<(), DeskError> {
        let mut refusal = Refusal::default();
        check_info(info, &mut refusal);
        self.invalid(refusal)
    }

    /// An error if something was found wrong.
    pub fn invalid(&self, mut refusal: Refusal) -> Result<(), DeskError> {
        if refusal.fields.is_empty() {
            return Ok(());
        }
        "fields that cannot be used".clone_into(&mut refusal.message);
        Err(DeskError::Invalid { name: self.name.clone(), refusal })
    }

    /// Signs up. What is sent must have passed [`Desk::check_signup`].
    pub async fn sign_up(
        &self,
        signup: &Signup,
        now: Timestamp,
        listener: Listener<'_>,
    ) -> Result<(Kept, String), DeskError> {
        self.shelf.prepare()?;
        // That it is on its way is written down first: a disk that does not take that would not take the
        // token either.
        let before = self.shelf.change(&self.name, |kept| self.set_out(kept, signup, now))?;
        let body = Body::signup(&signup.info, &signup.documents, &signup.endpoint_url);
        let answer = self.client.call(&body, signup.token.as_ref(), now, listener).await;
        match answer {
            Ok(Answer::Ack(reply)) => self.take_up(signup, &reply, now),
            Ok(Answer::Nack(refusal)) => {
                self.put_back(before)?;
                Err(self.refused(refusal, None))
            }
            Err(error) => {
                if !may_have_been_taken(&error) {
                    self.put_back(before)?;
                }
                Err(self.not_asked(error))
            }
        }
    }

    fn set_out(
        &self,
        kept: &mut Option<Kept>,
        signup: &Signup,
        now: Timestamp,
    ) -> Result<Option<Kept>, DeskError> {
        let before = kept.clone();
        if let Some(kept) = kept.as_ref().filter(|_| !signup.again) {
            if let Some(Registration { id, .. }) = &kept.registration {
                return Err(DeskError::Registered { name: self.name.clone(), id: id.clone() });
            }
            if kept.unanswered_signup_at_unix_ms.is_some() {
                return Err(DeskError::Unanswered(self.name.clone()));
            }
        }
        let kept = kept.get_or_insert_with(|| Kept {
            url: self.client.url().to_owned(),
            registration: None,
            unanswered_signup_at_unix_ms: None,
        });
        kept.unanswered_signup_at_unix_ms = Some(now.unix_ms);
        Ok(before)
    }

    fn put_back(&self, before: Option<Kept>) -> Result<(), DeskError> {
        self.shelf.change(&self.name, |kept| {
            *kept = before;
            Ok(())
        })
    }

    /// Keeps a first registration. One without an id or a token is of no use.
    fn take_up(
        &self,
        signup: &Signup,
        reply: &Reply,
        now: Timestamp,
    ) -> Result<(Kept, String), DeskError> {
        let lacks = |field| self.not_asked(CallError::Unusable(Unusable::Field(field)));
        let told = reply.registration.as_ref().ok_or_else(|| lacks("registration"))?;
        let auth = reply.auth.as_ref().ok_or_else(|| lacks("auth"))?;
        let mut registration = Registration {
            id: told.id.clone(),
            token: auth.token.clone(),
            token_exp: auth.exp.clone(),
            signed_up_at_unix_ms: now.unix_ms,
            told_at_unix_ms: now.unix_ms,
            info: signup.info.clone(),
            endpoint_url: signup.endpoint_url.clone(),
            status: None,
            api_status: None,
            documents: signup.documents.iter().map(as_known).collect(),
        };
        registration.take_in(reply, now);
        let new = Kept {
            url: self.client.url().to_owned(),
            registration: Some(registration),
            unanswered_signup_at_unix_ms: None,
        };
        self.put_back(Some(new.clone()))?;
        Ok((new, reply.message.clone()))
    }

    /// Asks what the gateway knows of us.
    pub async fn get(
        &self,
        look: &Look,
        now: Timestamp,
        listener: Listener<'_>,
    ) -> Result<(Kept, String), DeskError> {
        let registration = self.registration(look.moved)?;
        let body = Body::get(&registration.id);
        let reply = self.ask(&registration, &body, look.token.as_ref(), now, listener).await?;
        self.keep(&registration.id, &reply, look.token.as_ref(), now)
    }

    /// Tells of a change of the company. It must have passed [`Desk::check_update`].
    pub async fn update_info(
        &self,
        info: &Info,
        now: Timestamp,
        listener: Listener<'_>,
    ) -> Result<(Kept, String), DeskError> {
        let registration = self.registration(false)?;
        let body = Body::update_info(&registration.id, info);
        let mut reply = self.ask(&registration, &body, None, now, listener).await?;
        reply.info.get_or_insert_with(|| info.clone());
        self.keep(&registration.id, &reply, None, now)
    }

    /// Hands in further papers.
    pub async fn add_documents(
        &self,
        documents: &[Document],
        now: Timestamp,
        listener: Listener<'_>,
    ) -> Result<(Kept, String), DeskError> {
        let registration = self.registration(false)?;
        let body = Body::add_documents(&registration.id, documents);
        let mut reply = self.ask(&registration, &body, None, now, listener).await?;
        reply.documents.get_or_insert_with(|| {
            let before = registration.documents.iter().map(|known| ToldDocument {
                id: known.id.clone(),
                name: known.name.clone(),
                status: None,
            });
            let new = documents.iter().map(|document| ToldDocument {
                id: None,
                name: document.name.clone(),
                status: None,
            });
            before.chain(new).collect()
        });
        self.keep(&registration.id, &reply, None, now)
    }

    /// Our registration; an error if there is none, or if it is that of another address.
    fn registration(&self, moved: bool) -> Result<Registration, DeskError> {
        let not_registered = || DeskError::NotRegistered(self.name.clone());
        let kept = self.kept()?.ok_or_else(not_registered)?;
        let Some(registration) = kept.registration else {
            return Err(match kept.unanswered_signup_at_unix_ms {
                Some(_) => DeskError::Unanswered(self.name.clone()),
                None => not_registered(),
            });
        };
        if kept.url != self.client.url() && !moved {
            return Err(DeskError::Elsewhere {
                name: self.name.clone(),
                registered: kept.url,
                configured: self.client.url().to_owned(),
            });
        }
        Ok(registration)
    }

    async fn ask(
        &self,
        registration: &Registration,
        body: &Body<'_>,
        token: Option<&Token>,
        now: Timestamp,
        listener: Listener<'_>,
    ) -> Result<Reply, DeskError> {
        let used = token.unwrap_or(&registration.token);
        let answer = self.client.call(body, Some(used), now, listener).await;
        match answer.map_err(|error| self.not_asked(error))? {
            Answer::Nack(refusal) => {
                let ends = registration.token_ends();
                let is_over = token.is_none() && expiry::judge(ends, now) == Expiry::Over;
                let exp = registration.token_exp.clone().filter(|_| is_over);
                Err(self.refused(refusal, exp))
            }
            Answer::Ack(reply) => {
                let told = reply.registration.as_ref();
                if told.is_some_and(|told| told.id != registration.id) {
                    let another = CallError::Unusable(Unusable::Field("registration.id"));
                    return Err(self.not_asked(another));
                }
                Ok(*reply)
            }
        }
    }

    /// Keeps what was told of a registration, unless another has come in its place meanwhile.
    fn keep(
        &self,
        id: &str,
        reply: &Reply,
        token: Option<&Token>,
        now: Timestamp,
    ) -> Result<(Kept, String), DeskError> {
        self.shelf.change(&self.name, |kept| {
            let not_registered = || DeskError::NotRegistered(self.name.clone());
            let kept = kept.as_mut().ok_or_else(not_registered)?;
            let registration = kept.registration.as_mut().filter(|found| found.id == id);
            let registration = registration.ok_or_else(not_registered)?;
            if let Some(token) = token {
                // When it runs out was that of the one before.
                (registration.token, registration.token_exp) = (token.clone(), None);
            }
            registration.take_in(reply, now);
            self.client.url().clone_into(&mut kept.url);
            Ok((kept.clone(), reply.message.clone()))
        })
    }

    fn refused(&self, refusal: Refusal, token_over: Option<String>) -> DeskError {
        DeskError::Refused { name: self.name.clone(), refusal, token_over }
    }

    fn not_asked(&self, error: CallError) -> DeskError {
        DeskError::Call { name: self.name.clone(), url: self.client.url().to_owned(), error }
    }
}

fn as_known(document: &Document) -> KnownDocument {
    KnownDocument { id: None, name: document.name.clone(), status: None }
}

/// Whether the gateway may have done what it was asked, though we have no answer that says so.
const fn may_have_been_taken(error: &CallError) -> bool {
    match error {
        CallError::Unwritable(_) | CallError::NotConnected(_) => false,
        CallError::Broken(_) | CallError::Silent(_) | CallError::TooLong => true,
        CallError::Unusable(unusable) => match unusable {
            Unusable::NotJson(status) | Unusable::NoVerdict(status) => !matches!(*status, 400..500),
            Unusable::AckOfFailure(_) | Unusable::Field(_) => true,
        },
    }
}
