//! A store that writes down when it gave which instances: for what only the store's own clock can show.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;
use workflow::journal::command::{ClaimReply, Command, Reply};
use workflow::journal::lease::LimitName;
use workflow::store::{
    BoxFuture, Heart, Hint, ListQuery, Overview, Page, Pending, SessionView, Snapshot, Store, StoreError,
};
use workflow::words::id::InstanceId;
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

/// The store's times at which claims gave instances whose journal was empty: all that such stores were asked for.
#[derive(Debug, Clone, Default)]
pub struct Starts(Arc<Mutex<Vec<Timestamp>>>);

impl Starts {
    /// The times, in order.
    #[must_use]
    pub fn sorted(&self) -> Vec<Timestamp> {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        times.sort();
        times
    }

    /// How many starts there were at most in any span of this length.
    #[must_use]
    pub fn most_within(&self, span: Duration) -> usize {
        let times = self.sorted();
        let from = |first: &Timestamp| times.iter().filter(|time| *time >= first && **time < first.after(span)).count();
        times.iter().map(from).max().unwrap_or(0)
    }

    /// A way to this store that tells of its claims.
    #[must_use]
    pub fn of(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(Overheard { store, starts: self.clone() })
    }

    fn hear(&self, replies: &[Reply]) {
        for reply in replies {
            if let Reply::Claim(ClaimReply::Given { now, instances, .. }) = reply {
                let started = instances.iter().filter(|claimed| claimed.records == 0).map(|_| *now);
                self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(started);
            }
        }
    }
}

#[derive(Debug)]
struct Overheard {
    store: Arc<dyn Store>,
    starts: Starts,
}

impl Store for Overheard {
    fn describe(&self) -> String {
        self.store.describe()
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
        Box::pin(async move {
            let replies = self.store.execute(partition, batch).await?;
            self.starts.hear(&replies);
            Ok(replies)
        })
    }

    fn hints(&self) -> broadcast::Receiver<Hint> {
        self.store.hints()
    }

    fn heart(&self) -> Result<Box<dyn Heart>, StoreError> {
        self.store.heart()
    }

    fn inspect(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        self.store.inspect(id)
    }

    fn journal(&self, id: InstanceId, run: u32, from: u32) -> BoxFuture<'_, Result<Option<Vec<Payload>>, StoreError>> {
        self.store.journal(id, run, from)
    }

    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionView>, StoreError>> {
        self.store.sessions()
    }

    fn outbox(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        self.store.outbox(before, limit)
    }

    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>> {
        self.store.overview()
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.store.list(query)
    }

    fn now(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>> {
        self.store.now()
    }
}
