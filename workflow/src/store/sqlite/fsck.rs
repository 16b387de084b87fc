//! Checks that what is stored is consistent: every index against the heads, every table against every other.
//!
//! Owns the list of what must always be true of the file. Changes nothing. Called by tests, and by whoever doubts a
//! file, through [`super::SqliteStore::fsck`].

use std::collections::BTreeMap;

use rusqlite::params;

use super::fault::Fault;
use super::spot::{self, Placement};
use super::tables::{Tables, blob, instance_id, natural, text};
use crate::journal::command::Outgoing;
use crate::journal::head::Head;
use crate::journal::lease::LimitName;
use crate::journal::message::{Channel, Message, NewMessage};
use crate::journal::table::limit::Limit;
use crate::journal::table::session::Session;
use crate::store::fsck::{
    Archived, Area, FINDINGS_MAX, Finding, Journal, Kept, Mailbox, Relative, Report, check_instance, check_limit,
    check_session, children_missed, is_cared_for, is_missed, parent_wanted,
};
use crate::words::id::{InstanceId, SessionId};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// Everything that is wrong.
pub(super) fn check(tables: &Tables<'_>, shown: &str) -> Result<Report, Fault> {
    let mut check = Check { tables, report: Report::of(shown) };
    check.file()?;
    check.instances()?;
    check.sessions()?;
    check.limits()?;
    check.strays()?;
    Ok(check.report)
}

struct Check<'a> {
    tables: &'a Tables<'a>,
    report: Report,
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
    fn complain(&mut self, area: Area, id: Option<&InstanceId>, place: &str, what: impl Into<String>) {
        self.report.add(Finding::of(area, id, place, what));
    }

    /// SQLite's own check of pages, indexes and constraints.
    fn file(&mut self) -> Result<(), Fault> {
        let mut statement = self.tables.connection().prepare("PRAGMA integrity_check(100)")?;
        let found: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for line in found.into_iter().filter(|line| line != "ok") {
            self.complain(Area::Storage, None, "file", format!("SQLite: {line}"));
        }
        Ok(())
    }

    fn instances(&mut self) -> Result<(), Fault> {
        let sql = &self.tables.sql().all_instances;
        let mut statement = self.tables.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.report.instances += 1;
            let Ok(id) = instance_id(row, 0) else {
                self.complain(Area::Stray, None, "instances", "what is no id has an instance");
                continue;
            };
            let columns = Columns {
                id,
                workflow: row.get(1)?,
                version: row.get(2)?,
                created_at: row.get(3)?,
                updated_at: row.get(4)?,
                placement: Placement { state: row.get(5)?, spot: row.get(6)?, rank: row.get(7)? },
            };
            // Its place is an entry of an index, and so is its line in lists.
            self.report.entries += 2;
            self.instance(&columns)?;
        }
        Ok(())
    }

    fn instance(&mut self, columns: &Columns) -> Result<(), Fault> {
        let id = &columns.id;
        let stored = match self.tables.load(id) {
            Ok(Some(stored)) => stored,
            Ok(None) => {
                self.complain(Area::Head, Some(id), "specs", "it has no spec");
                return Ok(());
            }
            Err(Fault::Damaged(what)) => {
                self.complain(Area::Head, Some(id), "instances", what);
                return Ok(());
            }
            Err(fault) => return Err(fault),
        };
        self.columns(columns, &stored.head);
        let kept = match self.kept(id, stored.key, &stored.head) {
            Err(Fault::Damaged(what)) => {
                self.complain(Area::Storage, Some(id), "rows", what);
                return Ok(());
            }
            kept => kept?,
        };
        self.report.records += kept.journals.values().map(|journal| u64::from(journal.count())).sum::<u64>();
        self.report.messages += kept.mailbox.len() as u64;
        self.report.outgoing += kept.outbox.len() as u64;
        check_instance(&kept).into_iter().for_each(|finding| self.report.add(finding));
        self.session_of(id, &stored.head)?;
        self.family(&kept)
    }

    fn columns(&mut self, columns: &Columns, head: &Head) {
        let id = &columns.id;
        if Placement::of(head) != columns.placement {
            self.complain(Area::Index, Some(id), "instances", "its place in the indexes is not its head's");
        }
        let derived = (head.spec.workflow.as_str(), head.spec.version, head.created_at, head.updated_at);
        let (created_at, updated_at) = (derived.2.as_millis(), derived.3.as_millis());
        if derived.0 != columns.workflow
            || derived.1 != columns.version
            || created_at != columns.created_at
            || updated_at != columns.updated_at
        {
            self.complain(Area::Index, Some(id), "instances", "a listed column is not its head's");
        }
    }

    /// Everything of one instance.
    fn kept<'k>(&self, id: &'k InstanceId, key: i64, head: &'k Head) -> Result<Kept<'k>, Fault> {
        let tables = self.tables;
        let (mailbox, unknown_ids) = self.mailbox(key)?;
        Ok(Kept {
            id,
            head,
            journals: self.journals(key)?,
            archives: self.archives(key)?,
            mailbox,
            event_ids: tables.number(&tables.sql().count_events, &[&key])?,
            unknown_ids,
            outbox: self.outbox(key)?,
        })
    }

    fn journals(&self, key: i64) -> Result<BTreeMap<u32, Journal>, Fault> {
        let mut statement = self.tables.prepare(&self.tables.sql().all_records)?;
        let mut rows = statement.query([key])?;
        let mut journals: BTreeMap<u32, Journal> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            journals.entry(row.get(0)?).or_default().add(row.get(1)?, blob(row, 2)?);
        }
        Ok(journals)
    }

    fn archives(&self, key: i64) -> Result<BTreeMap<u32, Archived>, Fault> {
        let mut statement = self.tables.prepare(&self.tables.sql().archives)?;
        let mut rows = statement.query([key])?;
        let mut archives = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let expires_at = Timestamp::from_millis(row.get(1)?);
            archives.insert(row.get(0)?, Archived { expires_at, records: None });
        }
        Ok(archives)
    }

    /// Its messages, and the positions of those whose id is not known.
    fn mailbox(&self, key: i64) -> Result<(Mailbox, Vec<u64>), Fault> {
        let mut statement = self.tables.prepare(&self.tables.sql().messages)?;
        let mut rows = statement.query(params![key, i64::MIN])?;
        let (mut mailbox, mut unknown) = (BTreeMap::new(), Vec::new());
        while let Some(row) = rows.next()? {
            let seq = natural(row, 0)?;
            let message = Message {
                seq,
                at: Timestamp::from_millis(row.get(1)?),
                message: NewMessage {
                    channel: Channel::from_stored(text(row, 2)?),
                    event_id: text(row, 3)?.into(),
                    payload: Payload::from_bytes(blob(row, 4)?),
                },
            };
            if !self.tables.event_known(key, &message.message.event_id)? {
                unknown.push(seq);
            }
            mailbox.insert(seq, Some(message));
        }
        Ok((mailbox, unknown))
    }

    fn outbox(&self, key: i64) -> Result<BTreeMap<u64, Option<Outgoing>>, Fault> {
        let mut statement = self.tables.prepare(&self.tables.sql().outbox_of)?;
        let mut rows = statement.query([key])?;
        let mut outbox = BTreeMap::new();
        while let Some(row) = rows.next()? {
            outbox.insert(natural(row, 0)?, Outgoing::decode(blob(row, 1)?).ok());
        }
        Ok(outbox)
    }

    fn session_of(&mut self, id: &InstanceId, head: &Head) -> Result<(), Fault> {
        let known = match head.session() {
            Some(session) => self.tables.session(session).map_or_else(read_as_some, |known| Ok(known.is_some()))?,
            None => false,
        };
        check_session(id, head, |_| known).into_iter().for_each(|finding| self.report.add(finding));
        Ok(())
    }

    fn family(&mut self, kept: &Kept<'_>) -> Result<(), Fault> {
        for child in children_missed(kept) {
            if !self.tables.prepare(&self.tables.sql().key_of)?.exists([child.as_str()])? {
                self.report.add(is_missed(kept.id, &child));
            }
        }
        let Some(parent) = parent_wanted(kept.head) else { return Ok(()) };
        let found = match self.tables.load(&parent.id) {
            Ok(Some(found)) => {
                let outbox = self.outbox(found.key)?;
                Some(Relative::of(found.head.children, outbox.values().flatten()))
            }
            Ok(None) => None,
            // It has its own finding.
            Err(Fault::Damaged(_)) => return Ok(()),
            Err(fault) => return Err(fault),
        };
        is_cared_for(kept.id, &parent.id, found.as_ref()).into_iter().for_each(|finding| self.report.add(finding));
        Ok(())
    }

    fn sessions(&mut self) -> Result<(), Fault> {
        let mut statement = self.tables.prepare(&self.tables.sql().sessions)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.report.sessions += 1;
            let id = <[u8; 16]>::try_from(blob(row, 0)?).ok().map(|id| SessionId(u128::from_be_bytes(id)));
            match (id, Session::decode(blob(row, 1)?)) {
                (None, _) => self.complain(Area::Session, None, "sessions", "the id of a session cannot be read"),
                (Some(id), Err(error)) => {
                    self.complain(Area::Session, None, "sessions", format!("session {id} cannot be read: {error}"));
                }
                (Some(_), Ok(_)) => {}
            }
        }
        Ok(())
    }

    fn limits(&mut self) -> Result<(), Fault> {
        let mut statement = self.tables.prepare(&self.tables.sql().limits)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.report.limits += 1;
            let key = text(row, 0)?;
            match (LimitName::of_key(key), Limit::decode(blob(row, 1)?)) {
                (Ok(name), Ok(limit)) => {
                    check_limit(&name, &limit, "limits").into_iter().for_each(|finding| self.report.add(finding))
                }
                (Ok(name), Err(error)) => {
                    self.complain(Area::Limit, None, "limits", format!("the limit of {name} cannot be read: {error}"));
                }
                (Err(_), _) => self.complain(Area::Limit, None, "limits", "a limit is of nothing that can be limited"),
            }
        }
        Ok(())
    }

    /// Rows of instances that do not exist.
    fn strays(&mut self) -> Result<(), Fault> {
        let sql = self.tables.sql();
        for (what, table, statement) in [
            ("specs", "specs", &sql.stray_specs),
            ("records", "records", &sql.stray_records),
            ("old runs", "archives", &sql.stray_archives),
            ("messages", "messages", &sql.stray_messages),
            ("event ids", "events", &sql.stray_events),
            ("outgoing commands", "outbox", &sql.stray_outbox),
        ] {
            let count = self.tables.number(statement, &[])?;
            if count > 0 {
                self.complain(Area::Stray, None, table, format!("{count} {what} belong to no instance"));
            }
        }
        let damaged = [spot::kind::DAMAGED];
        for id in self.tables.at_spot(&damaged, FINDINGS_MAX)? {
            self.complain(Area::Head, Some(&id), "instances", "it was set aside because it could not be read");
        }
        Ok(())
    }
}

/// A session that is there and cannot be read has its own finding.
fn read_as_some(fault: Fault) -> Result<bool, Fault> {
    match fault {
        Fault::Damaged(_) => Ok(true),
        fault => Err(fault),
    }
}
