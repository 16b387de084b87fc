//! Checks that what is stored is consistent: every index against the heads, every table against every other.
//!
//! Owns the list of what must always be true of the file. Changes nothing. Called by tests, and by whoever doubts a
//! file, through [`super::SqliteStore::fsck`].

use super::fault::Fault;
use super::spot::{self, Placement};
use super::tables::{Tables, instance_id, natural};
use crate::journal::head::{Head, Place};
use crate::words::id::InstanceId;

/// Most complaints returned: a broken file has more than anyone reads.
const COMPLAINTS_MAX: usize = 1_000;

/// Everything that is wrong, in words.
pub(super) fn check(tables: &Tables<'_>) -> Result<Vec<String>, Fault> {
    let mut check = Check { tables, wrong: Vec::new() };
    check.file()?;
    check.instances()?;
    check.strays()?;
    Ok(check.wrong)
}

struct Check<'a> {
    tables: &'a Tables<'a>,
    wrong: Vec<String>,
}

/// The columns that follow from a head, as they are stored.
struct Columns {
    id: InstanceId,
    workflow: String,
    version: u32,
    created_at: i64,
    updated_at: i64,
    placement: Placement,
}

impl Check<'_> {
    fn complain(&mut self, what: String) {
        if self.wrong.len() < COMPLAINTS_MAX {
            self.wrong.push(what);
        }
    }

    /// SQLite's own check of pages, indexes and constraints.
    fn file(&mut self) -> Result<(), Fault> {
        let mut statement = self.tables.connection().prepare("PRAGMA integrity_check(100)")?;
        let found: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for line in found.into_iter().filter(|line| line != "ok") {
            self.complain(format!("SQLite: {line}"));
        }
        Ok(())
    }

    fn instances(&mut self) -> Result<(), Fault> {
        let sql = &self.tables.sql().all_instances;
        let mut statement = self.tables.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let columns = Columns {
                id: instance_id(row, 0)?,
                workflow: row.get(1)?,
                version: row.get(2)?,
                created_at: row.get(3)?,
                updated_at: row.get(4)?,
                placement: Placement { state: row.get(5)?, spot: row.get(6)?, rank: row.get(7)? },
            };
            self.instance(&columns)?;
        }
        Ok(())
    }

    fn instance(&mut self, columns: &Columns) -> Result<(), Fault> {
        let id = &columns.id;
        let stored = match self.tables.load(id) {
            Ok(Some(stored)) => stored,
            Ok(None) => {
                self.complain(format!("{id} has no spec"));
                return Ok(());
            }
            Err(Fault::Damaged(what)) => {
                self.complain(what);
                return Ok(());
            }
            Err(fault) => return Err(fault),
        };
        let head = &stored.head;
        if Placement::of(head) != columns.placement {
            self.complain(format!("{id}: its place in the indexes is not its head's"));
        }
        let derived = (head.spec.workflow.as_str(), head.spec.version, head.created_at, head.updated_at);
        let (created_at, updated_at) = (derived.2.as_millis(), derived.3.as_millis());
        if derived.0 != columns.workflow
            || derived.1 != columns.version
            || created_at != columns.created_at
            || updated_at != columns.updated_at
        {
            self.complain(format!("{id}: a listed column is not its head's"));
        }
        self.session_of(id, head)?;
        self.journal(id, stored.key, head)?;
        self.mailbox(id, stored.key, head)?;
        self.outbox(id, stored.key, head)
    }

    /// What is held, or woken for a session, must be found when that session ends.
    fn session_of(&mut self, id: &InstanceId, head: &Head) -> Result<(), Fault> {
        if let Place::Held { session, .. } | Place::Inbox { session, .. } = head.place
            && self.tables.session(session)?.is_none()
        {
            self.complain(format!("{id} belongs to a session that does not exist"));
        }
        Ok(())
    }

    fn journal(&mut self, id: &InstanceId, key: i64, head: &Head) -> Result<(), Fault> {
        let archived = self.tables.archived(key)?;
        if archived.iter().any(|run| *run >= head.run) {
            self.complain(format!("{id}: an old run is not older than the newest"));
        }
        let mut statement = self.tables.prepare(&self.tables.sql().runs)?;
        let mut rows = statement.query([key])?;
        let mut newest = (0_u32, 0_u64);
        while let Some(row) = rows.next()? {
            let (run, records, first, last, bytes): (u32, u32, u32, u32, u64) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, natural(row, 4)?);
            if first != 0 || last + 1 != records {
                self.complain(format!("{id}: the journal of run {run} has a gap"));
            }
            if run == head.run {
                newest = (records, bytes);
            } else if !archived.contains(&run) {
                self.complain(format!("{id}: run {run} has records and is not kept"));
            }
        }
        if newest != (head.records, head.journal_bytes) {
            self.complain(format!("{id}: the head counts other records than there are"));
        }
        Ok(())
    }

    fn mailbox(&mut self, id: &InstanceId, key: i64, head: &Head) -> Result<(), Fault> {
        let sql = self.tables.sql();
        let unread = self.tables.number(&sql.count_messages, &[&key])?;
        let newest = self.tables.number(&sql.newest_message, &[&key])?;
        let events = self.tables.number(&sql.count_events, &[&key])?;
        if unread != u64::from(head.unread) || newest > head.arrivals {
            self.complain(format!("{id}: the head counts other messages than there are"));
        }
        let ended = matches!(head.place, Place::Done { .. });
        if events != if ended { 0 } else { head.arrivals } {
            self.complain(format!("{id}: {events} event ids are known of {} messages", head.arrivals));
        }
        Ok(())
    }

    fn outbox(&mut self, id: &InstanceId, key: i64, head: &Head) -> Result<(), Fault> {
        let newest = self.tables.number(&self.tables.sql().newest_outgoing, &[&key])?;
        if newest > head.outgoing {
            self.complain(format!("{id}: an outgoing command is newer than the head counts"));
        }
        Ok(())
    }

    /// Rows of instances that do not exist.
    fn strays(&mut self) -> Result<(), Fault> {
        let sql = self.tables.sql();
        for (what, statement) in [
            ("specs", &sql.stray_specs),
            ("records", &sql.stray_records),
            ("old runs", &sql.stray_archives),
            ("messages", &sql.stray_messages),
            ("event ids", &sql.stray_events),
            ("outgoing commands", &sql.stray_outbox),
        ] {
            let count = self.tables.number(statement, &[])?;
            if count > 0 {
                self.complain(format!("{count} {what} belong to no instance"));
            }
        }
        let damaged = [spot::kind::DAMAGED];
        let aside = self.tables.at_spot(&damaged, COMPLAINTS_MAX)?;
        for id in aside {
            self.complain(format!("{id} was set aside because it could not be read"));
        }
        Ok(())
    }
}
