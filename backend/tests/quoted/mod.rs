//! An order that was quoted, and its tariff.

use tripline_backend::domain::catalog::Listing;
use tripline_backend::domain::order::{Conversation, NewOrder, Order, Route};
use tripline_protocol::assignment::Place;
use tripline_protocol::id::OrderId;
use tripline_protocol::tariff::{Band, Cancellation, Tariff};
use tripline_protocol::terms::{Estimate, Terms};
use tripline_protocol::unit::{Paise, Position, Timestamp};

pub(crate) fn tariff() -> Tariff {
    Tariff {
        code: "auto".into(),
        version: 1,
        base_paise: Paise(3000),
        base_distance_m: 0,
        bands: vec![Band { from_m: 0, per_km_paise: Paise(1500) }],
        per_minute_paise: Paise(0),
        pickup_paise: Paise(0),
        minimum_paise: Paise(0),
        waiting_per_minute_paise: Paise(0),
        waiting_free_s: 0,
        night: None,
        package: None,
        outstation: None,
        taxes: Vec::new(),
        cancellation: Cancellation::default(),
        range_percent: 0,
        rounding_paise: Paise(1),
    }
}

pub(crate) fn terms(at: Timestamp) -> Terms {
    let place = place().position;
    Terms {
        tariff: tariff(),
        nights: Vec::new(),
        discounts: Vec::new(),
        estimate: Estimate {
            distance_m: 3_000,
            duration_s: 600,
            start_at: at,
            pickup: place,
            drop: place,
        },
    }
}

fn place() -> Place {
    Place {
        position: Position::new(129_000_000, 776_000_000).expect("on the globe"),
        address: "somewhere".into(),
    }
}

/// The order of this number.
pub(crate) fn order(n: u8, at: Timestamp) -> Order {
    let place = place();
    let new = NewOrder {
        id: OrderId::from_bytes([n; 16]),
        fulfillment_id: format!("f{n}"),
        track_token: format!("t{n}"),
        receipt_token: format!("r{n}"),
        subscriber_id: "bap.example".into(),
        item_id: "auto".into(),
        listing: Listing {
            provider_id: "city-cabs".parse().expect("an id"),
            provider_name: "City Cabs".into(),
            item_name: "Auto ride".into(),
            vehicle_category: "AUTO".into(),
        },
        route: Route { pickup: place.clone(), drop: Some(place), pickup_at: None },
        terms: terms(at),
        conversation: Conversation("{}".into()),
    };
    Order::quote(new, at)
}
