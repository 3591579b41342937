//! Forms that riders fill in before they book, and who sees what they answered.

use serde_json::json;
use tripline_backend::domain::form::{Answer, Submission};
use tripline_backend::operate::Role;
use tripline_backend::store::submission::SubmissionRow;
use tripline_backend::time;
use tripline_protocol::unit::Timestamp;
use uuid::Uuid;

use crate::quoted;
use crate::world::{World, on_each};

/// What a rider answered so many ms after now.
async fn submit(world: &World, n: u8, ms: i64) -> Uuid {
    let id = Uuid::from_bytes([n; 16]);
    let answer = Answer { field: "name".into(), label: "Name".into(), value: format!("Rider {n}") };
    let submission = Submission {
        id,
        subscriber_id: "bap.example".into(),
        transaction_id: "t-1".into(),
        item_id: "auto".into(),
        form: "traveller".parse().expect("an id"),
        answers: vec![answer],
    };
    let at: Timestamp = time::now().plus_ms(ms);
    let row = SubmissionRow { submission, page_token: "0".repeat(64), at };
    let mut tx = world.platform.store.write().await.expect("begins");
    tx.add_submission(&row).await.expect("added");
    tx.commit().await.expect("commits");
    id
}

#[tokio::test]
async fn forms_are_added_and_changed_and_answers_are_for_dispatchers() {
    on_each(|world| async move {
        let admin = world.token("admin", Role::Admin).await;
        let viewer = world.token("viewer", Role::Viewer).await;
        let dispatcher = world.token("dispatcher", Role::Dispatcher).await;
        let mut form = json!({"id": "traveller", "title": "Who?", "required": "false",
            "fields": [{"id": "name", "label": "Name"}]});
        let added = world.post(&admin, "/v1/forms", &form).await.good(201);
        assert_eq!(
            (&added["required"], &added["fields"][0]["length_max"]),
            (&json!(false), &json!(100))
        );
        assert_eq!(world.post(&admin, "/v1/forms", &form).await.problem(), "conflict");
        form["required"] = json!(true);
        let put = |path: &str, form: &serde_json::Value| {
            world.ask("PUT", path.to_owned()).with(&admin).json(form).send()
        };
        let changed = put("/v1/forms/traveller", &form).await.good(200);
        assert_eq!(changed["required"], true);
        assert_eq!(world.get(&viewer, "/v1/forms/traveller").await.good(200), changed);
        let other = put("/v1/forms/other", &form).await;
        assert_eq!((other.status, &other.body["errors"][0]["field"]), (422, &json!("id")));
        form["fields"][0]["kind"] = json!("colour");
        let wrong = put("/v1/forms/traveller", &form).await;
        assert_eq!(wrong.body["errors"][0]["field"], "fields.0.kind", "{wrong:?}");
        assert_eq!(world.get(&viewer, "/v1/forms").await.good(200)["items"], json!([changed]));

        let ids =
            [submit(&world, 1, -1).await, submit(&world, 2, 0).await, submit(&world, 3, 1).await];
        let path = "/v1/forms/traveller/submissions";
        assert_eq!(world.get(&viewer, path).await.status, 403);
        let first = world.get(&dispatcher, format!("{path}?limit=2")).await.good(200);
        let next = first["next"].as_str().expect("there is more");
        let second = world.get(&dispatcher, format!("{path}?limit=2&after={next}")).await.good(200);
        let listed: Vec<_> = [&first, &second]
            .into_iter()
            .flat_map(|page| page["items"].as_array().expect("a list").clone())
            .map(|it| it["id"].as_str().expect("text").to_owned())
            .collect();
        let newest_first: Vec<_> = ids.iter().rev().map(ToString::to_string).collect();
        assert_eq!(listed, newest_first);
        assert_eq!(first["items"][0]["answers"][0]["value"], "Rider 3");

        let mut tx = world.platform.store.write().await.expect("begins");
        let (mut with, without) = (quoted::order(1, time::now()), quoted::order(2, time::now()));
        with.submission = Some(ids[0]);
        tx.add_order(&with).await.expect("added");
        tx.add_order(&without).await.expect("added");
        tx.commit().await.expect("commits");
        let path =
            |order: &tripline_protocol::id::OrderId| format!("/v1/orders/{order}/submission");
        let shown = world.get(&dispatcher, path(&with.id)).await.good(200);
        assert_eq!(
            shown["answers"],
            json!([{"field": "name", "label": "Name", "value": "Rider 1"}])
        );
        assert_eq!(world.get(&dispatcher, path(&without.id)).await.problem(), "not-found");
        assert_eq!(world.get(&viewer, path(&with.id)).await.status, 403);
        let order = world.get(&viewer, format!("/v1/orders/{}", with.id)).await.good(200);
        assert_eq!(order["submission"], ids[0].to_string());
        assert!(!order.to_string().contains("Rider 1"), "a viewer sees no riders");
    })
    .await;
}
