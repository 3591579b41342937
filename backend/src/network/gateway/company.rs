//! Who signs up: a file of the operator's.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The file that `tripline-bpp gateway sample` prints.
pub const SAMPLE: &str = include_str!("../../../company.sample.toml");

/// What a gateway is told of a company.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Its name, as registered with the city's transport authorities.
    #[serde(default)]
    pub name: String,
    /// Its phone, as `+{country code}-{number}-{extension}`.
    #[serde(default)]
    pub phone: String,
    /// Its official email address.
    #[serde(default)]
    pub email: String,
    /// The number under which it is registered as a company.
    #[serde(default)]
    pub company_id: String,
}

/// A paper that the file names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// Where it is; relative to the file that names it.
    pub file: PathBuf,
    /// What it is called at the gateway; the file's name if not set.
    pub name: Option<String>,
}

/// The file. A key that is missing is an empty field, so that every one of them is told at once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    name: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    company_id: String,
    endpoint_url: Option<String>,
    #[serde(default, rename = "document")]
    documents: Vec<Paper>,
}

/// Who signs up, and what is handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// What a gateway is told of it.
    pub info: Info,
    /// Where requests are to come to; `[beckn] uri` if not set.
    pub endpoint_url: Option<String>,
    /// The papers that a first registration brings.
    pub documents: Vec<Paper>,
}

impl Company {
    /// Reads the text of a file in `folder`; an error says which key is wrong, and where.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
        let Written { name, phone, email, company_id, endpoint_url, mut documents } = written;
        for paper in &mut documents {
            paper.file = folder.join(&paper.file);
        }
        let info = Info { name, phone, email, company_id };
        Ok(Self { info, endpoint_url, documents })
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{check_endpoint, check_info};
    use super::super::field::Refusal;
    use super::*;

    #[test]
    fn the_sample_is_a_company_that_may_sign_up() {
        let company = Company::parse(SAMPLE, Path::new("/etc/tripline")).expect("it is read");
        let mut refusal = Refusal::default();
        check_info(&company.info, &mut refusal);
        assert_eq!(refusal.fields, []);
        assert_eq!((company.endpoint_url, company.documents), (None, vec![]));
    }

    #[test]
    fn what_the_sample_shows_in_comments_is_what_may_be_set() {
        let shown = SAMPLE.lines().map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with(['[', 'e', 'f', 'n']) && rest.contains(['=', ']']) => {
                rest
            }
            _ => line,
        });
        let text = shown.collect::<Vec<_>>().join("\n");
        let company = Company::parse(&text, Path::new("/etc/tripline")).expect("it is read");
        let endpoint = company.endpoint_url.expect("shown");
        assert_eq!(check_endpoint(&endpoint, false), Ok(()));
        let paper = Paper {
            file: "/etc/tripline/compliance.pdf".into(),
            name: Some("Compliance Certificate".into()),
        };
        assert_eq!(company.documents, [paper]);
    }

    #[test]
    fn an_unknown_key_is_refused_by_name_and_a_missing_one_is_an_empty_field() {
        let error = Company::parse("nam = \"A\"", Path::new("")).expect_err("refused");
        assert!(error.contains("nam"), "{error}");
        let company = Company::parse("", Path::new("")).expect("it is read");
        assert_eq!(company.info, Info::default());
    }
}
