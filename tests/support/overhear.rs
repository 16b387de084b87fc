//! A store that writes down when it gave which instances: for what only the store's own clock can show.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use workflow::journal::command::{ClaimReply, Command, Reply};
use workflow::store::{BoxFuture, Store, StoreError};
use workflow::words::time::Timestamp;

use crate::in_front::{Between, InFront};

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
        Arc::new(InFront::of(store, self.clone()))
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

impl Between for Starts {
    fn execute<'a>(
        &'a self,
        store: &'a dyn Store,
        partition: usize,
        batch: Vec<Command>,
    ) -> BoxFuture<'a, Result<Vec<Reply>, StoreError>> {
        Box::pin(async move {
            let replies = store.execute(partition, batch).await?;
            self.hear(&replies);
            Ok(replies)
        })
    }
}
