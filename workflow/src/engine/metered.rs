//! A store whose calls are timed, for metrics: everything else is the store's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use super::meter;
use crate::journal::command::{Command, Reply};
use crate::journal::lease::LimitName;
use crate::store::fsck::Report;
use crate::store::{
    Beat, BoxFuture, Heart, Hinted, ListQuery, LostWrites, Outcome, Overview, Page, Pending, QueueView, SessionView,
    Shelf, Snapshot, Store, StoreError, StoreFacts,
};
use crate::words::id::{InstanceId, QueueName, SessionId};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// The store, timed if anything is measured.
pub(super) fn metered(store: Arc<dyn Store>) -> Arc<dyn Store> {
    if meter::ON { Arc::new(Metered(store, AtomicU64::new(0))) } else { store }
}

/// The store, and how many lost calls were counted.
#[derive(Debug)]
struct Metered(Arc<dyn Store>, AtomicU64);

impl Metered {
    fn count_losses(&self) {
        let lost = self.0.lost_writes().borrow().calls;
        meter::lost(lost.saturating_sub(self.1.fetch_max(lost, Ordering::Relaxed)));
    }
}

/// Measures a call from when it is first polled.
fn timed<'a, T: 'a>(
    call: &'static str,
    answer: BoxFuture<'a, Result<T, StoreError>>,
) -> BoxFuture<'a, Result<T, StoreError>> {
    Box::pin(async move {
        let asked = Instant::now();
        let outcome = answer.await;
        meter::called(call, asked.elapsed(), &outcome);
        outcome
    })
}

// A method that is left to its default would answer for a store that is not there.
#[deny(clippy::missing_trait_methods)]
impl Store for Metered {
    fn describe(&self) -> String {
        self.0.describe()
    }

    fn facts(&self) -> StoreFacts {
        self.0.facts()
    }

    fn writable(&self) -> bool {
        self.0.writable()
    }

    fn lost_writes(&self) -> watch::Receiver<LostWrites> {
        self.0.lost_writes()
    }

    fn partitions(&self) -> usize {
        self.0.partitions()
    }

    fn partition_of(&self, id: &InstanceId) -> usize {
        self.0.partition_of(id)
    }

    fn home_of(&self, name: &LimitName) -> usize {
        self.0.home_of(name)
    }

    fn execute(&self, partition: usize, batch: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, StoreError>> {
        meter::batch(batch.len());
        Box::pin(async move {
            let outcome = timed("execute", self.0.execute(partition, batch)).await;
            self.count_losses();
            outcome
        })
    }

    fn hints(&self) -> broadcast::Receiver<Hinted> {
        self.0.hints()
    }

    fn heart(&self) -> Result<Box<dyn Heart>, StoreError> {
        Ok(Box::new(MeteredHeart(self.0.heart()?)))
    }

    fn inspect(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        timed("inspect", self.0.inspect(id))
    }

    fn outcome(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Outcome>, StoreError>> {
        timed("outcome", self.0.outcome(id))
    }

    fn journal(&self, id: InstanceId, run: u32, from: u32) -> BoxFuture<'_, Result<Option<Vec<Payload>>, StoreError>> {
        timed("journal", self.0.journal(id, run, from))
    }

    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionView>, StoreError>> {
        timed("sessions", self.0.sessions())
    }

    fn held(&self, session: SessionId, limit: usize) -> BoxFuture<'_, Result<Vec<InstanceId>, StoreError>> {
        timed("held", self.0.held(session, limit))
    }

    fn outbox(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        timed("outbox", self.0.outbox(before, limit))
    }

    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>> {
        timed("overview", self.0.overview())
    }

    fn queue(&self, queue: QueueName) -> BoxFuture<'_, Result<QueueView, StoreError>> {
        timed("queue", self.0.queue(queue))
    }

    fn shelves(&self) -> BoxFuture<'_, Result<Vec<Shelf>, StoreError>> {
        // Asked by idle workers too.
        self.count_losses();
        timed("shelves", self.0.shelves())
    }

    fn mend(&self, partition: usize, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        timed("mend", self.0.mend(partition, limit))
    }

    fn lists_by_id(&self) -> bool {
        self.0.lists_by_id()
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        timed("list", self.0.list(query))
    }

    fn now(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>> {
        timed("now", self.0.now())
    }

    fn fsck(&self) -> BoxFuture<'_, Result<Report, StoreError>> {
        timed("fsck", self.0.fsck())
    }
}

struct MeteredHeart(Box<dyn Heart>);

impl Heart for MeteredHeart {
    #[expect(clippy::disallowed_methods, reason = "a heart beats on a thread of its own, outside of any runtime")]
    fn beat(&mut self, session: SessionId, lease: Duration) -> Result<Beat, StoreError> {
        let asked = std::time::Instant::now();
        let outcome = self.0.beat(session, lease);
        meter::called("beat", asked.elapsed(), &outcome);
        outcome
    }
}
