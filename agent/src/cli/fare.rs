//! A fare, line by line, so that a driver can show a rider what each amount is for.

use std::fmt::Write as _;

use tripline_protocol::fare::{FareLine, FareLineKind, FareReason};
use tripline_protocol::unit::Paise;

/// Where amounts end, counted from where the lines begin.
const WIDTH: usize = 56;

/// The lines, each with its amount at the right.
pub(super) fn lines(text: &mut String, lines: &[FareLine]) {
    for line in lines {
        let (what, amount) = (describe(line), line.amount.to_string());
        let width = WIDTH.saturating_sub(what.chars().count() + 1);
        let _ = writeln!(text, "          {what} {amount:>width$}");
    }
}

/// What a line is for, and how its amount comes about.
fn describe(line: &FareLine) -> String {
    let FareLine { kind, name, quantity, rate, .. } = line;
    match kind {
        FareLineKind::Base => "base".into(),
        FareLineKind::Pickup => "coming to the pickup".into(),
        FareLineKind::Distance => format!("{} km at {rate} per km", km(*quantity)),
        FareLineKind::Time => format!("{} riding at {rate} per minute", minutes(*quantity)),
        FareLineKind::Allowance => format!("{quantity} days, allowance {rate} a day"),
        FareLineKind::Waiting => {
            format!("{} of charged waiting at {rate} per minute", minutes(*quantity))
        }
        FareLineKind::Night if *quantity == 1 && line.amount == *rate => "night".into(),
        FareLineKind::Night => format!("night, {quantity} % of {rate}"),
        FareLineKind::Minimum => format!("up to the minimum of {rate}"),
        FareLineKind::Extra => format!("extra: {name}"),
        FareLineKind::Discount if *quantity == 1 => format!("offer {name}"),
        FareLineKind::Discount => format!("offer {name}, {} % of {rate}", percent(*quantity)),
        FareLineKind::Tax => format!("{name}, {} % of {rate}", percent(*quantity)),
        FareLineKind::Rounding => format!("rounded to {rate}"),
        FareLineKind::Cancellation => "cancellation".into(),
        FareLineKind::NoShow => "the rider did not come".into(),
    }
}

/// What is to be said of a fare that is not simply measured.
pub(super) const fn remark(reason: FareReason) -> Option<&'static str> {
    match reason {
        FareReason::GapsEstimated => {
            Some("the measured distance has too many gaps: the estimate's is charged")
        }
        FareReason::GapsMetered => {
            Some("the measured distance has many gaps; no estimate fits where the ride ended")
        }
        FareReason::Estimate
        | FareReason::Metered
        | FareReason::Cancelled
        | FareReason::NoShow
        | FareReason::Silent => None,
    }
}

pub(super) fn km(metres: u64) -> String {
    format!("{}.{:02}", metres / 1000, metres % 1000 / 10)
}

/// Minutes and seconds.
pub(super) fn minutes(seconds: u64) -> String {
    format!("{}:{:02} min", seconds / 60, seconds % 60)
}

fn percent(bp: u64) -> String {
    let percent = Paise(i64::try_from(bp).unwrap_or(i64::MAX)).to_string();
    percent.trim_end_matches('0').trim_end_matches('.').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_how_its_amount_comes_about() {
        let line = |kind, name: &str, quantity, rate, amount| FareLine {
            kind,
            name: name.into(),
            quantity,
            rate: Paise(rate),
            amount: Paise(amount),
        };
        let mut text = String::new();
        lines(
            &mut text,
            &[
                line(FareLineKind::Base, "", 1, 3_000, 3_000),
                line(FareLineKind::Distance, "", 3_400, 1_500, 5_100),
                line(FareLineKind::Waiting, "", 250, 200, 833),
                line(FareLineKind::Night, "", 50, 8_100, 4_050),
                line(FareLineKind::Night, "", 1, 2_000, 2_000),
                line(FareLineKind::Extra, "sea link", 1, 4_500, 4_500),
                line(FareLineKind::Discount, "FIRST", 1_000, 12_983, -1_298),
                line(FareLineKind::Tax, "CGST", 250, 11_685, 292),
                line(FareLineKind::Rounding, "", 1, 100, 23),
            ],
        );
        let expected = "
          base                                               30.00
          3.40 km at 15.00 per km                            51.00
          4:10 min of charged waiting at 2.00 per minute      8.33
          night, 50 % of 81.00                               40.50
          night                                              20.00
          extra: sea link                                    45.00
          offer FIRST, 10 % of 129.83                       -12.98
          CGST, 2.5 % of 116.85                               2.92
          rounded to 1.00                                     0.23
";
        assert_eq!(text, expected.trim_start_matches('\n'));
    }
}
