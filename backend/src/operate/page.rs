//! Lists, a page at a time.
//!
//! A page begins after the last item of the one before it, not at a count of items: what is added or removed
//! meanwhile makes no item come twice. A list is sorted by a key and then by the id, which no two items share.

use std::fmt::Display;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::OperateError;

/// Most items of a page.
pub const LIMIT_MAX: u32 = 200;

/// Items of a page if nothing is said.
pub const LIMIT_DEFAULT: u32 = 50;

/// Longest cursor that is looked at, in bytes: keys and ids are a hundred characters.
const CURSOR_LEN_MAX: usize = 1_024;

/// What stands between key and id in a cursor. Neither has control characters in it.
const BETWEEN: char = '\u{1f}';

/// Behind which item a page begins. It means something to whoever made it only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    key: String,
    id: String,
}

impl Cursor {
    /// Behind the item with this sort key and this id.
    pub fn new(key: impl Display, id: impl Display) -> Self {
        Self { key: key.to_string(), id: id.to_string() }
    }

    /// The sort key, as what it is.
    pub fn key<T: FromStr>(&self) -> Result<T, OperateError> {
        self.key.parse().map_err(|_| malformed())
    }

    /// The id, as what it is.
    pub fn id<T: FromStr>(&self) -> Result<T, OperateError> {
        self.id.parse().map_err(|_| malformed())
    }
}

impl Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{}{BETWEEN}{}", self.key, self.id);
        f.write_str(&BASE64URL_NOPAD.encode(text.as_bytes()))
    }
}

impl FromStr for Cursor {
    type Err = OperateError;

    fn from_str(text: &str) -> Result<Self, OperateError> {
        if text.len() > CURSOR_LEN_MAX {
            return Err(malformed());
        }
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| malformed())?;
        let text = String::from_utf8(bytes).map_err(|_| malformed())?;
        let (key, id) = text.split_once(BETWEEN).ok_or_else(malformed)?;
        Ok(Self { key: key.to_owned(), id: id.to_owned() })
    }
}

fn malformed() -> OperateError {
    OperateError::invalid("after", "is no cursor of this list; take `next` of the page before")
}

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    limit: u32,
    after: Option<Cursor>,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: LIMIT_DEFAULT, after: None }
    }
}

impl Page {
    /// The page of at most `limit` items behind a cursor; the first without one.
    pub fn new(limit: Option<u32>, after: Option<&str>) -> Result<Self, OperateError> {
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            let problem = format!("is {limit}; it must be between 1 and {LIMIT_MAX}");
            return Err(OperateError::invalid("limit", problem));
        }
        Ok(Self { limit, after: after.map(str::parse).transpose()? })
    }

    /// Most items of it.
    pub const fn limit(&self) -> u32 {
        self.limit
    }

    /// How many rows to read: one more than are shown, which tells whether there is a next page.
    pub const fn rows(&self) -> i64 {
        // At most LIMIT_MAX + 1.
        self.limit as i64 + 1
    }

    /// Behind which item it begins.
    pub const fn after(&self) -> Option<&Cursor> {
        self.after.as_ref()
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listed<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// What `after` must be to get the page behind this one; absent if this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Listed<T> {
    /// A page of what was read for it, up to [`Page::rows`] rows.
    pub fn of<R>(
        page: &Page,
        mut rows: Vec<R>,
        cursor: impl Fn(&R) -> Cursor,
        view: impl Fn(R) -> T,
    ) -> Self {
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|last| cursor(last).to_string());
        Self { items: rows.into_iter().map(view).collect(), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_walked_page_by_page_and_none_is_shown_twice_or_left_out() {
        let all: Vec<i64> = (0..7).collect();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = Page::new(Some(3), after.as_deref()).expect("usable");
            let behind: i64 = page.after().map_or(-1, |cursor| cursor.key().expect("a number"));
            let rows = all.iter().copied().filter(|row| *row > behind);
            let rows: Vec<i64> = rows.take(usize::try_from(page.rows()).expect("few")).collect();
            let listed = Listed::of(&page, rows, |row| Cursor::new(row, "id"), |row| row);
            seen.extend(listed.items);
            after = listed.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn limits_and_cursors_that_are_none_are_refused_by_name() {
        for limit in [0, LIMIT_MAX + 1] {
            let error = Page::new(Some(limit), None).expect_err("refused").to_string();
            assert!(error.starts_with("limit is "), "{error}");
        }
        let long = "A".repeat(CURSOR_LEN_MAX + 4);
        for cursor in ["", "x", "!!!!", "AAAA", long.as_str()] {
            let error = Page::new(None, Some(cursor)).expect_err("refused").to_string();
            assert!(error.starts_with("after is no cursor"), "{error}");
        }
        let cursor: Cursor = Cursor::new("ten", "x").to_string().parse().expect("one of ours");
        assert!(cursor.key::<i64>().is_err(), "of another list");
        assert_eq!(Page::new(Some(LIMIT_MAX), None).expect("usable").rows(), 201);
    }
}
