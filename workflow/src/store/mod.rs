//! The durability contract: what every store does, and what is true after a crash.
//!
//! A store keeps instances (head, journal, mailbox, outbox), sessions, and the indexes that follow from the heads. It
//! decides nothing: every transition is [`crate::journal::table`]'s, carried out atomically. The only layer that knows
//! a database. Called by the engine's batcher and by read-only views.

pub mod fsck;
pub(crate) mod listing;
pub mod model;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use tokio::sync::{broadcast, watch};

use self::fsck::Report;
pub use self::listing::{Cursor, DamagedRow, ListQuery, Overview, Page, Row, Shelf};
use crate::journal::command::{Command, PauseReason, Reply};
use crate::journal::head::{End, Head, Place};
use crate::journal::lease::LimitName;
pub use crate::journal::table::Hint;
use crate::words::id::{InstanceId, QueueName, SessionId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// A hint, and where what it tells of is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hinted {
    /// The partition; `None`: it may be any.
    pub partition: Option<usize>,
    /// What may have happened there.
    pub hint: Hint,
}

impl Hinted {
    /// Anything may have happened, anywhere.
    pub const ANYTHING: Self = Self { partition: None, hint: Hint::Anything };

    /// A hint of one partition.
    pub fn of(partition: usize, hint: Hint) -> Self {
        Self { partition: Some(partition), hint }
    }
}

/// A boxed future, as the store's methods return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A store of workflow instances.
///
/// Objects are shared by all tasks of an engine. Every method may be called again after an error.
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// What this store is, for messages: its url without secrets.
    fn describe(&self) -> String;

    /// What keeps the data, and what a write survives there: as it was when the store was opened.
    fn facts(&self) -> StoreFacts {
        StoreFacts { server: "unknown".to_owned(), durability: "unknown".to_owned(), advice: None }
    }

    /// Whether it takes commands. One that was opened to read from only refuses them all.
    fn writable(&self) -> bool {
        true
    }

    /// What it was found to have lost of what it had acknowledged, from now on too. A store that cannot tell has lost
    /// nothing. A loss is told before the answer that proves it.
    fn lost_writes(&self) -> watch::Receiver<LostWrites> {
        watch::channel(LostWrites::default()).1
    }

    /// How many partitions it has: commands of one batch go to one partition.
    fn partitions(&self) -> usize {
        1
    }

    /// Which partition an instance is in.
    fn partition_of(&self, _id: &InstanceId) -> usize {
        0
    }

    /// Which partition keeps the tokens of a limit: commands about it go there.
    fn home_of(&self, _name: &LimitName) -> usize {
        0
    }

    /// Carries out commands, in order, each atomically; one reply for each.
    ///
    /// # Durability
    /// When this returns `Ok`, every transition is kept to the durability of the store: it survives a crash of this
    /// process, and of the machine as far as the store's settings say. When it returns an error, each command may have
    /// been carried out or not, and a batch may have been cut anywhere between two commands: send it again, with the
    /// same request ids, until it is answered.
    fn execute(&self, partition: usize, batch: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, StoreError>>;

    /// Wake-ups from now on, and of which partition each is. Only hints: each may be lost, repeated or late, and a
    /// lagging receiver misses some; whatever they say can also be found by asking.
    fn hints(&self) -> broadcast::Receiver<Hinted>;

    /// A heart for one session, to be beaten from a thread of its own on a connection of its own.
    ///
    /// # Errors
    /// When the store cannot be reached.
    fn heart(&self) -> Result<Box<dyn Heart>, StoreError>;

    /// One instance, or `None` when it does not exist.
    fn inspect(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>>;

    /// What became of an instance: less than [`Self::inspect`] tells, for whoever waits for an end. `None` when it does
    /// not exist.
    fn outcome(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Outcome>, StoreError>> {
        Box::pin(async move { Ok(self.inspect(id).await?.map(|snapshot| Outcome::of(snapshot.head))) })
    }

    /// The encoded records of one run, from record number `from`; `None` when the run does not exist (any more).
    fn journal(&self, id: InstanceId, run: u32, from: u32) -> BoxFuture<'_, Result<Option<Vec<Payload>>, StoreError>>;

    /// The sessions of all workers.
    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionView>, StoreError>>;

    /// What a session holds, at most `limit`, in no particular order.
    fn held(&self, session: SessionId, limit: usize) -> BoxFuture<'_, Result<Vec<InstanceId>, StoreError>>;

    /// Commands for other instances that are not acknowledged, by (queued, source, number), queued before `before`, at
    /// most `limit`. Of one source they are sent in this order: see [`crate::journal::table::outbox`].
    fn outbox(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>>;

    /// How much there is of what, and what nobody can run.
    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>>;

    /// How much waits in the ready list of a queue, and for how long already. For metrics, every few seconds. A store
    /// that does not tell shows an empty queue.
    fn queue(&self, _queue: QueueName) -> BoxFuture<'_, Result<QueueView, StoreError>> {
        Box::pin(std::future::ready(Ok(QueueView::default())))
    }

    /// What nobody can run: [`Overview::shelves`] alone, where that is less to count. Workers ask it every few seconds.
    fn shelves(&self) -> BoxFuture<'_, Result<Vec<Shelf>, StoreError>> {
        Box::pin(async move { Ok(self.overview().await?.shelves) })
    }

    /// Looks at the next `limit` instances of a partition, each time further on and around again, and puts back what
    /// indexes lack of them: it was taken out from outside. How many entries were put back. A store whose indexes
    /// cannot be changed without its instances has nothing to do.
    fn mend(&self, _partition: usize, _limit: usize) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(std::future::ready(Ok(0)))
    }

    /// Whether it can list instances by the beginning of their ids: [`ListQuery::id_prefix`].
    fn lists_by_id(&self) -> bool {
        true
    }

    /// Instances page by page, newest first; of one moment, the greatest id first. With a prefix of ids: by id.
    ///
    /// What the order goes by never changes, so an instance that exists throughout is on exactly one page, unless it is
    /// in the state asked for on one page and not on another. A page looks at a bounded number of instances: where few
    /// of many are what is asked for it may end before it is full, with [`Page::next`]. A damaged instance fails no
    /// page.
    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>>;

    /// The store's time.
    fn now(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>>;

    /// Checks everything that is kept: that each head, journal, mailbox and outbox can be read and is what the others
    /// say, that every index leads to what its heads say and to nothing else, that parents and children know of each
    /// other, and that nothing is left of what is gone.
    ///
    /// Reads everything and changes nothing, while others write: what may be wrong only because something was written
    /// meanwhile is looked at again before it is told.
    ///
    /// # Errors
    /// When the store cannot be read, or has no check.
    fn fsck(&self) -> BoxFuture<'_, Result<Report, StoreError>> {
        let message = "it has no check of what it keeps".to_owned();
        Box::pin(std::future::ready(Err(StoreError::Refused { store: self.describe(), message })))
    }
}

/// What keeps the data of a store, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFacts {
    /// The server or library, with its version.
    pub server: String,
    /// What an acknowledged write survives, in words.
    pub durability: String,
    /// What somebody should change, if anything.
    pub advice: Option<String>,
}

/// What a store was found to have lost of what it had acknowledged, since it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LostWrites {
    /// How often: each time is one failover, power cut or backup that was put back, for each partition it concerned.
    pub times: u64,
    /// How many calls at least were lost, each with up to 64 commands, of this process and others.
    pub calls: u64,
    /// When it was noticed last, by this machine's clock.
    pub newest_at: Option<SystemTime>,
}

/// Keeps one session alive. Blocking: it lives on a thread of its own, so that no busy executor can starve it.
pub trait Heart: Send {
    /// Lengthens the session's lease and raises its beat counter.
    ///
    /// # Errors
    /// When the store cannot be reached; beat again until the lease is over.
    fn beat(&mut self, session: SessionId, lease: Duration) -> Result<Beat, StoreError>;
}

/// The answer to a heart's beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// The session lives.
    Alive,
    /// It is revoked or unknown: nothing it writes is accepted any more.
    Fenced,
}

/// One instance as it stands in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Its id.
    pub id: InstanceId,
    /// Its head.
    pub head: Head,
    /// The runs whose journal is still kept, oldest first, the newest included.
    pub runs: Vec<u32>,
}

/// What became of an instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What it is an instance of.
    pub workflow: WorkflowName,
    /// How far its newest run is.
    pub stands: Stands,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq)]
pub enum Stands {
    /// It goes on.
    Open,
    /// It is paused, for this reason.
    Paused(PauseReason),
    /// It ended so.
    Ended(End),
}

impl Outcome {
    /// What a head says.
    #[must_use]
    pub fn of(head: Head) -> Self {
        let stands = match head.place {
            Place::Done { end, .. } => Stands::Ended(end),
            Place::Paused { reason, .. } => Stands::Paused(reason),
            _ => Stands::Open,
        };
        Self { workflow: head.spec.workflow.clone(), stands }
    }
}

/// A worker's session as the store sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// The session.
    pub session: SessionId,
    /// Its beat counter.
    pub beats: u64,
    /// When its lease runs out, by the store's clock.
    pub expires_at: Timestamp,
    /// It is revoked, and has instances left to recover.
    pub revoked: bool,
}

/// A command waiting to be carried out for another instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// The instance it comes from.
    pub source: InstanceId,
    /// Its number there.
    pub number: u64,
    /// What to do.
    pub outgoing: crate::journal::command::Outgoing,
}

/// How much waits for a worker in one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueView {
    /// Instances in its ready list.
    pub ready: u64,
    /// Since when the first of them is ready, the one that is claimed next; `None` when there is none. Of a store in
    /// several partitions, the earliest of the first ones.
    pub first_since: Option<Timestamp>,
}

/// The store cannot do what was asked. All of these can pass; none says whether a write was done.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached.
    #[error("the store {store} cannot be reached: {message}")]
    Unavailable {
        /// Which, without secrets.
        store: String,
        /// Why.
        message: String,
    },
    /// It refuses to write: full, read-only or wrongly configured.
    #[error("the store {store} refuses: {message}")]
    Refused {
        /// Which, without secrets.
        store: String,
        /// Why, and what to do.
        message: String,
    },
    /// What it holds cannot be read.
    #[error("the store {store} holds damaged data: {message}")]
    Damaged {
        /// Which, without secrets.
        store: String,
        /// What, and where.
        message: String,
    },
    /// The store's url is not one.
    #[error("{message}")]
    Url {
        /// What is wrong with it, without secrets.
        message: String,
    },
}
