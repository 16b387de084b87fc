//! Opens connections to the file, each with the settings of its role.
//!
//! Owns every `PRAGMA` of a connection and the checks that tell a person what is wrong with the file. Knows nothing of
//! tables. Called by the writer, the readers and hearts.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::Fault;
use super::pause::Pauses;
use super::url::{Location, Synchronous, Target};

/// How long opening waits for a lock that another program holds.
const OPEN_PATIENCE: Duration = Duration::from_secs(5);
/// More statements than this code has, so that each is compiled once for each connection.
const STATEMENTS: usize = 96;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Makes the file if need be, and writes.
    Founder,
    /// Writes a file that exists.
    Writer,
    /// Never writes.
    Reader,
    /// Writes leases only, which need not survive a crash: it never waits for the disk.
    Heart,
}

/// Opens a connection, waiting some seconds for other programs' locks.
pub(super) fn open(target: &Target, role: Role) -> Result<Connection, Fault> {
    open_if(target, role, |_| Ok(()))
}

/// As [`open`], if `is_ours` has nothing against the file: a setting of a connection can be a write to it.
pub(super) fn open_if(
    target: &Target,
    role: Role,
    is_ours: impl Fn(&Connection) -> Result<(), Fault>,
) -> Result<Connection, Fault> {
    patiently(|| match &target.location {
        Location::Memory => open_memory(),
        Location::File(path) => {
            check_place(path)?;
            if target.read_only { open_to_read(path) } else { open_file(path, target.synchronous, role, &is_ours) }
        }
    })
}

/// Repeats `what` while another connection holds the lock, for some seconds.
pub(super) fn patiently<T>(mut what: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
    let mut pauses = Pauses::new();
    loop {
        match what() {
            Err(fault) if fault.is_busy() => {
                if pauses.slept() > OPEN_PATIENCE {
                    return Err(Fault::Unavailable("another program keeps the file locked".to_owned()));
                }
                pauses.sleep();
            }
            outcome => return outcome,
        }
    }
}

/// SQLite's own message for these is "unable to open database file".
fn check_place(path: &Path) -> Result<(), Fault> {
    if path.is_dir() {
        return Err(Fault::Refused("this is a folder, not a file".to_owned()));
    }
    match path.parent() {
        Some(folder) if !folder.is_dir() => {
            Err(Fault::Unavailable(format!("the folder {} does not exist", folder.display())))
        }
        _ => Ok(()),
    }
}

fn open_memory() -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_in_memory_with_flags(flags)?;
    common(&connection)?;
    // A failed batch is rolled back, so a journal there must be; in memory.
    connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")?;
    Ok(connection)
}

/// Whatever the role: everyone reads.
fn open_to_read(path: &Path) -> Result<Connection, Fault> {
    if !path.exists() {
        return Err(Fault::Unavailable("there is no such file, and mode=ro makes none".to_owned()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    common(&connection)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -2000;")?;
    Ok(connection)
}

fn open_file(
    path: &Path,
    synchronous: Synchronous,
    role: Role,
    is_ours: &dyn Fn(&Connection) -> Result<(), Fault>,
) -> Result<Connection, Fault> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if role == Role::Founder {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = Connection::open_with_flags(path, flags)?;
    common(&connection)?;
    if connection.is_readonly("main")? {
        return Err(Fault::Refused("the file is read-only; this process may not write it".to_owned()));
    }
    is_ours(&connection)?;
    match role {
        Role::Founder | Role::Writer => {
            // Freed pages can be given back to the disk. It only counts while the file is empty, and is a write.
            let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            if pages == 0 {
                connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL;")?;
            }
            let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
            if mode != "wal" {
                return Err(Fault::Refused("this file system cannot hold SQLite's shared log (WAL)".to_owned()));
            }
            connection.execute_batch(match synchronous {
                Synchronous::Full => "PRAGMA synchronous = FULL;",
                Synchronous::Normal => "PRAGMA synchronous = NORMAL;",
            })?;
            // A longer log is copied into the file less often, and pages that change often are copied once; what a
            // burst leaves of it is cut back to 16 MiB.
            connection.execute_batch(
                "PRAGMA cache_size = -8000; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 16777216;",
            )?;
        }
        Role::Reader => connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -2000;")?,
        Role::Heart => connection
            .execute_batch("PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -100;")?,
    }
    Ok(connection)
}

fn common(connection: &Connection) -> Result<(), Fault> {
    connection.busy_timeout(Duration::ZERO)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without it SQLite compiles some statements anew each time, to look for a better plan for the values given.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;")?;
    Ok(())
}
