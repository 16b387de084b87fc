//! The model store: everything in memory, in maps, and every decision the transition table's.
//!
//! Owns the shortest correct carrying-out of the table. It is what the other stores are compared with, what the
//! protocol's model checker explores, and a store for tests that need nothing to survive. It never keeps an index:
//! candidates are found by looking at all instances, so its time grows with their number.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use super::fsck::Report;
use super::{
    Beat, BoxFuture, Heart, Hinted, ListQuery, Overview, Page, Pending, QueueView, SessionView, Snapshot, Store,
    StoreError,
};
use crate::journal::command::{Command, Reply};
use crate::words::id::{InstanceId, QueueName, SessionId};
use crate::words::payload::Payload;
use crate::words::time::{Clock, SystemClock, Timestamp};

mod claim;
mod data;
mod fsck;
mod view;

pub use data::{Data, Instance};

/// How many hints a receiver may lag behind.
const HINTS_KEPT: usize = 1_024;

/// A store in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct ModelStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    data: Mutex<Data>,
    clock: Arc<dyn Clock>,
    hints: broadcast::Sender<Hinted>,
}

impl Default for ModelStore {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock::default()))
    }
}

impl ModelStore {
    /// An empty store that reads the time from `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (hints, _) = broadcast::channel(HINTS_KEPT);
        Self { shared: Arc::new(Shared { data: Mutex::default(), clock, hints }) }
    }

    /// Carries out one command now.
    pub fn apply(&self, command: &Command) -> Reply {
        let mut hints = Vec::new();
        let reply = self.data().apply(command, self.shared.clock.now(), &mut hints);
        for hint in hints {
            // Nobody listening is no error: hints are only hints.
            let _ = self.shared.hints.send(Hinted::of(0, hint));
        }
        reply
    }

    /// Everything it holds, to compare or to look at.
    #[must_use]
    pub fn dump(&self) -> Data {
        self.data().clone()
    }

    /// Looks at everything it holds, without a copy of it. Must not ask the store for anything.
    pub fn look<R>(&self, see: impl FnOnce(&Data) -> R) -> R {
        see(&self.data())
    }

    /// Puts back what [`Self::dump`] gave: from then on it is a store that has lost what came after.
    pub fn restore(&self, data: Data) {
        *self.data() = data;
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        // A transition is computed before it is carried out, so a panic of another thread leaves no half of one.
        self.shared.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future that is ready: nothing here waits.
fn ready<T: Send + 'static>(value: T) -> BoxFuture<'static, Result<T, StoreError>> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Store for ModelStore {
    fn describe(&self) -> String {
        "memory:".to_owned()
    }

    fn execute(&self, _partition: usize, batch: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, StoreError>> {
        // When the future is polled, not when it is made: a caller may drop it unpolled.
        Box::pin(async move { Ok(batch.iter().map(|command| self.apply(command)).collect()) })
    }

    fn hints(&self) -> broadcast::Receiver<Hinted> {
        self.shared.hints.subscribe()
    }

    fn heart(&self) -> Result<Box<dyn Heart>, StoreError> {
        Ok(Box::new(ModelHeart { store: self.clone() }))
    }

    fn inspect(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        ready(self.data().inspect(&id))
    }

    fn journal(&self, id: InstanceId, run: u32, from: u32) -> BoxFuture<'_, Result<Option<Vec<Payload>>, StoreError>> {
        ready(self.data().journal(&id, run, from))
    }

    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionView>, StoreError>> {
        ready(self.data().session_views())
    }

    fn held(&self, session: SessionId, limit: usize) -> BoxFuture<'_, Result<Vec<InstanceId>, StoreError>> {
        ready(self.data().held(session, limit))
    }

    fn outbox(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        ready(self.data().outbox(before, limit))
    }

    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>> {
        ready(self.data().overview())
    }

    fn queue(&self, queue: QueueName) -> BoxFuture<'_, Result<QueueView, StoreError>> {
        ready(self.data().queue(&queue))
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        ready(self.data().list(&query))
    }

    fn now(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>> {
        ready(self.shared.clock.now())
    }

    fn fsck(&self) -> BoxFuture<'_, Result<Report, StoreError>> {
        ready(self.data().fsck(&self.describe()))
    }
}

#[derive(Debug)]
struct ModelHeart {
    store: ModelStore,
}

impl Heart for ModelHeart {
    fn beat(&mut self, session: SessionId, lease: Duration) -> Result<Beat, StoreError> {
        let now = self.store.shared.clock.now();
        Ok(self.store.data().beat(session, lease, now))
    }
}
