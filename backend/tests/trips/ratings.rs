//! What riders think of rides that ended, and that they ask for help.

use tripline_backend::domain::case::CaseKind;
use tripline_backend::domain::rating::{Answer, Answers, RatingCategory, RatingValue};
use tripline_backend::operate::{Page, case, order, trip};
use tripline_backend::service::rating::{Rated, rate};
use tripline_backend::store::rating::RatingFilter;
use tripline_backend::time;

use crate::both::on_both;
use crate::unit::{Unit, stop};
use crate::world::{Ride, World};

async fn rated(world: &World, ride: Ride, category: RatingCategory, value: &str) -> Rated {
    let mut tx = world.platform.store.write().await.expect("begins");
    let stored = tx.order(ride.order).await.expect("answers").expect("there");
    let text = format!("Raghav was {value}");
    let answer = Answer { question: format!("{category}-good"), text };
    let answers = Answers::new(vec![answer]).expect("good");
    let value: RatingValue = value.parse().expect("a value");
    let rated = rate(&mut tx, &stored, category, value, answers, time::now()).await;
    tx.commit().await.expect("commits");
    rated.expect("answers")
}

async fn ended(world: &World, unit: &mut Unit) -> Ride {
    let ride = world.started(1, unit).await;
    unit.drive(3_000, 600);
    let event = unit.step(ride.trip, stop(3_000));
    world.tell(unit, vec![event]).await;
    ride
}

#[tokio::test]
async fn a_ride_that_ended_is_rated_once_in_each_category_and_the_driver_by_theirs_alone() {
    use RatingCategory::{Driver, Ride, Vehicle};
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let under_way = world.started(1, &mut unit).await;
        assert_eq!(rated(&world, under_way, Ride, "5").await, Rated::NotEnded);
        unit.drive(3_000, 600);
        let event = unit.step(under_way.trip, stop(3_000));
        world.tell(&mut unit, vec![event]).await;
        let ride = under_way;
        // The offer of this world named nobody: who drove is not known.
        assert_eq!(rated(&world, ride, Driver, "5").await, Rated::NoDriver);
        let mut tx = world.platform.store.write().await.expect("begins");
        let driver = tx.vehicle(&unit.device()).await.expect("answers").and_then(|it| it.driver);
        let driver = driver.expect("somebody drives");
        let mut stored = tx.order(ride.order).await.expect("answers").expect("there");
        stored.order.trip.as_mut().expect("a trip").vehicle.driver = Some(driver.clone());
        tx.save_order(&stored).await.expect("saved");
        tx.commit().await.expect("commits");

        assert_eq!(rated(&world, ride, Driver, "4.5").await, Rated::Taken);
        assert_eq!(rated(&world, ride, Driver, "1").await, Rated::AlreadyRated);
        for (category, value) in [(Ride, "2"), (Vehicle, "3")] {
            assert_eq!(rated(&world, ride, category, value).await, Rated::Taken);
        }
        let mut tx = world.platform.store.read().await.expect("begins");
        let asha = tx.driver(&driver).await.expect("answers").expect("there");
        assert_eq!((asha.rating.mean_centistars(), asha.rating.count), (Some(450), 1));
        let of_driver = RatingFilter { driver: Some(driver), order: None };
        let rows = tx.ratings_before(&of_driver, None, 10).await.expect("read");
        assert_eq!(rows.len(), 3, "whoever drove stands with all of them");
        let id = ride.order.to_string();
        let shown = order::show(&mut tx, &id).await.expect("shown");
        let marks: Vec<_> =
            shown.ratings.iter().map(|it| (it.category.as_str(), it.value_centistars)).collect();
        assert_eq!(marks, [("ride", 200), ("driver", 450), ("vehicle", 300)]);
        let json = serde_json::to_string(&shown).expect("written");
        assert!(!json.contains("Raghav was"), "not in riders' words: {json}");
        let detail = trip::show(&world.platform, &mut tx, &id, time::now()).await.expect("shown");
        assert_eq!(detail.ratings, shown.ratings);
    })
    .await;
}

#[tokio::test]
async fn a_rider_who_asks_for_support_is_one_open_case_that_counts() {
    on_both(|store| async move {
        let world = World::new(store, 1).await;
        let mut unit = Unit::new(1);
        let ride = ended(&world, &mut unit).await;
        let ask = async |what: &str| {
            let mut tx = world.platform.store.write().await.expect("begins");
            let mut stored = tx.order(ride.order).await.expect("answers").expect("there");
            let noted = stored.order.ask_support(what, time::now());
            tx.save_order(&stored).await.expect("saved");
            tx.commit().await.expect("commits");
            noted
        };
        assert!(ask("the rider asked for support").await);
        for _ in 0..3 {
            assert!(ask("the rider asked for support once more").await);
        }
        let of_support = async || {
            let order = world.order(ride).await;
            let cases = order.cases.iter().filter(|case| case.kind == CaseKind::Support);
            cases.map(|case| (case.times, case.what.clone())).collect::<Vec<_>>()
        };
        let open = (4, "the rider asked for support once more".to_owned());
        assert_eq!(of_support().await, std::slice::from_ref(&open));
        let listed =
            world.operate(async |_, tx, _| case::list(tx, false, &Page::default()).await).await;
        let found = listed.items.iter().find(|case| case.kind == "support").expect("listed");
        assert_eq!(found.times, 4);
        let id = found.id.clone();
        world
            .operate(async |_, tx, by| case::resolve(tx, by, &id, "rang back", time::now()).await)
            .await;
        assert!(ask("the rider asked for support").await);
        let next = (1, "the rider asked for support".to_owned());
        assert_eq!(of_support().await, [open, next], "after it was resolved, another");
    })
    .await;
}
