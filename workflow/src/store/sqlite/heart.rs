//! Hearts: they lengthen leases from threads of their own, whatever the writer is busy with.
//!
//! Owns nothing but a connection. For a store in memory there is one connection only, so its hearts ask the writer.
//! Called by the engine's heartbeat thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rusqlite::Connection;

use super::Shared;
use super::connection::{self, Role};
use super::fault::Fault;
use super::pause::Pauses;
use super::sql::Sql;
use super::tables::Tables;
use super::writer::Job;
use crate::store::{Beat, Heart, StoreError};
use crate::words::id::SessionId;
use crate::words::time::Timestamp;

/// A heart with a connection of its own.
pub(super) struct FileHeart {
    shared: Arc<Shared>,
    sql: Arc<Sql>,
    connection: Option<Connection>,
}

impl FileHeart {
    pub(super) fn open(shared: Arc<Shared>, sql: Arc<Sql>) -> Result<Self, Fault> {
        let connection = connection::open(&shared.target, Role::Heart)?;
        Ok(Self { shared, sql, connection: Some(connection) })
    }

    fn try_beat(&mut self, session: SessionId, lease: Duration) -> Result<Beat, Fault> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connection::open(&self.shared.target, Role::Heart)?,
        };
        let connection = self.connection.insert(connection);
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let beaten = beat(&Tables::new(connection, &self.sql), session, lease, self.shared.clock.now());
        if let Ok(Beat::Alive) = beaten {
            // Told before the commit can be seen, so that the writer takes it for what it is.
            self.shared.heart_wrote.store(true, Ordering::Release);
        }
        match beaten {
            Ok(beat) => connection.prepare_cached("COMMIT")?.execute([]).map(|_| beat).map_err(Fault::from),
            Err(fault) => {
                connection.execute_batch("ROLLBACK")?;
                Err(fault)
            }
        }
    }
}

impl Heart for FileHeart {
    fn beat(&mut self, session: SessionId, lease: Duration) -> Result<Beat, StoreError> {
        let mut pauses = Pauses::new();
        // The writer leaves the lock free for a moment when it knows of this.
        self.shared.hearts_waiting.fetch_add(1, Ordering::AcqRel);
        let outcome = loop {
            match self.try_beat(session, lease) {
                Err(fault) if fault.is_busy() && pauses.slept() < lease => pauses.sleep(),
                outcome => break outcome,
            }
        };
        self.shared.hearts_waiting.fetch_sub(1, Ordering::AcqRel);
        outcome.map_err(|fault| {
            self.connection = None;
            fault.to_store_error(&self.shared.target.shown)
        })
    }
}

/// A heart that asks the writer.
pub(super) struct MemoryHeart {
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: Sender<Job>,
}

impl Heart for MemoryHeart {
    fn beat(&mut self, session: SessionId, lease: Duration) -> Result<Beat, StoreError> {
        let (answer, answered) = channel();
        let clock = self.shared.clock.clone();
        let visit = Job::Visit(Box::new(move |tables| {
            let _ = answer.send(beat(tables, session, lease, clock.now()));
        }));
        let gone = || Fault::Unavailable("it is closed".to_owned());
        let asked = self.jobs.send(visit).map_err(|_| gone());
        let beaten = asked.and_then(|()| answered.recv().map_err(|_| gone())).and_then(|beaten| beaten);
        beaten.map_err(|fault| fault.to_store_error(&self.shared.target.shown))
    }
}

fn beat(tables: &Tables<'_>, session: SessionId, lease: Duration, now: Timestamp) -> Result<Beat, Fault> {
    match tables.session(session)?.and_then(|state| state.beat(lease, now)) {
        Some(next) => tables.save_session(session, &next).map(|()| Beat::Alive),
        None => Ok(Beat::Fenced),
    }
}
