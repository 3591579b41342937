//! The ring of a running platform.

use std::sync::{Arc, PoisonError, RwLock};

use super::ring::KeyRing;

/// Our keys as the next signature is to use them.
#[derive(Debug)]
pub struct LiveKeys {
    subscriber_id: String,
    current: RwLock<Arc<KeyRing>>,
}

impl LiveKeys {
    /// Begins with this ring.
    pub fn new(subscriber_id: String, ring: KeyRing) -> Self {
        Self { subscriber_id, current: RwLock::new(Arc::new(ring)) }
    }

    /// Who we are.
    pub fn subscriber_id(&self) -> &str {
        &self.subscriber_id
    }

    /// The ring at this moment.
    pub fn current(&self) -> Arc<KeyRing> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}
