//! What is on record of what a row is about: what its file leaves out stays.

use serde::Serialize;
use serde_json::{Map, Value};
use tripline_protocol::unit::Timestamp;

use super::row::{Kind, Row};
use crate::operate::driver::DriverView;
use crate::operate::vehicle::{VehicleView, plate};
use crate::operate::{
    OperateError, area, document, driver, form, item, promotion, provider, vehicle,
};
use crate::store::Tx;

type Fields = Map<String, Value>;

impl Row {
    /// The row with what is on record of the fields that it does not have. A field that it has empty stays
    /// empty.
    pub(super) async fn with_known(&self, tx: &mut Tx) -> Result<Self, OperateError> {
        let known = match known(tx, self).await {
            Ok(known) => known,
            // A name that is none is the verb's to refuse, with its field.
            Err(OperateError::NotFound { .. } | OperateError::Invalid { .. }) => Fields::new(),
            Err(
                error @ (OperateError::Unusable { .. }
                | OperateError::Conflict { .. }
                | OperateError::Stale { .. }
                | OperateError::Refused { .. }
                | OperateError::Service(_)),
            ) => return Err(error),
        };
        let mut row = self.clone();
        if row.kind == Kind::Vehicle {
            row.is_of_vehicle(&known);
        }
        for (field, value) in known {
            row.fields.entry(field).or_insert(value);
        }
        Ok(row)
    }

    /// A vehicle that was found by its plate keeps its device, and the plate as it is spelt there.
    fn is_of_vehicle(&mut self, known: &Fields) {
        if self.device().is_some() {
            return;
        }
        self.fields.remove("device");
        let on_record = known.get("registration").and_then(Value::as_str);
        let is_the_same = on_record.map(plate) == self.text("registration").map(plate);
        if let Some(spelt) = on_record.filter(|_| is_the_same) {
            self.fields.insert("registration".into(), spelt.into());
        }
    }

    fn device(&self) -> Option<&str> {
        self.text("device").filter(|device| !device.is_empty())
    }
}

async fn known(tx: &mut Tx, row: &Row) -> Result<Fields, OperateError> {
    let id = row.text("id").unwrap_or_default();
    match row.kind {
        // A version has all of its terms.
        Kind::Tariff => Ok(Fields::new()),
        Kind::Provider => Ok(fields(&provider::show(tx, id).await?)),
        Kind::Form => Ok(fields(&form::show(tx, id).await?)),
        Kind::Item => Ok(fields(&item::show(tx, id).await?)),
        Kind::Promotion => {
            let known = fields(&promotion::show(tx, id).await?);
            Ok(of_promotion(known, &row.fields))
        }
        Kind::Area => Ok(fields(&area::show(tx, id).await?)),
        Kind::Driver => {
            let mut known = fields(&DriverView::from(driver::find(tx, id).await?));
            known.retain(|field, _| field != "rating_centistars" && field != "ratings");
            Ok(known)
        }
        Kind::Vehicle => {
            let registration = row.text("registration").unwrap_or_default();
            let record = vehicle::meant(tx, row.device(), registration).await?;
            Ok(record.map(|record| fields(&VehicleView::from(record))).unwrap_or_default())
        }
        Kind::Document => {
            let [owner, kind, number] =
                ["owner", "kind", "number"].map(|field| row.text(field).unwrap_or_default());
            let until = document::end_of(tx, owner, kind, number).await?;
            let until = until.map(|until| ("expires".to_owned(), text_of(until).into()));
            Ok(until.into_iter().collect())
        }
    }
}

/// A promotion's times as files have them; and not what it took off before, where a row says what it takes off.
fn of_promotion(mut known: Fields, row: &Fields) -> Fields {
    for (shown, field) in [("from_unix_ms", "from"), ("until_unix_ms", "until")] {
        let at = known.remove(shown).and_then(|at| at.as_i64());
        let at = at.map(|at| text_of(Timestamp::from_unix_ms(at)).into());
        known.extend(at.map(|at| (field.to_owned(), at)));
    }
    if row.contains_key("amount_paise") {
        known.remove("percent_bp");
        known.remove("max_paise");
    }
    if row.contains_key("percent_bp") {
        known.remove("amount_paise");
    }
    known
}

/// What is shown of something, without what it does not have.
fn fields(view: &impl Serialize) -> Fields {
    let shown = serde_json::to_value(view).unwrap_or_default();
    let all = shown.as_object().cloned().unwrap_or_default();
    all.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

/// A time as files have it.
fn text_of(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.unix_ms);
    at.map(|at| at.to_string()).unwrap_or_default()
}
