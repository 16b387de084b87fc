//! The embedded store: one SQLite file, shared by any number of processes, or memory.
//!
//! Owns how instances lie in a file and how they get there. Decides nothing: every transition is the table's
//! ([`crate::journal::table`]). Called by the engine through [`Store`].
//!
//! How it works:
//! - **One writer thread** ([`writer`]) carries out what all tasks queue, many batches in one transaction, and answers
//!   after the commit. Callers wait on a channel, never on the disk.
//! - **Readers** ([`readers`]) see the newest commit on connections of their own and never wait for the writer.
//! - **Other processes** take turns at the file's write lock (`BEGIN IMMEDIATE`, retried with jitter for as long as it
//!   takes). Their commits are noticed within 10 ms (`PRAGMA data_version`) and told as [`crate::store::Hint::Anything`].
//! - **After a crash** SQLite's log is replayed by whoever opens the file next: every acknowledged write is there, and no
//!   half of a transaction is.
//! - **Deleted instances** free pages; when a quarter of the file is free, and more than a megabyte, it is made smaller.

mod batch;
mod cache;
mod connection;
mod fault;
mod fsck;
mod heart;
mod pause;
mod readers;
mod schema;
mod spot;
mod sql;
mod tables;
mod url;
mod views;
mod weight;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use tokio::sync::{broadcast, oneshot};

use self::connection::Role;
use self::fault::Fault;
use self::heart::{FileHeart, MemoryHeart};
use self::readers::Readers;
use self::sql::Sql;
use self::tables::Tables;
use self::url::{Location, Target};
use self::writer::{Job, Submission, Writer};
use super::fsck::Report;
use super::{
    BoxFuture, Heart, Hinted, ListQuery, Overview, Page, Pending, QueueView, SessionView, Shelf, Snapshot, Store,
    StoreError, StoreFacts,
};
use crate::journal::command::{Command, Reply};
use crate::words::id::{InstanceId, Namespace, QueueName, SessionId};
use crate::words::payload::Payload;
use crate::words::time::{Clock, Timestamp};

pub use self::url::Synchronous;

/// What a url says, as messages show it: the door through which tests come to the reader of urls.
///
/// # Errors
/// When it is none.
#[doc(hidden)]
pub fn read_url(text: &str) -> Result<String, StoreError> {
    Target::parse(text).map(|target| target.shown)
}

/// How many hints a listener may lag behind before it misses some.
const HINTS_KEPT: usize = 4_096;

/// What the threads of one store share.
struct Shared {
    target: Target,
    clock: Arc<dyn Clock>,
    hints: broadcast::Sender<Hinted>,
    /// Hearts that wait for the write lock now.
    hearts_waiting: AtomicUsize,
    /// A heart of this process has written since the writer last looked.
    heart_wrote: AtomicBool,
    /// The store is being dropped: nobody waits for a lock any more.
    stopping: AtomicBool,
}

/// A store in one SQLite file, or in memory.
///
/// Dropping it writes what is queued, closes the file, and takes as long as one transaction.
pub struct SqliteStore {
    shared: Arc<Shared>,
    sql: Arc<Sql>,
    jobs: Sender<Job>,
    writer: Option<JoinHandle<()>>,
    /// `None` for a store in memory.
    readers: Option<Readers>,
}

impl SqliteStore {
    /// Opens `sqlite:path` or `sqlite::memory:`, and makes the file and the namespace's tables if need be.
    ///
    /// Commits wait for the disk (`?synchronous=full`, the default) or only for the operating system
    /// (`?synchronous=normal`); what is in memory is gone with the store. With `?mode=ro` nothing is made or written: the file
    /// and the namespace must be there, and every command is refused. Any number of processes may open one file.
    /// Due times and leases are judged by `clock`; processes that share a file must read the same one.
    ///
    /// # Errors
    /// [`StoreError::Url`] when it is no such url. When its folder does not exist, the file is no database, another
    /// program's or a newer version's, is read-only, or stays locked for five seconds: an error that names the url.
    pub async fn open(url: &str, namespace: &Namespace, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let target = Target::parse(url)?;
        let shown = target.shown.clone();
        let failed = |fault: &Fault| fault.to_store_error(&shown);
        let shared = Arc::new(Shared {
            target,
            clock,
            hints: broadcast::channel(HINTS_KEPT).0,
            hearts_waiting: AtomicUsize::new(0),
            heart_wrote: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        });
        let (jobs, queue) = channel();
        let (opened, opening) = oneshot::channel();
        let (writers, namespace) = (shared.clone(), namespace.clone());
        let thread = std::thread::Builder::new().name("workflow-write".to_owned()).spawn(move || {
            match prepare(&writers.target, &namespace) {
                Ok((connection, sql)) => {
                    let _ = opened.send(Ok(sql.clone()));
                    Writer::new(writers, sql, queue, connection).run();
                }
                Err(fault) => {
                    let _ = opened.send(Err(fault));
                }
            }
        });
        let thread = thread.map_err(|error| failed(&no_thread(&error)))?;
        let sql = opening.await.map_err(|_| failed(&closed()))?.map_err(|fault| failed(&fault))?;
        let mut store = Self { shared, sql, jobs, writer: Some(thread), readers: None };
        if store.shared.target.location != Location::Memory {
            let readers = Readers::start(&store.shared, &store.sql).map_err(|error| failed(&no_thread(&error)))?;
            store.readers = Some(readers);
        }
        Ok(store)
    }

    /// Asks a question in a transaction of its own, away from the executor.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl Fn(&Tables<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let shown = self.shared.target.shown.clone();
        match &self.readers {
            Some(readers) => readers.ask(Box::new(move |tables| {
                let found = tables.and_then(|tables| snapshot(tables, &question, || !answer.is_closed()));
                let _ = answer.send(found.map_err(|fault| fault.to_store_error(&shown)));
            })),
            None => {
                let visit = Job::Visit(Box::new(move |tables| {
                    let _ = answer.send(question(tables).map_err(|fault| fault.to_store_error(&shown)));
                }));
                // A writer that has ended is seen below.
                let _ = self.jobs.send(visit);
            }
        }
        answered.await.unwrap_or_else(|_| Err(self.error(&closed())))
    }

    fn error(&self, fault: &Fault) -> StoreError {
        fault.to_store_error(&self.shared.target.shown)
    }
}

/// Opens the writer's connection and makes what is missing.
fn prepare(target: &Target, namespace: &Namespace) -> Result<(rusqlite::Connection, Arc<Sql>), Fault> {
    let connection = connection::open_if(target, Role::Founder, schema::recognise)?;
    if target.read_only {
        let sql = Arc::new(Sql::of_namespace(schema::existing(&connection, namespace)?));
        return Ok((connection, sql));
    }
    let sql = Arc::new(Sql::of_namespace(schema::ensure(&connection, namespace)?));
    connection::patiently(|| Tables::new(&connection, &sql).take_back())?;
    Ok((connection, sql))
}

/// Answers a question from one state of the file, trying again while `wanted` when the file is locked: that happens
/// only for moments, such as when another process replays the log after a crash.
fn snapshot<T>(
    tables: &Tables<'_>,
    question: impl Fn(&Tables<'_>) -> Result<T, Fault>,
    wanted: impl Fn() -> bool,
) -> Result<T, Fault> {
    let mut pauses = pause::Pauses::new();
    loop {
        tables.prepare("BEGIN")?.execute([])?;
        let found = question(tables);
        tables.prepare("COMMIT")?.execute([])?;
        match found {
            Err(fault) if fault.is_busy() && wanted() => pauses.sleep(),
            found => return found,
        }
    }
}

fn read_only() -> Fault {
    Fault::Refused("it was opened to read from only (mode=ro)".to_owned())
}

fn closed() -> Fault {
    Fault::Unavailable("it is closed, or its own code failed".to_owned())
}

fn no_thread(error: &std::io::Error) -> Fault {
    Fault::Unavailable(format!("no thread can be started: {error}"))
}

impl Store for SqliteStore {
    fn describe(&self) -> String {
        self.shared.target.shown.clone()
    }

    fn facts(&self) -> StoreFacts {
        let Target { location, synchronous, .. } = &self.shared.target;
        let durability = match (location, synchronous) {
            (Location::Memory, _) => "in memory: nothing survives the process",
            (Location::File(_), Synchronous::Full) => {
                "synchronous=full: an acknowledged write survives a crash and a power cut"
            }
            (Location::File(_), Synchronous::Normal) => {
                "synchronous=normal: an acknowledged write survives a crash of the process; a power cut may lose the \
                 newest ones"
            }
        };
        let server = format!("SQLite {}", rusqlite::version());
        StoreFacts { server, durability: durability.to_owned(), advice: None }
    }

    fn writable(&self) -> bool {
        !self.shared.target.read_only
    }

    fn execute(&self, _partition: usize, batch: Vec<Command>) -> BoxFuture<'_, Result<Vec<Reply>, StoreError>> {
        if self.shared.target.read_only {
            return Box::pin(std::future::ready(Err(self.error(&read_only()))));
        }
        // Queued when it is polled first; from then on dropping it cancels nothing.
        Box::pin(async move {
            let (reply, replied) = oneshot::channel();
            // A writer that has ended is seen below.
            let _ = self.jobs.send(Job::Execute(Submission { batch, reply }));
            replied.await.unwrap_or_else(|_| Err(self.error(&closed())))
        })
    }

    fn hints(&self) -> broadcast::Receiver<Hinted> {
        let listener = self.shared.hints.subscribe();
        let _ = self.jobs.send(Job::Listen);
        listener
    }

    fn heart(&self) -> Result<Box<dyn Heart>, StoreError> {
        if self.shared.target.read_only {
            return Err(self.error(&read_only()));
        }
        if self.shared.target.location == Location::Memory {
            return Ok(Box::new(MemoryHeart { shared: self.shared.clone(), jobs: self.jobs.clone() }));
        }
        let heart = FileHeart::open(self.shared.clone(), self.sql.clone()).map_err(|fault| self.error(&fault))?;
        Ok(Box::new(heart))
    }

    fn inspect(&self, id: InstanceId) -> BoxFuture<'_, Result<Option<Snapshot>, StoreError>> {
        Box::pin(self.ask(move |tables| views::inspect(tables, &id)))
    }

    fn journal(&self, id: InstanceId, run: u32, from: u32) -> BoxFuture<'_, Result<Option<Vec<Payload>>, StoreError>> {
        Box::pin(self.ask(move |tables| views::journal(tables, &id, run, from)))
    }

    fn sessions(&self) -> BoxFuture<'_, Result<Vec<SessionView>, StoreError>> {
        Box::pin(self.ask(views::sessions))
    }

    fn held(&self, session: SessionId, limit: usize) -> BoxFuture<'_, Result<Vec<InstanceId>, StoreError>> {
        Box::pin(self.ask(move |tables| views::held(tables, session, limit)))
    }

    fn outbox(&self, before: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Pending>, StoreError>> {
        Box::pin(self.ask(move |tables| views::outbox(tables, before, limit)))
    }

    fn overview(&self) -> BoxFuture<'_, Result<Overview, StoreError>> {
        Box::pin(self.ask(views::overview))
    }

    fn shelves(&self) -> BoxFuture<'_, Result<Vec<Shelf>, StoreError>> {
        Box::pin(self.ask(views::shelves))
    }

    fn queue(&self, queue: QueueName) -> BoxFuture<'_, Result<QueueView, StoreError>> {
        Box::pin(self.ask(move |tables| views::queue(tables, &queue)))
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(self.ask(move |tables| views::list(tables, &query)))
    }

    fn now(&self) -> BoxFuture<'_, Result<Timestamp, StoreError>> {
        Box::pin(std::future::ready(Ok(self.shared.clock.now())))
    }

    /// As [`Store::fsck`], and whether the file is whole. In one transaction that reads: what others write meanwhile stays
    /// in the log until it ends.
    fn fsck(&self) -> BoxFuture<'_, Result<Report, StoreError>> {
        let shown = self.shared.target.shown.clone();
        Box::pin(self.ask(move |tables| fsck::check(tables, &shown)))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        let _ = self.jobs.send(Job::Stop);
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("url", &self.shared.target.shown).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("target", &self.target).finish_non_exhaustive()
    }
}
