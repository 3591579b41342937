//! What every answer says, and what is said when there is none.

use tripline_backend::operate::Role;

use crate::world::on_each;

#[tokio::test]
async fn every_answer_has_an_id_and_is_kept_by_nobody() {
    on_each(|world| async move {
        let viewer = world.token("viewer", Role::Viewer).await;
        for path in ["/v1/health", "/v1/nowhere", "/health", "/metrics"] {
            let answer = world.get(&viewer, path).await;
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            assert!(!answer.header("x-request-id").is_empty(), "{path}");
        }
        let asked = |id: &'static str| {
            world.ask("GET", "/v1/health").with(&viewer).header("x-request-id", id).send()
        };
        assert_eq!(asked("abc-1").await.header("x-request-id"), "abc-1");
        assert_ne!(asked("no id").await.header("x-request-id"), "no id");
    })
    .await;
}

#[tokio::test]
async fn paths_and_methods_that_are_none_are_told_as_problems() {
    on_each(|world| async move {
        let viewer = world.token("viewer", Role::Viewer).await;
        let answer = world.get(&viewer, "/v1/nowhere").await;
        assert_eq!((answer.status, answer.problem()), (404, "no-route"));
        let answer = world.ask("PUT", "/v1/health").with(&viewer).send().await;
        assert_eq!((answer.status, answer.problem()), (405, "no-method"));
        assert!(answer.header("allow").contains("GET"), "{answer:?}");
        let dispatcher = world.token("dispatcher", Role::Dispatcher).await;
        for path in ["/v1/callbacks/nothing/1", "/v1/callbacks/nothing/x"] {
            assert_eq!(world.get(&dispatcher, path).await.problem(), "not-found", "{path}");
        }
    })
    .await;
}
