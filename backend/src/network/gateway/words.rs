//! What a gateway says, as it may be shown: it may say our token, or a document, back to us.

use super::token::Token;
use crate::network::http::shortened;

/// Letters and digits in a row, of Base64, from which on they are taken for contents and not for words: a
/// word is shorter, and so is an id in hexadecimal.
const RUN_LEN_MIN: usize = 40;

/// What stands in place of what is not shown.
const HIDDEN: &str = "[...]";

/// A gateway's words without our tokens and without documents, shortened, and with nothing that a terminal
/// obeys.
pub(super) fn shown(text: &str, tokens: &[&Token]) -> String {
    let mut text = text.to_owned();
    for token in tokens {
        text = text.replace(token.reveal(), HIDDEN);
    }
    shortened(&without_runs(&text))
}

fn without_runs(text: &str) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_');
    let mut shown = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_run = is_base64(first);
        let end = rest.find(|c| is_base64(c) != in_run).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        let hide = in_run && part.len() >= RUN_LEN_MIN;
        shown += if hide { HIDDEN } else { part };
        rest = after;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_token_nor_document_is_shown_and_words_are() {
        let token = Token::new("s3cr3t").expect("a token");
        let said = format!("token s3cr3t: data {} is no pdf\x1b[31m", "JVBERi0x".repeat(9));
        assert_eq!(shown(&said, &[&token]), "token [...]: data [...] is no pdf [31m");
        let id = "no registration 0123456789abcdef0123456789abcdef, ask us";
        assert_eq!(shown(id, &[]), id);
        assert_eq!(shown("unter M\u{fc}nchen", &[]), "unter M\u{fc}nchen");
    }
}
