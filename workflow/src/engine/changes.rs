//! Who waits for a change of which instance: fed by the store's hints, and by the clock, as hints may be lost.
//!
//! Owns the watchers. Never reads the store: whoever is woken looks for itself. Called by clients that wait for a result
//! or a change, and by the engine's loop over hints.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::backoff::{jittered, spread};
use super::supervise::lock;
use crate::words::id::InstanceId;

/// How long a watcher sleeps at most, while few wait.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longer when many wait, so that all that wait for no hint look about 200 times a second together.
const LOOKS_APART: Duration = Duration::from_millis(5);
/// After "any may have changed", so many look in a second: as many as a store answers beside its work.
const LOOKS_A_SECOND: usize = 2_000;
/// So few look at once.
const FEW: usize = 100;

/// The watchers of all instances.
#[derive(Clone, Default)]
pub struct Changes {
    hub: Arc<Hub>,
}

#[derive(Default)]
struct Hub {
    watched: Mutex<BTreeMap<InstanceId, watch::Sender<Rung>>>,
    /// Watchers that wait now.
    waiting: AtomicUsize,
}

/// How often an instance's bell has rung.
#[derive(Debug, Clone, Copy, Default)]
struct Rung {
    /// For itself.
    itself: u64,
    /// For all.
    all: u64,
}

impl Changes {
    /// Watches one instance. Begin before reading its state, so that no change falls between the two.
    #[must_use]
    pub fn watch(&self, id: &InstanceId) -> Watch {
        let mut watched = lock(&self.hub.watched);
        let bell = watched.entry(id.clone()).or_insert_with(|| watch::channel(Rung::default()).0).subscribe();
        let heard = bell.borrow().itself;
        Watch { changes: self.clone(), id: id.clone(), bell: Some(bell), heard }
    }

    /// This instance may have changed.
    pub(crate) fn ring(&self, id: &InstanceId) {
        if let Some(bell) = lock(&self.hub.watched).get(id) {
            bell.send_modify(|rung| rung.itself += 1);
        }
    }

    /// Any may have changed.
    pub(crate) fn ring_all(&self) {
        for bell in lock(&self.hub.watched).values() {
            bell.send_modify(|rung| rung.all += 1);
        }
    }

    /// How many instances are watched.
    pub(crate) fn count(&self) -> usize {
        lock(&self.hub.watched).len()
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
    bell: Option<watch::Receiver<Rung>>,
    /// How often it had rung for the instance itself when this was last ready.
    heard: u64,
}

impl Watch {
    /// Ready when the instance may have changed since the watch began or this was last ready; after some seconds in any
    /// case.
    ///
    /// A change of the instance itself is told at once. What is only possible (hints were lost, or none came for long) is
    /// looked at by few watchers at a time, however many there are.
    pub async fn changed(&mut self) {
        let waiting = Waiting::new(&self.changes.hub);
        let Some(bell) = &mut self.bell else { return };
        let rung = tokio::time::timeout(look_every(waiting.count()), bell.changed()).await;
        // Anew: who began first knew of few.
        let others = waiting.count();
        if matches!(rung, Ok(Ok(()))) && bell.borrow_and_update().itself == self.heard && others > FEW {
            let heard = self.heard;
            // No ring of its own in time is a reason to look too.
            let _ = tokio::time::timeout(turn(others), bell.wait_for(|rung| rung.itself != heard)).await;
        }
        self.heard = bell.borrow_and_update().itself;
    }

    /// Whether the instance may have changed since the watch began or was last ready.
    pub(crate) fn has_rung(&self) -> bool {
        self.bell.as_ref().is_none_or(|bell| bell.has_changed().unwrap_or(true))
    }
}

/// How long one of so many watchers waits for a hint.
fn look_every(waiting: usize) -> Duration {
    let apart = LOOKS_APART.saturating_mul(u32::try_from(waiting).unwrap_or(u32::MAX));
    if apart <= LOOK_EVERY { LOOK_EVERY } else { jittered(apart) }
}

/// How long one of so many lets others look first.
fn turn(waiting: usize) -> Duration {
    spread(Duration::from_millis((waiting * 1_000 / LOOKS_A_SECOND) as u64))
}

/// Counts a watcher while it waits.
struct Waiting(Arc<Hub>);

impl Waiting {
    fn new(hub: &Arc<Hub>) -> Self {
        hub.waiting.fetch_add(1, Ordering::Relaxed);
        Self(hub.clone())
    }

    /// How many wait, this one included.
    fn count(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = lock(&self.changes.hub.watched);
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

    /// Starts so many watchers, each of an instance of its own, that count how often they are told to look.
    fn crowd(changes: &Changes, watchers: usize) -> (Arc<AtomicUsize>, tokio::task::JoinSet<()>) {
        let looks = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..watchers {
            let (mut watch, looks) = (changes.watch(&id(&format!("i{number}"))), looks.clone());
            tasks.spawn(async move {
                loop {
                    watch.changed().await;
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        (looks, tasks)
    }

    #[tokio::test(start_paused = true)]
    async fn many_watchers_look_no_more_often_together_than_a_store_can_bear() {
        let changes = Changes::default();
        let (looks, _tasks) = crowd(&changes, 10_000);
        tokio::time::sleep(Duration::from_secs(300)).await;
        let looked = looks.load(Ordering::Relaxed);
        assert!((300 * 100..=300 * 400).contains(&looked), "{looked} looks in 300 s");
    }

    #[tokio::test(start_paused = true)]
    async fn when_any_may_have_changed_many_take_turns_and_whose_own_rings_is_told_at_once() {
        let changes = Changes::default();
        let (looks, _tasks) = crowd(&changes, 10_000);
        // All wait now.
        tokio::time::sleep(Duration::from_millis(1)).await;
        changes.ring_all();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let early = looks.load(Ordering::Relaxed);
        assert!((500..2_000).contains(&early), "{early} looks in half a second");

        let own = id("i7");
        let mut watch = changes.watch(&own);
        changes.ring_all();
        let began = Instant::now();
        let ring = async {
            tokio::task::yield_now().await;
            changes.ring(&own);
        };
        tokio::join!(watch.changed(), ring);
        assert_eq!(began.elapsed(), Duration::ZERO);

        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(looks.load(Ordering::Relaxed) >= 10_000, "everyone had its turn");
    }
}
