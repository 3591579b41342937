//! How the gateway treats those who ask it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Frame;
use serde_json::Value;

/// A piece of the answer that never ends.
const PIECE: &[u8] = &[b' '; 64 * 1024];

/// What the gateway does with a request. For one that is not there at all, stop it.
#[derive(Debug, Clone, PartialEq)]
pub enum Behavior {
    /// Answers as the document says, from its book.
    Honest,
    /// The same with the header in HTTP headers.
    Bare,
    /// The same with other letters in its keys, and nothing in its answers that need not be.
    Terse,
    /// The same, and says everything back that it was sent, in words.
    Talkative,
    /// Answers so many ms late.
    Slow(u64),
    /// Takes the request and never answers.
    Silent,
    /// Closes the connection instead of answering.
    HangUp,
    /// Refuses with this body.
    Refuse(Value),
    /// Answers this, whatever was asked.
    Answer(u16, String),
    /// Answers something that is no answer.
    Nonsense(Nonsense),
}

/// What is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonsense {
    /// A page for people.
    Html,
    /// An error page of something in between.
    BadGateway,
    /// JSON that says neither ACK nor NACK.
    NoVerdict,
    /// A JSON document that goes on without end.
    Endless,
    /// The head of an answer, and then nothing.
    HeadOnly,
    /// A redirect. Nobody may follow it with a token.
    Redirect,
    /// ACK with another registration than ours.
    AnotherRegistration,
}

impl Nonsense {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Html,
        Self::BadGateway,
        Self::NoVerdict,
        Self::Endless,
        Self::HeadOnly,
        Self::Redirect,
        Self::AnotherRegistration,
    ];

    pub(super) fn response(self) -> Response {
        let json = [(CONTENT_TYPE, "application/json")];
        match self {
            Self::Html => ([(CONTENT_TYPE, "text/html")], "<html>Welcome!</html>").into_response(),
            Self::BadGateway => (StatusCode::BAD_GATEWAY, "<html>502</html>").into_response(),
            Self::NoVerdict => (json, r#"{"registration":{"id":"r1"}}"#).into_response(),
            Self::Endless => (json, Body::new(Pieces { without_end: true })).into_response(),
            Self::HeadOnly => (json, Body::new(Pieces { without_end: false })).into_response(),
            Self::Redirect => {
                (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, "/elsewhere")]).into_response()
            }
            Self::AnotherRegistration => {
                let told =
                    r#"{"header":{"action":"ACK"},"body":{"registration":{"id":"another"}}}"#;
                (json, told).into_response()
            }
        }
    }
}

/// A body that goes on for as long as somebody reads it, or never begins.
struct Pieces {
    without_end: bool,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.without_end {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(PIECE)))));
        }
        Poll::Pending
    }
}
