//! Passes the store's hints on to whoever waits for them. A hint is never needed, only early: whoever is woken asks the
//! store, and asks now and then without any.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::changes::Changes;
use super::drives::Tell;
use super::worker::Worker;
use crate::store::{Hint, Hinted, Store, StoreError};

/// "Anything may have happened" is passed on at most this often: acting on it writes, which may be a hint to others.
const ANYTHING_EVERY: Duration = Duration::from_millis(50);

/// Passes hints on until the store's end of the channel is gone.
pub(super) async fn pass_on(
    store: Arc<dyn Store>,
    changes: Changes,
    worker: Option<Weak<Worker>>,
) -> Result<(), StoreError> {
    let mut hints = store.hints();
    let mut desk = Desk { changes, worker, anything_at: None, passed_at: None };
    // Hints from before the subscription are missed.
    desk.anything();
    loop {
        let hint = tokio::select! {
            biased;
            // First: it is rare, and a stream of hints must not keep it waiting.
            () = desk.anything_due() => {
                desk.pass_anything();
                continue;
            }
            hint = hints.recv() => hint,
        };
        match hint {
            Ok(Hinted { partition, hint }) => desk.pass(partition, &hint),
            Err(RecvError::Lagged(_)) => desk.anything(),
            Err(RecvError::Closed) => {
                let message = "it gives no hints any more".to_owned();
                return Err(StoreError::Unavailable { store: store.describe(), message });
            }
        }
    }
}

struct Desk {
    changes: Changes,
    worker: Option<Weak<Worker>>,
    /// When the next "anything" is to be passed on.
    anything_at: Option<Instant>,
    passed_at: Option<Instant>,
}

impl Desk {
    fn pass(&mut self, partition: Option<usize>, hint: &Hint) {
        match hint {
            Hint::Changed(id) => {
                self.changes.ring(id);
                self.for_worker(|worker| worker.drives.tell(id, Tell::Check));
            }
            Hint::Ready(queue) => self.for_worker(|worker| {
                if worker.queues.contains(queue) {
                    worker.bells.among(partition).iter().for_each(|bells| bells.work.notify_one());
                }
            }),
            Hint::Inbox(session) => self.for_worker(|worker| {
                if worker.session.current().is_some_and(|current| current.id() == *session) {
                    worker.bells.among(partition).iter().for_each(|bells| bells.inbox.notify_one());
                }
            }),
            Hint::Timer(due) => self.for_worker(|worker| {
                worker.bells.among(partition).iter().for_each(|bells| bells.timer.set(*due));
            }),
            Hint::Limit(name) => self.for_worker(|worker| worker.limits.may_be_free(Some(name))),
            Hint::Outbox => self.for_worker(|worker| worker.bells.outbox.notify_one()),
            Hint::Anything => self.anything(),
        }
    }

    fn for_worker(&self, tell: impl FnOnce(&Worker)) {
        if let Some(worker) = self.worker.as_ref().and_then(Weak::upgrade) {
            tell(&worker);
        }
    }

    /// At once if the last one is long enough ago, else when it is.
    fn anything(&mut self) {
        let now = Instant::now();
        let next = self.passed_at.map_or(now, |passed| passed + ANYTHING_EVERY);
        if next <= now {
            self.pass_anything();
        } else {
            self.anything_at = Some(next);
        }
    }

    async fn anything_due(&self) {
        match self.anything_at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    fn pass_anything(&mut self) {
        self.anything_at = None;
        self.passed_at = Some(Instant::now());
        self.changes.ring_all();
        self.for_worker(|worker| {
            for bells in worker.bells.among(None) {
                bells.work.notify_one();
                bells.inbox.notify_one();
            }
            worker.limits.may_be_free(None);
            worker.bells.outbox.notify_one();
            worker.drives.tell_all(Tell::Check);
        });
    }
}
