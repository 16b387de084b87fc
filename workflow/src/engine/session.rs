//! The worker's session: opened, kept alive by a heart on a thread of its own ([`super::host`]), replaced when it is
//! lost.
//!
//! ```text
//! keep() ── opens ──▶ Session ◀── revoked by: heart thread, a claim, an owner's write
//!    │                   │
//!    └── lost: stops every drive of it, opens the next one
//! ```
//!
//! Owns the session and its heart; it never ends by itself. Everything that writes for instances takes the session from
//! the [`Slot`] and says so when the store calls it fenced.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::backoff::jittered;
use super::host::{Beating, LeaseClock};
use super::meter;
use super::supervise::lock;
use super::worker::Worker;
use crate::journal::command::Command;
use crate::store::{Beat, Heart, LostWrites, Store, StoreError};
use crate::words::id::SessionId;

/// A heart whose thread ended without being told to is replaced after this.
const HEART_PAUSE: Duration = Duration::from_millis(100);

/// One session of this worker.
pub(crate) struct Session {
    id: SessionId,
    since: Instant,
    clock: LeaseClock,
    /// Until when its lease lasts at least, by its clock: counted from before the newest beat was sent.
    leased_until: Mutex<std::time::Instant>,
    revoked: watch::Sender<bool>,
    heart_ended: Notify,
    /// How many claims of each partition were answered with something.
    claims: Mutex<BTreeMap<usize, u64>>,
}

impl Session {
    pub(super) fn new(clock: LeaseClock, lease: Duration) -> Self {
        Self {
            id: SessionId::generate(),
            since: Instant::now(),
            leased_until: Mutex::new(clock.now() + lease),
            clock,
            revoked: watch::channel(false).0,
            heart_ended: Notify::new(),
            claims: Mutex::default(),
        }
    }

    pub(crate) const fn id(&self) -> SessionId {
        self.id
    }

    /// A beat that was sent at `sent` was answered.
    fn beaten(&self, sent: std::time::Instant, lease: Duration) {
        *lock(&self.leased_until) = sent + lease;
    }

    /// Whether its lease may be over, and others may have what it drives: it was frozen, or its beats did not arrive.
    pub(super) fn may_be_over(&self) -> bool {
        *lock(&self.leased_until) < self.clock.now()
    }

    /// How long it has lived.
    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// The number of its next claim of a partition: that of the one before, until one has given something. What a claim
    /// gave that failed here is so given to the next.
    pub(super) fn claim_number(&self, partition: usize) -> u64 {
        let claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.get(&partition).copied().unwrap_or(0) + 1
    }

    /// A claim of a partition was answered: the next one is another.
    pub(super) fn claim_answered(&self, partition: usize) {
        *self.claims.lock().unwrap_or_else(PoisonError::into_inner).entry(partition).or_insert(0) += 1;
    }

    /// The store says that it is fenced: nothing it writes is accepted any more.
    pub(crate) fn revoke(&self) {
        self.revoked.send_replace(true);
    }

    pub(crate) fn is_revoked(&self) -> bool {
        *self.revoked.borrow()
    }

    /// Ready once it is revoked.
    pub(super) async fn until_revoked(&self) {
        // The sender lives as long as `self`, so this only ends with the value.
        let _ = self.revoked.subscribe().wait_for(|revoked| *revoked).await;
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).field("revoked", &self.is_revoked()).finish_non_exhaustive()
    }
}

/// The session to use now; none while one is being opened and after the shutdown.
#[derive(Debug)]
pub(crate) struct Slot(watch::Sender<Option<Arc<Session>>>);

impl Slot {
    pub(super) fn new() -> Self {
        Self(watch::channel(None).0)
    }

    /// The session, if it is not known to be revoked.
    pub(crate) fn current(&self) -> Option<Arc<Session>> {
        self.0.borrow().clone().filter(|session| !session.is_revoked())
    }

    /// Waits until there is one.
    pub(crate) async fn get(&self) -> Arc<Session> {
        let mut slot = self.0.subscribe();
        loop {
            if let Some(session) = self.current() {
                return session;
            }
            // The sender lives as long as `self`.
            let _ = slot.changed().await;
        }
    }

    fn set(&self, session: Option<Arc<Session>>) {
        self.0.send_replace(session);
    }
}

/// Keeps a session open until the worker closes.
pub(super) async fn keep(worker: Arc<Worker>) -> Result<(), StoreError> {
    while !worker.is_stopping() {
        let mut losses = worker.store.lost_writes();
        losses.mark_unchanged();
        let session = open(&worker).await?;
        let published = Published::new(&worker, session.clone());
        let revoked = tokio::select! {
            biased;
            () = worker.until_closed() => return Ok(()),
            revoked = live(&worker, &session) => revoked?,
            () = a_loss(&mut losses) => false,
        };
        drop(published);
        if !revoked {
            begin_anew(&worker, &session).await?;
        }
        if revoked {
            worker.counts.lost_sessions.add();
            meter::session_lost();
            tracing::warn!(
                session = ?session.id,
                lease = ?worker.lease,
                "this worker lost its session: for longer than its lease nothing was heard of it, so others take over what \
                 it drove; it goes on with a new session. Where this repeats, the process is starved or frozen, or the \
                 lease is too short"
            );
        }
    }
    Ok(())
}

/// Ready when the store is found to have lost writes that it had acknowledged.
async fn a_loss(losses: &mut watch::Receiver<LostWrites>) {
    if losses.changed().await.is_err() {
        // This store cannot tell.
        std::future::pending::<()>().await;
    }
}

/// After a loss nothing that this worker has in memory is what the store has: what it drove may be ahead, what it holds
/// there it may have ended long ago, and the numbers by which both know each other may come to stand for something
/// else. So it forgets all of it, gives back what the store says it holds, and goes on with another session.
async fn begin_anew(worker: &Worker, session: &Session) -> Result<(), StoreError> {
    drop(worker.sticky.clear());
    tracing::warn!(session = ?session.id, "the store has lost writes: this worker goes on from what it still has");
    for partition in 0..worker.commands.partitions() {
        let command = Command::CloseSession { session: session.id };
        worker.commands.send_to(partition, command).await?;
    }
    Ok(())
}

async fn open(worker: &Worker) -> Result<Arc<Session>, StoreError> {
    let session = Arc::new(Session::new(worker.host.clock(), worker.lease));
    for partition in 0..worker.commands.partitions() {
        let command = Command::OpenSession { session: session.id, lease: worker.lease };
        worker.commands.send_to(partition, command).await?;
    }
    tracing::debug!(session = ?session.id, "opened a session");
    Ok(session)
}

/// Keeps the session's heart beating until it is revoked.
async fn live(worker: &Worker, session: &Arc<Session>) -> Result<bool, StoreError> {
    loop {
        let _heart = start_heart(worker, session)?;
        tokio::select! {
            biased;
            () = session.until_revoked() => return Ok(true),
            () = session.heart_ended.notified() => {
                tracing::warn!(session = ?session.id, "the thread that renews this worker's lease ended; it is started again");
            }
        }
        tokio::time::sleep(HEART_PAUSE).await;
    }
}

/// Takes the session out of its slot however its keeper ends, and stops what it drove.
struct Published<'a> {
    worker: &'a Worker,
    session: Arc<Session>,
}

impl<'a> Published<'a> {
    fn new(worker: &'a Worker, session: Arc<Session>) -> Self {
        worker.session.set(Some(session.clone()));
        Self { worker, session }
    }
}

impl Drop for Published<'_> {
    fn drop(&mut self) {
        self.session.revoke();
        self.worker.session.set(None);
        self.worker.drives.stop(self.session.id);
    }
}

/// Begins to beat for a session.
fn start_heart(worker: &Worker, session: &Arc<Session>) -> Result<Beating, StoreError> {
    let (store, lease) = (&worker.store, worker.lease);
    let ended = Ended(session.clone());
    let mut pulse = Pulse { store: store.clone(), session: session.clone(), lease, heart: None, trouble: false };
    let beat = move || {
        // Kept by what beats: it goes with it, however that ends.
        let _ended = &ended;
        pulse.once()
    };
    worker.host.beat(beat).map_err(|error| StoreError::Unavailable {
        store: store.describe(),
        message: format!("no thread for the session's heart: {error}"),
    })
}

/// Tells the keeper that the heart beats no more, also after a panic.
struct Ended(Arc<Session>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.heart_ended.notify_one();
    }
}

struct Pulse {
    store: Arc<dyn Store>,
    session: Arc<Session>,
    lease: Duration,
    heart: Option<Box<dyn Heart>>,
    trouble: bool,
}

impl Pulse {
    /// One beat; how long to pause before the next, or none when the session is over.
    fn once(&mut self) -> Option<Duration> {
        let sent = self.session.clock.now();
        match self.beat() {
            Ok(Beat::Alive) => {
                self.session.beaten(sent, self.lease);
                self.trouble = false;
                Some(self.lease / 3)
            }
            Ok(Beat::Fenced) => {
                self.session.revoke();
                None
            }
            Err(error) => {
                if !std::mem::replace(&mut self.trouble, true) {
                    tracing::warn!(
                        session = ?self.session.id,
                        lease = ?self.lease,
                        %error,
                        "this worker could not renew its lease; it tries on, and others take over what it drives when the \
                         lease is over"
                    );
                }
                // A new connection for the next try, soon: the lease is running out.
                self.heart = None;
                Some(jittered((self.lease / 10).min(Duration::from_millis(500))))
            }
        }
    }

    fn beat(&mut self) -> Result<Beat, StoreError> {
        let heart = match &mut self.heart {
            Some(heart) => heart,
            none => none.insert(self.store.heart()?),
        };
        heart.beat(self.session.id, self.lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(600);

    #[test]
    fn a_lease_lasts_from_before_the_newest_beat_that_was_answered() {
        let session = Session::new(LeaseClock::Machine, LEASE);
        assert!(!session.may_be_over());
        let now = session.clock.now();
        session.beaten(now, Duration::ZERO);
        assert!(session.may_be_over() || session.clock.now() == now);
        session.beaten(now, LEASE);
        assert!(!session.may_be_over());
    }

    #[test]
    fn a_claim_has_the_number_of_the_one_before_until_that_is_answered() {
        let session = Session::new(LeaseClock::Machine, LEASE);
        assert_eq!([session.claim_number(0), session.claim_number(0)], [1, 1]);
        for number in [2, 3] {
            session.claim_answered(0);
            assert_eq!(session.claim_number(0), number);
        }
        assert_eq!(session.claim_number(1), 1, "each partition counts its own");
    }
}
