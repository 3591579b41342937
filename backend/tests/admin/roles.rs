//! Every role against every route.

use std::collections::BTreeSet;

use tripline_backend::operate::Role;

use crate::world::on_each;

/// Every route, and who may use it, written down a second time: what is routed and documented must be this.
const TABLE: &[(&str, &str, Role)] = &[
    ("GET", "/v1/areas", Role::Viewer),
    ("POST", "/v1/areas", Role::Admin),
    ("GET", "/v1/areas/{id}", Role::Viewer),
    ("DELETE", "/v1/areas/{id}", Role::Admin),
    ("GET", "/v1/audit", Role::Viewer),
    ("GET", "/v1/callbacks", Role::Viewer),
    ("GET", "/v1/callbacks/{order}/{sequence}", Role::Dispatcher),
    ("POST", "/v1/callbacks/replay", Role::Dispatcher),
    ("GET", "/v1/documents", Role::Viewer),
    ("POST", "/v1/documents", Role::Admin),
    ("DELETE", "/v1/documents/{id}", Role::Admin),
    ("GET", "/v1/drivers", Role::Viewer),
    ("POST", "/v1/drivers", Role::Admin),
    ("GET", "/v1/drivers/{id}", Role::Viewer),
    ("PATCH", "/v1/drivers/{id}", Role::Admin),
    ("PUT", "/v1/drivers/{id}/duty", Role::Dispatcher),
    ("PUT", "/v1/drivers/{id}/pin", Role::Admin),
    ("POST", "/v1/drivers/{id}/ratings", Role::Dispatcher),
    ("POST", "/v1/drivers/{id}/unlock", Role::Dispatcher),
    ("GET", "/v1/duty", Role::Viewer),
    ("GET", "/v1/forms", Role::Viewer),
    ("POST", "/v1/forms", Role::Admin),
    ("GET", "/v1/forms/{id}", Role::Viewer),
    ("PUT", "/v1/forms/{id}", Role::Admin),
    ("GET", "/v1/forms/{id}/submissions", Role::Dispatcher),
    ("GET", "/v1/health", Role::Viewer),
    ("POST", "/v1/import", Role::Admin),
    ("GET", "/v1/items", Role::Viewer),
    ("POST", "/v1/items", Role::Admin),
    ("GET", "/v1/items/{id}", Role::Viewer),
    ("PATCH", "/v1/items/{id}", Role::Admin),
    ("GET", "/v1/live", Role::Viewer),
    ("GET", "/v1/live/{device}", Role::Viewer),
    ("GET", "/v1/openapi.json", Role::Viewer),
    ("GET", "/v1/promotions", Role::Viewer),
    ("POST", "/v1/promotions", Role::Admin),
    ("GET", "/v1/promotions/{id}", Role::Viewer),
    ("PATCH", "/v1/promotions/{id}", Role::Admin),
    ("GET", "/v1/providers", Role::Viewer),
    ("POST", "/v1/providers", Role::Admin),
    ("GET", "/v1/providers/{id}", Role::Viewer),
    ("PATCH", "/v1/providers/{id}", Role::Admin),
    ("GET", "/v1/shifts", Role::Viewer),
    ("GET", "/v1/shifts/{id}", Role::Viewer),
    ("POST", "/v1/shifts/{id}/settle", Role::Dispatcher),
    ("GET", "/v1/subscribers", Role::Viewer),
    ("GET", "/v1/subscribers/{id}", Role::Viewer),
    ("GET", "/v1/tariffs", Role::Viewer),
    ("POST", "/v1/tariffs", Role::Admin),
    ("GET", "/v1/tariffs/{code}", Role::Viewer),
    ("GET", "/v1/tokens", Role::Admin),
    ("POST", "/v1/tokens", Role::Admin),
    ("DELETE", "/v1/tokens/{name}", Role::Admin),
    ("GET", "/v1/vehicles", Role::Viewer),
    ("POST", "/v1/vehicles", Role::Admin),
    ("GET", "/v1/vehicles/{name}", Role::Viewer),
    ("PATCH", "/v1/vehicles/{name}", Role::Admin),
    ("POST", "/v1/vehicles/{name}/configure", Role::Admin),
    ("GET", "/v1/vehicles/{name}/device", Role::Viewer),
    ("PUT", "/v1/vehicles/{name}/driver", Role::Dispatcher),
    ("POST", "/v1/vehicles/{name}/rekey", Role::Admin),
    ("POST", "/v1/vehicles/{name}/revoke", Role::Admin),
    ("GET", "/v1/cases", Role::Viewer),
    ("POST", "/v1/cases/{id}/resolve", Role::Dispatcher),
    ("GET", "/v1/orders", Role::Viewer),
    ("GET", "/v1/orders/{id}", Role::Viewer),
    ("POST", "/v1/orders/{id}/cancel", Role::Dispatcher),
    ("GET", "/v1/orders/{id}/explanation", Role::Viewer),
    ("GET", "/v1/orders/{id}/receipt", Role::Dispatcher),
    ("GET", "/v1/orders/{id}/submission", Role::Dispatcher),
    ("GET", "/v1/orders/{order}/dispatch", Role::Viewer),
    ("GET", "/v1/trips", Role::Viewer),
    ("GET", "/v1/trips/{id}", Role::Viewer),
    ("POST", "/v1/trips/{id}/cancel", Role::Dispatcher),
    ("POST", "/v1/trips/{id}/close", Role::Dispatcher),
    ("POST", "/v1/trips/{id}/pause", Role::Dispatcher),
    ("POST", "/v1/trips/{id}/resume", Role::Dispatcher),
    ("POST", "/v1/trips/{id}/start", Role::Dispatcher),
    ("POST", "/v1/trips/{id}/stop", Role::Dispatcher),
    ("POST", "/v1/trips/{id}/unlock-otp", Role::Dispatcher),
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
        for (n, operation) in operations.iter().enumerate() {
            let path = operation.example_path();
            // From an address of its own each: one alone would soon be refused whatever it asks.
            let stranger = world.ask(&operation.method, path.as_str());
            let answer = stranger.header("x-forwarded-for", format!("203.0.113.{n}")).send().await;
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
