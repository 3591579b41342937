//! Documents out of files.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::company::Paper;
use super::document::{
    DOCUMENT_LEN_MAX, DOCUMENTS_LEN_MAX, DOCUMENTS_MAX, Document, DocumentError,
};
use super::field::{FieldPath, Refusal};

/// Reads documents; every reason against one of them goes into `refusal`, by its place in the list.
pub fn read(papers: &[Paper], refusal: &mut Refusal) -> Vec<Document> {
    let mut documents = Vec::new();
    let (mut names, mut len) = (HashSet::new(), 0_usize);
    for (index, paper) in papers.iter().enumerate() {
        let mut add = |error: &DocumentError| {
            refusal.add(FieldPath::document(index, error.key()), error);
        };
        if index >= DOCUMENTS_MAX {
            add(&DocumentError::TooMany);
            break;
        }
        match read_one(paper) {
            Err(errors) => errors.iter().for_each(add),
            Ok(document) => {
                len += document.len;
                if !names.insert(document.name.clone()) {
                    add(&DocumentError::NameTaken);
                } else if len > DOCUMENTS_LEN_MAX {
                    add(&DocumentError::AllTooLong);
                } else {
                    documents.push(document);
                }
            }
        }
        if len > DOCUMENTS_LEN_MAX {
            break;
        }
    }
    documents
}

fn read_one(paper: &Paper) -> Result<Document, Vec<DocumentError>> {
    let bytes = read_bytes(&paper.file).map_err(|error| {
        let words = format!("{}: {error}", paper.file.display());
        vec![DocumentError::Unreadable(words)]
    })?;
    let file_name = paper.file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    Document::new(paper.name.as_deref().unwrap_or(file_name), file_name, &bytes)
}

/// No more of it than shows that it is too long.
fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(DOCUMENT_LEN_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper(dir: &Path, file: &str, name: Option<&str>) -> Paper {
        Paper { file: dir.join(file), name: name.map(str::to_owned) }
    }

    fn told(papers: &[Paper]) -> (Vec<String>, Vec<String>) {
        let mut refusal = Refusal::default();
        let names = read(papers, &mut refusal).into_iter().map(|document| document.name).collect();
        let fields =
            refusal.fields.iter().map(|field| format!("{}: {}", field.path, field.problem));
        (names, fields.collect())
    }

    #[test]
    fn files_are_read_under_their_names_and_what_is_wrong_stands_at_its_place() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        std::fs::write(dir.join("a.pdf"), b"%PDF-1.7").expect("written");
        std::fs::write(dir.join("b.jpg"), [0xff, 0xd8, 0xff, 0xe0]).expect("written");
        std::fs::write(dir.join("c.pdf"), b"hello").expect("written");
        let (names, fields) =
            told(&[paper(dir, "a.pdf", None), paper(dir, "b.jpg", Some("Permit"))]);
        assert_eq!((names, fields), (vec!["a.pdf".into(), "Permit".into()], vec![]));
        let (_, fields) = told(&[
            paper(dir, "a.pdf", Some("x")),
            paper(dir, "b.jpg", Some("x")),
            paper(dir, "c.pdf", Some("\n")),
            paper(dir, "none.pdf", None),
            paper(dir, ".", None),
        ]);
        let begin = [
            "documents[1].name: must be another one",
            "documents[2].name: must have 1 to 200",
            "documents[2].data: must be a pdf, jpeg or jpg",
            "documents[3].data: cannot be read: ",
            "documents[4].data: cannot be read: ",
        ];
        assert_eq!(fields.len(), begin.len(), "{fields:?}");
        for (field, begin) in fields.iter().zip(begin) {
            assert!(field.starts_with(begin), "{field}");
        }
        assert!(fields[3].contains("none.pdf"), "{fields:?}");
    }

    #[test]
    fn no_more_goes_with_one_request_than_is_sent_at_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        std::fs::write(dir.join("a.pdf"), b"%PDF-1.7").expect("written");
        let many: Vec<_> =
            (0..=DOCUMENTS_MAX).map(|n| paper(dir, "a.pdf", Some(&n.to_string()))).collect();
        let (names, fields) = told(&many);
        assert_eq!((names.len(), fields.len()), (DOCUMENTS_MAX, 1));
        assert!(fields[0].starts_with("documents[20].data: is one too many"), "{fields:?}");

        let large = [b"%PDF-1.7".as_slice(), &vec![0; 12 * 1024 * 1024]].concat();
        std::fs::write(dir.join("large.pdf"), large).expect("written");
        let three: Vec<_> = (0..3).map(|n| paper(dir, "large.pdf", Some(&n.to_string()))).collect();
        let (names, fields) = told(&three);
        assert_eq!((names.len(), fields.len()), (2, 1));
        assert!(fields[0].contains("all documents together"), "{fields:?}");
    }
}
