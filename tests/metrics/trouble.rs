//! A store that can be made to fail.

use std::sync::atomic::{AtomicUsize, Ordering};

use support::in_front::Between;
use tokio::sync::watch;
use workflow::journal::command::{Command, OwnReply, Reply};
use workflow::store::{BoxFuture, LostWrites, Shelf, Store, StoreError};

/// How often what fails.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    batches: AtomicUsize,
    looks_at_shelves: AtomicUsize,
    stale: AtomicUsize,
    lost: watch::Sender<LostWrites>,
}

impl Trouble {
    /// So many batches fail.
    pub(crate) fn fail_batches(&self, count: usize) {
        self.batches.store(count, Ordering::SeqCst);
    }

    /// So many looks at the shelves fail.
    pub(crate) fn fail_looks_at_shelves(&self, count: usize) {
        self.looks_at_shelves.store(count, Ordering::SeqCst);
    }

    /// It is found to have lost so many calls.
    pub(crate) fn lose_calls(&self, calls: u64) {
        self.lost.send_modify(|lost| {
            lost.times += 1;
            lost.calls += calls;
        });
    }

    /// The next write of an owner is refused, as if another had the instance.
    pub(crate) fn answer_stale(&self) {
        self.stale.store(1, Ordering::SeqCst);
    }
}

fn take(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn lost() -> StoreError {
    StoreError::Unavailable { store: "troubled:".to_owned(), message: "the test says so".to_owned() }
}

impl Between for Trouble {
    fn execute<'a>(
        &'a self,
        store: &'a dyn Store,
        partition: usize,
        batch: Vec<Command>,
    ) -> BoxFuture<'a, Result<Vec<Reply>, StoreError>> {
        Box::pin(async move {
            let creates = batch.iter().any(|command| matches!(command, Command::Create(_)));
            if creates && take(&self.batches) {
                return Err(lost());
            }
            let mut replies = store.execute(partition, batch).await?;
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

    fn lost_writes(&self, _: &dyn Store) -> watch::Receiver<LostWrites> {
        self.lost.subscribe()
    }

    fn shelves<'a>(&'a self, store: &'a dyn Store) -> BoxFuture<'a, Result<Vec<Shelf>, StoreError>> {
        if take(&self.looks_at_shelves) {
            return Box::pin(std::future::ready(Err(lost())));
        }
        store.shelves()
    }
}
