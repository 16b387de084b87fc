//! What can go wrong inside, and what the caller is told of it.
//!
//! Owns the mapping from SQLite's errors to [`StoreError`]. Says nothing of payloads: SQLite's messages name tables and
//! columns, never values. Used by every file of this folder.

use rusqlite::ErrorCode;

use crate::journal::wire::Damaged;
use crate::store::StoreError;

/// Why something could not be done.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite says so.
    Sql(rusqlite::Error),
    /// A stored value cannot be read.
    Damaged(String),
    /// The file is there but must not be written by us.
    Refused(String),
    /// The file cannot be reached.
    Unavailable(String),
    /// This code panicked.
    Failed,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    /// A stored value of the instance or thing `whose` cannot be read.
    pub(super) fn damaged(whose: &dyn std::fmt::Display, error: &Damaged) -> Self {
        Self::Damaged(format!("{whose}: {error}"))
    }

    /// Another connection holds the lock: trying again helps, and is nobody's concern.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// It is the disk's or the file's fault, so that every other write would fail as well.
    pub(super) fn is_environment(&self) -> bool {
        matches!(
            self.code(),
            Some(
                ErrorCode::DiskFull
                    | ErrorCode::ReadOnly
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::OutOfMemory
            )
        )
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sql(error) => error.sqlite_error_code(),
            _ => None,
        }
    }

    /// As the caller learns it; `store` is the url.
    pub(super) fn to_store_error(&self, store: &str) -> StoreError {
        let store = store.to_owned();
        let message = match self {
            Self::Damaged(message) => return StoreError::Damaged { store, message: message.clone() },
            Self::Refused(message) => return StoreError::Refused { store, message: message.clone() },
            Self::Unavailable(message) => return StoreError::Unavailable { store, message: message.clone() },
            // Sent again it would fail again: it is told as damage, which callers do not wait out.
            Self::Failed => {
                let message = "the store's own code failed on these commands".to_owned();
                return StoreError::Damaged { store, message };
            }
            Self::Sql(error) => error.to_string(),
        };
        match self.code() {
            Some(ErrorCode::DiskFull) => {
                StoreError::Refused { store, message: "the disk is full; make room".to_owned() }
            }
            Some(ErrorCode::ReadOnly) => {
                StoreError::Refused { store, message: format!("the file or its folder is read-only ({message})") }
            }
            Some(ErrorCode::NotADatabase) => {
                StoreError::Refused { store, message: "the file is not a SQLite database; name another".to_owned() }
            }
            // A row that must not be there is there: trying again does not help.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::ConstraintViolation) => StoreError::Damaged { store, message },
            _ => StoreError::Unavailable { store, message },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(code: std::ffi::c_int) -> Fault {
        Fault::Sql(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None))
    }

    #[test]
    fn each_kind_of_failure_is_told_apart_and_names_the_url() {
        use rusqlite::ffi;
        let told = |code| sqlite(code).to_store_error("sqlite:x");
        assert!(matches!(told(ffi::SQLITE_FULL), StoreError::Refused { .. }));
        assert!(matches!(told(ffi::SQLITE_READONLY), StoreError::Refused { .. }));
        assert!(matches!(told(ffi::SQLITE_NOTADB), StoreError::Refused { .. }));
        assert!(matches!(told(ffi::SQLITE_CORRUPT), StoreError::Damaged { .. }));
        assert!(matches!(told(ffi::SQLITE_CONSTRAINT), StoreError::Damaged { .. }));
        assert!(matches!(told(ffi::SQLITE_IOERR), StoreError::Unavailable { .. }));
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_READONLY, ffi::SQLITE_NOTADB, ffi::SQLITE_CORRUPT, ffi::SQLITE_IOERR]
        {
            assert!(told(code).to_string().contains("sqlite:x"), "{code}");
            assert!(sqlite(code).is_environment(), "{code}");
        }
        assert!(sqlite(ffi::SQLITE_BUSY).is_busy());
        assert!(!sqlite(ffi::SQLITE_CONSTRAINT).is_environment(), "one command's fault is not another's");
    }
}
