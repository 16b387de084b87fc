//! The one thread that writes: takes what is queued, carries it out in one transaction, answers after the commit.
//!
//! Owns the writing connection, the order of writes, group commit, waiting for locks, recovery from errors and panics,
//! and noticing other processes. Decides nothing about instances: [`super::batch`] does what a command says. Started by
//! [`super::SqliteStore::open`].
//!
//! A group is several callers' batches in one transaction. When it fails, nothing of it is kept, and each caller's
//! batch is tried alone, so that one that cannot be carried out harms no other.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::Shared;
use super::batch::Batch;
use super::cache::Cache;
use super::connection::{self, Role};
use super::fault::Fault;
use super::pause::{self, Pauses};
use super::sql::Sql;
use super::tables::Tables;
use super::url::Location;
use super::weight::weigh;
use crate::journal::command::{Command, Reply};
use crate::store::{Hint, Hinted, StoreError};

/// Most commands of one transaction: it bounds how long a reader's snapshot, and another process, can be kept waiting.
const GROUP_COMMANDS_MAX: usize = 4_096;
/// Most bytes of commands of one transaction, so that the log stays near its limit.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How often other processes' commits are looked for while nothing is to be written and someone listens.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// After another process wrote, so many transactions end with a short pause in which it can get the lock.
const GIVE_WAY_FOR: u32 = 64;
/// Free pages beyond which the file is made smaller, when they are also a quarter of it: a megabyte.
const SPARE_PAGES: i64 = 256;

/// A caller's batch, and where its replies go.
pub(super) struct Submission {
    pub(super) batch: Vec<Command>,
    pub(super) reply: oneshot::Sender<Result<Vec<Reply>, StoreError>>,
}

/// What the writer is asked to do.
pub(super) enum Job {
    /// Carry out a batch.
    Execute(Submission),
    /// Something that must run on this connection, outside a transaction: all reads of a store in memory.
    Visit(Box<dyn FnOnce(&Tables<'_>) + Send>),
    /// Someone listens to hints from now on: look for other processes' commits.
    Listen,
    /// End.
    Stop,
}

/// See the module.
pub(super) struct Writer {
    shared: Arc<Shared>,
    sql: Arc<Sql>,
    jobs: Receiver<Job>,
    /// Taken from `jobs` while a group was gathered, and not part of it.
    kept: VecDeque<Job>,
    /// `None` after a failure that may have left it unusable.
    connection: Option<Connection>,
    cache: Cache,
    /// `PRAGMA data_version` when `cache` was right.
    data_version: i64,
    give_way: u32,
    /// Another process has written, and listeners are still to be told.
    news: bool,
    /// When listeners were last told so.
    told: Option<Instant>,
    /// The newest group deleted instances: the file may be larger than it needs to be.
    shrink: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, sql: Arc<Sql>, jobs: Receiver<Job>, connection: Connection) -> Self {
        Self {
            shared,
            sql,
            jobs,
            kept: VecDeque::new(),
            connection: Some(connection),
            cache: Cache::default(),
            data_version: 0,
            give_way: 0,
            news: false,
            told: None,
            shrink: false,
        }
    }

    /// Works until it is told to stop, or nobody can ask any more.
    pub(super) fn run(mut self) {
        // From here on, what other processes write is news.
        self.look();
        while let Some(job) = self.next_job() {
            match job {
                Job::Execute(first) => self.group(first),
                Job::Visit(visit) => self.visit(visit),
                Job::Listen => {}
                Job::Stop => break,
            }
        }
    }

    fn next_job(&mut self) -> Option<Job> {
        loop {
            self.tell_news();
            if let Some(job) = self.kept.pop_front() {
                return Some(job);
            }
            if let Ok(job) = self.jobs.try_recv() {
                return Some(job);
            }
            if self.shrink {
                self.shrink = self.shrink_file().unwrap_or(false);
            } else if !self.shared.is_file() || self.shared.hints.receiver_count() == 0 {
                return self.jobs.recv().ok();
            } else {
                match self.jobs.recv_timeout(LOOK_EVERY) {
                    Ok(job) => return Some(job),
                    Err(RecvTimeoutError::Timeout) => self.look(),
                    Err(RecvTimeoutError::Disconnected) => return None,
                }
            }
        }
    }

    fn visit(&mut self, visit: Box<dyn FnOnce(&Tables<'_>) + Send>) {
        if let Some(connection) = &self.connection {
            let tables = Tables::new(connection, &self.sql);
            // A visitor that panics drops the sender of its answer, which the caller sees.
            let _ = catch_unwind(AssertUnwindSafe(|| visit(&tables)));
        }
        // A heart may have been among them.
        self.cache.sessions.clear();
    }

    fn group(&mut self, first: Submission) {
        let mut group = vec![first];
        if let Err(fault) = self.begin(&group) {
            return self.answer_all(group, &fault);
        }
        self.gather(&mut group);
        self.run_group(group);
    }

    /// Adds what else is queued, within bounds.
    fn gather(&mut self, group: &mut Vec<Submission>) {
        let mut commands = group[0].batch.len();
        let mut bytes: usize = group[0].batch.iter().map(weigh).sum();
        while commands < GROUP_COMMANDS_MAX && bytes < GROUP_BYTES_MAX && self.kept.is_empty() {
            match self.jobs.try_recv() {
                Ok(Job::Execute(next)) => {
                    commands += next.batch.len();
                    bytes += next.batch.iter().map(weigh).sum::<usize>();
                    group.push(next);
                }
                Ok(Job::Listen) => {}
                Ok(job) => self.kept.push_back(job),
                Err(_) => break,
            }
        }
    }

    /// Carries a group out in the transaction that has begun, and answers.
    fn run_group(&mut self, group: Vec<Submission>) {
        let done = catch_unwind(AssertUnwindSafe(|| self.carry_out(&group)));
        let fault = match done {
            Ok(Ok((replies, hints))) => {
                for (submission, replies) in group.into_iter().zip(replies) {
                    // A caller that has gone needs no answer.
                    let _ = submission.reply.send(Ok(replies));
                }
                self.publish(hints);
                return self.pause_for_others();
            }
            Ok(Err(fault)) => fault,
            Err(_) => Fault::Failed,
        };
        self.undo(&fault);
        if group.len() == 1 || fault.is_environment() {
            return self.answer_all(group, &fault);
        }
        for submission in group {
            let alone = vec![submission];
            match self.begin(&alone) {
                Ok(()) => self.run_group(alone),
                Err(fault) => self.answer_all(alone, &fault),
            }
        }
    }

    fn carry_out(&mut self, group: &[Submission]) -> Result<(Vec<Vec<Reply>>, HashSet<Hint>), Fault> {
        let connection = self.connection.as_ref().expect("a transaction has begun on it");
        let tables = Tables::new(connection, &self.sql);
        // Read once, with the lock held: within this process times in the store never go back.
        let now = self.shared.clock.now();
        let mut batch = Batch::new(tables, &mut self.cache, now);
        let mut replies = Vec::with_capacity(group.len());
        for submission in group {
            let answers: Result<Vec<Reply>, Fault> = submission.batch.iter().map(|c| batch.carry_out(c)).collect();
            replies.push(answers?);
        }
        let done = batch.done();
        connection.prepare_cached("COMMIT")?.execute([])?;
        self.shrink |= done.deleted;
        Ok((replies, done.hints))
    }

    /// Begins a transaction with the write lock, however long other processes keep it, as long as a caller waits.
    fn begin(&mut self, group: &[Submission]) -> Result<(), Fault> {
        let mut pauses = Pauses::new();
        loop {
            match self.try_begin() {
                Err(fault) if fault.is_busy() => {
                    let unwanted = group.iter().all(|submission| submission.reply.is_closed());
                    if unwanted || self.shared.stopping.load(Ordering::Acquire) {
                        return Err(Fault::Unavailable("another process kept the write lock".to_owned()));
                    }
                    pauses.sleep();
                }
                Err(fault) => {
                    self.undo(&fault);
                    return Err(fault);
                }
                Ok(()) => return Ok(()),
            }
        }
    }

    fn try_begin(&mut self) -> Result<(), Fault> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connection::open(&self.shared.target, Role::Writer)?,
        };
        let connection = self.connection.insert(connection);
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.notice_others()
    }

    /// Takes back what a failed group has done so far, and gives up a connection that may be broken.
    fn undo(&mut self, fault: &Fault) {
        let store = &self.shared.target.shown;
        tracing::warn!("commands were not carried out: {}", fault.to_store_error(store));
        self.cache.clear();
        let Some(connection) = &self.connection else { return };
        let clean = connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok();
        // What is in memory would be gone with its connection.
        if self.shared.is_file() && !(clean && matches!(fault, Fault::Damaged(_))) {
            self.connection = None;
        }
    }

    fn answer_all(&self, group: Vec<Submission>, fault: &Fault) {
        for submission in group {
            let _ = submission.reply.send(Err(fault.to_store_error(&self.shared.target.shown)));
        }
    }

    fn publish(&self, hints: HashSet<Hint>) {
        for hint in hints {
            // Nobody may be listening.
            let _ = self.shared.hints.send(Hinted::of(0, hint));
        }
    }

    fn pause_for_others(&mut self) {
        let others = self.give_way > 0 || self.shared.hearts_waiting.load(Ordering::Acquire) > 0;
        self.give_way = self.give_way.saturating_sub(1);
        if others {
            pause::give_way();
        }
    }

    fn look(&mut self) {
        // Whatever is wrong shows when something is to be written.
        let _ = self.notice_others();
    }

    /// Finds out whether another connection has written since the last look.
    fn notice_others(&mut self) -> Result<(), Fault> {
        let Some(connection) = self.connection.as_ref().filter(|_| self.shared.is_file()) else { return Ok(()) };
        let version: i64 = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if version == self.data_version {
            return Ok(());
        }
        let first_look = self.data_version == 0;
        self.data_version = version;
        self.cache.clear();
        // A heart of this process has its own connection, but what it writes is no news. Another process's commit
        // within the same look is missed with it: hints may be.
        let own = self.shared.heart_wrote.swap(false, Ordering::AcqRel);
        if !own && !first_look {
            self.give_way = GIVE_WAY_FOR;
            self.news = true;
        }
        Ok(())
    }

    /// Tells of other processes' commits, a hundred times a second at most.
    #[expect(clippy::disallowed_methods, reason = "a thread outside the runtime, that measures its own pace")]
    fn tell_news(&mut self) {
        if self.news && self.told.is_none_or(|told| told.elapsed() >= LOOK_EVERY) {
            self.news = false;
            self.told = Some(Instant::now());
            let _ = self.shared.hints.send(Hinted::ANYTHING);
        }
    }

    /// Gives free pages back to the disk, a few at a time. Returns whether there are more.
    fn shrink_file(&self) -> Result<bool, Fault> {
        let Some(connection) = self.connection.as_ref().filter(|_| self.shared.is_file()) else { return Ok(false) };
        let pragma = |name: &str| -> Result<i64, Fault> {
            Ok(connection.prepare_cached(name)?.query_row([], |row| row.get(0))?)
        };
        let spare = pragma("PRAGMA freelist_count")?;
        if spare < SPARE_PAGES || spare < pragma("PRAGMA page_count")? / 4 {
            return Ok(false);
        }
        let mut statement = connection.prepare_cached("PRAGMA incremental_vacuum(128)")?;
        let mut steps = statement.query([])?;
        while steps.next()?.is_some() {}
        Ok(true)
    }
}

impl Shared {
    fn is_file(&self) -> bool {
        self.target.location != Location::Memory
    }
}
