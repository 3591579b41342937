//! What a gateway knows us by.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest token, in bytes: one that is signed and holds claims has one or two thousand.
pub const TOKEN_LEN_MAX: usize = 8 * 1024;

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {TOKEN_LEN_MAX} visible ASCII characters")]
pub struct TokenError;

/// A gateway's token. It does not print itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Token(String);

impl Token {
    /// A token, as it came; blanks around it are none of it. It must fit into a header.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let fits = (1..=TOKEN_LEN_MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TokenError)
        }
    }

    /// The token itself, for a request.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Token {
    type Error = TokenError;

    fn try_from(text: String) -> Result<Self, TokenError> {
        Self::new(&text)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_into_a_header_and_does_not_print_itself() {
        let token = Token::new(" eyJ0.abc-_~ \n").expect("a token");
        assert_eq!(token.reveal(), "eyJ0.abc-_~");
        assert_eq!(format!("{token:?}"), "Token(..)");
        for bad in ["", "  ", "a b", "a\nb", "caf\u{e9}", &"x".repeat(TOKEN_LEN_MAX + 1)] {
            assert_eq!(Token::new(bad), Err(TokenError));
        }
    }
}
