//! Requests, as the document has them: a header with action, token and time, and a body.

use std::fmt;

use jiff::Timestamp as Instant;
use serde::{Deserialize, Serialize};
use tripline_protocol::unit::Timestamp;

use super::company::Info;
use super::document::Document;
use super::token::Token;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Take us up.
    Signup,
    /// Say what you know of us.
    Get,
    /// Take up what has changed of the company.
    UpdateInfo,
    /// Take further papers.
    AddDocuments,
}

impl Action {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Signup, Self::Get, Self::UpdateInfo, Self::AddDocuments];

    /// As the header says it; the endpoint is below the gateway's address, under the same words.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Signup => "Provider/signup",
            Self::Get => "Provider/get",
            Self::UpdateInfo => "Provider/info/update",
            Self::AddDocuments => "Provider/documents/add",
        }
    }
}

/// Where the header is. The document shows header and body beside each other, and says nothing of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Both are members of one JSON document, as in the messages of the same family that are shown whole.
    #[default]
    Message,
    /// The header is the HTTP request's, and its body is the body.
    Headers,
}

/// The header of a request, with the names of the document.
#[derive(Serialize)]
struct Header<'a> {
    #[serde(rename = "Action")]
    action: &'static str,
    #[serde(rename = "Token")]
    token: &'a str,
    #[serde(rename = "Timestamp")]
    timestamp: &'a str,
}

/// The registration that a request is about.
#[derive(Debug, Serialize)]
struct About<'a> {
    id: &'a str,
}

/// Where requests are to come to.
#[derive(Debug, Serialize)]
struct Api<'a> {
    endpoint_url: &'a str,
}

/// A request's body: the members that the document has for its action.
#[derive(Debug, Serialize)]
pub struct Body<'a> {
    #[serde(skip)]
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<About<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a Info>,
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<&'a [Document]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<Api<'a>>,
}

impl<'a> Body<'a> {
    const fn of(action: Action) -> Self {
        Self { action, registration: None, info: None, documents: None, api: None }
    }

    /// A first registration.
    pub const fn signup(info: &'a Info, documents: &'a [Document], endpoint_url: &'a str) -> Self {
        Self {
            info: Some(info),
            documents: Some(documents),
            api: Some(Api { endpoint_url }),
            ..Self::of(Action::Signup)
        }
    }

    /// A look at a registration.
    pub const fn get(id: &'a str) -> Self {
        Self { registration: Some(About { id }), ..Self::of(Action::Get) }
    }

    /// A change of what is known of the company.
    pub const fn update_info(id: &'a str, info: &'a Info) -> Self {
        Self { registration: Some(About { id }), info: Some(info), ..Self::of(Action::UpdateInfo) }
    }

    /// Further papers.
    pub const fn add_documents(id: &'a str, documents: &'a [Document]) -> Self {
        Self {
            registration: Some(About { id }),
            documents: Some(documents),
            ..Self::of(Action::AddDocuments)
        }
    }

    /// What it asks for.
    pub const fn action(&self) -> Action {
        self.action
    }
}

/// A request as it goes out. It prints nothing of what is in it.
pub struct Written {
    /// What it asks for.
    pub action: Action,
    /// HTTP headers, of which the one with the token is not to be shown.
    pub headers: Vec<(&'static str, String)>,
    /// The HTTP body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Written({:?}, {} bytes)", self.action, self.body.len())
    }
}

/// Why a request cannot be written: our clock is beyond the calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request cannot be written: {0}")]
pub struct Unwritable(String);

/// Writes a request at a time. A signup has no token; the header has its place all the same.
pub fn write(
    form: Form,
    body: &Body<'_>,
    token: Option<&Token>,
    at: Timestamp,
) -> Result<Written, Unwritable> {
    #[derive(Serialize)]
    struct Message<'a> {
        header: Header<'a>,
        body: &'a Body<'a>,
    }
    let unwritable = |error: &dyn fmt::Display| Unwritable(error.to_string());
    let timestamp = date_time(at).map_err(|error| unwritable(&error))?;
    let (action, token) = (body.action(), token.map_or("", Token::reveal));
    let (headers, written) = match form {
        Form::Message => {
            let header = Header { action: action.code(), token, timestamp: &timestamp };
            (Vec::new(), serde_json::to_vec(&Message { header, body }))
        }
        Form::Headers => {
            let mut headers = vec![("action", action.code().to_owned()), ("timestamp", timestamp)];
            if !token.is_empty() {
                headers.push(("token", token.to_owned()));
            }
            (headers, serde_json::to_vec(body))
        }
    };
    let body = written.map_err(|error| unwritable(&error))?;
    Ok(Written { action, headers, body })
}

/// A time with its zone, to the second. The document's example has none, and means nothing sure without.
fn date_time(at: Timestamp) -> Result<String, jiff::Error> {
    Ok(Instant::from_second(at.unix_ms.div_euclid(1000))?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const AT: Timestamp = Timestamp::from_unix_ms(1_568_385_114_972);

    fn info() -> Info {
        Info {
            name: "Delhi Metro Rail Corporation".into(),
            phone: "+91-8023329991".into(),
            email: "info@example.com".into(),
            company_id: "U72900KA201".into(),
        }
    }

    fn message(body: &Body<'_>, token: Option<&Token>) -> Value {
        let written = write(Form::Message, body, token, AT).expect("written");
        assert!(written.headers.is_empty());
        serde_json::from_slice(&written.body).expect("JSON")
    }

    #[test]
    fn a_signup_has_info_documents_and_endpoint_and_a_place_for_the_token() {
        let document = Document::new("c", "c.pdf", b"%PDF-1").expect("a document");
        let info = info();
        let documents = [document];
        let body = Body::signup(&info, &documents, "https://bpp.example/beckn");
        let expected = json!({
            "header": { "Action": "Provider/signup", "Token": "", "Timestamp": "2019-09-13T14:31:54Z" },
            "body": {
                "info": { "name": "Delhi Metro Rail Corporation", "phone": "+91-8023329991",
                    "email": "info@example.com", "company_id": "U72900KA201" },
                "documents": [{ "name": "c", "data": "JVBERi0x" }],
                "api": { "endpoint_url": "https://bpp.example/beckn" },
            },
        });
        assert_eq!(message(&body, None), expected);
        let none = message(&Body::signup(&info, &[], "https://bpp.example"), None);
        assert_eq!(none["body"]["documents"], json!([]), "the list is there all the same");
    }

    #[test]
    fn the_others_name_the_registration_and_what_changes_and_nothing_beside() {
        let token = Token::new("t").expect("a token");
        let info = info();
        let document = [Document::new("c", "c.pdf", b"%PDF-1").expect("a document")];
        for (body, action, members) in [
            (Body::get("r1"), "Provider/get", vec!["registration"]),
            (Body::update_info("r1", &info), "Provider/info/update", vec!["info", "registration"]),
            (
                Body::add_documents("r1", &document),
                "Provider/documents/add",
                vec!["documents", "registration"],
            ),
        ] {
            let message = message(&body, Some(&token));
            assert_eq!(message["header"]["Action"], action);
            assert_eq!(message["header"]["Token"], "t");
            assert_eq!(message["body"]["registration"], json!({ "id": "r1" }));
            let keys: Vec<_> = message["body"].as_object().expect("an object").keys().collect();
            assert_eq!(keys, members);
        }
    }

    #[test]
    fn in_the_other_form_the_header_is_http_and_an_empty_token_is_left_out() {
        let token = Token::new("t").expect("a token");
        let written = write(Form::Headers, &Body::get("r1"), Some(&token), AT).expect("written");
        let expected = [
            ("action", "Provider/get".to_owned()),
            ("timestamp", "2019-09-13T14:31:54Z".to_owned()),
            ("token", "t".to_owned()),
        ];
        assert_eq!(written.headers, expected);
        assert_eq!(written.body, br#"{"registration":{"id":"r1"}}"#);
        let written = write(Form::Headers, &Body::get("r1"), None, AT).expect("written");
        assert_eq!(written.headers.len(), 2);
        assert!(!format!("{written:?}").contains("r1"));
    }
}
