use tripline_protocol::unit::Timestamp;

use super::*;
use crate::domain::explain::tests::{called_off, ride};
use crate::domain::order::Rider;
use crate::domain::payment::Collected;

fn receipt() -> Receipt {
    let (mut order, _) = ride(0);
    order.rider = Some(Rider { name: "Meera K".into(), phone: "+91-9812345678".into() });
    order.route.pickup.address = "12, 100 Feet Road, Indiranagar, Bengaluru 560038".into();
    let at = Timestamp::from_unix_ms(0);
    order.payment.collected = Some(Collected { amount: Paise(17_200), at, driver: None });
    Receipt::of(&order).expect("a final fare")
}

#[test]
fn a_receipt_in_text() {
    let text = receipt().text();
    assert!(text.lines().all(|line| line.chars().count() <= 42), "{text}");
    assert!(!text.contains("98"), "no phone is on it: {text}");
    insta::assert_snapshot!(text);
}

#[test]
fn a_receipt_of_a_cancellation_in_text() {
    let receipt = Receipt::of(&called_off()).expect("a charge");
    insta::assert_snapshot!(receipt.text());
}

#[test]
fn there_is_no_receipt_of_nothing() {
    let (mut order, _) = ride(0);
    order.settlement = None;
    assert_eq!(Receipt::of(&order), None);
    let mut free = called_off();
    let nothing = free.terms.cancelled(0);
    free.cancelled.as_mut().expect("called off").fare = Some(nothing);
    assert_eq!(Receipt::of(&free), None);
}

/// What is between brackets after `Tj`'s operand, page by page, as far as a receipt needs it.
fn shown(pdf: &[u8]) -> String {
    let text = String::from_utf8_lossy(pdf);
    let lines = text.lines().filter_map(|line| line.strip_suffix(" Tj"));
    lines.map(|line| line.trim_matches(['(', ')']).to_owned() + "\n").collect()
}

#[test]
fn the_pdf_has_what_the_text_has_and_the_same_bytes_every_time() {
    let receipt = receipt();
    let pdf = receipt.pdf();
    assert_eq!(pdf, receipt.pdf());
    assert!(pdf.starts_with(b"%PDF-1.") && pdf.ends_with(b"%%EOF"));
    let shown = shown(&pdf);
    for line in &receipt.lines {
        assert!(shown.contains(&line.amount_paise.to_string()), "{shown}");
    }
    assert!(shown.contains("Rs 172.00") && shown.contains("KA01AB1234"), "{shown}");
    assert!(!shown.contains("98123"), "{shown}");
    if let Some(dir) = std::env::var_os("TRIPLINE_RECEIPT_DIR") {
        std::fs::write(std::path::Path::new(&dir).join("receipt.pdf"), pdf).expect("written");
    }
}

#[test]
fn a_long_receipt_goes_on_on_another_sheet() {
    let mut receipt = receipt();
    let lines = receipt.lines.clone();
    receipt.lines = std::iter::repeat_n(lines, 5).flatten().collect();
    let pdf = receipt.pdf();
    let text = String::from_utf8_lossy(&pdf);
    assert!(text.contains("/Count 3") || text.contains("/Count 4"), "{}", text.len());
}
