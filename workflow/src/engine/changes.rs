//! Who waits for a change of which instance: fed by the store's hints, and by the clock, as hints may be lost.
//!
//! Owns the watchers. Never reads the store: whoever is woken looks for itself. Called by clients that wait for a result
//! or a change, and by the engine's loop over hints.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::supervise::lock;
use crate::words::id::InstanceId;

/// How long a watcher sleeps at most.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The watchers of all instances.
#[derive(Clone, Default)]
pub struct Changes {
    watched: Arc<Mutex<HashMap<InstanceId, watch::Sender<()>>>>,
}

impl Changes {
    /// Watches one instance. Begin before reading its state, so that no change falls between the two.
    #[must_use]
    pub fn watch(&self, id: &InstanceId) -> Watch {
        let mut watched = lock(&self.watched);
        let bell = watched.entry(id.clone()).or_insert_with(|| watch::channel(()).0).subscribe();
        Watch { changes: self.clone(), id: id.clone(), bell: Some(bell) }
    }

    /// This instance may have changed.
    pub(crate) fn ring(&self, id: &InstanceId) {
        if let Some(bell) = lock(&self.watched).get(id) {
            bell.send_replace(());
        }
    }

    /// Any may have changed.
    pub(crate) fn ring_all(&self) {
        for bell in lock(&self.watched).values() {
            bell.send_replace(());
        }
    }

    /// How many instances are watched.
    pub(crate) fn count(&self) -> usize {
        lock(&self.watched).len()
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("watched", &self.count()).finish()
    }
}

/// Waits for changes of one instance.
#[derive(Debug)]
pub struct Watch {
    changes: Changes,
    id: InstanceId,
    /// Empty only while this is being dropped.
    bell: Option<watch::Receiver<()>>,
}

impl Watch {
    /// Ready when the instance may have changed since the watch began or this was last ready; after 5 seconds in any
    /// case.
    pub async fn changed(&mut self) {
        if let Some(bell) = &mut self.bell {
            // No change in time, or no sender any more: both are a reason to look.
            let _ = tokio::time::timeout(LOOK_EVERY, bell.changed()).await;
        }
    }
}

impl Watch {
    /// Whether the instance may have changed since the watch began or was last ready.
    pub(crate) fn has_rung(&self) -> bool {
        self.bell.as_ref().is_none_or(|bell| bell.has_changed().unwrap_or(true))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = lock(&self.changes.watched);
        self.bell = None;
        if watched.get(&self.id).is_some_and(|bell| bell.receiver_count() == 0) {
            watched.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    fn id(text: &str) -> InstanceId {
        InstanceId::new(text).expect("valid")
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_before_the_wait_is_not_missed_and_others_do_not_wake() {
        let changes = Changes::default();
        let mut watch = changes.watch(&id("a"));
        let began = Instant::now();
        assert!(!watch.has_rung());
        changes.ring(&id("a"));
        assert!(watch.has_rung());
        watch.changed().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(!watch.has_rung());
        changes.ring(&id("b"));
        watch.changed().await;
        assert_eq!(began.elapsed(), LOOK_EVERY);
        changes.ring_all();
        watch.changed().await;
        assert_eq!(began.elapsed(), LOOK_EVERY);
    }

    #[tokio::test]
    async fn an_instance_nobody_watches_is_forgotten() {
        let changes = Changes::default();
        let (first, second) = (changes.watch(&id("a")), changes.watch(&id("a")));
        drop(first);
        assert_eq!(changes.count(), 1);
        drop(second);
        assert_eq!(changes.count(), 0);
    }
}
