//! The catalog: the answer to a search.

use serde_json::{Value, json};

use super::codes::{CURRENCY, ITEM_CODE, PAYMENT_ID, PAYMENT_TYPE};
use super::duration;
use super::fields::location;
use crate::domain::catalog::Serviceable;

/// Id of the fulfillment in a catalog; a real one is made at `select`.
const FULFILLMENT_ID: &str = "ride";

pub(super) fn catalog(serviceable: &Serviceable) -> Value {
    let Serviceable { provider, item, route, estimate, nearest_m, pickup_s } = serviceable;
    let mut fulfillment = json!({
        "id": FULFILLMENT_ID,
        "start": { "location": location(&route.pickup) },
        "vehicle": { "category": item.vehicle_category },
        "tracking": true,
    });
    if let Some(drop) = &route.drop {
        fulfillment["end"] = json!({ "location": location(drop) });
    }
    let price = match estimate {
        Some(fare) => json!({ "currency": CURRENCY, "estimated_value": fare.total().to_string(),
            "value": fare.total().to_string() }),
        None => json!({ "currency": CURRENCY,
            "minimum_value": item.tariff.minimum_paise.max(item.tariff.base_paise).to_string() }),
    };
    let pickup_s = i64::try_from(*pickup_s).unwrap_or(i64::MAX);
    json!({
        "bpp/descriptor": { "name": provider.name },
        "bpp/providers": [{
            "id": provider.id,
            "descriptor": { "name": provider.name },
            "fulfillments": [fulfillment],
            "payments": [{ "id": PAYMENT_ID, "type": PAYMENT_TYPE }],
            "items": [{
                "id": item.id,
                "descriptor": { "name": item.name, "code": ITEM_CODE },
                "price": price,
                "fulfillment_id": FULFILLMENT_ID,
                "payment_id": PAYMENT_ID,
                "matched": true,
                "time": { "label": "ETA", "duration": duration::seconds(pickup_s) },
                "tags": {
                    "groups/1/descriptor/name": "General Information",
                    "groups/1/display": "true",
                    "groups/1/list/1/descriptor/name": "Distance to nearest driver",
                    "groups/1/list/1/value": format!("{nearest_m} m"),
                },
            }],
        }],
    })
}
