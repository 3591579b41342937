//! What a platform has of the fleet in memory.

use std::path::Path;

use tripline_backend::audit::Audit;
use tripline_backend::config::Config;
use tripline_backend::domain::fleet::{Document, Duty, DutyState, Owner, Why};
use tripline_backend::service::{Platform, Settings};
use tripline_backend::store::Store;
use tripline_protocol::signing::SecretKey;
use uuid::Uuid;

use crate::both::on_both;
use crate::{NOW, add_driver, add_vehicle, device, driver, driver_id, offer};

fn settings() -> Settings {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("bpp.sample.toml");
    let mut config = Config::load(&sample).expect("the sample is valid");
    config.fleet.driver_documents = vec!["licence".into()];
    config.settings()
}

fn platform(store: Store) -> Platform {
    Platform::new(store, settings(), SecretKey::from_seed(&[1; 32]), Audit::new().0)
}

#[tokio::test]
async fn what_another_process_changes_is_seen_at_the_next_look_and_only_that_is_read() {
    on_both(|store| async move {
        let platform = platform(store.clone());
        platform.refresh_fleet(NOW).await.expect("looked at");
        assert!(platform.catalog().is_empty() && platform.roster().is_empty());

        let mut tx = store.write().await.expect("begins");
        offer::take_in(&mut tx, NOW).await;
        for id in ["asha", "ravi"] {
            add_driver(&mut tx, id).await;
        }
        add_vehicle(&mut tx, "v1", Some("asha")).await;
        add_vehicle(&mut tx, "v2", None).await;
        tx.commit().await.expect("commits");
        assert!(platform.catalog().is_empty(), "not looked at yet");
        platform.refresh_fleet(NOW).await.expect("looked at");
        assert!(platform.catalog().item("auto").is_some());
        let roster = platform.roster();
        let missing = Some(Why::DocumentMissing("licence".into()));
        assert_eq!(roster.blocked(&device("v1"), NOW), missing);
        assert_eq!(roster.blocked(&device("v2"), NOW), Some(Why::NoDriver));
        assert_eq!(roster.blocked(&device("v9"), NOW), Some(Why::Retired), "nobody knows it");

        let mut tx = store.write().await.expect("begins");
        for (n, driver) in [(1, "asha"), (2, "ravi")] {
            let licence = Document {
                id: Uuid::from_bytes([n; 16]),
                owner: Owner::Driver(driver_id(driver)),
                kind: "licence".into(),
                number: "KA".into(),
                expires_at: Some(NOW.plus_ms(1_000)),
            };
            tx.put_document(&licence, NOW).await.expect("written");
        }
        tx.commit().await.expect("commits");
        platform.refresh_fleet(NOW).await.expect("looked at");
        let blocked = |id: &str, ms| platform.roster().blocked(&device(id), NOW.plus_ms(ms));
        assert_eq!(blocked("v1", 0), None);
        let expired = Some(Why::DocumentExpired("licence".into()));
        assert_eq!(blocked("v1", 1_000), expired, "without another look");
        assert_eq!(roster.blocked(&device("v1"), NOW), missing, "a look that was taken stays");

        let mut tx = store.write().await.expect("begins");
        let duty = Duty {
            driver: driver_id("ravi"),
            device: device("v2"),
            state: DutyState::On,
            since: NOW,
        };
        tx.put_duty(&duty).await.expect("written");
        tx.commit().await.expect("commits");
        platform.refresh_fleet(NOW).await.expect("looked at");
        assert_eq!(blocked("v2", 0), None, "whoever signs in brings his own licence");
        let wheel = platform.roster().get(&device("v2")).and_then(|one| one.driver.clone());
        assert_eq!(wheel.map(|wheel| wheel.driver), Some(driver_id("ravi")));

        let mut tx = store.write().await.expect("begins");
        let elsewhere = Duty { driver: driver_id("asha"), device: device("v3"), ..duty.clone() };
        add_vehicle(&mut tx, "v3", None).await;
        tx.put_duty(&elsewhere).await.expect("written");
        tx.commit().await.expect("commits");
        platform.refresh_fleet(NOW).await.expect("looked at");
        assert_eq!(blocked("v3", 0), None, "with the licence of whoever signed in");
        assert_eq!(blocked("v1", 0), Some(Why::NoDriver), "its driver is in another vehicle");
        let mut tx = store.write().await.expect("begins");
        let parked = tx.vehicle(&device("v1")).await.expect("read").expect("there");
        assert_eq!(parked.driver, None);
        tx.put_duty(&Duty { state: DutyState::Off, ..elsewhere }).await.expect("written");
        tx.commit().await.expect("commits");
        platform.refresh_fleet(NOW).await.expect("looked at");
        assert_eq!(blocked("v1", 0), None, "the standing driver again");

        let mut tx = store.write().await.expect("begins");
        tx.put_duty(&Duty { state: DutyState::Break, ..duty.clone() }).await.expect("written");
        let mut gone = driver("asha");
        gone.active = false;
        tx.save_driver(&gone, NOW).await.expect("written");
        tx.commit().await.expect("commits");
        platform.refresh_fleet(NOW).await.expect("looked at");
        assert_eq!(blocked("v2", 0), Some(Why::Break));
        assert_eq!(blocked("v1", 0), Some(Why::DriverInactive));

        let mut tx = store.write().await.expect("begins");
        tx.put_duty(&Duty { state: DutyState::Off, ..duty }).await.expect("written");
        tx.commit().await.expect("commits");
        platform.refresh_fleet(NOW).await.expect("looked at");
        assert_eq!(blocked("v2", 0), Some(Why::NoDriver), "signed off, and no standing driver");
    })
    .await;
}
