//! HTTP to others: no proxy, no redirect, answers bounded in time and size.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, Response, redirect};

/// Characters of somebody else's words that are passed on.
const WORDS_LEN_MAX: usize = 200;

/// A client that waits `timeout_ms` for a whole answer. Made once and shared.
pub fn builder(timeout_ms: u64) -> ClientBuilder {
    let timeout = Duration::from_millis(timeout_ms);
    Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(timeout)
        .connect_timeout(timeout)
        .user_agent(concat!("tripline-bpp/", env!("CARGO_PKG_VERSION")))
}

/// Why there is no whole answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is too long; the rest was not read.
    #[error("answered more than {0} bytes")]
    TooLong(usize),
    /// The connection broke, or it took too long.
    #[error("{0}")]
    Broken(String),
}

/// An answer's body of at most `len_max` bytes.
pub async fn read(mut response: Response, len_max: usize) -> Result<Vec<u8>, ReadError> {
    let broken = |error| ReadError::Broken(without_url(error));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        body.extend_from_slice(&chunk);
        if body.len() > len_max {
            return Err(ReadError::TooLong(len_max));
        }
    }
    Ok(body)
}

/// An error's words with its causes, and without the URL, which the log has already.
pub fn without_url(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    text
}

/// What somebody else said, for a log or an operator's terminal: shortened, and nothing that a terminal
/// obeys.
pub fn shortened(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text = text.trim();
    let mut words: String = text.chars().take(WORDS_LEN_MAX).map(plain).collect();
    if text.chars().nth(WORDS_LEN_MAX).is_some() {
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_others_are_shortened_and_say_nothing_to_a_terminal() {
        assert_eq!(shortened(" \x1b[31mno\nsuch\u{fffd}key "), " [31mno such\u{fffd}key");
        let long = shortened(&"x".repeat(5_000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (WORDS_LEN_MAX + 1, true));
    }
}
