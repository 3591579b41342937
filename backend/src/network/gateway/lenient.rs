//! JSON as the document's own examples have it: with commas after the last member.

use serde_json::{Error, Value};

/// The value of a JSON text. One that is no JSON is read once more without the commas before a closing
/// bracket, since whoever made a gateway from the document's examples may send them so.
pub(super) fn parse(text: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(text)
        .or_else(|error| serde_json::from_slice(&without_last_commas(text)).map_err(|_| error))
}

/// The text without commas that nothing but a closing bracket follows; what stands in quotes is left alone.
fn without_last_commas(text: &[u8]) -> Vec<u8> {
    let mut kept: Vec<u8> = Vec::with_capacity(text.len());
    // Where a comma stands that may turn out to be a last one.
    let mut comma: Option<usize> = None;
    let (mut quoted, mut escaped) = (false, false);
    for &byte in text {
        match byte {
            _ if quoted => {
                quoted = escaped || byte != b'"';
                escaped = !escaped && byte == b'\\';
            }
            b',' => comma = Some(kept.len()),
            b']' | b'}' => {
                if let Some(at) = comma.take() {
                    kept.remove(at);
                }
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => {
                comma = None;
                quoted = byte == b'"';
            }
        }
        kept.push(byte);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_comma_after_the_last_member_is_passed_over_and_one_in_quotes_is_not() {
        let read = |text: &str| parse(text.as_bytes()).expect("read");
        assert_eq!(
            read(r#"{"a":[1,2,],"b":{"c":1 , },}"#),
            json!({ "a": [1, 2], "b": { "c": 1 } })
        );
        assert_eq!(read("[\"a,]\",\n]"), json!(["a,]"]));
        assert_eq!(read(r#"{"a":"\",}\\",}"#), json!({ "a": "\",}\\" }));
    }

    #[test]
    fn what_is_no_json_without_them_either_is_refused() {
        for text in ["", "<html>,}", "{\"a\":1", "[1,,2]", "[,]]", "{\"a\":,}"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
