//! A fleet that is set up, changed and put out over the API alone.

use serde_json::{Value, json};
use tripline_backend::operate::Role;
use tripline_protocol::enrol::EnrolCode;

use crate::world::{Answer, World, on_each};

const FLEET: &str = r#"
[[provider]]
id = "mehta"
name = "Mehta Cabs"

[[driver]]
id = "ravi"
name = "Ravi"
phone = "+91-1000"
provider = "mehta"

[[vehicle]]
registration = "KA 02"
category = "AUTO"
provider = "mehta"
driver = "ravi"
"#;

async fn put(world: &World, secret: &str, path: &str, body: &Value) -> Answer {
    world.ask("PUT", path).with(secret).json(body).send().await
}

/// A provider, a driver, and a vehicle of theirs; the vehicle as it was answered.
async fn set_up(world: &World, admin: &str) -> Value {
    for (path, body) in [
        ("/v1/providers", json!({"id": "mehta", "name": "Mehta Cabs"})),
        (
            "/v1/drivers",
            json!({"id": "asha", "name": "Asha", "phone": "+91-98000", "provider": "mehta"}),
        ),
        (
            "/v1/documents",
            json!({"owner": "driver:asha", "kind": "licence", "number": "7", "expires": "2040-01-01"}),
        ),
    ] {
        let answer = world.post(admin, path, &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let pin = put(world, admin, "/v1/drivers/asha/pin", &json!({"pin": "48151"})).await.good(200);
    assert_eq!((&pin["pin_set"], &pin["locked"]), (&json!(true), &json!(false)));
    let vehicle =
        json!({"registration": "KA 01", "category": "AUTO", "provider": "mehta", "driver": "asha"});
    world.post(admin, "/v1/vehicles", &vehicle).await.good(201)
}

#[tokio::test]
async fn a_fleet_is_run_over_the_api_and_each_change_has_its_entry() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        let dispatcher = world.token("dispatcher", Role::Dispatcher).await;
        let added = set_up(&world, &admin).await;
        assert_eq!(added["vehicle"]["device"], "ka01");
        let code = added["code"]["code"].as_str().expect("text");
        assert!(code.parse::<EnrolCode>().is_ok(), "{code}");
        assert_eq!(added["code"]["url"], "https://enrol.example:8884");

        let duty = json!({"state": "on", "vehicle": "KA 01"});
        let on = put(&world, &dispatcher, "/v1/drivers/asha/duty", &duty).await.good(200);
        assert_eq!((&on["device"], &on["state"]), (&json!("ka01"), &json!("on")));
        let shown = world.get(&dispatcher, "/v1/vehicles/ka01").await.good(200);
        assert_eq!(shown["at_the_wheel"], "asha");
        assert_eq!(world.get(&dispatcher, "/v1/duty").await.good(200)["items"][0]["driver"], "asha");
        assert_eq!(world.get(&dispatcher, "/v1/shifts?driver=asha").await.good(200)["items"][0]["cash_paise"], 0);

        let device = world.get(&dispatcher, "/v1/vehicles/KA%2001/device").await.good(200);
        assert_eq!((&device["certificate"], &device["connected"]), (&json!("not-enrolled"), &json!(false)));
        assert_eq!(device["code_expires_at_unix_ms"], added["code"]["expires_at_unix_ms"]);
        let set = json!({"set": {"live": {"on_trip_ms": 2000}}, "expires_s": 60});
        let sent = world.post(&admin, "/v1/vehicles/ka01/configure", &set).await.good(200);
        assert_eq!(sent["wanted"], set["set"]);
        let wrong = json!({"set": {"live": {"on_trip": 2000}}});
        let answer = world.post(&admin, "/v1/vehicles/ka01/configure", &wrong).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["field"]), (422, &json!("set")));

        let why = json!({"reason": "stolen"});
        let ended = world.post(&admin, "/v1/vehicles/ka01/revoke", &why).await.good(200);
        assert_eq!((&ended["codes"], &ended["certificates"]), (&json!(1), &json!(0)));
        let again = world.ask("POST", "/v1/vehicles/ka01/rekey").with(&admin).send().await.good(201);
        assert_ne!(again["code"], added["code"]["code"]);

        let trail = world.get(&admin, "/v1/audit?actor=admin&device=ka01").await.good(200);
        let kinds: Vec<_> = trail["items"].as_array().expect("items").iter().map(|e| &e["kind"]).collect();
        assert_eq!(kinds, ["rekeyed", "revoked", "configured", "added"]);
        let trail = world.get(&admin, "/v1/audit?actor=dispatcher").await.good(200);
        assert_eq!(trail["items"].as_array().map(Vec::len), Some(1), "{trail}");
        assert_eq!(trail["items"][0]["kind"], "duty-changed");
        let all = world.get(&admin, "/v1/audit").await.good(200).to_string();
        assert!(!all.contains("48151") && !all.contains(code), "no secret is written down");
    })
    .await;
}

#[tokio::test]
async fn what_riders_see_of_a_provider_is_set_over_the_api_or_refused_by_its_field() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        set_up(&world, &admin).await;
        let patch = async |change: &Value| {
            world.ask("PATCH", "/v1/providers/mehta").with(&admin).json(change).send().await
        };
        let logo = "https://mehta.example/logo.png";
        let changed = patch(&json!({"short_desc": "Since 1998", "logo_url": logo})).await.good(200);
        assert_eq!(
            (&changed["short_desc"], &changed["logo_url"]),
            (&json!("Since 1998"), &json!(logo))
        );
        let answer = patch(&json!({"logo_url": "http://mehta.example/logo.png"})).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["field"]), (422, &json!("logo_url")));
        let shown = world.get(&admin, "/v1/providers/mehta").await.good(200);
        assert_eq!(shown["logo_url"], logo);
        let cleared = patch(&json!({"logo_url": ""})).await.good(200);
        assert_eq!(
            (&cleared["logo_url"], &cleared["short_desc"]),
            (&Value::Null, &json!("Since 1998"))
        );
    })
    .await;
}

#[tokio::test]
async fn a_promotion_is_added_shown_changed_and_not_changed_over_somebody_elses() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        let path = "/v1/promotions/MONSOON10";
        let new = json!({
            "id": "MONSOON10", "title": "Monsoon", "percent_bp": 1000, "max_paise": 5000,
            "least_fare_paise": 20000, "until": "2040-09-30",
        });
        let added = world.post(&admin, "/v1/promotions", &new).await.good(201);
        assert_eq!((&added["percent_bp"], &added["amount_paise"]), (&json!(1000), &Value::Null));
        assert_eq!(added["until_unix_ms"], 2_232_662_400_000_i64, "through the 30th of September");
        assert_eq!(world.post(&admin, "/v1/promotions", &new).await.problem(), "conflict");
        for (field, bad) in [
            ("amount_paise", json!({"id": "a", "title": "A"})),
            ("amount_paise", json!({"id": "a", "title": "A", "amount_paise": 1, "percent_bp": 1})),
            ("max_paise", json!({"id": "a", "title": "A", "amount_paise": 1, "max_paise": 1})),
            ("items", json!({"id": "a", "title": "A", "amount_paise": 1, "items": ["gone"]})),
        ] {
            let answer = world.post(&admin, "/v1/promotions", &bad).await;
            assert_eq!((answer.status, &answer.body["errors"][0]["field"]), (422, &json!(field)));
        }
        let tag = world.get(&admin, path).await.header("etag").to_owned();
        let patch = |change: Value| {
            world.ask("PATCH", path).with(&admin).header("if-match", &tag).json(&change).send()
        };
        let changed = patch(json!({"amount_paise": 2500})).await.good(200);
        assert_eq!((&changed["percent_bp"], &changed["max_paise"]), (&Value::Null, &Value::Null));
        assert_eq!(
            (&changed["amount_paise"], &changed["title"]),
            (&json!(2500), &json!("Monsoon"))
        );
        assert_eq!(patch(json!({"active": false})).await.status, 412);
        let listed = world.get(&admin, "/v1/promotions").await.good(200);
        assert_eq!(listed["items"], json!([changed]));
        let trail = world.get(&admin, "/v1/audit?kind=promotion-changed").await.good(200);
        assert_eq!(trail["items"].as_array().map(Vec::len), Some(2), "{trail}");
    })
    .await;
}

#[tokio::test]
async fn what_somebody_else_changed_meanwhile_is_not_overwritten() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        set_up(&world, &admin).await;
        for (path, change) in [
            ("/v1/providers/mehta", json!({"name": "Mehta and Sons"})),
            ("/v1/drivers/asha", json!({"phone": "+91-99000"})),
            ("/v1/vehicles/ka01", json!({"color": "green"})),
        ] {
            let tag = world.get(&admin, path).await.header("etag").to_owned();
            assert!(tag.starts_with('"'), "{path}: {tag}");
            let patch = |tag: &str| {
                world.ask("PATCH", path).with(&admin).header("if-match", tag).json(&change).send()
            };
            assert_eq!(patch(&tag).await.status, 200, "{path}");
            let stale = patch(&tag).await;
            assert_eq!((stale.status, stale.problem()), (412, "stale"), "{path}");
            assert_eq!(patch("*").await.status, 200, "{path}");
            let fresh = world.get(&admin, path).await.header("etag").to_owned();
            assert_ne!(fresh, tag, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_import_is_taken_in_whole_or_every_bad_row_is_named() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        let import = |query: &str, media: &str, text: String| {
            world.ask("POST", format!("/v1/import{query}")).with(&admin).raw(media, text).send()
        };
        let toml = "application/toml";
        let counts = json!({"added": 1, "changed": 0, "same": 0});
        let checked = import("?check=true", toml, FLEET.into()).await.good(200);
        assert_eq!((&checked["providers"], &checked["vehicles"]), (&counts, &counts));
        assert_eq!(world.get(&admin, "/v1/providers").await.good(200)["items"], json!([]));

        let bad = FLEET.replace("driver = \"ravi\"", "driver = \"nobody\"") + "\n[[vehicle]]\ncategory = \"AUTO\"\n";
        let answer = import("", toml, bad).await;
        assert_eq!((answer.status, answer.problem()), (422, "invalid"), "{answer:?}");
        let errors = answer.body["errors"].as_array().expect("errors");
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors.iter().all(|one| one.to_string().contains("line ")), "{errors:?}");
        assert_eq!(world.get(&admin, "/v1/drivers").await.good(200)["items"], json!([]));

        assert_eq!(import("", toml, FLEET.into()).await.good(200)["drivers"], counts);
        let again = import("", toml, FLEET.into()).await.good(200);
        assert_eq!(again["vehicles"], json!({"added": 0, "changed": 0, "same": 1}));
        let csv = "id,name,phone,provider\nmaya,Maya,+91-9800000002,mehta\n";
        assert_eq!(import("?rows=drivers", "text/csv", csv.into()).await.good(200)["drivers"], counts);
        assert_eq!(world.get(&admin, "/v1/drivers?limit=1").await.good(200)["items"][0]["id"], "maya");
        assert_eq!(import("", "application/json", "{}".into()).await.status, 415);
        let shape = "[[area]]\nid = \"a\"\nname = \"A\"\nkind = \"service\"\ngeojson_file = \"/etc/passwd\"\n";
        let answer = import("", toml, shape.into()).await;
        assert_eq!(answer.status, 422, "no file of the machine is read: {answer:?}");
        assert!(!answer.body.to_string().contains("root:"), "{answer:?}");
    })
    .await;
}
