//! The tables, their version, and which namespace has which.
//!
//! Owns the layout of the file. A file holds one set of tables for each namespace; their names start with the
//! namespace's number, because SQLite's names know no upper and lower case. Never reads or writes rows of instances.
//! Called when a store is opened.
//!
//! What is where, for the namespace numbered `@`:
//! - `@instances`: one row an instance. `head` is the encoded head; `state`, `updated_at`, `spot` and `rank` follow from
//!   it ([`super::spot`]) and are what the indexes are over. Other tables know an instance by its integer `key`, so that
//!   what is written together lies together: keys grow with creation.
//! - `@specs`: what never changes of an instance, kept apart because it may be large and heads are rewritten often.
//! - `@records`: the journals of all runs. `@archives`: the runs that a restart replaced.
//! - `@messages`: mailboxes. `@events`: the ids of all messages of the current run, consumed ones included.
//! - `@outbox`: commands for other instances until they are acknowledged.
//! - `@sessions`: workers. `@limits`: what limits hold across them, by the keys of their names.

use rusqlite::{Connection, OptionalExtension};

use super::connection::patiently;
use super::fault::Fault;
use crate::words::id::Namespace;

/// The layout this code writes. A file with a newer one is refused.
const SCHEMA_VERSION: i64 = 2;
/// Marks the file as one of ours, in the header that `file` and SQLite read: "wkfl".
const APPLICATION_ID: i64 = 0x776B_666C;

const TABLES: &str = "
CREATE TABLE @instances (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    spot BLOB NOT NULL,
    rank INTEGER NOT NULL,
    head BLOB NOT NULL
) STRICT;
CREATE INDEX @instances_spot ON @instances (spot, rank, id);
CREATE INDEX @instances_list ON @instances (workflow, state, created_at);
CREATE TABLE @specs (key INTEGER PRIMARY KEY, spec BLOB NOT NULL) STRICT;
CREATE TABLE @records (
    key INTEGER NOT NULL,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (key, run, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE @archives (
    key INTEGER NOT NULL,
    run INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (key, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX @archives_expiry ON @archives (expires_at);
CREATE TABLE @messages (
    key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    channel TEXT NOT NULL,
    event_id TEXT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (key, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE @events (
    key INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (key, event_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE @outbox (
    key INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    outgoing BLOB NOT NULL,
    PRIMARY KEY (key, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX @outbox_age ON @outbox (at);
CREATE TABLE @sessions (session BLOB PRIMARY KEY, state BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE @limits (name TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT, WITHOUT ROWID;
";

/// Makes the tables of a namespace unless they exist; returns its number.
pub(super) fn ensure(connection: &Connection, namespace: &Namespace) -> Result<i64, Fault> {
    patiently(|| {
        if let Some(number) = find(connection, namespace)? {
            return Ok(number);
        }
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let made = create(connection, namespace);
        connection.execute_batch(if made.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        made
    })
}

/// The number of a namespace, for a reader, who makes nothing.
pub(super) fn existing(connection: &Connection, namespace: &Namespace) -> Result<i64, Fault> {
    let missing = || Fault::Refused(format!("the file has no namespace {namespace}; a process that writes makes it"));
    patiently(|| find(connection, namespace))?.ok_or_else(missing)
}

/// Whether the file may be written: it is empty, or has the layout that this version writes.
pub(super) fn recognise(connection: &Connection) -> Result<(), Fault> {
    is_laid_out(connection).map(drop)
}

/// Whether anything is in the file; then it is of this layout.
fn is_laid_out(connection: &Connection) -> Result<bool, Fault> {
    // First: another process may be laying it out, which makes the tables and the marks at once. Once there are tables, there
    // are marks.
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(false);
    }
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(Fault::Refused("the file is another program's database; name another".to_owned()));
    }
    if version != SCHEMA_VERSION {
        return Err(Fault::Refused(format!(
            "the file has layout {version}, this version of the program knows layout {SCHEMA_VERSION}; \
             use the version that wrote it, or a newer one"
        )));
    }
    Ok(true)
}

/// The number of a namespace that exists; `None` when it or the whole layout does not.
fn find(connection: &Connection, namespace: &Namespace) -> Result<Option<i64>, Fault> {
    if !is_laid_out(connection)? {
        return Ok(None);
    }
    let sql = "SELECT number FROM workflow_namespaces WHERE name = ?1";
    Ok(connection.query_row(sql, [namespace.as_str()], |row| row.get(0)).optional()?)
}

/// Inside a transaction that has the write lock.
fn create(connection: &Connection, namespace: &Namespace) -> Result<i64, Fault> {
    // Another process may have been faster.
    if let Some(number) = find(connection, namespace)? {
        return Ok(number);
    }
    connection.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {SCHEMA_VERSION};
         CREATE TABLE IF NOT EXISTS workflow_namespaces (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
    ))?;
    connection.execute("INSERT INTO workflow_namespaces (name) VALUES (?1)", [namespace.as_str()])?;
    let number = connection.last_insert_rowid();
    connection.execute_batch(&in_namespace(TABLES, number))?;
    Ok(number)
}

/// A statement with every `@` made the prefix of the namespace's tables.
pub(super) fn in_namespace(sql: &str, number: i64) -> String {
    sql.replace('@', &format!("n{number}_"))
}
