//! Promotions: what comes off the fare of riders who take one up. The network calls it an offer, which here is
//! what a driver gets.

use tripline_protocol::tariff::{AMOUNT_MAX, CODE_LEN_MAX};
use tripline_protocol::terms::Discount;
use tripline_protocol::unit::{Paise, Timestamp};

use super::id::{ItemId, PromotionId};

/// Longest id of a promotion, in characters: it travels to the vehicle with the terms, as tariffs' codes do.
pub const PROMOTION_ID_LEN_MAX: usize = CODE_LEN_MAX;

/// Most items that a promotion can be for; it is for all of them if it names none.
pub const PROMOTION_ITEMS_MAX: usize = 50;

/// All of a ride's charges, in basis points.
pub const PERCENT_BP_MAX: u32 = 10_000;

/// What a promotion takes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// An amount.
    Amount(Paise),
    /// A part of the charges.
    Part {
        /// In basis points: 1000 is 10 %.
        percent_bp: u32,
        /// At most so much.
        most: Option<Paise>,
    },
}

/// A promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// Its stable id, which stands in catalogs, orders and receipts.
    pub id: PromotionId,
    /// Its title, as riders see it.
    pub title: String,
    /// What it is, in a line or two, as riders see it.
    pub description: Option<String>,
    /// What it takes off.
    pub off: Off,
    /// It takes nothing off charges of less than this.
    pub least_fare: Paise,
    /// Its first moment; it has always been there if none is named.
    pub from: Option<Timestamp>,
    /// The first moment after it; it does not end if none is named.
    pub until: Option<Timestamp>,
    /// Of which items; of all if none is named.
    pub items: Vec<ItemId>,
    /// Whether riders can take it up.
    pub active: bool,
}

/// What is wrong with a promotion: a field, and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct PromotionError {
    /// The field, as operators name it.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl Promotion {
    /// Whether it can be one.
    pub fn check(&self) -> Result<(), PromotionError> {
        let error = |field, problem| Err(PromotionError { field, problem });
        if self.id.as_str().len() > PROMOTION_ID_LEN_MAX {
            return error("id", format!("has more than {PROMOTION_ID_LEN_MAX} characters"));
        }
        let (least, most) = (Paise(1), AMOUNT_MAX);
        let amount = |field, amount: Paise, least: Paise| {
            if (least..=most).contains(&amount) {
                return Ok(());
            }
            error(
                field,
                format!("is {}; it must be between {} and {} paise", amount.0, least.0, most.0),
            )
        };
        match self.off {
            Off::Amount(off) => amount("amount_paise", off, least)?,
            Off::Part { percent_bp, most } => {
                if !(1..=PERCENT_BP_MAX).contains(&percent_bp) {
                    let problem = format!(
                        "is {percent_bp}; it must be between 1 and {PERCENT_BP_MAX} basis points"
                    );
                    return error("percent_bp", problem);
                }
                amount("max_paise", most.unwrap_or(least), least)?;
            }
        }
        amount("least_fare_paise", self.least_fare, Paise::ZERO)?;
        if let (Some(from), Some(until)) = (self.from, self.until)
            && until <= from
        {
            return error("until", "is not after from".into());
        }
        if self.items.len() > PROMOTION_ITEMS_MAX {
            let problem = format!("has {}; there may be {PROMOTION_ITEMS_MAX}", self.items.len());
            return error("items", problem);
        }
        Ok(())
    }

    /// Whether a rider can take it up then, with this item.
    pub fn is_for(&self, item: &ItemId, at: Timestamp) -> bool {
        let begun = self.from.is_none_or(|from| from <= at);
        let over = self.until.is_some_and(|until| until <= at);
        let of_item = self.items.is_empty() || self.items.contains(item);
        self.active && begun && !over && of_item
    }

    /// What the terms of a ride say of it. Vehicle and platform take it off alike.
    pub fn discount(&self) -> Discount {
        let (percent_bp, flat_paise, max_paise) = match self.off {
            Off::Amount(off) => (0, off, None),
            Off::Part { percent_bp, most } => (percent_bp, Paise::ZERO, most),
        };
        Discount {
            code: self.id.to_string(),
            percent_bp,
            flat_paise,
            max_paise,
            least_paise: self.least_fare,
        }
    }
}

#[cfg(test)]
mod tests {
    use tripline_protocol::fare::FareLineKind;
    use tripline_protocol::tariff::Tariff;
    use tripline_protocol::terms::{Estimate, Terms};
    use tripline_protocol::unit::Position;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    fn promotion(off: Off) -> Promotion {
        Promotion {
            id: "MONSOON10".parse().expect("an id"),
            title: "Monsoon".into(),
            description: None,
            off,
            least_fare: Paise::ZERO,
            from: None,
            until: None,
            items: Vec::new(),
            active: true,
        }
    }

    /// The charges of a ride of 5 km are 100 rupees.
    fn terms(promotion: &Promotion) -> Terms {
        let tariff = r#"{"code":"auto","version":1,"base_paise":10000,"rounding_paise":1}"#;
        let tariff: Tariff = serde_json::from_str(tariff).expect("a tariff");
        let place = Position::new(129_716_000, 775_946_000).expect("on the globe");
        let (distance_m, duration_s, start_at) = (5_000, 600, NOW);
        let estimate = Estimate { distance_m, duration_s, start_at, pickup: place, drop: place };
        Terms { tariff, nights: Vec::new(), discounts: vec![promotion.discount()], estimate }
    }

    #[test]
    fn what_is_taken_off_is_a_line_of_the_fare_and_never_more_than_the_charges() {
        let part = |percent_bp, most| Off::Part { percent_bp, most };
        for (off, least_fare, taken) in [
            (part(1_000, None), 0, 1_000),
            (part(2_500, Some(Paise(500))), 0, 500),
            (part(10_000, None), 0, 10_000),
            (Off::Amount(Paise(2_500)), 0, 2_500),
            (Off::Amount(Paise(99_900)), 0, 10_000),
            (part(1_000, None), 10_000, 1_000),
            (part(1_000, None), 10_001, 0),
            (Off::Amount(Paise(2_500)), 10_001, 0),
        ] {
            let promotion = Promotion { least_fare: Paise(least_fare), ..promotion(off) };
            assert_eq!(promotion.check(), Ok(()));
            let fare = terms(&promotion).estimated();
            let lines = fare.lines.iter().filter(|line| line.kind == FareLineKind::Discount);
            let lines: Vec<_> = lines.map(|line| (line.name.as_str(), -line.amount.0)).collect();
            let expected = if taken == 0 { vec![] } else { vec![("MONSOON10", taken)] };
            assert_eq!(lines, expected, "{promotion:?}");
            assert_eq!(fare.total().0, 10_000 - taken, "the lines add up");
        }
    }

    #[test]
    fn it_is_for_its_items_while_it_lasts() {
        let (auto, cab) = ("auto".parse().expect("an id"), "cab".parse().expect("an id"));
        let always = promotion(Off::Amount(Paise(100)));
        assert!(always.is_for(&auto, NOW) && always.is_for(&cab, NOW));
        let short = Promotion {
            from: Some(NOW),
            until: Some(NOW.plus_ms(10)),
            items: vec![cab.clone()],
            ..always.clone()
        };
        assert!(!short.is_for(&auto, NOW));
        let when = [-1, 0, 9, 10].map(|ms| short.is_for(&cab, NOW.plus_ms(ms)));
        assert_eq!(when, [false, true, true, false]);
        assert!(!Promotion { active: false, ..always }.is_for(&auto, NOW));
    }

    #[test]
    fn what_can_be_none_is_named_by_its_field() {
        let good = promotion(Off::Part { percent_bp: 10_000, most: Some(AMOUNT_MAX) });
        assert_eq!(good.check(), Ok(()));
        let part = |percent_bp, most| promotion(Off::Part { percent_bp, most });
        let item: ItemId = "auto".parse().expect("an id");
        for (bad, field) in [
            (promotion(Off::Amount(Paise::ZERO)), "amount_paise"),
            (promotion(Off::Amount(Paise(AMOUNT_MAX.0 + 1))), "amount_paise"),
            (part(0, None), "percent_bp"),
            (part(10_001, None), "percent_bp"),
            (part(1, Some(Paise::ZERO)), "max_paise"),
            (Promotion { least_fare: Paise(-1), ..good.clone() }, "least_fare_paise"),
            (Promotion { from: Some(NOW), until: Some(NOW), ..good.clone() }, "until"),
            (Promotion { items: vec![item; PROMOTION_ITEMS_MAX + 1], ..good.clone() }, "items"),
            (Promotion { id: "a".repeat(37).parse().expect("an id"), ..good.clone() }, "id"),
        ] {
            assert_eq!(bad.check().expect_err("refused").field, field);
        }
    }
}
