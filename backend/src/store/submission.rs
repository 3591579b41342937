//! Table `form_submission`: what riders answered. It is people's data: it goes with its rider, and what no order
//! was made with goes soon.

use tripline_protocol::id::OrderId;
use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use super::erase::phone_digits;
use super::{StoreError, Tx, from_db, on_db, parse};
use crate::domain::fleet::FormId;
use crate::domain::form::{Answer, Submission};

const TABLE: &str = "form_submission";

/// Submissions read in one go for a phone that may stand in one of them.
const READ_AT_ONCE: i64 = 500;

/// A submission, and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionRow {
    /// What was submitted.
    pub submission: Submission,
    /// On which page.
    pub page_token: String,
    /// When.
    pub at: Timestamp,
}

type Row = (String, String, String, String, String, String, String, i64);

fn submission(row: Row) -> Result<SubmissionRow, StoreError> {
    let (id, page_token, subscriber_id, transaction_id, item_id, form, answers, at) = row;
    let answers: Vec<Answer> =
        serde_json::from_str(&answers).map_err(|error| StoreError::BadRow {
            table: TABLE,
            row: id.clone(),
            reason: format!("column answers: {error}"),
        })?;
    let submission = Submission {
        id: parse(TABLE, &id, "submission_id", &id)?,
        subscriber_id,
        transaction_id,
        item_id,
        form: parse(TABLE, &id, "form_id", &form)?,
        answers,
    };
    Ok(SubmissionRow { submission, page_token, at: Timestamp::from_unix_ms(at) })
}

impl Tx {
    /// Writes what was submitted.
    pub async fn add_submission(&mut self, row: &SubmissionRow) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO form_submission (submission_id, page_token, subscriber_id, \
             transaction_id, item_id, form_id, answers, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let SubmissionRow { submission, page_token, at } = row;
        let answers =
            serde_json::to_string(&submission.answers).map_err(|error| StoreError::BadRow {
                table: TABLE,
                row: submission.id.to_string(),
                reason: error.to_string(),
            })?;
        on_db!(self, conn => sqlx::query(SQL)
            .bind(submission.id.to_string())
            .bind(page_token.clone())
            .bind(submission.subscriber_id.clone())
            .bind(submission.transaction_id.clone())
            .bind(submission.item_id.clone())
            .bind(submission.form.as_str().to_owned())
            .bind(answers)
            .bind(at.unix_ms)
            .execute(conn).await?.rows_affected());
        Ok(())
    }

    /// What was submitted under this id.
    pub async fn submission(&mut self, id: Uuid) -> Result<Option<SubmissionRow>, StoreError> {
        const SQL: &str = "SELECT submission_id, page_token, subscriber_id, transaction_id, item_id, \
             form_id, answers, at FROM form_submission WHERE submission_id = $1";
        let row: Option<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(id.to_string()).fetch_optional(conn).await?);
        row.map(submission).transpose()
    }

    /// The newest submission of a subscriber for this transaction, item and form.
    pub async fn submission_for(
        &mut self,
        (subscriber_id, transaction_id, item_id): (&str, &str, &str),
        form: &FormId,
    ) -> Result<Option<Uuid>, StoreError> {
        const SQL: &str = "SELECT submission_id FROM form_submission WHERE subscriber_id = $1 \
             AND transaction_id = $2 AND item_id = $3 AND form_id = $4 \
             ORDER BY at DESC, submission_id DESC LIMIT 1";
        let id: Option<String> = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(subscriber_id.to_owned())
            .bind(transaction_id.to_owned())
            .bind(item_id.to_owned())
            .bind(form.as_str().to_owned())
            .fetch_optional(conn).await?);
        id.map(|id| parse(TABLE, &id, "submission_id", &id)).transpose()
    }

    /// How many came from a page.
    pub async fn submissions_of_page(&mut self, token: &str) -> Result<u64, StoreError> {
        const SQL: &str = "SELECT COUNT(*) FROM form_submission WHERE page_token = $1";
        let count: i64 = on_db!(self, conn => sqlx::query_scalar(SQL)
            .bind(token.to_owned()).fetch_one(conn).await?);
        Ok(from_db(count))
    }

    /// At most `limit` submissions of a form, newest first, behind the one that came then with that id.
    pub async fn submissions(
        &mut self,
        form: &FormId,
        before: Option<(Timestamp, Uuid)>,
        limit: i64,
    ) -> Result<Vec<SubmissionRow>, StoreError> {
        const SQL: &str = "SELECT submission_id, page_token, subscriber_id, transaction_id, item_id, \
             form_id, answers, at FROM form_submission WHERE form_id = $1 \
             AND (at, submission_id) < ($2, $3) ORDER BY at DESC, submission_id DESC LIMIT $4";
        let (at, id) = before
            .map_or_else(|| (i64::MAX, String::new()), |(at, id)| (at.unix_ms, id.to_string()));
        let rows: Vec<Row> = on_db!(self, conn => sqlx::query_as(SQL)
            .bind(form.as_str().to_owned()).bind(at).bind(id).bind(limit)
            .fetch_all(conn).await?);
        rows.into_iter().map(submission).collect()
    }

    /// Deletes what was submitted; `false` if it is not there.
    pub async fn delete_submission(&mut self, id: &str) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM form_submission WHERE submission_id = $1";
        Ok(on_db!(self, conn => sqlx::query(SQL)
            .bind(id.to_owned()).execute(conn).await?.rows_affected())
            == 1)
    }

    /// Deletes what an order was made with, unless another one was made with it that still names its rider;
    /// `false` if it is not there or stays.
    pub async fn delete_submission_of(
        &mut self,
        order: OrderId,
        id: Uuid,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM form_submission WHERE submission_id = $1 AND NOT EXISTS ( \
             SELECT 1 FROM ride_order o WHERE o.submission_id = $1 AND o.order_id <> $2 \
             AND o.rider_key IS NOT NULL AND o.erased_at IS NULL)";
        Ok(on_db!(self, conn => sqlx::query(SQL)
            .bind(id.to_string()).bind(order.to_string())
            .execute(conn).await?.rows_affected())
            == 1)
    }

    /// Ids of submissions in which a phone is answered, and that no order with a rider was made with.
    pub async fn unused_submissions_with(
        &mut self,
        phone: &str,
    ) -> Result<Vec<String>, StoreError> {
        const SQL: &str = "SELECT s.submission_id, s.answers FROM form_submission s \
             WHERE s.submission_id > $1 AND NOT EXISTS (SELECT 1 FROM ride_order o \
             WHERE o.submission_id = s.submission_id AND o.rider_key IS NOT NULL \
             AND o.erased_at IS NULL) \
             ORDER BY s.submission_id LIMIT $2";
        let Some(digits) = phone_digits(phone) else { return Ok(Vec::new()) };
        let has_it = |answers: &str| {
            let answers: Vec<Answer> = serde_json::from_str(answers).unwrap_or_default();
            answers.iter().any(|it| phone_digits(&it.value).as_ref() == Some(&digits))
        };
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let rows: Vec<(String, String)> = on_db!(&mut *self, conn => sqlx::query_as(SQL)
                .bind(after.clone()).bind(READ_AT_ONCE).fetch_all(conn).await?);
            let Some((last, _)) = rows.last() else { return Ok(found) };
            after.clone_from(last);
            let theirs = rows.into_iter().filter(|(_, answers)| has_it(answers));
            found.extend(theirs.map(|(id, _)| id));
        }
    }
}
