//! What a check found, and how it is told: as the agent's doctor tells it.

use std::fmt::Write as _;

use serde::Serialize;

/// How good or bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Good,
    /// Worth knowing; the platform works.
    Note,
    /// Wrong: something does not work until it is mended.
    Fault,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at: `configuration`, `keys`, `device-ca`, `store`, `platform`, `network`, `gateway`.
    pub(super) check: &'static str,
    /// How good or bad it is.
    pub(super) level: Level,
    /// What was found.
    pub(super) found: String,
    /// What to do about it.
    pub(super) remedy: Option<String>,
}

impl Finding {
    /// All is well.
    pub(super) fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, level: Level::Good, found: found.into(), remedy: None }
    }

    /// Worth knowing.
    pub(super) fn note(
        check: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { check, level: Level::Note, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// Wrong.
    pub(super) fn fault(
        check: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { check, level: Level::Fault, found: found.into(), remedy: Some(remedy.into()) }
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    /// The findings, in the order the checks ran.
    pub(super) findings: Vec<Finding>,
}

impl Report {
    /// Takes in a finding.
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Takes in findings.
    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    /// What is wrong.
    pub(super) fn faults(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.level == Level::Fault)
    }

    /// For people: one line a finding, and what to do beneath it.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for Finding { check, level, found, remedy } in &self.findings {
            let mark = match level {
                Level::Good => "ok   ",
                Level::Note => "note ",
                Level::Fault => "FAULT",
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{mark}  {check:<14} {found}");
            if let Some(remedy) = remedy {
                let _ = writeln!(text, "       {:<14} -> {remedy}", "");
            }
        }
        let faults = self.faults().count();
        let _ = match faults {
            0 => writeln!(text, "No fault found."),
            1 => writeln!(text, "1 fault found."),
            _ => writeln!(text, "{faults} faults found."),
        };
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_stands_out_and_says_what_to_do() {
        let mut report = Report::default();
        report.add(Finding::good("clock", "GNSS time"));
        report.add(Finding::fault("disk", "full", "free some space"));
        let expected = "ok     clock          GNSS time\n\
                        FAULT  disk           full\n       \
                                              -> free some space\n\
                        1 fault found.\n";
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(&report.text()), squeezed(expected));
    }
}
