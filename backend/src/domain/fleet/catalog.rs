//! What is offered, as it is now: items with their providers, tariffs, areas and promotions.

use std::collections::BTreeMap;

use tripline_protocol::tariff::Tariff;
use tripline_protocol::unit::{Position, Timestamp};

use super::area::{Area, AreaKind};
use super::driver::Provider;
use super::id::{ItemId, PromotionId, ProviderId};
use super::item::{Item, ItemKind};
use super::promotion::Promotion;

/// Why a ride is not served with an item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotServed {
    /// There is no such item, or it is not offered.
    #[error("no such item; search again")]
    UnknownItem,
    /// The pickup is in no service area.
    #[error("the pickup is outside the service area")]
    PickupOutside,
    /// The drop is in no service area.
    #[error("the drop is outside the service area")]
    DropOutside,
    /// The tariff that would apply is not there.
    #[error("there is no tariff {0}")]
    NoTariff(String),
}

/// What is offered. It does not change: a change makes a new one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    providers: BTreeMap<ProviderId, Provider>,
    items: BTreeMap<ItemId, Item>,
    tariffs: BTreeMap<String, Tariff>,
    /// Service areas, and zones by falling priority and then by id.
    areas: Vec<Area>,
    promotions: BTreeMap<PromotionId, Promotion>,
}

impl Catalog {
    /// What these offer. Of tariffs with one code the newest counts; items that are not active, or whose
    /// provider is not, are left out.
    pub fn new(
        providers: Vec<Provider>,
        items: Vec<Item>,
        tariffs: Vec<Tariff>,
        mut areas: Vec<Area>,
    ) -> Self {
        let providers: BTreeMap<_, _> = providers
            .into_iter()
            .filter(|provider| provider.active)
            .map(|provider| (provider.id.clone(), provider))
            .collect();
        let items = items
            .into_iter()
            .filter(|item| item.active && providers.contains_key(&item.provider))
            .map(|item| (item.id.clone(), item))
            .collect();
        let mut newest: BTreeMap<String, Tariff> = BTreeMap::new();
        for tariff in tariffs {
            let known = newest.get(&tariff.code);
            if known.is_none_or(|known| known.version < tariff.version) {
                newest.insert(tariff.code.clone(), tariff);
            }
        }
        areas.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.id.cmp(&b.id)));
        Self { providers, items, tariffs: newest, areas, promotions: BTreeMap::new() }
    }

    /// The same with promotions; those that are not active are left out.
    #[must_use]
    pub fn with_promotions(self, promotions: Vec<Promotion>) -> Self {
        let active = promotions.into_iter().filter(|promotion| promotion.active);
        let promotions = active.map(|promotion| (promotion.id.clone(), promotion)).collect();
        Self { promotions, ..self }
    }

    /// An item that is offered.
    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items.get(&id.parse().ok()?)
    }

    /// Every item that is offered, by id.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// The provider of an item that is offered.
    pub fn provider(&self, id: &ProviderId) -> Option<&Provider> {
        self.providers.get(id)
    }

    /// The newest version of a tariff.
    pub fn tariff(&self, code: &str) -> Option<&Tariff> {
        self.tariffs.get(code)
    }

    /// A promotion that is active; whether it is for a ride is [`Promotion::is_for`].
    pub fn promotion(&self, id: &str) -> Option<&Promotion> {
        self.promotions.get(&id.parse().ok()?)
    }

    /// What riders of an item can take up then, by id.
    pub fn promotions_of<'a>(
        &'a self,
        item: &'a Item,
        at: Timestamp,
    ) -> impl Iterator<Item = &'a Promotion> {
        self.promotions.values().filter(move |promotion| promotion.is_for(&item.id, at))
    }

    /// Whether nothing can be booked.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The tariff for a ride with an item: that of the pickup's zone with the highest priority among those
    /// whose tariff is for rides of the item's kind or, outside all such, the item's own. Pickup and drop must
    /// be in a service area, if there is one; the drop of a rental or of a ride out of town need not.
    pub fn served(
        &self,
        pickup: Position,
        drop: Option<Position>,
        item: &Item,
    ) -> Result<&Tariff, NotServed> {
        if !self.is_in_service(pickup, item) {
            return Err(NotServed::PickupOutside);
        }
        let checked = drop.filter(|_| item.kind == ItemKind::Spot);
        if checked.is_some_and(|drop| !self.is_in_service(drop, item)) {
            return Err(NotServed::DropOutside);
        }
        let code = self.zone_tariff(pickup, item).unwrap_or(&item.tariff_code);
        self.tariffs.get(code).ok_or_else(|| NotServed::NoTariff(code.to_owned()))
    }

    fn areas_of<'a>(&'a self, kind: AreaKind, item: &'a Item) -> impl Iterator<Item = &'a Area> {
        self.areas.iter().filter(move |area| {
            area.kind == kind && area.item.as_ref().is_none_or(|id| *id == item.id)
        })
    }

    fn is_in_service(&self, place: Position, item: &Item) -> bool {
        let mut areas = self.areas_of(AreaKind::Service, item).peekable();
        areas.peek().is_none() || areas.any(|area| area.shape.contains(place))
    }

    fn zone_tariff<'a>(&'a self, pickup: Position, item: &'a Item) -> Option<&'a str> {
        let fits = |code: &str| {
            self.tariffs.get(code).is_none_or(|tariff| item.kind.misfit(tariff).is_none())
        };
        let zones = self.areas_of(AreaKind::Zone, item);
        let mut codes = zones
            .filter(|zone| zone.shape.contains(pickup))
            .filter_map(|zone| zone.tariff_code.as_deref());
        codes.find(|code| fits(code))
    }
}

#[cfg(test)]
mod tests {
    use tripline_protocol::tariff::Outstation;
    use tripline_protocol::unit::Paise;

    use super::super::area::Shape;
    use super::super::promotion::Off;
    use super::*;

    fn tariff(code: &str, version: u32) -> Tariff {
        let text = format!(r#"{{"code":"{code}","version":{version},"base_paise":3000}}"#);
        serde_json::from_str(&text).expect("a tariff")
    }

    fn item(id: &str, kind: ItemKind) -> Item {
        Item {
            id: id.parse().expect("an id"),
            provider: "city".parse().expect("an id"),
            name: "Ride".into(),
            short_desc: None,
            images: Vec::new(),
            vehicle_category: "AUTO_RICKSHAW".into(),
            tariff_code: "auto".into(),
            kind,
            active: true,
            form: None,
        }
    }

    fn area(
        id: &str,
        kind: AreaKind,
        tariff: Option<&str>,
        priority: u32,
        square: [f64; 4],
    ) -> Area {
        let [west, south, east, north] = square;
        let text = format!(
            r#"{{"type":"Polygon","coordinates":[[[{west},{south}],[{east},{south}],[{east},{north}],[{west},{north}],[{west},{south}]]]}}"#
        );
        Area {
            id: id.parse().expect("an id"),
            name: id.into(),
            kind,
            item: None,
            tariff_code: tariff.map(Into::into),
            priority,
            shape: Shape::parse(&text).expect("a shape"),
        }
    }

    fn city() -> Provider {
        let id = "city".parse().expect("an id");
        let (short_desc, logo_url) = (None, None);
        Provider { id, name: "City Cabs".into(), short_desc, logo_url, active: true }
    }

    fn catalog(areas: Vec<Area>) -> Catalog {
        let items = vec![item("auto", ItemKind::Spot), item("trip", ItemKind::Outstation)];
        let mut tariffs: Vec<_> =
            ["auto", "airport", "old-town"].map(|code| tariff(code, 1)).into();
        let mut by_day = tariff("by-day", 1);
        by_day.outstation =
            Some(Outstation { minimum_m_per_day: 250_000, allowance_per_day_paise: Paise(30_000) });
        tariffs.push(by_day);
        Catalog::new(vec![city()], items, tariffs, areas)
    }

    fn at(lat: f64, lon: f64) -> Position {
        let e7 = |deg: f64| format!("{:.0}", deg * 1e7).parse().expect("a number");
        Position::new(e7(lat), e7(lon)).expect("on the globe")
    }

    fn served<'a>(
        catalog: &'a Catalog,
        item: &str,
        pickup: Position,
        drop: Option<Position>,
    ) -> Result<&'a str, NotServed> {
        let item = catalog.item(item).expect("offered");
        catalog.served(pickup, drop, item).map(|tariff| tariff.code.as_str())
    }

    #[test]
    fn without_a_service_area_every_place_is_served_with_the_items_own_tariff() {
        let catalog = catalog(Vec::new());
        assert_eq!(served(&catalog, "auto", at(-30.0, 170.0), Some(at(60.0, 5.0))), Ok("auto"));
    }

    #[test]
    fn outside_every_service_area_nothing_is_served_but_the_end_of_a_ride_out_of_town() {
        let areas = vec![
            area("east", AreaKind::Service, None, 0, [1.0, 0.0, 2.0, 1.0]),
            area("west", AreaKind::Service, None, 0, [0.0, 0.0, 0.5, 1.0]),
        ];
        let catalog = catalog(areas);
        let (inside, other, outside) = (at(0.5, 0.2), at(0.5, 1.5), at(0.5, 0.7));
        assert_eq!(served(&catalog, "auto", inside, None), Ok("auto"));
        assert_eq!(served(&catalog, "auto", inside, Some(other)), Ok("auto"));
        assert_eq!(served(&catalog, "auto", outside, Some(inside)), Err(NotServed::PickupOutside));
        assert_eq!(served(&catalog, "auto", inside, Some(outside)), Err(NotServed::DropOutside));
        assert_eq!(served(&catalog, "trip", inside, Some(outside)), Ok("auto"));
    }

    #[test]
    fn the_pickups_zone_with_the_highest_priority_says_which_tariff() {
        let mut only_trips = area("trips", AreaKind::Zone, Some("by-day"), 9, [0.0, 0.0, 4.0, 4.0]);
        only_trips.item = Some("trip".parse().expect("an id"));
        let by_day = area("by-day", AreaKind::Zone, Some("by-day"), 8, [0.0, 0.0, 4.0, 4.0]);
        let areas = vec![
            area("town", AreaKind::Zone, Some("old-town"), 1, [0.0, 0.0, 2.0, 2.0]),
            area("airport", AreaKind::Zone, Some("airport"), 5, [1.0, 1.0, 3.0, 3.0]),
            area("lost", AreaKind::Zone, Some("gone"), 0, [8.0, 8.0, 9.0, 9.0]),
            only_trips,
            by_day,
        ];
        let catalog = catalog(areas);
        let tariff = |item, lat, lon| served(&catalog, item, at(lat, lon), Some(at(3.5, 3.5)));
        assert_eq!(tariff("auto", 0.5, 0.5), Ok("old-town"));
        assert_eq!(tariff("auto", 1.5, 1.5), Ok("airport"), "both zones, the higher priority");
        assert_eq!(tariff("auto", 2.5, 2.5), Ok("airport"));
        assert_eq!(tariff("auto", 3.5, 3.5), Ok("auto"), "the drop's zone does not matter");
        assert_eq!(tariff("trip", 1.5, 1.5), Ok("by-day"), "a zone of one item");
        assert_eq!(tariff("trip", 8.5, 8.5), Err(NotServed::NoTariff("gone".into())));
        assert_eq!(tariff("auto", 8.5, 8.5), Err(NotServed::NoTariff("gone".into())));
    }

    #[test]
    fn an_items_promotions_are_those_of_now_and_for_it() {
        const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
        let promotion = |id: &str, active, items: &[&str], until| Promotion {
            id: id.parse().expect("an id"),
            title: "Less".into(),
            description: None,
            off: Off::Amount(Paise(500)),
            least_fare: Paise::ZERO,
            from: None,
            until,
            items: items.iter().map(|id| id.parse().expect("an id")).collect(),
            active,
        };
        let all = vec![
            promotion("over", true, &[], Some(NOW)),
            promotion("off", false, &[], None),
            promotion("autos", true, &["auto"], Some(NOW.plus_ms(1))),
            promotion("all", true, &[], None),
            promotion("trips", true, &["trip"], None),
        ];
        let catalog = catalog(Vec::new()).with_promotions(all);
        let auto = catalog.item("auto").expect("offered");
        let ids: Vec<_> =
            catalog.promotions_of(auto, NOW).map(|promotion| promotion.id.as_str()).collect();
        assert_eq!(ids, ["all", "autos"]);
        assert!(catalog.promotion("over").is_some_and(|over| !over.is_for(&auto.id, NOW)));
        for none in ["off", "nowhere", "no id"] {
            assert_eq!(catalog.promotion(none), None, "{none}");
        }
    }

    #[test]
    fn the_newest_tariff_counts_and_what_is_not_active_is_not_offered() {
        let mut resting = item("resting", ItemKind::Spot);
        resting.active = false;
        let mut foreign = item("foreign", ItemKind::Spot);
        foreign.provider = "elsewhere".parse().expect("an id");
        let items = vec![item("auto", ItemKind::Spot), resting, foreign];
        let tariffs = vec![tariff("auto", 2), tariff("auto", 10), tariff("auto", 9)];
        let catalog = Catalog::new(vec![city()], items, tariffs, Vec::new());
        let offered: Vec<_> = catalog.items().map(|item| item.id.as_str()).collect();
        assert_eq!(offered, ["auto"]);
        assert_eq!(catalog.tariff("auto").map(|tariff| tariff.version), Some(10));
        let gone = Provider { active: false, ..city() };
        let items = vec![item("auto", ItemKind::Spot)];
        assert!(Catalog::new(vec![gone], items, Vec::new(), Vec::new()).is_empty());
    }
}
