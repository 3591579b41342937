//! Forms that riders fill in before they book: the pages on which they do, and what came of it.

use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::{Platform, ServiceError};
use crate::chance::{self, is_token};
use crate::domain::fleet::Item;
use crate::domain::form::{BadNonce, Form, FormState, Submission, Wrong};
use crate::store::form::{FormRow, PageRow};
use crate::store::submission::SubmissionRow;
use crate::store::{StoreError, Tx};

/// How long a page is shown, in ms: a day.
pub const PAGE_MS: i64 = 24 * 3_600_000;

/// How long a page must still be shown for its address to be told once more, in ms; else there is a new one.
const PAGE_LEFT_MS_MIN: i64 = PAGE_MS / 2;

/// Pages of one subscriber; beyond it the oldest go. A platform that searches without pause for a day asks for
/// more, and has its riders fill in a few.
pub const PAGES_PER_SUBSCRIBER_MAX: u32 = 100_000;

/// Nonces of a page that nothing came with; beyond it the oldest are closed. A page is shown a few times.
pub const NONCES_OPEN_MAX: u32 = 16;

/// Submissions of a page. A rider corrects what was sent a few times.
pub const SUBMISSIONS_PER_PAGE_MAX: u64 = 16;

/// Where a rider fills in an item's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormLink {
    /// The address of the page.
    pub url: String,
    /// Whether nothing is booked without it.
    pub required: bool,
}

/// What a page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormShown {
    /// No such page.
    Unknown,
    /// Its time is over.
    Expired,
    /// A form to be filled in.
    Open(OpenForm),
}

/// A form to be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenForm {
    /// The form.
    pub form: Form,
    /// Where it is sent to: the page's own address.
    pub url: String,
    /// To be sent with the answers, once.
    pub nonce: Uuid,
}

/// What came of answers that were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// No such page.
    Unknown,
    /// Its time is over.
    Expired,
    /// The nonce will not do. Nothing is kept.
    BadNonce(BadNonce, Form),
    /// Answers will not do. Nothing is kept, and the nonce is still good.
    Wrong(Vec<Wrong>, Form),
    /// So many came from this page that no more are taken.
    TooMany(Form),
    /// They are kept under this id. The same answers with the same nonce get the same.
    In(Uuid, Form),
}

impl Platform {
    /// Where a rider of this subscriber fills in the form of an item, in the form's version of now; `None` if the
    /// item has none. Asked again for the same transaction and item it is the same page, while that is shown for
    /// long enough.
    pub async fn form_link(
        &self,
        tx: &mut Tx,
        subscriber_id: &str,
        transaction_id: &str,
        item: &Item,
        now: Timestamp,
    ) -> Result<Option<FormLink>, ServiceError> {
        let Some(id) = &item.form else { return Ok(None) };
        let Some(FormRow { form, version }) = tx.form(id, None).await? else { return Ok(None) };
        let of = (subscriber_id, transaction_id, item.id.as_str());
        let known = tx.form_page_for(of, (id, version)).await?;
        let known = known.filter(|page| page.expires_at.since_ms(now) > PAGE_LEFT_MS_MIN);
        let token = if let Some(page) = known {
            page.token
        } else {
            let page = PageRow {
                token: chance::token()?,
                subscriber_id: subscriber_id.to_owned(),
                transaction_id: transaction_id.to_owned(),
                item_id: item.id.as_str().to_owned(),
                form: id.clone(),
                version,
                expires_at: now.plus_ms(PAGE_MS),
            };
            tx.add_form_page(&page, PAGES_PER_SUBSCRIBER_MAX).await?;
            page.token
        };
        Ok(Some(FormLink { url: self.form_url(&token), required: form.required }))
    }

    /// The address of a page.
    pub(crate) fn form_url(&self, token: &str) -> String {
        format!("{}/{token}", self.settings.form_url)
    }

    /// Whether an item's form is in, as far as it must be. A submission that is named counts in whatever
    /// transaction it was made: published conversations change theirs midway. Without a name it is the newest of
    /// this transaction and item.
    pub async fn form_is_in(
        &self,
        tx: &mut Tx,
        subscriber_id: &str,
        transaction_id: &str,
        item_id: &str,
        submission_id: Option<&str>,
    ) -> Result<FormState, ServiceError> {
        let Ok(item_id) = item_id.parse() else { return Ok(FormState::NotAsked) };
        let item = tx.item(&item_id).await?;
        let Some(id) = item.and_then(|item| item.form) else { return Ok(FormState::NotAsked) };
        let Some(FormRow { form, .. }) = tx.form(&id, None).await? else {
            return Ok(FormState::NotAsked);
        };
        let none = |state| if form.required { state } else { FormState::NotAsked };
        let Some(named) = submission_id else {
            let of = (subscriber_id, transaction_id, item_id.as_str());
            let found = tx.submission_for(of, &id).await?;
            return Ok(found.map_or(none(FormState::Missing(id)), FormState::In));
        };
        let found = match named.parse() {
            Ok(named) => tx.submission(named).await?.map(|row| row.submission),
            Err(_) => None,
        };
        let is_theirs = |submission: &Submission| {
            submission.subscriber_id == subscriber_id
                && submission.item_id == item_id.as_str()
                && submission.form == id
        };
        let found = found.filter(is_theirs).map(|submission| submission.id);
        Ok(found.map_or(none(FormState::Unknown(named.to_owned())), FormState::In))
    }

    /// What the page with this capability shows, with a fresh nonce.
    pub async fn show_form(&self, token: &str, now: Timestamp) -> Result<FormShown, ServiceError> {
        // Anybody may ask: what cannot be a capability does not reach the store, and what is none does not
        // make it write.
        if !is_token(token) || self.store.read().await?.form_page(token).await?.is_none() {
            return Ok(FormShown::Unknown);
        }
        let mut tx = self.store.write().await?;
        let Some(page) = tx.form_page(token).await? else { return Ok(FormShown::Unknown) };
        if page.expires_at <= now {
            return Ok(FormShown::Expired);
        }
        let form = form_of(&mut tx, &page).await?;
        let nonce = chance::uuid()?;
        tx.open_form_nonce(token, nonce, NONCES_OPEN_MAX, now).await?;
        tx.commit().await?;
        Ok(FormShown::Open(OpenForm { form, url: self.form_url(token), nonce }))
    }

    /// Whose riders fill in the page with this capability.
    pub async fn subscriber_of_form(&self, token: &str) -> Result<Option<String>, ServiceError> {
        if !is_token(token) {
            return Ok(None);
        }
        let page = self.store.read().await?.form_page(token).await?;
        Ok(page.map(|page| page.subscriber_id))
    }

    /// Takes answers in that were sent to the page with this capability.
    pub async fn submit_form(
        &self,
        token: &str,
        nonce: Option<&str>,
        sent: &[(String, String)],
        now: Timestamp,
    ) -> Result<Submitted, ServiceError> {
        if !is_token(token) || self.store.read().await?.form_page(token).await?.is_none() {
            return Ok(Submitted::Unknown);
        }
        let mut tx = self.store.write().await?;
        // Held until the commit: of two that come at once one is the first.
        let Some(page) = tx.form_page(token).await? else { return Ok(Submitted::Unknown) };
        if page.expires_at <= now {
            return Ok(Submitted::Expired);
        }
        let form = form_of(&mut tx, &page).await?;
        let Some(nonce) = nonce else { return Ok(Submitted::BadNonce(BadNonce::Missing, form)) };
        let known = match nonce.parse() {
            Ok(nonce) => tx.form_nonce(token, nonce).await?.map(|used| (nonce, used)),
            Err(_) => None,
        };
        let Some((nonce, used)) = known else {
            return Ok(Submitted::BadNonce(BadNonce::Unknown, form));
        };
        let answers = form.answers(sent);
        if let Some(used) = used {
            let before = tx.submission(used).await?;
            let is_same = before.is_some_and(|it| Ok(it.submission.answers) == answers);
            return Ok(if is_same {
                Submitted::In(used, form)
            } else {
                Submitted::BadNonce(BadNonce::Used, form)
            });
        }
        let answers = match answers {
            Ok(answers) => answers,
            Err(wrong) => return Ok(Submitted::Wrong(wrong, form)),
        };
        if tx.submissions_of_page(token).await? >= SUBMISSIONS_PER_PAGE_MAX {
            return Ok(Submitted::TooMany(form));
        }
        let id = chance::uuid()?;
        let PageRow { subscriber_id, transaction_id, item_id, form: form_id, .. } = page;
        let submission =
            Submission { id, subscriber_id, transaction_id, item_id, form: form_id, answers };
        let row = SubmissionRow { submission, page_token: token.to_owned(), at: now };
        tx.add_submission(&row).await?;
        tx.use_form_nonce(token, nonce, id).await?;
        tx.commit().await?;
        Ok(Submitted::In(id, form))
    }
}

/// The form as the page was made with it.
async fn form_of(tx: &mut Tx, page: &PageRow) -> Result<Form, ServiceError> {
    let found = tx.form(&page.form, Some(page.version)).await?;
    let missing = || StoreError::BadRow {
        table: "form_page",
        row: page.form.to_string(),
        reason: format!("there is no version {}", page.version),
    };
    Ok(found.ok_or_else(missing)?.form)
}
