//! What the gateway knows: providers, with what they handed in.

use serde_json::{Value, json};

/// A paper of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// The id that it was given.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What is in it, in Base64 as it came.
    pub data: String,
    /// How far it is looked at.
    pub status: String,
}

/// A provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The id of its registration.
    pub id: String,
    /// Its token.
    pub token: String,
    /// Whether that counts.
    pub token_holds: bool,
    /// How far its registration is.
    pub status: String,
    /// What it says of itself.
    pub info: Value,
    /// Where its requests go to.
    pub endpoint_url: String,
    /// How far that is looked at.
    pub api_status: String,
    /// Its papers.
    pub papers: Vec<Paper>,
}

impl Account {
    /// Everything that waits was looked at, and is good.
    pub fn verify(&mut self) {
        for status in [&mut self.status, &mut self.api_status] {
            "VERIFIED".clone_into(status);
        }
        for paper in &mut self.papers {
            "VERIFIED".clone_into(&mut paper.status);
        }
    }

    /// Takes papers up, which are to be looked at.
    pub(super) fn take(&mut self, documents: &[Value]) {
        for document in documents {
            let text = |key: &str| document[key].as_str().unwrap_or_default().to_owned();
            self.papers.push(Paper {
                id: format!("{}-d{}", self.id, self.papers.len() + 1),
                name: text("name"),
                data: text("data"),
                status: "PENDING-VERIFICATION".into(),
            });
        }
    }

    /// The papers as an answer has them: with ids and statuses where the document shows them.
    pub(super) fn papers_as_json(&self, ids: bool, statuses: bool) -> Value {
        let paper = |paper: &Paper| {
            let mut told = json!({ "name": paper.name, "data": paper.data });
            if ids {
                told["id"] = json!(paper.id);
            }
            if statuses {
                told["status"] = json!(paper.status);
            }
            told
        };
        self.papers.iter().map(paper).collect()
    }
}

/// The providers.
#[derive(Debug)]
pub(super) struct Book {
    accounts: Vec<Account>,
    /// `auth.exp` of the tokens that are given.
    pub(super) exp: Value,
}

impl Default for Book {
    fn default() -> Self {
        Self { accounts: Vec::new(), exp: json!("2099-12-31T23:59:59Z") }
    }
}

impl Book {
    pub(super) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    pub(super) fn account_mut(&mut self, id: &str) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.id == id)
    }

    pub(super) fn accounts_mut(&mut self) -> impl Iterator<Item = &mut Account> {
        self.accounts.iter_mut()
    }

    pub(super) fn take_over(&mut self, account: Account) {
        self.accounts.push(account);
    }

    /// Opens an account, with a token of its own.
    pub(super) fn open(&mut self, info: &Value, endpoint_url: &str) -> &mut Account {
        let n = self.accounts.len() + 1;
        self.accounts.push(Account {
            id: format!("reg-{n}"),
            token: format!("t0ken-of-{n}-that-nobody-may-see"),
            token_holds: true,
            status: "PENDING-VERIFICATION".into(),
            info: info.clone(),
            endpoint_url: endpoint_url.to_owned(),
            api_status: "PENDING-VERIFICATION".into(),
            papers: Vec::new(),
        });
        self.accounts.last_mut().expect("just added")
    }
}
