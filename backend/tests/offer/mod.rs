//! A first fleet in a store, as `init` takes it in.

use tripline_backend::config::SAMPLE_FLEET;
use tripline_backend::operate::Actor;
use tripline_backend::operate::import::{Source, import};
use tripline_backend::store::Tx;
use tripline_protocol::unit::Timestamp;

/// The sample's provider, tariff and item.
pub(crate) async fn take_in(tx: &mut Tx, at: Timestamp) {
    let source = Source { name: "fleet.toml".into(), rows: None, text: SAMPLE_FLEET.to_owned() };
    let read = |name: &str| Err(format!("{name} is not there"));
    import(tx, &Actor::cli(), &[source], &read, at).await.expect("the sample is taken in");
}
