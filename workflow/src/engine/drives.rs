//! Which instances this worker drives now, and how to reach the task that drives one.
//!
//! Owns the list; the tasks themselves are [`super::drive`]'s. An instance is in the list from before its task starts
//! until after it has ended.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::{Notify, watch};

use super::meter;
use super::supervise::lock;
use crate::authoring::task::{Peek, Seen};
use crate::journal::command::{Claimed, Ending};
use crate::words::id::{InstanceId, SessionId, WorkflowName};

/// What a drive is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    /// The store has a notice for it: a message or a control.
    Look = 1,
    /// A hint says that the instance may have changed: look whether it is still ours.
    Check = 2,
    /// The worker is to stop: end at the next moment at which nothing runs.
    Drain = 4,
    /// Stop now: drop everything, write nothing.
    Stop = 8,
}

/// What a drive was told, and its wake-up; and what it tells those who wait for its end.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    told: AtomicU8,
    bell: Notify,
    /// A look at the run, once it is in memory.
    peek: OnceLock<Peek>,
    /// How the run ended, once that is committed.
    end: OnceLock<Ending>,
    /// The drive is over, whatever became of the run.
    over: AtomicBool,
    over_bell: Notify,
}

impl Signal {
    pub(crate) fn tell(&self, what: Tell) {
        self.told.fetch_or(what as u8, Ordering::AcqRel);
        self.bell.notify_one();
    }

    /// Whether it was told this.
    pub(crate) fn was_told(&self, what: Tell) -> bool {
        self.told.load(Ordering::Acquire) & what as u8 != 0
    }

    /// Whether it was told this since it was last taken.
    pub(crate) fn take(&self, what: Tell) -> bool {
        self.told.fetch_and(!(what as u8), Ordering::AcqRel) & what as u8 != 0
    }

    /// Ready when it was told something since this was last ready.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Ready once it was told one of these. Only one task may wait for a signal.
    pub(crate) async fn until_told(&self, any: &[Tell]) {
        while !any.iter().any(|what| self.was_told(*what)) {
            self.rung().await;
        }
    }

    /// The run is in memory, and others may look at it.
    pub(super) fn shows(&self, peek: Peek) {
        // A drive drives one run.
        let _ = self.peek.set(peek);
    }

    /// What the run does now; `None` while it is not in memory.
    pub(crate) fn look(&self) -> Option<Seen> {
        self.peek.get()?.look()
    }

    /// The drive's run ended so, and the store has it.
    pub(super) fn ended(&self, end: &Ending) {
        // A run ends once.
        let _ = self.end.set(end.clone());
        self.over_bell.notify_waiters();
    }

    fn leave(&self) {
        self.over.store(true, Ordering::Release);
        self.over_bell.notify_waiters();
    }

    /// How the drive's run ended; `None` when the drive is over and the run is not, or ended in another way.
    pub(crate) async fn end(&self) -> Option<Ending> {
        loop {
            let mut rung = pin!(self.over_bell.notified());
            // Before the look, so that no bell falls between the two.
            rung.as_mut().enable();
            let over = self.over.load(Ordering::Acquire);
            if let Some(end) = self.end.get() {
                return Some(end.clone());
            }
            if over {
                return None;
            }
            rung.await;
        }
    }
}

/// All drives of a worker.
pub(crate) struct Drives {
    driven: Mutex<BTreeMap<InstanceId, Driven>>,
    count: watch::Sender<usize>,
    keys: AtomicU64,
}

struct Driven {
    key: u64,
    session: SessionId,
    run: u32,
    v: u64,
    workflow: WorkflowName,
    signal: Arc<Signal>,
}

impl Drives {
    pub(super) fn new() -> Self {
        Self { driven: Mutex::default(), count: watch::channel(0).0, keys: AtomicU64::new(0) }
    }

    /// Takes an instance in. `None` when it is driven already just as it was claimed now: the claim was a repeat.
    ///
    /// A drive of it that is older is told to stop: the store gave the instance anew, so whatever the other one still
    /// writes is stale.
    pub(crate) fn enter(self: &Arc<Self>, session: SessionId, claimed: &Claimed) -> Option<Entered> {
        let mut driven = lock(&self.driven);
        if let Some(known) = driven.get(&claimed.id) {
            if (known.session, known.run, known.v) == (session, claimed.run, claimed.v) {
                return None;
            }
            known.signal.tell(Tell::Stop);
        }
        let key = self.keys.fetch_add(1, Ordering::Relaxed);
        let signal = Arc::new(Signal::default());
        let entry = Driven {
            key,
            session,
            run: claimed.run,
            v: claimed.v,
            workflow: claimed.spec.workflow.clone(),
            signal: signal.clone(),
        };
        driven.insert(claimed.id.clone(), entry);
        self.count.send_modify(|count| *count += 1);
        meter::driving(1, 0);
        Some(Entered { drives: self.clone(), id: claimed.id.clone(), key, signal })
    }

    /// Tells the drive of an instance something, if there is one.
    pub(crate) fn tell(&self, id: &InstanceId, what: Tell) {
        if let Some(driven) = lock(&self.driven).get(id) {
            driven.signal.tell(what);
        }
    }

    /// The drive of an instance, if there is one and the instance is of this workflow (`None`: of any). One whose run
    /// has ended does not count: the instance may have been restarted since.
    pub(crate) fn of(&self, id: &InstanceId, workflow: Option<&str>) -> Option<Arc<Signal>> {
        let driven = lock(&self.driven);
        let found = driven.get(id).filter(|found| workflow.is_none_or(|name| name == found.workflow.as_str()))?;
        found.signal.end.get().is_none().then(|| found.signal.clone())
    }

    /// Whether there is a drive of an instance, one that is about to stop included.
    pub(crate) fn has(&self, id: &InstanceId) -> bool {
        lock(&self.driven).contains_key(id)
    }

    /// Tells every drive something.
    pub(crate) fn tell_all(&self, what: Tell) {
        for driven in lock(&self.driven).values() {
            driven.signal.tell(what);
        }
    }

    /// Stops every drive of a session.
    pub(crate) fn stop(&self, session: SessionId) {
        for driven in lock(&self.driven).values().filter(|driven| driven.session == session) {
            driven.signal.tell(Tell::Stop);
        }
    }

    /// How many drives there are, ones that are about to stop included.
    pub(crate) fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Ready when there is none.
    pub(crate) async fn until_none(&self) {
        // The sender lives as long as `self`.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl fmt::Debug for Drives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drives").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// The place of one drive in the list; it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    drives: Arc<Drives>,
    id: InstanceId,
    key: u64,
    signal: Arc<Signal>,
}

impl Entered {
    pub(crate) const fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut driven = lock(&self.drives.driven);
        if driven.get(&self.id).is_some_and(|entry| entry.key == self.key) {
            driven.remove(&self.id);
        }
        drop(driven);
        self.signal.leave();
        self.drives.count.send_modify(|count| *count -= 1);
        meter::driving(0, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::claimed;
    use crate::words::payload::Payload;

    #[test]
    fn a_repeated_claim_is_not_driven_twice_and_a_newer_one_stops_the_older() {
        let drives = Arc::new(Drives::new());
        let session = SessionId(1);
        let old = drives.enter(session, &claimed("a", 1, 5)).expect("new");
        assert!(drives.enter(session, &claimed("a", 1, 5)).is_none());
        let new = drives.enter(session, &claimed("a", 2, 7)).expect("another run");
        assert!(old.signal().was_told(Tell::Stop));
        assert!(!new.signal().was_told(Tell::Stop));
        drop(old);
        drives.tell(&InstanceId::new("a").expect("valid"), Tell::Look);
        assert!(new.signal().take(Tell::Look));
        assert!(!new.signal().take(Tell::Look));
        assert_eq!(drives.count(), 1);
    }

    #[tokio::test]
    async fn who_waits_for_a_drive_is_told_how_its_run_ended_or_that_it_did_not() {
        let drives = Arc::new(Drives::new());
        let (a, b) = (InstanceId::new("a").expect("valid"), InstanceId::new("b").expect("valid"));
        let ends = drives.enter(SessionId(1), &claimed("a", 1, 5)).expect("new");
        let suspends = drives.enter(SessionId(1), &claimed("b", 1, 5)).expect("new");
        assert!(drives.of(&a, Some("another")).is_none());
        let (of_a, of_b) = (drives.of(&a, None).expect("driven"), drives.of(&b, None).expect("driven"));
        let end = Ending { result: Ok(Payload::from_bytes(*b"1")) };
        let tell = async {
            ends.signal().ended(&end);
            assert!(drives.of(&a, None).is_none(), "who asks later does not ask for this run");
            drop((ends, suspends));
        };
        let (told_a, told_b, ()) = tokio::join!(of_a.end(), of_b.end(), tell);
        assert_eq!((told_a, told_b), (Some(end.clone()), None));
        assert!(drives.of(&a, None).is_none());
    }

    #[test]
    fn an_instance_is_driven_until_its_drive_is_over() {
        let drives = Arc::new(Drives::new());
        let id = |name: &str| InstanceId::new(name).expect("valid");
        let driven = drives.enter(SessionId(1), &claimed("a", 1, 5)).expect("new");
        assert!(drives.has(&id("a")) && !drives.has(&id("b")));
        drop(driven);
        assert!(!drives.has(&id("a")));
        assert_eq!(drives.count(), 0);
    }

    #[tokio::test]
    async fn only_drives_of_the_lost_session_stop() {
        let drives = Arc::new(Drives::new());
        let lost = drives.enter(SessionId(1), &claimed("a", 1, 5)).expect("new");
        let kept = drives.enter(SessionId(2), &claimed("b", 1, 5)).expect("new");
        drives.stop(SessionId(1));
        lost.signal().until_told(&[Tell::Stop]).await;
        assert!(!kept.signal().was_told(Tell::Stop));
        drop((lost, kept));
        drives.until_none().await;
    }
}
