//! A receipt as PDF: A5, in Helvetica, which every reader has. No date of making and no random id is in it, so
//! that the same receipt has the same bytes.

mod page;
mod width;

use self::page::{Face, Sheets};
use super::Receipt;

/// Sizes of letters, in points.
const BODY: f32 = 9.0;
const SMALL: f32 = 7.0;
const TITLE: f32 = 15.0;
const TOTAL: f32 = 12.0;

/// Where the values of details begin, in points from the left margin.
const VALUES: f32 = 62.0;

/// Room for an amount at the right, in points.
const AMOUNTS: f32 = 70.0;

pub(super) fn of(receipt: &Receipt) -> Vec<u8> {
    let mut sheets = Sheets::new(&format!("Ride receipt {}", receipt.number));
    head(&mut sheets, receipt);
    for (name, value) in &receipt.details {
        sheets.pair((name, Face::Grey), (value, Face::Plain), BODY, VALUES);
    }
    sheets.space(6.0);
    sheets.rule();
    for line in &receipt.lines {
        let amount = line.amount_paise.to_string();
        sheets.keep_together(BODY + SMALL * 2.0 + 8.0);
        sheets.priced(&line.title, &amount, Face::Plain, BODY, AMOUNTS);
        sheets.paragraph(&line.formula, Face::Grey, SMALL, AMOUNTS);
        sheets.space(3.0);
    }
    sheets.rule();
    sheets.keep_together(TOTAL + BODY + 16.0);
    sheets.priced("Total", &format!("Rs {}", receipt.total), Face::Bold, TOTAL, AMOUNTS);
    sheets.space(2.0);
    sheets.paragraph(&receipt.payment, Face::Plain, BODY, 0.0);
    sheets.space(10.0);
    for note in &receipt.notes {
        sheets.paragraph(note, Face::Grey, SMALL, 0.0);
        sheets.space(2.0);
    }
    sheets.finish()
}

fn head(sheets: &mut Sheets, receipt: &Receipt) {
    sheets.paragraph(&receipt.provider, Face::Bold, TITLE, 0.0);
    sheets.space(1.0);
    sheets.paragraph("Ride receipt", Face::Plain, BODY + 1.0, 0.0);
    sheets.paragraph(&format!("No. {}", receipt.number), Face::Grey, SMALL, 0.0);
    sheets.space(4.0);
    sheets.rule();
}
