//! Lists, page by page, while they change.

use std::collections::BTreeSet;

use serde_json::Value;
use tripline_backend::audit::{AuditKind, Entry};
use tripline_backend::operate::Role;
use tripline_backend::store::audit::AuditRow;
use tripline_backend::time;
use tripline_protocol::link::up::Live;
use tripline_protocol::unit::{Position, Timestamp};

use crate::world::{World, on_each};

const THEN: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

/// Writes entries of this age, several at each time.
async fn write(world: &World, names: impl Iterator<Item = String>, at: Timestamp) {
    let mut tx = world.platform.store.write().await.expect("begins");
    for name in names {
        let kind = AuditKind::Imported;
        let entry = Entry { kind, device: None, peer: None, actor: None, detail: name };
        tx.put_audit(AuditRow::new(entry, at).expect("random")).await.expect("written");
    }
    tx.commit().await.expect("commits");
}

fn details(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items").iter();
    items.map(|item| item["detail"].as_str().expect("text").to_owned()).collect()
}

#[tokio::test]
async fn a_list_that_grows_meanwhile_shows_what_was_there_once_and_nothing_twice() {
    on_each(|world| async move {
        let viewer = world.token("viewer", Role::Viewer).await;
        for n in 0..5 {
            let names = (0..4).map(|m| format!("old {n}.{m}"));
            write(&world, names, THEN.plus_ms(n)).await;
        }
        let (mut seen, mut after, mut pages) = (Vec::new(), None::<String>, 0);
        loop {
            let behind = after.map(|after| format!("&after={after}")).unwrap_or_default();
            let path = format!("/v1/audit?kind=imported&limit=3{behind}");
            let page = world.get(&viewer, path).await.good(200);
            seen.extend(details(&page));
            // Newer ones than any, older ones than any, and some in between.
            for at in [-1, 2, 9] {
                let name = std::iter::once(format!("new {pages} {at}"));
                write(&world, name, THEN.plus_ms(at)).await;
            }
            pages += 1;
            assert!(pages < 60, "it comes to its end");
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() || pages == 20 {
                break;
            }
        }
        let distinct: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "none comes twice: {seen:?}");
        let old = seen.iter().filter(|name| name.starts_with("old")).count();
        assert_eq!(old, 20, "none is left out");
    })
    .await;
}

#[tokio::test]
async fn limits_cursors_and_parameters_that_are_none_are_refused_by_name() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        for list in [
            "areas",
            "audit",
            "callbacks",
            "cases",
            "documents",
            "drivers",
            "duty",
            "items",
            "live",
            "orders",
            "promotions",
            "providers",
            "shifts",
            "subscribers",
            "tariffs",
            "tokens",
            "trips",
            "vehicles",
        ] {
            let page = world.get(&admin, format!("/v1/{list}?limit=200")).await.good(200);
            assert!(page["items"].is_array(), "{list}");
            for (query, field) in [
                ("limit=0", "limit"),
                ("limit=201", "limit"),
                ("limit=-1", "query"),
                ("after=x", "after"),
                ("after=", "after"),
                ("offset=7", "query"),
            ] {
                let answer = world.get(&admin, format!("/v1/{list}?{query}")).await;
                assert_eq!((answer.status, answer.problem()), (422, "invalid"), "{list} {query}");
                assert_eq!(answer.body["errors"][0]["field"], field, "{list} {query}: {answer:?}");
            }
        }
        // A cursor of another list.
        let page = world.get(&admin, "/v1/subscribers?limit=1").await.good(200);
        let cursor = page["next"].as_str().expect("there are two");
        assert_eq!(world.get(&admin, format!("/v1/audit?after={cursor}")).await.status, 422);
        let rest = world.get(&admin, format!("/v1/subscribers?after={cursor}")).await.good(200);
        assert_eq!(rest["items"][0]["subscriber_id"], "other.example");
        assert_eq!(
            (rest["items"].as_array().map(Vec::len), &rest["next"]),
            (Some(1), &Value::Null)
        );
    })
    .await;
}

#[tokio::test]
async fn vehicles_are_shown_where_they_are_and_subscribers_as_the_file_has_them() {
    on_each(|world| async move {
        let viewer = world.token("viewer", Role::Viewer).await;
        let position = Position::new(129_345_671, 776_123_459).expect("on the globe");
        for n in 0..5 {
            let live = Live { at: time::now(), position, speed_mmps: Some(900), course_cdeg: None };
            world.platform.handle_live(&format!("d{n}").parse().expect("valid"), live);
        }
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = world.get(&viewer, format!("/v1/live?limit=2{after}")).await.good(200);
            seen.extend(page["items"].as_array().expect("items").clone());
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        let devices: Vec<_> = seen.iter().filter_map(|one| one["device"].as_str()).collect();
        assert_eq!(devices, ["d0", "d1", "d2", "d3", "d4"]);
        assert_eq!((&seen[0]["lat_e7"], &seen[0]["fresh"]), (&129_345_671.into(), &true.into()));
        assert_eq!(world.get(&viewer, "/v1/live/d3").await.good(200)["device"], "d3");
        assert_eq!(world.get(&viewer, "/v1/live/d9").await.problem(), "not-found");
        assert_eq!(world.get(&viewer, "/v1/health").await.good(200)["vehicles_heard"], 5);

        let shown = world.get(&viewer, "/v1/subscribers/other.example").await.good(200);
        assert_eq!(
            (&shown[0]["holds"], &shown[0]["entries"][0]["holds"]),
            (&false.into(), &false.into())
        );
        assert!(shown[0]["entries"][0]["why_not"].is_string());
        assert_eq!(world.get(&viewer, "/v1/subscribers/nobody").await.problem(), "not-found");
    })
    .await;
}
