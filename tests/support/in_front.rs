//! A store in front of another, for tests that listen in or meddle.

use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::{broadcast, watch};
use workflow::journal::command::{Command, Reply};
use workflow::journal::lease::LimitName;
use workflow::store::fsck::Report;
use workflow::store::{
    BoxFuture, Heart, Hinted, ListQuery, LostWrites, Overview, Page, Pending, QueueView, SessionView, Shelf, Snapshot,
    Store, StoreError, StoreFacts,
};
use workflow::words::id::{InstanceId, QueueName, SessionId};
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

/// What stands between an engine and its store. What it does not say for itself is as the store has it.
pub trait Between: Debug + Send + Sync + 'static {
    /// Carries a batch out.
    fn execute<'a>(
        &'a self,
        store: &'a dyn Store,
        partition: usize,
        batch: Vec<Command>,
    ) -> BoxFuture<'a, Result<Vec<Reply>, StoreError>> {
        store.execute(partition, batch)
    }

    /// Makes a heart.
    ///
    /// # Errors
    /// When the store cannot be reached.
    fn heart(&self, store: &dyn Store) -> Result<Box<dyn Heart>, StoreError> {
        store.heart()
    }

    /// What it has lost.
    fn lost_writes(&self, store: &dyn Store) -> watch::Receiver<LostWrites> {
        store.lost_writes()
    }

    /// Looks at an instance.
    fn inspect<'a>(
        &'a self,
        store: &'a dyn Store,
        id: InstanceId,
    ) -> BoxFuture<'a, Result<Option<Snapshot>, StoreError>> {
        store.inspect(id)
    }

    /// Looks at the ready lists.
    fn shelves<'a>(&'a self, store: &'a dyn Store) -> BoxFuture<'a, Result<Vec<Shelf>, StoreError>> {
        store.shelves()
    }
}

/// A store with something in front of it, which can be reached through this.
#[derive(Debug)]
pub struct InFront<B> {
    between: B,
    store: Arc<dyn Store>,
}

impl<B> InFront<B> {
    /// This in front of that store.
    pub fn of(store: Arc<dyn Store>, between: B) -> Self {
        Self { between, store }
    }

    /// The store behind.
    pub fn behind(&self) -> &dyn Store {
        &*self.store
    }
}

impl<B> Deref for InFront<B> {
    type Target = B;

    fn deref(&self) -> &B {
        &self.between
    }
}

impl<B: Between> Store for InFront<B> {
    fn describe(&self) -> String {
        self.store.describe()
    }

    fn facts(&self) -> StoreFacts {
        self.store.facts()
    }

    fn writable(&self) -> bool {
        self.store.writable()
    }

    fn lost_writes(&self) -> watch::Receiver<LostWrites> {
        self.between.lost_writes(&*self.store)
    }

    fn partitions(&self) -> usize {
        self.store.partitions()
    }

    fn partition_of(&self, id: &InstanceId) -> usize {
        self.store.partition_of(id)
    }

    fn home_of(&self, name: &LimitName) -> usize {
        self.store.home_of(name)
    }

    fn execute(&self, partition: usize, batch: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, StoreError>> {
        self.between.execute(self.behind(), partition, batch)
    }

    fn hints(&self) -> broadcast::Receiver<Hinted> {
        self.store.hints()
    }

    fn heart(&self) -> Result<Box<dyn Heart>, StoreError> {
        self.between.heart(self.behind())
    }

    fn inspect(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        self.between.inspect(self.behind(), id)
    }

    fn journal(&self, id: InstanceId, run: u32, from: u32) -> BoxFuture<'_, Result<Option<Vec<Payload>>, StoreError>> {
        self.store.journal(id, run, from)
    }

    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionView>, StoreError>> {
        self.store.sessions()
    }

    fn held(&self, session: SessionId, limit: usize) -> BoxFuture<'_, Result<Vec<InstanceId>, StoreError>> {
        self.store.held(session, limit)
    }

    fn outbox(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        self.store.outbox(before, limit)
    }

    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>> {
        self.store.overview()
    }

    fn queue(&self, queue: QueueName) -> BoxFuture<'_, Result<QueueView, StoreError>> {
        self.store.queue(queue)
    }

    fn shelves(&self) -> BoxFuture<'_, Result<Vec<Shelf>, StoreError>> {
        self.between.shelves(self.behind())
    }

    fn mend(&self, partition: usize, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        self.store.mend(partition, limit)
    }

    fn fsck(&self) -> BoxFuture<'_, Result<Report, StoreError>> {
        self.store.fsck()
    }

    fn lists_by_id(&self) -> bool {
        self.store.lists_by_id()
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.store.list(query)
    }

    fn now(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>> {
        self.store.now()
    }
}
