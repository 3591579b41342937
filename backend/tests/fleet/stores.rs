//! Every table of the fleet, written and read back.

use tripline_backend::domain::fleet::{
    Area, AreaKind, Cash, CashKind, Document, Duty, DutyState, Energy, Item, ItemKind, Off, Owner,
    Promotion, Provider, Shape, Shift, VehicleRecord,
};
use tripline_backend::domain::order::Vehicle;
use tripline_backend::operate::document::{DocumentFilter, list};
use tripline_backend::operate::{Page, vehicle};
use tripline_backend::store::area::AreaRow;
use tripline_backend::store::driver::PinRow;
use tripline_backend::store::rating::NewRating;
use tripline_protocol::id::OrderId;
use tripline_protocol::unit::Paise;
use uuid::Uuid;

use crate::both::on_both;
use crate::{NOW, add_driver, add_vehicle, device, driver, driver_id, offer, quoted};

const SQUARE: &str =
    r#"{"type":"Polygon","coordinates":[[[77.5,12.9],[77.7,12.9],[77.7,13.1],[77.5,12.9]]]}"#;

fn city() -> Provider {
    Provider {
        id: "city".parse().expect("an id"),
        name: "City Cabs".into(),
        short_desc: Some("Cabs of the city".into()),
        logo_url: Some("https://city.example/logo.png".into()),
        active: true,
    }
}

#[tokio::test]
async fn providers_and_drivers_are_read_back_as_they_were_written_and_changed() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        tx.put_provider(&city(), NOW).await.expect("written");
        let resting = Provider { active: false, name: "City".into(), ..city() };
        tx.put_provider(&resting, NOW).await.expect("written");
        assert_eq!(tx.provider(&resting.id).await.expect("read"), Some(resting.clone()));
        let bare = Provider { short_desc: None, logo_url: None, ..resting.clone() };
        tx.put_provider(&bare, NOW).await.expect("written");
        assert_eq!(tx.provider(&bare.id).await.expect("read"), Some(bare));
        tx.put_provider(&resting, NOW).await.expect("written");
        assert_eq!(tx.providers("", 10).await.expect("read"), std::slice::from_ref(&resting));
        assert!(tx.providers("city", 10).await.expect("read").is_empty());

        let asha = tripline_backend::domain::fleet::Driver {
            provider: Some(resting.id.clone()),
            ..driver("asha")
        };
        assert!(tx.add_driver(&asha, NOW).await.expect("added"));
        assert!(!tx.add_driver(&asha, NOW).await.expect("refused"), "there already");
        add_driver(&mut tx, "ravi").await;
        let gone = tripline_backend::domain::fleet::Driver { active: false, ..asha };
        tx.save_driver(&gone, NOW).await.expect("written");
        assert_eq!(tx.driver(&gone.id).await.expect("read"), Some(gone.clone()));
        let of_city = tx.drivers("", Some(&resting.id), 10).await.expect("read");
        assert_eq!(of_city, [gone]);
        assert_eq!(tx.drivers("asha", None, 10).await.expect("read"), [driver("ravi")]);

        let pin = PinRow { mac: Some(vec![1, 2]), tries: 3 };
        assert_eq!(tx.pin(&driver_id("ravi")).await.expect("read"), PinRow::default());
        tx.set_pin(&driver_id("ravi"), pin.clone()).await.expect("set");
        assert_eq!(tx.pin(&driver_id("ravi")).await.expect("read"), pin);
    })
    .await;
}

#[tokio::test]
async fn a_vehicle_is_read_back_whole_and_no_plate_is_on_two() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        tx.put_provider(&city(), NOW).await.expect("written");
        add_driver(&mut tx, "asha").await;
        let record = VehicleRecord {
            make: Some("Bajaj".into()),
            model: Some("RE".into()),
            color: Some("yellow".into()),
            variant: Some("Maxima".into()),
            energy: Some(Energy::Cng),
            capacity: Some(3),
            provider: Some(city().id),
            driver: Some(driver_id("asha")),
            ..VehicleRecord::new(device("v1"), "KA 1".into(), "AUTO_RICKSHAW".into())
        };
        assert!(tx.add_vehicle_record(&record, NOW).await.expect("added"));
        add_vehicle(&mut tx, "v2", None).await;
        assert_eq!(tx.vehicle_record(&device("v1")).await.expect("read"), Some(record.clone()));
        let mut other = tx.vehicle_record(&device("v2")).await.expect("read").expect("there");
        other.registration = "KA 1".into();
        assert!(!tx.save_vehicle_record(&other).await.expect("refused"));
        let of_city = tx.vehicle_records("", Some(&city().id), 10).await.expect("read");
        assert_eq!(of_city, [record]);
        let shown = tx.vehicle(&device("v1")).await.expect("read").expect("there");
        assert_eq!(shown.driver_name, "Name of asha");
        assert_eq!((shown.driver, shown.make.as_deref()), (Some(driver_id("asha")), Some("Bajaj")));
        let alone = tx.vehicle(&device("v2")).await.expect("read").expect("there");
        assert_eq!((alone.driver, alone.driver_name.as_str()), (None, ""));
    })
    .await;
}

#[tokio::test]
async fn a_vehicle_that_is_added_with_a_drivers_name_and_phone_finds_them_or_makes_them() {
    on_both(|store| async move {
        let vehicle = |id: &str, name: &str| Vehicle {
            device: device(id),
            registration: format!("KA {id}"),
            category: "AUTO".into(),
            make: None,
            model: None,
            color: None,
            driver: None,
            driver_name: name.into(),
            driver_phone: "+91-98".into(),
        };
        let mut tx = store.write().await.expect("begins");
        // Somebody else has the id that the second vehicle's driver would get.
        add_driver(&mut tx, "v2").await;
        for (id, name) in [("v1", "Asha"), ("v2", "Ravi"), ("v3", "Asha")] {
            assert!(tx.add_vehicle(vehicle(id, name), NOW).await.expect("added"));
        }
        assert!(!tx.add_vehicle(vehicle("v1", "Mira"), NOW).await.expect("refused"));
        let mut drivers = Vec::new();
        for id in ["v1", "v2", "v3"] {
            let found = tx.vehicle(&device(id)).await.expect("read").expect("there");
            drivers.push(found.driver.expect("somebody"));
        }
        assert_eq!((&drivers[0], &drivers[2]), (&driver_id("v1"), &driver_id("v1")));
        assert!(drivers[1].as_str().starts_with("drv-"), "{}", drivers[1]);
        assert_eq!(tx.drivers("", None, 10).await.expect("read").len(), 3, "and no Mira");
    })
    .await;
}

#[tokio::test]
async fn documents_are_listed_by_when_they_expire_page_by_page() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        add_driver(&mut tx, "asha").await;
        add_vehicle(&mut tx, "v1", None).await;
        let (of_driver, of_vehicle) =
            (Owner::Driver(driver_id("asha")), Owner::Vehicle(device("v1")));
        let paper = |n: u8, owner: &Owner, kind: &str, days: Option<i64>| Document {
            id: Uuid::from_bytes([n; 16]),
            owner: owner.clone(),
            kind: kind.into(),
            number: format!("N{n}"),
            expires_at: days.map(|days| NOW.plus_ms(days * 86_400_000)),
        };
        let papers = [
            paper(1, &of_driver, "licence", Some(5)),
            paper(2, &of_vehicle, "permit", None),
            paper(3, &of_vehicle, "insurance", Some(1)),
            paper(4, &of_driver, "badge", Some(5)),
        ];
        for paper in &papers {
            tx.put_document(paper, NOW).await.expect("written");
        }
        let mut renewed = paper(9, &of_vehicle, "insurance", Some(400));
        renewed.number = "N3".into();
        tx.put_document(&renewed, NOW).await.expect("written");
        let found = tx.document_of(&of_vehicle, "insurance", "N3").await.expect("read");
        let found = found.expect("there");
        assert_eq!(
            (found.id, found.expires_at),
            (papers[2].id, renewed.expires_at),
            "keeps its id"
        );

        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = Page::new(Some(1), after.as_deref()).expect("usable");
            let listed = list(&mut tx, &DocumentFilter::default(), &page).await.expect("read");
            seen.extend(listed.items.into_iter().map(|view| view.number));
            after = listed.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["N1", "N4", "N3", "N2"], "what does not expire comes last");
        let soon = DocumentFilter {
            owner: Some("driver:asha".into()),
            expiring_before: Some(NOW.plus_ms(6 * 86_400_000)),
        };
        let listed = list(&mut tx, &soon, &Page::default()).await.expect("read");
        assert_eq!(listed.items.len(), 2);
        let removed = tx.remove_document(papers[0].id).await.expect("removed");
        assert_eq!(removed.as_ref(), Some(&papers[0]));
        assert_eq!(tx.remove_document(papers[0].id).await.expect("nothing"), None);
    })
    .await;
}

#[tokio::test]
async fn a_driver_is_on_one_device_and_a_shift_has_its_cash() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        add_driver(&mut tx, "asha").await;
        for id in ["v1", "v2"] {
            add_vehicle(&mut tx, id, None).await;
        }
        let duty = |id: &str, state| Duty {
            driver: driver_id("asha"),
            device: device(id),
            state,
            since: NOW,
        };
        tx.put_duty(&duty("v1", DutyState::On)).await.expect("written");
        tx.put_duty(&duty("v2", DutyState::Break)).await.expect("written");
        assert_eq!(tx.duty_of_device(&device("v1")).await.expect("read"), None);
        let on = Some(duty("v2", DutyState::Break));
        assert_eq!(tx.duty_of_driver(&driver_id("asha")).await.expect("read"), on);
        tx.put_duty(&duty("v2", DutyState::Off)).await.expect("written");
        assert!(tx.duties("", 10).await.expect("read").is_empty());

        let shift = Shift {
            id: Uuid::from_bytes([1; 16]),
            driver: driver_id("asha"),
            device: device("v1"),
            started_at: NOW,
            ended_at: None,
            balance: Paise::ZERO,
        };
        tx.add_shift(&shift).await.expect("begun");
        let cash = |n: u8, kind, order: Option<u8>, amount| Cash {
            id: Uuid::from_bytes([n; 16]),
            shift: shift.id,
            kind,
            order: order.map(|n| OrderId::from_bytes([n; 16])),
            amount: Paise(amount),
            at: NOW.plus_ms(i64::from(n)),
            note: String::new(),
        };
        let entries = [
            cash(1, CashKind::Collected, Some(7), 5_000),
            cash(2, CashKind::Settled, None, -2_000),
            cash(3, CashKind::Settled, None, -1_000),
        ];
        for entry in &entries {
            assert!(tx.add_cash(entry).await.expect("written"));
        }
        let twice = cash(4, CashKind::Collected, Some(7), 5_000);
        assert!(!tx.add_cash(&twice).await.expect("refused"), "a fare is taken in once");
        assert_eq!(tx.cash(shift.id, 10).await.expect("read"), entries);
        let open = tx.open_shift(&shift.driver).await.expect("read").expect("open");
        assert_eq!(open.balance, Paise(2_000));
        tx.end_shift(&shift.driver, NOW.plus_ms(10)).await.expect("ended");
        assert_eq!(tx.open_shift(&shift.driver).await.expect("read"), None);
        let at = |ms| NOW.plus_ms(ms);
        for (when, there) in [(at(-1), false), (at(0), true), (at(10), true), (at(11), false)] {
            let found = tx.shift_at(&shift.driver, when).await.expect("read");
            assert_eq!(found.is_some(), there);
        }
    })
    .await;
}

#[tokio::test]
async fn ratings_add_up_and_an_order_is_rated_once() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        add_driver(&mut tx, "asha").await;
        let rating = |n: u8, order: Option<u8>, stars| NewRating {
            id: Uuid::from_bytes([n; 16]),
            driver: driver_id("asha"),
            order: order.map(|n| OrderId::from_bytes([n; 16])),
            stars,
            note: "on time".into(),
        };
        assert!(tx.add_rating(&rating(1, Some(7), 5), NOW).await.expect("rated"));
        assert!(tx.add_rating(&rating(2, None, 4), NOW).await.expect("rated"));
        assert!(!tx.add_rating(&rating(3, Some(7), 1), NOW).await.expect("refused"));
        let asha = tx.driver(&driver_id("asha")).await.expect("read").expect("there");
        assert_eq!((asha.rating.mean_centistars(), asha.rating.count), (Some(450), 2));
    })
    .await;
}

#[tokio::test]
async fn tariffs_items_and_areas_make_the_catalog() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        let before = tx.fleet_version().await.expect("read");
        offer::take_in(&mut tx, NOW).await;
        let mut newer = quoted::tariff();
        newer.version = 7;
        assert!(tx.add_tariff(&newer, NOW).await.expect("added"));
        assert!(!tx.add_tariff(&newer, NOW).await.expect("refused"), "a version never changes");
        assert_eq!(tx.tariff("auto", Some(7)).await.expect("read"), Some(newer.clone()));
        assert_eq!(tx.tariffs(("", 0), None, 10).await.expect("read").len(), 2);
        assert_eq!(tx.tariffs(("auto", 1), Some("auto"), 10).await.expect("read"), [newer]);
        let rental = Item {
            id: "day".parse().expect("an id"),
            provider: "example-cabs".parse().expect("an id"),
            name: "A day".into(),
            short_desc: Some("Eight hours, eighty kilometres".into()),
            images: ["https://city.example/1.png", "https://city.example/2.png?a=\"b\""]
                .map(Into::into)
                .into(),
            vehicle_category: "SEDAN".into(),
            tariff_code: "auto".into(),
            kind: ItemKind::Rental,
            active: false,
            form: None,
        };
        tx.put_item(&rental, NOW).await.expect("written");
        assert_eq!(tx.item(&rental.id).await.expect("read"), Some(rental.clone()));
        let plain = Item { short_desc: None, images: Vec::new(), ..rental };
        tx.put_item(&plain, NOW).await.expect("written");
        assert_eq!(tx.item(&plain.id).await.expect("read"), Some(plain));
        let area = AreaRow {
            area: Area {
                id: "airport".parse().expect("an id"),
                name: "Airport".into(),
                kind: AreaKind::Zone,
                item: Some("auto".parse().expect("an id")),
                tariff_code: Some("auto".into()),
                priority: 3,
                shape: Shape::parse(SQUARE).expect("a shape"),
            },
            geojson: SQUARE.into(),
            active: true,
        };
        tx.put_area(&area, NOW).await.expect("written");
        assert_eq!(tx.areas("", 10).await.expect("read"), std::slice::from_ref(&area));
        let catalog = tx.catalog().await.expect("read");
        let offered: Vec<_> = catalog.items().map(|item| item.id.to_string()).collect();
        assert_eq!(offered, ["auto"], "the other one is not offered");
        assert_eq!(catalog.tariff("auto").map(|tariff| tariff.version), Some(7));
        assert!(tx.remove_area(&area.area.id).await.expect("removed"));
        let after = tx.fleet_version().await.expect("read");
        assert!(before.catalog < after.catalog && before.roster == after.roster);
    })
    .await;
}

#[tokio::test]
async fn promotions_are_read_back_as_they_were_written_and_are_in_the_catalog() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        offer::take_in(&mut tx, NOW).await;
        let before = tx.fleet_version().await.expect("read").catalog;
        let part = Promotion {
            id: "MONSOON10".parse().expect("an id"),
            title: "Monsoon".into(),
            description: Some("Ten percent in the rain".into()),
            off: Off::Part { percent_bp: 1_000, most: Some(Paise(5_000)) },
            least_fare: Paise(10_000),
            from: Some(NOW),
            until: Some(NOW.plus_ms(1_000)),
            items: vec!["auto".parse().expect("an id")],
            active: true,
        };
        let amount = Promotion {
            id: "first".parse().expect("an id"),
            description: None,
            off: Off::Amount(Paise(2_500)),
            from: None,
            until: None,
            items: Vec::new(),
            ..part.clone()
        };
        for promotion in [&part, &amount] {
            tx.put_promotion(promotion, NOW).await.expect("written");
            let read = tx.promotion(&promotion.id).await.expect("read");
            assert_eq!(read.as_ref(), Some(promotion));
        }
        let all = tx.promotions("", 10).await.expect("read");
        assert_eq!(all, [part.clone(), amount.clone()]);
        let resting = Promotion { active: false, off: Off::Amount(Paise(1)), ..part };
        tx.put_promotion(&resting, NOW).await.expect("written");
        assert_eq!(tx.promotion(&resting.id).await.expect("read"), Some(resting.clone()));
        let catalog = tx.catalog().await.expect("read");
        assert_eq!(catalog.promotion("MONSOON10"), None, "it is not active");
        let auto = catalog.item("auto").expect("offered");
        let offered: Vec<_> = catalog.promotions_of(auto, NOW).collect();
        assert_eq!(offered, [&amount]);
        assert_eq!(tx.fleet_version().await.expect("read").catalog, before + 3);
    })
    .await;
}

#[tokio::test]
async fn vehicles_are_listed_by_plate_page_by_page() {
    on_both(|store| async move {
        let mut tx = store.write().await.expect("begins");
        for id in ["v3", "v1", "v2"] {
            add_vehicle(&mut tx, id, None).await;
        }
        let first = Page::new(Some(2), None).expect("usable");
        let listed = vehicle::list(&mut tx, None, &first).await.expect("read");
        let plates = |listed: &tripline_backend::operate::Listed<vehicle::VehicleView>| {
            listed.items.iter().map(|view| view.registration.clone()).collect::<Vec<_>>()
        };
        assert_eq!(plates(&listed), ["KA v1", "KA v2"]);
        let next = Page::new(Some(2), listed.next.as_deref()).expect("usable");
        let listed = vehicle::list(&mut tx, None, &next).await.expect("read");
        assert_eq!((plates(&listed), listed.next), (vec!["KA v3".to_owned()], None));
    })
    .await;
}
