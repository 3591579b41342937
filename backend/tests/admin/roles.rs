//! Every role against every route.

use std::collections::BTreeSet;

use tripline_backend::operate::Role;

use crate::world::on_each;

/// Every route, and who may use it, written down a second time: what is routed and documented must be this.
const TABLE: &[(&str, &str, Role)] = &[
    ("GET", "/v1/audit", Role::Viewer),
    ("GET", "/v1/callbacks", Role::Viewer),
    ("GET", "/v1/callbacks/{order}/{sequence}", Role::Dispatcher),
    ("POST", "/v1/callbacks/replay", Role::Dispatcher),
    ("GET", "/v1/health", Role::Viewer),
    ("GET", "/v1/live", Role::Viewer),
    ("GET", "/v1/live/{device}", Role::Viewer),
    ("GET", "/v1/openapi.json", Role::Viewer),
    ("GET", "/v1/subscribers", Role::Viewer),
    ("GET", "/v1/subscribers/{id}", Role::Viewer),
    ("GET", "/v1/tokens", Role::Admin),
    ("POST", "/v1/tokens", Role::Admin),
    ("DELETE", "/v1/tokens/{name}", Role::Admin),
];

#[tokio::test]
async fn every_role_may_what_the_table_says_and_nothing_else() {
    on_each(|world| async move {
        let operations = world.document.operations();
        let routed: BTreeSet<_> = operations
            .iter()
            .map(|operation| (operation.method.as_str(), operation.path.as_str(), operation.role()))
            .collect();
        let table: BTreeSet<_> =
            TABLE.iter().map(|(method, path, role)| (*method, *path, role.code())).collect();
        assert_eq!(routed, table);

        let mut secrets = Vec::new();
        for role in Role::ALL {
            secrets.push((role, world.token(role.code(), role).await));
        }
        for operation in &operations {
            let path = operation.example_path();
            let answer = world.ask(&operation.method, path.as_str()).send().await;
            assert_eq!((answer.status, answer.problem()), (401, "unauthorized"), "{path}");
            let needed: Role = operation.role().parse().expect("a role");
            for (role, secret) in &secrets {
                let answer = world.ask(&operation.method, path.as_str()).with(secret).send().await;
                let told = format!("{role}: {} {path}: {answer:?}", operation.method);
                if *role >= needed {
                    assert!(![401, 403, 405, 500, 503].contains(&answer.status), "{told}");
                    assert!(answer.status != 404 || answer.problem() != "no-route", "{told}");
                } else {
                    assert_eq!((answer.status, answer.problem()), (403, "forbidden"), "{told}");
                    let detail = answer.body["detail"].as_str().expect("text");
                    assert!(detail.contains(&format!("needs the role {needed}")), "{told}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_read_by_machines_is_open_on_loopback_alone() {
    for open in [true, false] {
        let (_dir, stores) = crate::both::both().await;
        let store = stores.into_iter().next().expect("SQLite");
        let world = crate::world::World::of(store, open).await;
        assert_eq!(world.ask("GET", "/health").send().await.status, 200);
        let answer = world.ask("GET", "/metrics").send().await;
        assert_eq!(answer.status, if open { 200 } else { 401 });
        let viewer = world.token("prometheus", Role::Viewer).await;
        assert_eq!(world.get(&viewer, "/metrics").await.status, 200);
    }
}
