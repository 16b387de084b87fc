//! Rows of a namespace's tables as values, and back.
//!
//! Owns how heads, messages, sessions and outgoing commands lie in rows. Decides nothing, and begins no transaction:
//! that is its caller's. Used by the writer, and for reading by readers and hearts.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, ToSql, params};

use super::fault::Fault;
use super::spot::{self, Placement};
use super::sql::Sql;
use crate::journal::command::{InstanceSpec, Outgoing};
use crate::journal::head::Head;
use crate::journal::lease::LimitName;
use crate::journal::message::{Channel, Message, NewMessage};
use crate::journal::table::limit::Limit;
use crate::journal::table::session::Session;
use crate::words::id::{InstanceId, QueueName, SessionId, WorkflowName};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// A connection, seen as the tables of one namespace.
pub(super) struct Tables<'a> {
    connection: &'a Connection,
    sql: &'a Sql,
}

/// An instance as it lies in the file.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) key: i64,
    pub(super) head: Head,
}

/// A shelf on which something is.
pub(super) struct Shelf {
    pub(super) spot: Vec<u8>,
    pub(super) workflow: WorkflowName,
    pub(super) version: u32,
    pub(super) queue: QueueName,
    pub(super) begun: bool,
}

impl Stored {
    /// Roughly how much memory it takes beside the head itself.
    pub(super) fn bytes(&self) -> usize {
        self.head.spec.input.as_bytes().len() + self.head.children.len() * 64
    }
}

impl<'a> Tables<'a> {
    pub(super) const fn new(connection: &'a Connection, sql: &'a Sql) -> Self {
        Self { connection, sql }
    }

    /// The statements' text, for what only one caller asks.
    pub(super) const fn sql(&self) -> &'a Sql {
        self.sql
    }

    pub(super) const fn connection(&self) -> &'a Connection {
        self.connection
    }

    pub(super) fn prepare(&self, sql: &str) -> Result<CachedStatement<'a>, Fault> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    fn execute(&self, sql: &str, values: &[&dyn ToSql]) -> Result<usize, Fault> {
        Ok(self.prepare(sql)?.execute(values)?)
    }

    /// The one number a statement finds.
    pub(super) fn number(&self, sql: &str, values: &[&dyn ToSql]) -> Result<u64, Fault> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(values)?;
        let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        natural(row, 0)
    }

    // ---- instances

    pub(super) fn load(&self, id: &InstanceId) -> Result<Option<Stored>, Fault> {
        let mut statement = self.prepare(&self.sql.load)?;
        let mut rows = statement.query([id.as_str()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let spec = InstanceSpec::decode(blob(row, 2)?).map_err(|error| Fault::damaged(id, &error))?;
        let head = Head::decode(blob(row, 1)?, Arc::new(spec)).map_err(|error| Fault::damaged(id, &error))?;
        Ok(Some(Stored { key: row.get(0)?, head }))
    }

    /// Writes a new instance, and returns its key.
    pub(super) fn insert(&self, id: &InstanceId, head: &Head) -> Result<i64, Fault> {
        let placement = Placement::of(head);
        self.prepare(&self.sql.insert)?.execute(params![
            id.as_str(),
            head.spec.workflow.as_str(),
            head.spec.version,
            head.created_at.as_millis(),
            placement.state,
            head.updated_at.as_millis(),
            placement.spot,
            placement.rank,
            head.encode(),
        ])?;
        let key = self.connection.last_insert_rowid();
        self.execute(&self.sql.insert_spec, &[&key, &head.spec.encode()])?;
        Ok(key)
    }

    /// Writes a head over the one before it, and what follows from it; an index that stays as it is is not touched.
    pub(super) fn update(&self, key: i64, before: &Placement, head: &Head) -> Result<(), Fault> {
        let after = Placement::of(head);
        let (updated_at, blob) = (head.updated_at.as_millis(), head.encode());
        if after.state != before.state {
            let values = params![key, updated_at, blob, after.spot, after.rank, after.state];
            self.execute(&self.sql.update_state, values)?;
        } else if after != *before {
            self.execute(&self.sql.update_place, params![key, updated_at, blob, after.spot, after.rank])?;
        } else {
            self.execute(&self.sql.update_head, params![key, updated_at, blob])?;
        }
        Ok(())
    }

    /// Puts an instance whose head cannot be read where no command meets it.
    pub(super) fn set_aside(&self, id: &InstanceId) -> Result<(), Fault> {
        self.execute(&self.sql.move_spot, params![id.as_str(), [spot::kind::DAMAGED].as_slice(), 0])?;
        Ok(())
    }

    /// Puts instances that were set aside back where their heads say, as far as these can be read now: by another
    /// version of the program they may be whole.
    pub(super) fn take_back(&self) -> Result<(), Fault> {
        for id in self.at_spot(&[spot::kind::DAMAGED], usize::MAX)? {
            if let Ok(Some(stored)) = self.load(&id) {
                let placement = Placement::of(&stored.head);
                self.execute(&self.sql.move_spot, params![id.as_str(), placement.spot, placement.rank])?;
            }
        }
        Ok(())
    }

    /// Deletes everything of an instance.
    pub(super) fn delete(&self, key: i64) -> Result<(), Fault> {
        let sql = self.sql;
        for statement in [
            &sql.delete_instance,
            &sql.delete_spec,
            &sql.delete_records,
            &sql.delete_archives,
            &sql.clear_messages,
            &sql.clear_events,
            &sql.delete_outbox,
        ] {
            self.execute(statement, &[&key])?;
        }
        Ok(())
    }

    // ---- places

    /// The first instances at a spot.
    pub(super) fn at_spot(&self, spot: &[u8], limit: usize) -> Result<Vec<InstanceId>, Fault> {
        Ok(self.ranked_at_spot(spot, limit)?.into_iter().map(|(_, id)| id).collect())
    }

    /// The first instances at a spot, with their ranks.
    pub(super) fn ranked_at_spot(&self, spot: &[u8], limit: usize) -> Result<Vec<(i64, InstanceId)>, Fault> {
        self.ranked(&self.sql.at_spot, params![spot, bound(limit)])
    }

    /// The first instances at a spot that come after one of a rank, with their ranks.
    pub(super) fn at_spot_after(
        &self,
        spot: &[u8],
        after: Option<&(i64, InstanceId)>,
        limit: usize,
    ) -> Result<Vec<(i64, InstanceId)>, Fault> {
        let Some((rank, id)) = after else { return self.ranked_at_spot(spot, limit) };
        self.ranked(&self.sql.at_spot_after, params![spot, rank, id.as_str(), bound(limit)])
    }

    /// The first instances at a spot, up to a rank.
    pub(super) fn at_spot_until(&self, spot: &[u8], rank: i64, limit: usize) -> Result<Vec<(i64, InstanceId)>, Fault> {
        self.ranked(&self.sql.at_spot_until, params![spot, rank, bound(limit)])
    }

    /// Finished instances with no unsent command whose retention is over.
    pub(super) fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(i64, InstanceId)>, Fault> {
        let spot = [spot::kind::DONE].as_slice();
        self.ranked(&self.sql.expired, params![spot, now.as_millis(), bound(limit)])
    }

    fn ranked(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<(i64, InstanceId)>, Fault> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((row.get(0)?, instance_id(row, 1)?));
        }
        Ok(found)
    }

    /// Instances at a spot from a rank on, by id.
    pub(super) fn at_spot_from(&self, spot: &[u8], rank: i64) -> Result<Vec<InstanceId>, Fault> {
        self.ids(&self.sql.at_spot_from, params![spot, rank])
    }

    /// What a session holds and what was woken for it, by id.
    pub(super) fn of_session(&self, session: SessionId, limit: usize) -> Result<Vec<InstanceId>, Fault> {
        let (held, inbox) = (spot::held(session), spot::inbox(session));
        self.ids(&self.sql.at_two_spots, params![held, inbox, bound(limit)])
    }

    fn ids(&self, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<InstanceId>, Fault> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(instance_id(row, 0)?);
        }
        Ok(found)
    }

    /// Whether nothing is at any spot between these two.
    pub(super) fn is_empty(&self, from: &[u8], to: &[u8]) -> Result<bool, Fault> {
        Ok(!self.prepare(&self.sql.next_spot)?.exists([from, to])?)
    }

    /// How many instances are at all spots of a kind.
    pub(super) fn count_kind(&self, kind: u8) -> Result<u64, Fault> {
        let (from, to) = ([kind], [kind + 1]);
        self.number(&self.sql.count_kind, params![from.as_slice(), to.as_slice()])
    }

    /// How many instances are at a spot.
    pub(super) fn count_at(&self, spot: &[u8]) -> Result<u64, Fault> {
        self.number(&self.sql.count_spot, params![spot])
    }

    /// The shelves on which something is.
    pub(super) fn shelves(&self) -> Result<Vec<Shelf>, Fault> {
        let read = |spot: Vec<u8>| {
            let (workflow, version, queue, begun) =
                spot::read_shelf(&spot).ok_or_else(|| Fault::Damaged("a shelf without a workflow".to_owned()))?;
            Ok(Shelf { spot, workflow, version, queue, begun })
        };
        self.spots(spot::kind::SHELF)?.into_iter().map(read).collect()
    }

    /// The smallest rank at a spot.
    pub(super) fn first_rank(&self, spot: &[u8]) -> Result<Option<i64>, Fault> {
        Ok(self.prepare(&self.sql.first_rank)?.query_row([spot], |row| row.get(0)).optional()?)
    }

    /// The spots of one kind at which something is.
    pub(super) fn spots(&self, kind: u8) -> Result<Vec<Vec<u8>>, Fault> {
        self.spots_between(&[kind], &[kind + 1])
    }

    /// The spots between these two at which something is.
    pub(super) fn spots_between(&self, begin: &[u8], end: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        let mut spots: Vec<Vec<u8>> = Vec::new();
        let mut statement = self.prepare(&self.sql.next_spot)?;
        loop {
            let after = spots.last().map_or(begin, Vec::as_slice);
            match statement.query_row(params![after, end], |row| row.get(0)).optional()? {
                Some(next) => spots.push(next),
                None => return Ok(spots),
            }
        }
    }

    // ---- journals

    pub(super) fn append(&self, key: i64, run: u32, first: u32, records: &[Payload]) -> Result<(), Fault> {
        let mut statement = self.prepare(&self.sql.append)?;
        for (seq, record) in (first..).zip(records) {
            statement.execute(params![key, run, seq, record.as_bytes()])?;
        }
        Ok(())
    }

    /// The records of a run from one on.
    pub(super) fn records(&self, key: i64, run: u32, from: u32) -> Result<Vec<Payload>, Fault> {
        let mut statement = self.prepare(&self.sql.records)?;
        let mut rows = statement.query(params![key, run, from])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            records.push(Payload::from_bytes(blob(row, 0)?));
        }
        Ok(records)
    }

    pub(super) fn archive(&self, key: i64, run: u32, expires_at: Timestamp) -> Result<(), Fault> {
        self.execute(&self.sql.archive, params![key, run, expires_at.as_millis()]).map(drop)
    }

    /// The runs that were replaced and are still kept, oldest first.
    pub(super) fn archived(&self, key: i64) -> Result<Vec<u32>, Fault> {
        let mut statement = self.prepare(&self.sql.archived)?;
        let runs = statement.query_map([key], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(runs)
    }

    /// Old runs whose retention is over, by when it was.
    pub(super) fn archives_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(i64, u32)>, Fault> {
        let mut statement = self.prepare(&self.sql.archives_expired)?;
        let rows = statement.query_map(params![now.as_millis(), bound(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(super) fn delete_run(&self, key: i64, run: u32) -> Result<(), Fault> {
        self.execute(&self.sql.delete_run, params![key, run])?;
        self.execute(&self.sql.delete_archive, params![key, run])?;
        Ok(())
    }

    // ---- mailboxes

    pub(super) fn deliver(&self, key: i64, message: &Message) -> Result<(), Fault> {
        let NewMessage { channel, event_id, payload } = &message.message;
        self.execute(&self.sql.remember_event, params![key, event_id.as_ref()])?;
        let (seq, at) = (whole(message.seq), message.at.as_millis());
        let values = params![key, seq, at, channel.as_str(), event_id.as_ref(), payload.as_bytes()];
        self.execute(&self.sql.deliver, values).map(drop)
    }

    pub(super) fn event_known(&self, key: i64, event_id: &str) -> Result<bool, Fault> {
        Ok(self.prepare(&self.sql.event_known)?.exists(params![key, event_id])?)
    }

    /// The messages after a position, in order.
    pub(super) fn messages(&self, key: i64, after: u64) -> Result<Vec<Message>, Fault> {
        let mut statement = self.prepare(&self.sql.messages)?;
        let mut rows = statement.query(params![key, whole(after)])?;
        let mut messages = Vec::new();
        while let Some(row) = rows.next()? {
            messages.push(Message {
                seq: natural(row, 0)?,
                at: Timestamp::from_millis(row.get(1)?),
                message: NewMessage {
                    channel: Channel::from_stored(text(row, 2)?),
                    event_id: text(row, 3)?.into(),
                    payload: Payload::from_bytes(blob(row, 4)?),
                },
            });
        }
        Ok(messages)
    }

    pub(super) fn consume(&self, key: i64, positions: &[u64]) -> Result<(), Fault> {
        let mut statement = self.prepare(&self.sql.consume)?;
        for position in positions {
            statement.execute(params![key, whole(*position)])?;
        }
        Ok(())
    }

    /// Empties a mailbox and forgets its event ids.
    pub(super) fn clear_mailbox(&self, key: i64) -> Result<(), Fault> {
        self.execute(&self.sql.clear_messages, &[&key])?;
        self.execute(&self.sql.clear_events, &[&key])?;
        Ok(())
    }

    // ---- outbox

    pub(super) fn queue(&self, key: i64, at: Timestamp, outgoing: &[(u64, Outgoing)]) -> Result<(), Fault> {
        let mut statement = self.prepare(&self.sql.queue)?;
        for (number, command) in outgoing {
            statement.execute(params![key, whole(*number), at.as_millis(), command.encode()])?;
        }
        Ok(())
    }

    /// Forgets outgoing commands. Returns how many there were.
    pub(super) fn sent(&self, source: &InstanceId, numbers: &[u64]) -> Result<usize, Fault> {
        let key: Option<i64> =
            self.prepare(&self.sql.key_of)?.query_row([source.as_str()], |row| row.get(0)).optional()?;
        let Some(key) = key else { return Ok(0) };
        let mut statement = self.prepare(&self.sql.sent)?;
        let mut done = 0;
        for number in numbers {
            done += statement.execute(params![key, whole(*number)])?;
        }
        Ok(done)
    }

    // ---- sessions

    pub(super) fn session(&self, session: SessionId) -> Result<Option<Session>, Fault> {
        let mut statement = self.prepare(&self.sql.session)?;
        let mut rows = statement.query([session_key(session).as_slice()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Session::decode(blob(row, 0)?).map(Some).map_err(|error| Fault::damaged(&session, &error))
    }

    pub(super) fn save_session(&self, session: SessionId, state: &Session) -> Result<(), Fault> {
        let key = session_key(session);
        self.execute(&self.sql.save_session, params![key.as_slice(), state.encode()]).map(drop)
    }

    pub(super) fn delete_session(&self, session: SessionId) -> Result<(), Fault> {
        self.execute(&self.sql.delete_session, params![session_key(session).as_slice()]).map(drop)
    }

    // ---- limits

    pub(super) fn limit(&self, name: &LimitName) -> Result<Option<Limit>, Fault> {
        let mut statement = self.prepare(&self.sql.limit)?;
        let mut rows = statement.query([name.key()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Limit::decode(blob(row, 0)?).map(Some).map_err(|error| Fault::damaged(&name, &error))
    }

    pub(super) fn save_limit(&self, name: &LimitName, limit: &Limit) -> Result<(), Fault> {
        self.execute(&self.sql.save_limit, params![name.key(), limit.encode()]).map(drop)
    }

    pub(super) fn sessions(&self) -> Result<Vec<(SessionId, Session)>, Fault> {
        let mut statement = self.prepare(&self.sql.sessions)?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let key = blob(row, 0)?.try_into().map_err(|_| Fault::Damaged("a session's id".to_owned()))?;
            let session = SessionId(u128::from_be_bytes(key));
            let state = Session::decode(blob(row, 1)?).map_err(|error| Fault::damaged(&session, &error))?;
            found.push((session, state));
        }
        Ok(found)
    }
}

const fn session_key(session: SessionId) -> [u8; 16] {
    session.0.to_be_bytes()
}

/// A limit as SQLite takes it.
pub(super) fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A position or number as SQLite takes it.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn natural(row: &Row<'_>, index: usize) -> Result<u64, Fault> {
    u64::try_from(row.get::<_, i64>(index)?).map_err(|_| Fault::Damaged("a negative number".to_owned()))
}

pub(super) fn blob<'r>(row: &'r Row<'_>, index: usize) -> Result<&'r [u8], Fault> {
    row.get_ref(index)?.as_blob().map_err(|_| Fault::Damaged("a column holds no bytes".to_owned()))
}

pub(super) fn text<'r>(row: &'r Row<'_>, index: usize) -> Result<&'r str, Fault> {
    row.get_ref(index)?.as_str().map_err(|_| Fault::Damaged("a column holds no text".to_owned()))
}

pub(super) fn instance_id(row: &Row<'_>, index: usize) -> Result<InstanceId, Fault> {
    InstanceId::new(text(row, index)?).map_err(|error| Fault::Damaged(error.to_string()))
}
