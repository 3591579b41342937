//! Dispatch over real stores: whom orders are offered to, that no vehicle is ever on two, whatever the number
//! of backends, and that each decision can be read afterwards.

#[path = "../both/mod.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod both;
#[path = "../published/mod.rs"]
mod published;
#[path = "../quoted/mod.rs"]
mod quoted;

mod fight;
mod offers;
mod reasons;
mod world;

use tempfile::TempDir;
use tripline_backend::store::Store;

/// A store with a second door to it: on PostgreSQL a backend of its own, on SQLite, which has one backend,
/// another hand of it.
async fn stores() -> (TempDir, Vec<(Store, Store)>) {
    let dir = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", dir.path().join("test.db").display());
    let store = Store::open(&url).await.expect("SQLite opens");
    let mut stores = vec![(store.clone(), store)];
    if let Some(url) = both::postgres().await {
        let store = Store::open(&url).await.expect("PostgreSQL opens");
        stores.push((store, Store::open(&url).await.expect("PostgreSQL opens again")));
    }
    (dir, stores)
}
