//! Statements over many rows at once.
//!
//! One text for both databases: `VALUES ($1, $2), ($3, $4)`, in a few sizes only, so that every text is
//! prepared once a connection and its plan is used for good.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

/// How many rows a statement takes, largest first. With ten columns the largest stays far below the
/// 32,766 parameters of SQLite and the 65,535 of PostgreSQL; larger ones gained nothing.
const SIZES: [usize; 3] = [64, 8, 1];

/// A statement with a list of rows in the middle.
pub(super) struct ManyRows {
    texts: [Arc<str>; SIZES.len()],
}

impl ManyRows {
    /// A statement of `head`, rows of `columns` parameters, and `tail`.
    pub(super) fn new(head: &str, columns: usize, tail: &str) -> Self {
        let texts =
            SIZES.map(|rows| format!("{head} {} {tail}", placeholders(rows, columns)).into());
        Self { texts }
    }

    /// Cuts `rows` into pieces, in order, and gives each with the text that takes as many.
    pub(super) fn pieces<'r, T>(&self, rows: &'r [T]) -> impl Iterator<Item = (SqlStr, &'r [T])> {
        let mut left = rows;
        std::iter::from_fn(move || {
            let size = SIZES.iter().position(|size| *size <= left.len())?;
            let (piece, rest) = left.split_at(SIZES[size]);
            left = rest;
            // Made above of literals and numbers; what is stored is bound.
            Some((AssertSqlSafe(Arc::clone(&self.texts[size])).into_sql_str(), piece))
        })
    }
}

/// `($1, $2), ($3, $4)`, and so on.
fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let numbers: Vec<_> =
            (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", numbers.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_pieces_of_the_sizes_there_are_in_order() {
        let statement = ManyRows::new("A", 2, "Z");
        let rows: Vec<_> = (0..64 + 8 + 8 + 2).collect();
        let pieces: Vec<_> = statement.pieces(&rows).collect();
        let sizes: Vec<_> = pieces.iter().map(|(_, piece)| piece.len()).collect();
        assert_eq!(sizes, [64, 8, 8, 1, 1]);
        assert_eq!(pieces.iter().flat_map(|(_, piece)| *piece).copied().collect::<Vec<_>>(), rows);
        assert_eq!(pieces[4].0.as_str(), "A ($1, $2) Z");
        assert!(pieces[1].0.as_str().starts_with("A ($1, $2), ($3, $4), ($5, $6), "));
        assert_eq!(statement.pieces::<u8>(&[]).count(), 0);
    }
}
