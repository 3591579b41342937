//! What an agent and the chip say to each other: one object of JSON a line, one line of answer each.

use serde::{Deserialize, Serialize};

use super::panel::{LineError, Panel};

/// Longest line, in bytes.
pub const LINE_BYTES_MAX: u64 = 256;

/// What is asked of the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub enum Question {
    /// `{"do":"get","line":1}`: the level of a line.
    Get {
        /// Which.
        line: u32,
    },
    /// `{"do":"set","line":6,"high":true}`: the level of an output.
    Set {
        /// Which.
        line: u32,
        /// Whether it becomes high.
        high: bool,
    },
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// `{"high":true}`: the level of the line, after the question.
    Level {
        /// Whether it is high.
        high: bool,
    },
    /// `{"error":"..."}`: what is wrong with the question.
    Refused {
        /// What.
        error: String,
    },
}

/// Answers one line.
pub fn answer(panel: &mut Panel, line: &str) -> Answer {
    let level = match serde_json::from_str(line) {
        Ok(Question::Get { line }) => panel.level(line),
        Ok(Question::Set { line, high }) => panel.set(line, high).map(|()| high),
        Err(error) => return Answer::Refused { error: error.to_string() },
    };
    level.map_or_else(
        |error: LineError| Answer::Refused { error: error.to_string() },
        |high| Answer::Level { high },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_answer() {
        let mut panel = Panel::default();
        for (line, wanted) in [
            (r#"{"do":"get","line":1}"#, r#"{"high":true}"#),
            (r#"{"do":"set","line":6,"high":true}"#, r#"{"high":true}"#),
            (r#"{"do":"get","line":6}"#, r#"{"high":true}"#),
            (r#"{"do":"set","line":5,"high":true}"#, r#"{"error":"line 5 is an input"}"#),
            (r#"{"do":"get","line":9}"#, r#"{"error":"the chip has lines 1 to 7, not 9"}"#),
        ] {
            let given = serde_json::to_string(&answer(&mut panel, line)).expect("JSON");
            assert_eq!(given, wanted, "{line}");
        }
        assert!(matches!(answer(&mut panel, "get 1"), Answer::Refused { .. }));
    }
}
