//! A store that can be made to fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::broadcast;
use workflow::journal::command::{Command, OwnReply, Reply};
use workflow::store::{
    BoxFuture, Heart, Hint, ListQuery, Overview, Page, Pending, QueueView, SessionView, Shelf, Snapshot, Store,
    StoreError,
};
use workflow::words::id::{InstanceId, QueueName};
use workflow::words::payload::Payload;
use workflow::words::time::Timestamp;

/// Another store, now and then.
#[derive(Debug)]
pub(crate) struct Troubled {
    inner: Arc<dyn Store>,
    batches: AtomicUsize,
    looks_at_shelves: AtomicUsize,
    stale: AtomicUsize,
}

impl Troubled {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, batches: AtomicUsize::new(0), looks_at_shelves: AtomicUsize::new(0), stale: AtomicUsize::new(0) }
    }

    /// So many batches fail.
    pub(crate) fn fail_batches(&self, count: usize) {
        self.batches.store(count, Ordering::SeqCst);
    }

    /// So many looks at the shelves fail.
    pub(crate) fn fail_looks_at_shelves(&self, count: usize) {
        self.looks_at_shelves.store(count, Ordering::SeqCst);
    }

    /// The next write of an owner is refused, as if another had the instance.
    pub(crate) fn answer_stale(&self) {
        self.stale.store(1, Ordering::SeqCst);
    }

    /// Sends a command past all engines.
    pub(crate) async fn forward(&self, command: Command) -> Result<Vec<Reply>, StoreError> {
        self.inner.execute(0, vec![command]).await
    }
}

fn take(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn lost() -> StoreError {
    StoreError::Unavailable { store: "troubled:".to_owned(), message: "the test says so".to_owned() }
}

impl Store for Troubled {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn execute(&self, partition: usize, batch: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, StoreError>> {
        Box::pin(async move {
            let creates = batch.iter().any(|command| matches!(command, Command::Create(_)));
            if creates && take(&self.batches) {
                return Err(lost());
            }
            let mut replies = self.inner.execute(partition, batch).await?;
            for reply in &mut replies {
                if let Reply::Own(reply) = reply
                    && take(&self.stale)
                {
                    *reply = OwnReply::Stale;
                }
            }
            Ok(replies)
        })
    }

    fn hints(&self) -> broadcast::Receiver<Hint> {
        self.inner.hints()
    }

    fn heart(&self) -> Result<Box<dyn Heart>, StoreError> {
        self.inner.heart()
    }

    fn inspect(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        self.inner.inspect(id)
    }

    fn journal(&self, id: InstanceId, run: u32, from: u32) -> BoxFuture<'_, Result<Option<Vec<Payload>>, StoreError>> {
        self.inner.journal(id, run, from)
    }

    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionView>, StoreError>> {
        self.inner.sessions()
    }

    fn outbox(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        self.inner.outbox(before, limit)
    }

    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>> {
        self.inner.overview()
    }

    fn shelves(&self) -> BoxFuture<'_, Result<Vec<Shelf>, StoreError>> {
        if take(&self.looks_at_shelves) {
            return Box::pin(std::future::ready(Err(lost())));
        }
        self.inner.shelves()
    }

    fn queue(&self, queue: QueueName) -> BoxFuture<'_, Result<QueueView, StoreError>> {
        self.inner.queue(queue)
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.inner.list(query)
    }

    fn now(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>> {
        self.inner.now()
    }
}
