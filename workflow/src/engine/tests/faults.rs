//! The way from one engine to a store that other engines use too: it can lose, refuse, hold back and damage.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use std::time::Duration;

use tokio::sync::{broadcast, watch};

use crate::engine::supervise::lock;
use crate::journal::command::{ClaimReply, Command, Reply};
use crate::journal::head::Place;
use crate::store::model::{Instance, ModelStore};
use crate::store::{
    Beat, BoxFuture, Heart, Hinted, ListQuery, LostWrites, Overview, Page, Pending, SessionView, Snapshot, Store,
    StoreError,
};
use crate::words::id::{InstanceId, SessionId};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// One engine's way to the store.
#[derive(Debug)]
pub(super) struct Faulty {
    inner: ModelStore,
    /// So many batches are carried out and their replies lost.
    pub(super) lose_replies: AtomicUsize,
    /// So many batches make the store's code panic.
    pub(super) panics: AtomicUsize,
    /// Batches wait before they are carried out while this is set.
    pub(super) cut: watch::Sender<bool>,
    /// Batches that are carried out are answered only while this is not set.
    pub(super) unanswered: watch::Sender<bool>,
    /// The heart does not reach the store.
    pub(super) heart_stopped: std::sync::Arc<AtomicBool>,
    /// Commands about this instance meet damage.
    pub(super) damaged: Mutex<Option<InstanceId>>,
    /// How often they did.
    pub(super) damage_met: AtomicUsize,
    /// Requests for tokens meet damage.
    pub(super) damaged_limits: AtomicBool,
    /// Journals are read as bytes that are none.
    pub(super) garbled: AtomicBool,
    /// So many requests for tokens are carried out, and their answers cannot be read.
    pub(super) garbled_leases: AtomicUsize,
    /// Journals are read only while this is not set.
    pub(super) journals_held: watch::Sender<bool>,
    /// Reading a journal panics.
    pub(super) journal_panics: AtomicBool,
    /// Batches with a create wait for ever while this is set.
    creates_held: std::sync::Arc<AtomicBool>,
    /// So many claims that gave something are carried out, and their answers cannot be read.
    pub(super) garbled_claims: AtomicUsize,
    /// So many of those are carried out, and their answers are lost: the claims are sent again.
    pub(super) lost_claims: AtomicUsize,
    /// How many instances were held at most when a batch was done, by all sessions.
    pub(super) most_held: AtomicUsize,
    /// How often a journal was read.
    pub(super) journals_read: AtomicUsize,
    /// How often a head was read.
    pub(super) heads_read: AtomicUsize,
    /// How many entries each look at the outbox asked for.
    pub(super) outbox_looks: Mutex<Vec<usize>>,
    /// What the store is found to have lost.
    pub(super) losses: watch::Sender<LostWrites>,
    /// How often indexes were looked through.
    pub(super) mended: AtomicUsize,
    /// How many batches came.
    pub(super) batches: AtomicUsize,
    /// How many of them had a claim.
    pub(super) claims: AtomicUsize,
    /// So many of those are not carried out: they meet damage.
    pub(super) failing_claims: AtomicUsize,
    /// So many of those find that others were faster with all.
    pub(super) raced_claims: AtomicUsize,
}

impl Faulty {
    pub(super) fn new(inner: &ModelStore) -> Self {
        Self {
            inner: inner.clone(),
            lose_replies: AtomicUsize::new(0),
            panics: AtomicUsize::new(0),
            cut: watch::channel(false).0,
            unanswered: watch::channel(false).0,
            heart_stopped: std::sync::Arc::default(),
            damaged: Mutex::default(),
            damage_met: AtomicUsize::new(0),
            damaged_limits: AtomicBool::new(false),
            garbled: AtomicBool::new(false),
            garbled_leases: AtomicUsize::new(0),
            lost_claims: AtomicUsize::new(0),
            journals_held: watch::channel(false).0,
            journal_panics: AtomicBool::new(false),
            creates_held: std::sync::Arc::default(),
            garbled_claims: AtomicUsize::new(0),
            most_held: AtomicUsize::new(0),
            journals_read: AtomicUsize::new(0),
            heads_read: AtomicUsize::new(0),
            outbox_looks: Mutex::default(),
            losses: watch::channel(LostWrites::default()).0,
            mended: AtomicUsize::new(0),
            batches: AtomicUsize::new(0),
            claims: AtomicUsize::new(0),
            failing_claims: AtomicUsize::new(0),
            raced_claims: AtomicUsize::new(0),
        }
    }

    /// Holds back what creates instances, while the flag given back is set.
    pub(super) fn hold_creates(&self) -> std::sync::Arc<AtomicBool> {
        self.creates_held.clone()
    }

    /// Nothing this engine sends arrives any more: neither beats nor commands.
    pub(super) fn isolate(&self) {
        self.heart_stopped.store(true, Ordering::SeqCst);
        self.cut.send_replace(true);
    }

    pub(super) fn reconnect(&self) {
        self.heart_stopped.store(false, Ordering::SeqCst);
        self.cut.send_replace(false);
    }

    async fn until_connected(&self) {
        let _ = self.cut.subscribe().wait_for(|cut| !cut).await;
    }

    /// Carries out a batch whose claims are given nothing, as others were faster.
    async fn race(&self, mut batch: Vec<Command>) -> Result<Vec<Reply>, StoreError> {
        for command in &mut batch {
            if let Command::Claim(claim) = command {
                claim.limit = 0;
            }
        }
        let mut replies = self.inner.execute(0, batch).await?;
        for reply in &mut replies {
            if let Reply::Claim(ClaimReply::Given { raced, .. }) = reply {
                *raced = true;
            }
        }
        Ok(replies)
    }

    async fn carry_out(&self, batch: Vec<Command>) -> Result<Vec<Reply>, StoreError> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        let has_claim = batch.iter().any(|command| matches!(command, Command::Claim(_)));
        self.claims.fetch_add(usize::from(has_claim), Ordering::SeqCst);
        self.until_connected().await;
        if has_claim && take_one(&self.failing_claims) {
            return Err(StoreError::Damaged { store: self.describe(), message: "a bad claim".to_owned() });
        }
        if self.creates_held.load(Ordering::SeqCst) && batch.iter().any(|command| matches!(command, Command::Create(_)))
        {
            std::future::pending::<()>().await;
        }
        assert!(!take_one(&self.panics), "the store's code panics");
        if let Some(id) = &*lock(&self.damaged)
            && batch.iter().any(|command| is_about(command, id))
        {
            self.damage_met.fetch_add(1, Ordering::SeqCst);
            return Err(StoreError::Damaged { store: self.describe(), message: "a bad page".to_owned() });
        }
        if self.damaged_limits.load(Ordering::SeqCst) && batch.iter().any(|one| matches!(one, Command::Lease(_))) {
            return Err(StoreError::Damaged { store: self.describe(), message: "a bad limit".to_owned() });
        }
        let raced = has_claim && take_one(&self.raced_claims);
        let replies = if raced { self.race(batch).await? } else { self.inner.execute(0, batch).await? };
        let _ = self.unanswered.subscribe().wait_for(|unanswered| !unanswered).await;
        let held = |instance: &&Instance| matches!(instance.head.place, Place::Held { .. });
        self.most_held.fetch_max(self.inner.dump().instances.values().filter(held).count(), Ordering::SeqCst);
        if replies.iter().any(|reply| matches!(reply, Reply::Lease(_))) && take_one(&self.garbled_leases) {
            return Err(StoreError::Damaged { store: self.describe(), message: "a garbled answer".to_owned() });
        }
        if replies.iter().any(gives) && take_one(&self.garbled_claims) {
            return Err(StoreError::Damaged { store: self.describe(), message: "a garbled answer".to_owned() });
        }
        if replies.iter().any(gives) && take_one(&self.lost_claims) {
            return Err(unreachable_store());
        }
        if take_one(&self.lose_replies) { Err(unreachable_store()) } else { Ok(replies) }
    }
}

fn is_about(command: &Command, id: &InstanceId) -> bool {
    match command {
        Command::Create(create) => create.id == *id,
        Command::Own(own) => own.owner.id == *id,
        _ => false,
    }
}

fn gives(reply: &Reply) -> bool {
    matches!(reply, Reply::Claim(ClaimReply::Given { instances, .. }) if !instances.is_empty())
}

fn take_one(counter: &AtomicUsize) -> bool {
    counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn unreachable_store() -> StoreError {
    StoreError::Unavailable { store: "faulty:".to_owned(), message: "the connection was lost".to_owned() }
}

impl Store for Faulty {
    fn describe(&self) -> String {
        "faulty:".to_owned()
    }

    fn lost_writes(&self) -> watch::Receiver<LostWrites> {
        self.losses.subscribe()
    }

    fn execute(&self, _partition: usize, batch: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, StoreError>> {
        Box::pin(self.carry_out(batch))
    }

    fn hints(&self) -> broadcast::Receiver<Hinted> {
        self.inner.hints()
    }

    fn heart(&self) -> Result<Box<dyn Heart>, StoreError> {
        Ok(Box::new(FaultyHeart { inner: self.inner.heart()?, stopped: self.heart_stopped.clone() }))
    }

    fn inspect(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        Box::pin(async move {
            self.until_connected().await;
            self.heads_read.fetch_add(1, Ordering::SeqCst);
            self.inner.inspect(id).await
        })
    }

    fn journal(&self, id: InstanceId, run: u32, from: u32) -> BoxFuture<'_, Result<Option<Vec<Payload>>, StoreError>> {
        Box::pin(async move {
            self.journals_read.fetch_add(1, Ordering::SeqCst);
            assert!(!self.journal_panics.load(Ordering::SeqCst), "the store's code panics");
            let _ = self.journals_held.subscribe().wait_for(|held| !held).await;
            let journal = self.inner.journal(id, run, from).await?;
            if !self.garbled.load(Ordering::SeqCst) {
                return Ok(journal);
            }
            Ok(journal.map(|records| records.iter().map(|_| Payload::from_bytes(*b"no record")).collect()))
        })
    }

    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionView>, StoreError>> {
        Box::pin(async move {
            self.until_connected().await;
            self.inner.sessions().await
        })
    }

    fn held(&self, session: SessionId, limit: usize) -> BoxFuture<'_, Result<Vec<InstanceId>, StoreError>> {
        Box::pin(async move {
            self.until_connected().await;
            self.inner.held(session, limit).await
        })
    }

    fn outbox(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        lock(&self.outbox_looks).push(limit);
        self.inner.outbox(before, limit)
    }

    fn mend(&self, partition: usize, limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        self.mended.fetch_add(1, Ordering::SeqCst);
        self.inner.mend(partition, limit)
    }

    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>> {
        self.inner.overview()
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.inner.list(query)
    }

    fn now(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>> {
        self.inner.now()
    }
}

struct FaultyHeart {
    inner: Box<dyn Heart>,
    stopped: std::sync::Arc<AtomicBool>,
}

impl Heart for FaultyHeart {
    fn beat(&mut self, session: SessionId, lease: Duration) -> Result<Beat, StoreError> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(unreachable_store());
        }
        self.inner.beat(session, lease)
    }
}
