//! Which devices are connected, and how to reach their connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tripline_protocol::id::DeviceId;

/// The handle of one connection.
#[derive(Debug, Default)]
pub struct Session {
    /// Rung when there are commands for the device.
    pub commands: Notify,
    /// Rung when a newer connection of the same device takes over.
    pub taken_over: Notify,
}

/// Every connection.
#[derive(Debug, Default)]
pub struct Sessions {
    sessions: Mutex<HashMap<DeviceId, Arc<Session>>>,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a new connection of a device; an older one is told to go.
    pub fn enter(&self, device: &DeviceId) -> Arc<Session> {
        let session = Arc::new(Session::default());
        if let Some(older) = self.lock().insert(device.clone(), Arc::clone(&session)) {
            older.taken_over.notify_one();
        }
        session
    }

    /// Takes out a connection that ended, unless a newer one is in its place.
    pub fn leave(&self, device: &DeviceId, session: &Arc<Session>) {
        let mut sessions = self.lock();
        if sessions.get(device).is_some_and(|current| Arc::ptr_eq(current, session)) {
            sessions.remove(device);
        }
    }

    /// Tells a device's connection that there are commands.
    pub fn wake(&self, device: &DeviceId) {
        if let Some(session) = self.lock().get(device) {
            session.commands.notify_one();
        }
    }

    /// How many devices are connected.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
