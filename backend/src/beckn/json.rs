//! JSON as strangers send it: read once, within limits, and refused where two readers could read two
//! things in it.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Objects and lists within each other. Published messages have ten.
pub const DEPTH_MAX: usize = 32;

/// Values in a body, each object, list, text and number being one: what they cost in memory is many times
/// their bytes. Published messages have a few hundred.
pub const NODES_MAX: usize = 10_000;

/// Longest path that is told, in bytes: keys are the sender's.
const PATH_LEN_MAX: usize = 120;

/// Why bytes are not the JSON of one message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// A byte order mark in front.
    #[error("the body begins with a byte order mark; JSON has none")]
    ByteOrderMark,
    /// No bytes.
    #[error("the body is empty")]
    Empty,
    /// Not UTF-8.
    #[error("the body is not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// The first byte that is not.
        at: usize,
    },
    /// Not JSON, or something after it.
    #[error("the body is not JSON: {what} (line {line}, column {column})")]
    Syntax {
        /// What is wrong.
        what: String,
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// A key twice in one object.
    #[error("{path} is there twice")]
    Duplicate {
        /// Which.
        path: String,
    },
    /// Too deep.
    #[error("the body has objects and lists more than {DEPTH_MAX} deep")]
    Depth,
    /// Too many values.
    #[error("the body has more than {NODES_MAX} values")]
    Nodes,
}

/// The one value that these bytes are.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonFault> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonFault::ByteOrderMark);
    }
    let text =
        str::from_utf8(bytes).map_err(|error| JsonFault::NotUtf8 { at: error.valid_up_to() })?;
    if text.trim_ascii().is_empty() {
        return Err(JsonFault::Empty);
    }
    let reading = Reading::default();
    let mut source = serde_json::Deserializer::from_str(text);
    let node = Node { reading: &reading, depth: 0 };
    let read = node.deserialize(&mut source).and_then(|value| source.end().map(|()| value));
    // Told apart from what the text itself has wrong.
    read.map_err(|error| reading.fault.take().unwrap_or_else(|| syntax(&error)))
}

fn syntax(error: &serde_json::Error) -> JsonFault {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default().to_owned();
    JsonFault::Syntax { what, line, column }
}

/// How far the reading is.
#[derive(Debug, Default)]
struct Reading {
    nodes: Cell<usize>,
    path: RefCell<Vec<String>>,
    fault: RefCell<Option<JsonFault>>,
}

impl Reading {
    fn stop<E: Error>(&self, fault: JsonFault) -> E {
        let error = E::custom(&fault);
        self.fault.replace(Some(fault));
        error
    }

    /// The path of a key in the object that is read.
    fn path_of(&self, key: &str) -> String {
        let mut path =
            self.path.borrow().iter().fold(String::new(), |path, part| path + part + ".");
        path += key;
        while path.len() > PATH_LEN_MAX {
            path.pop();
        }
        path
    }

    /// Reads what is below this step.
    fn below<T>(&self, step: &str, read: impl FnOnce() -> T) -> T {
        self.path.borrow_mut().push(step.to_owned());
        let value = read();
        self.path.borrow_mut().pop();
        value
    }
}

/// One value to be read.
#[derive(Clone, Copy)]
struct Node<'r> {
    reading: &'r Reading,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        let nodes = self.reading.nodes.get() + 1;
        self.reading.nodes.set(nodes);
        if nodes > NODES_MAX {
            return Err(self.reading.stop(JsonFault::Nodes));
        }
        source.deserialize_any(self)
    }
}

impl Node<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(self.reading.stop(JsonFault::Depth));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        // JSON has no number that is none, and the reader refuses those too large.
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let (below, mut values) = (self.deeper()?, Vec::new());
        loop {
            let step = values.len().to_string();
            match self.reading.below(&step, || list.next_element_seed(below))? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let (below, mut fields) = (self.deeper()?, Map::new());
        while let Some(key) = object.next_key::<String>()? {
            if fields.contains_key(&key) {
                let path = self.reading.path_of(&key);
                return Err(self.reading.stop(JsonFault::Duplicate { path }));
            }
            let value = self.reading.below(&key, || object.next_value_seed(below))?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_json_reads_is_read_alike() {
        for text in [
            r#" {"a":[1,-2,3.5,1e3,true,false,null,"x\u00e9\ud83d\ude00"],"b":{"c":{}}} "#,
            "[]",
            "\"text\"",
            "18446744073709551615",
        ] {
            let expected: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(parse(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_key_twice_is_refused_by_its_path_in_whatever_spelling() {
        for (text, path) in [
            (r#"{"a":1,"a":1}"#, "a"),
            (r#"{"message":{"order":[{"id":1},{"id":1,"x":{},"id":2}]}}"#, "message.order.1.id"),
            (r#"{"context":{"\u0062ap_id":"x","bap_id":"y"}}"#, "context.bap_id"),
        ] {
            let fault = JsonFault::Duplicate { path: path.into() };
            assert_eq!(parse(text.as_bytes()), Err(fault), "{text}");
        }
        assert!(parse(br#"{"a":{"b":1},"b":{"b":1}}"#).is_ok(), "in different objects");
        let long = format!(r#"{{"{0}":1,"{0}":2}}"#, "\u{e9}".repeat(1_000));
        assert!(parse(long.as_bytes()).expect_err("twice").to_string().len() < 200);
    }

    #[test]
    fn depth_and_number_of_values_are_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(parse(nested(DEPTH_MAX + 1).as_bytes()), Err(JsonFault::Depth));
        assert_eq!(parse("[".repeat(250_000).as_bytes()), Err(JsonFault::Depth));
        assert_eq!(parse("{\"a\":".repeat(40_000).as_bytes()), Err(JsonFault::Depth));
        let many = |values: usize| format!("[{}0]", "0,".repeat(values - 2));
        assert!(parse(many(NODES_MAX).as_bytes()).is_ok());
        assert_eq!(parse(many(NODES_MAX + 1).as_bytes()), Err(JsonFault::Nodes));
    }

    #[test]
    fn what_is_not_json_and_nothing_else_is_refused_with_its_place() {
        assert_eq!(parse(b""), Err(JsonFault::Empty));
        assert_eq!(parse(b" \r\n"), Err(JsonFault::Empty));
        assert_eq!(parse(b"\xef\xbb\xbf{}"), Err(JsonFault::ByteOrderMark));
        assert_eq!(parse(b"{\"a\":\"\xff\"}"), Err(JsonFault::NotUtf8 { at: 6 }));
        assert_eq!(parse(b"{\"a\":\"\xed\xa0\x80\"}"), Err(JsonFault::NotUtf8 { at: 6 }));
        for text in [
            "{",
            "{} {}",
            "{}x",
            "{a:1}",
            "{'a':1}",
            "[1,]",
            "{\"a\":1,}",
            "nul",
            "NaN",
            "01",
            "+1",
            "1e999",
            ".5",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"\n\"",
            "\"\\x\"",
            "// a\n{}",
            "\u{a0}{}",
        ] {
            let fault = parse(text.as_bytes()).expect_err(text);
            assert!(matches!(fault, JsonFault::Syntax { .. }), "{text}: {fault}");
        }
        let fault = parse(b"{\n  \"a\": x }").expect_err("refused").to_string();
        assert_eq!(fault, "the body is not JSON: expected value (line 2, column 8)");
    }
}
