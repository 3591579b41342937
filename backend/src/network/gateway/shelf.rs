//! What gateways gave us: a file a gateway in the data folder, with mode 0600, written whole.
//!
//! A command and a running platform may both write one. Whoever does locks the folder, reads the file again
//! and writes it, all in [`Shelf::change`], as with our keys.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tripline_protocol::unit::Timestamp;

use super::answer::{Reply, ToldDocument};
use super::company::Info;
use super::expiry;
use super::token::Token;
use crate::error::BppError;
use crate::file;
use crate::keys::ring::why;

/// A status, and when the gateway told it: not every answer tells each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// In the gateway's words.
    pub status: String,
    /// When it was told, in Unix milliseconds.
    pub at_unix_ms: i64,
}

/// A document that a gateway has of us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDocument {
    /// Its id at the gateway, if it ever told one.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// How far it is, as it was told last.
    pub status: Option<Told>,
}

/// A registration at a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Its id.
    pub id: String,
    /// What we are known by.
    pub token: Token,
    /// When the token runs out, in the gateway's words.
    pub token_exp: Option<String>,
    /// When we signed up, in Unix milliseconds.
    pub signed_up_at_unix_ms: i64,
    /// When the gateway last told how things are, in Unix milliseconds.
    pub told_at_unix_ms: i64,
    /// The company, as the gateway knows it.
    pub info: Info,
    /// Where requests come to, as the gateway knows it.
    pub endpoint_url: String,
    /// How far the registration is.
    pub status: Option<Told>,
    /// How far the address is.
    pub api_status: Option<Told>,
    /// The documents.
    pub documents: Vec<KnownDocument>,
}

impl Registration {
    /// When the token runs out, if that is known.
    pub fn token_ends(&self) -> Option<Timestamp> {
        self.token_exp.as_deref().and_then(expiry::parse)
    }

    /// Every status that was told last, whatever it is of.
    pub fn statuses(&self) -> impl Iterator<Item = &Told> {
        let documents = self.documents.iter().map(|document| &document.status);
        [&self.status, &self.api_status].into_iter().chain(documents).flatten()
    }

    /// Takes in what an answer tells. What it does not tell stays as it was told before.
    pub fn take_in(&mut self, reply: &Reply, now: Timestamp) {
        let at_unix_ms = now.unix_ms;
        let told =
            |status: &Option<String>| status.clone().map(|status| Told { status, at_unix_ms });
        self.told_at_unix_ms = at_unix_ms;
        if let Some(auth) = &reply.auth {
            (self.token, self.token_exp) = (auth.token.clone(), auth.exp.clone());
        }
        if let Some(registration) = &reply.registration {
            self.status = told(&registration.status).or(self.status.take());
        }
        if let Some(info) = &reply.info {
            self.info = info.clone();
        }
        if let Some(url) = &reply.endpoint_url {
            self.endpoint_url.clone_from(url);
        }
        self.api_status = told(&reply.api_status).or(self.api_status.take());
        if let Some(documents) = &reply.documents {
            let before = std::mem::take(&mut self.documents);
            self.documents =
                documents.iter().map(|document| known(document, &before, &told)).collect();
        }
    }
}

/// A document with what was told of it before, if the answer does not tell it.
fn known(
    told: &ToldDocument,
    before: &[KnownDocument],
    status: impl Fn(&Option<String>) -> Option<Told>,
) -> KnownDocument {
    let by_id = before.iter().find(|known| told.id.is_some() && known.id == told.id);
    let by_name = || {
        let mut named = before.iter().filter(|known| known.name == told.name);
        // Of two with one name it cannot be told which is meant.
        let one = named.next();
        one.filter(|known| named.next().is_none() && (known.id.is_none() || told.id.is_none()))
    };
    let known = by_id.or_else(by_name);
    KnownDocument {
        id: told.id.clone().or_else(|| known?.id.clone()),
        name: told.name.clone(),
        status: status(&told.status).or_else(|| known?.status.clone()),
    }
}

/// What is kept of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The address that gave it: a token goes nowhere else.
    pub url: String,
    /// The registration, if there is one.
    pub registration: Option<Registration>,
    /// When a signup was sent to which no answer came, in Unix milliseconds: the gateway may have taken it.
    pub unanswered_signup_at_unix_ms: Option<i64>,
}

/// The folder of what is kept.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// The shelf in a folder, which need not be there yet.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The file of a gateway. Its name is a code, and so a file's name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    /// What is kept of a gateway; an error if others can read it.
    pub fn load(&self, name: &str) -> Result<Option<Kept>, BppError> {
        load(&self.path(name))
    }

    /// Makes the folder, if it is missing.
    pub fn prepare(&self) -> Result<(), BppError> {
        file::make_dir(&self.folder, 0o700).map(|_| ())
    }

    /// Reads what is kept of a gateway, lets it be changed, and writes it, while no other process does. With
    /// `None` the file goes. An error of `change` leaves everything as it is.
    pub fn change<T, E>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Option<Kept>) -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<BppError>,
    {
        let path = self.path(name);
        let failed = |reason: String| BppError::File { path: self.folder.clone(), reason };
        let lock = File::open(&self.folder).and_then(|folder| folder.lock().map(|()| folder));
        // Dropped, and with it the lock, when the new file is there.
        let _lock =
            lock.map_err(|error| failed(format!("the folder cannot be locked: {error}")))?;
        let before = load(&path)?;
        let mut kept = before.clone();
        let told = change(&mut kept)?;
        match &kept {
            _ if kept == before => {}
            Some(kept) => save(&path, kept)?,
            None => std::fs::remove_file(&path)
                .and_then(|()| file::sync_dir(&self.folder))
                .map_err(|error| failed(error.to_string()))?,
        }
        Ok(told)
    }
}

fn load(path: &Path) -> Result<Option<Kept>, BppError> {
    let failed = |reason: String| BppError::File { path: path.into(), reason };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(failed(format!("our registration cannot be read: {error}")));
        }
    };
    let about = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(failed("our token can be read by others; chmod 600 the file".into()));
    }
    let kept = serde_json::from_str(&text);
    kept.map(Some).map_err(|error| failed(format!("no registration: {}", why(&error))))
}

fn save(path: &Path, kept: &Kept) -> Result<(), BppError> {
    let text = serde_json::to_string_pretty(kept)
        .map_err(|error| BppError::Internal(error.to_string()))?;
    file::write(path, 0o600, &format!("{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::super::answer::ToldRegistration;
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn registration() -> Registration {
        Registration {
            id: "r1".into(),
            token: Token::new("s3cr3t").expect("a token"),
            token_exp: Some("2030-01-01T00:00:00Z".into()),
            signed_up_at_unix_ms: 1,
            told_at_unix_ms: 1,
            info: Info::default(),
            endpoint_url: "https://bpp.example".into(),
            status: Some(Told { status: "NEW".into(), at_unix_ms: 1 }),
            api_status: None,
            documents: vec![
                KnownDocument {
                    id: None,
                    name: "a".into(),
                    status: Some(Told { status: "PENDING-VERIFICATION".into(), at_unix_ms: 1 }),
                },
                KnownDocument { id: Some("d2".into()), name: "b".into(), status: None },
            ],
        }
    }

    fn kept() -> Kept {
        let url = "https://gateway.example".into();
        Kept { url, registration: Some(registration()), unanswered_signup_at_unix_ms: None }
    }

    fn shelf() -> (tempfile::TempDir, Shelf) {
        let dir = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::new(dir.path().join("gateways"));
        shelf.prepare().expect("made");
        (dir, shelf)
    }

    fn put(shelf: &Shelf, kept: Option<Kept>) {
        let put = shelf.change("city", |before| {
            *before = kept;
            Ok::<_, BppError>(())
        });
        put.expect("changed");
    }

    #[test]
    fn what_is_put_there_comes_back_and_nobody_else_reads_it() {
        let (_dir, shelf) = shelf();
        assert_eq!(shelf.load("city").expect("read"), None);
        put(&shelf, Some(kept()));
        assert_eq!(shelf.load("city").expect("read"), Some(kept()));
        let mode = || std::fs::metadata(shelf.path("city")).expect("there").permissions().mode();
        assert_eq!(mode() & 0o777, 0o600);
        std::fs::set_permissions(shelf.path("city"), std::fs::Permissions::from_mode(0o640))
            .expect("set");
        let error = shelf.load("city").expect_err("refused").to_string();
        assert!(error.contains("chmod 600") && error.contains("city.json"), "{error}");
        std::fs::set_permissions(shelf.path("city"), std::fs::Permissions::from_mode(0o600))
            .expect("set");
        put(&shelf, None);
        assert!(!shelf.path("city").exists());
    }

    #[test]
    fn a_file_that_is_none_is_refused_without_a_word_of_what_is_in_it() {
        let (_dir, shelf) = shelf();
        put(&shelf, Some(kept()));
        let text = std::fs::read_to_string(shelf.path("city")).expect("read");
        for (from, to) in [("\"s3cr3t\"", "\"s3cr3t s3cr3t\""), ("\"r1\"", "{\"s3cr3t\": 1}")] {
            file::write(&shelf.path("city"), 0o600, &text.replace(from, to)).expect("written");
            let error = shelf.load("city").expect_err("refused").to_string();
            assert!(error.contains("no registration") && !error.contains("s3cr3t"), "{error}");
        }
    }

    #[test]
    fn what_an_answer_does_not_tell_stays_as_it_was_told() {
        let mut registration = registration();
        let told = |name: &str, id: Option<&str>, status: Option<&str>| ToldDocument {
            id: id.map(str::to_owned),
            name: name.into(),
            status: status.map(str::to_owned),
        };
        let reply = Reply {
            registration: Some(ToldRegistration { id: "r1".into(), status: None }),
            documents: Some(vec![
                told("a", Some("d1"), None),
                told("b", Some("d2"), Some("VERIFIED")),
                told("b", Some("d3"), None),
            ]),
            ..Reply::default()
        };
        registration.take_in(&reply, NOW);
        let shown: Vec<_> = registration
            .documents
            .iter()
            .map(|document| {
                let status = document.status.as_ref();
                let status = status.map(|told| (told.status.as_str(), told.at_unix_ms));
                (document.id.as_deref().unwrap_or("-"), status)
            })
            .collect();
        let expected = [
            ("d1", Some(("PENDING-VERIFICATION", 1))),
            ("d2", Some(("VERIFIED", NOW.unix_ms))),
            ("d3", None),
        ];
        assert_eq!(shown, expected);
        assert_eq!(registration.status.as_ref().map(|told| told.at_unix_ms), Some(1));
        assert_eq!(registration.told_at_unix_ms, NOW.unix_ms);
        assert_eq!(registration.token.reveal(), "s3cr3t");
    }
}
