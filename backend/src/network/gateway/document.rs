//! Papers that are handed in: pdf, jpeg or jpg, and what they say they are.

use std::fmt;

use serde::Serialize;
use tripline_protocol::signing::encode_base64;

use super::check::{TEXT_LEN_MAX, check_text};

/// Longest document, in bytes. A scan of many pages has ten million.
pub const DOCUMENT_LEN_MAX: usize = 16 * 1024 * 1024;

/// Documents of one request.
pub const DOCUMENTS_MAX: usize = 20;

/// Longest documents of one request together, in bytes: they are in memory at once, and half as long again
/// as they are sent.
pub const DOCUMENTS_LEN_MAX: usize = 32 * 1024 * 1024;

/// How far from its beginning a PDF may say that it is one, in bytes: readers look as far.
const PDF_MARK_WITHIN: usize = 1024;

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `%PDF-`.
    Pdf,
    /// A JPEG image.
    Jpeg,
}

impl Kind {
    /// What a file name's ending promises.
    fn of_name(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "pdf" => Some(Self::Pdf),
            "jpeg" | "jpg" => Some(Self::Jpeg),
            _ => None,
        }
    }

    /// What the contents are.
    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            return Some(Self::Jpeg);
        }
        let head = bytes.get(..PDF_MARK_WITHIN).unwrap_or(bytes);
        head.windows(5).any(|window| window == b"%PDF-").then_some(Self::Pdf)
    }
}

/// Why a document is not handed in: its name, or what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// No name.
    #[error("must have 1 to {TEXT_LEN_MAX} bytes of printable text")]
    Name,
    /// A name that promises something else than what is in it.
    #[error("must end as what is in the document: .pdf, .jpeg or .jpg, or not with one of these")]
    NameOfAnother,
    /// Another document of the request has that name.
    #[error("must be another one than that of the other documents")]
    NameTaken,
    /// The file is none that is taken.
    #[error("must be a pdf, jpeg or jpg file, by its name and by what is in it")]
    Kind,
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// It is too long.
    #[error("must have at most {DOCUMENT_LEN_MAX} bytes")]
    TooLong,
    /// All of them are too long.
    #[error("is one too many: all documents together must have at most {DOCUMENTS_LEN_MAX} bytes")]
    AllTooLong,
    /// There are too many.
    #[error("is one too many: {DOCUMENTS_MAX} at most go with one request")]
    TooMany,
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

impl DocumentError {
    /// The field of the request that is wrong.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Name | Self::NameOfAnother | Self::NameTaken => "name",
            Self::Kind
            | Self::Empty
            | Self::TooLong
            | Self::AllTooLong
            | Self::TooMany
            | Self::Unreadable(_) => "data",
        }
    }
}

/// A document that may be sent. It does not print what is in it.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Document {
    /// What it is called.
    pub name: String,
    /// What is in it, in Base64.
    data: String,
    /// How long it is, in bytes.
    #[serde(skip)]
    pub len: usize,
}

impl Document {
    /// A document out of a file of that name; every reason against it, if there is one.
    pub fn new(name: &str, file_name: &str, bytes: &[u8]) -> Result<Self, Vec<DocumentError>> {
        let mut errors = Vec::new();
        let kind = Kind::of_bytes(bytes);
        if check_text(name).is_err() {
            errors.push(DocumentError::Name);
        } else if Kind::of_name(name).is_some_and(|promised| Some(promised) != kind)
            && kind.is_some()
        {
            errors.push(DocumentError::NameOfAnother);
        }
        if bytes.is_empty() {
            errors.push(DocumentError::Empty);
        } else if bytes.len() > DOCUMENT_LEN_MAX {
            errors.push(DocumentError::TooLong);
        } else if kind.is_none() || Kind::of_name(file_name) != kind {
            errors.push(DocumentError::Kind);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self { name: name.to_owned(), data: encode_base64(bytes), len: bytes.len() })
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({:?}, {} bytes)", self.name, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PDF: &[u8] = b"%PDF-1.7 paper";
    const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 1, 2];

    fn errors(name: &str, file_name: &str, bytes: &[u8]) -> Vec<DocumentError> {
        Document::new(name, file_name, bytes).err().unwrap_or_default()
    }

    #[test]
    fn a_document_is_what_its_file_says_and_goes_out_in_base64() {
        for (name, file_name, bytes) in [
            ("Compliance Certificate", "c.pdf", PDF),
            ("c.PDF", "c.PDF", b"\xef\xbb\xbf%PDF-1.4"),
            ("permit v1.2", "permit.jpg", JPEG),
            ("permit.jpeg", "permit.jpg", JPEG),
        ] {
            assert_eq!(errors(name, file_name, bytes), []);
        }
        let document = Document::new("c", "c.pdf", PDF).expect("taken");
        let json = serde_json::to_value(&document).expect("written");
        assert_eq!(json, serde_json::json!({ "name": "c", "data": "JVBERi0xLjcgcGFwZXI=" }));
        assert_eq!(format!("{document:?}"), "Document(\"c\", 14 bytes)");
    }

    #[test]
    fn what_is_no_such_document_is_refused_and_every_reason_is_told() {
        let long = [PDF, &vec![0; DOCUMENT_LEN_MAX]].concat();
        let far = [&vec![b' '; PDF_MARK_WITHIN][..], PDF].concat();
        for (name, file_name, bytes, expected) in [
            ("c", "c.pdf", &b"hello"[..], vec![DocumentError::Kind]),
            ("c", "c.pdf", JPEG, vec![DocumentError::Kind]),
            ("c", "c.jpg", PDF, vec![DocumentError::Kind]),
            ("c", "c.png", PDF, vec![DocumentError::Kind]),
            ("c", "pdf", PDF, vec![DocumentError::Kind]),
            ("c", "c.pdf", &far, vec![DocumentError::Kind]),
            ("c", "c.pdf", b"", vec![DocumentError::Empty]),
            ("c", "c.pdf", &long, vec![DocumentError::TooLong]),
            ("c.jpg", "c.pdf", PDF, vec![DocumentError::NameOfAnother]),
            (" ", "c.png", b"hello", vec![DocumentError::Name, DocumentError::Kind]),
        ] {
            assert_eq!(errors(name, file_name, bytes), expected, "{name} {file_name}");
        }
        let most = [PDF, &vec![0; DOCUMENT_LEN_MAX - PDF.len()]].concat();
        assert_eq!(errors("c", "c.pdf", &most), []);
    }
}
