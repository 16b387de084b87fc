//! A clock that is set while programs run: what they see jumps, forth and back, and what measures durations goes on.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::preload;

/// The clock of the programs that have its environment.
#[derive(Debug)]
pub struct MovedClock {
    kept: TempDir,
    library: PathBuf,
}

impl MovedClock {
    /// One that says what the system's does.
    ///
    /// # Panics
    /// When there is no C compiler, or no place for a file.
    #[must_use]
    pub fn new() -> Self {
        let kept = tempfile::tempdir().expect("a test can have a temporary folder");
        let library = preload::compile(kept.path(), "clock", include_str!("clock.c"));
        let clock = Self { kept, library };
        clock.set(0);
        clock
    }

    /// What the environment of every program must hold whose clock it is.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![("LD_PRELOAD", self.library.clone().into()), ("MOVED_CLOCK", self.file().into())]
    }

    /// From now on it is so much ahead of the system's; below zero, behind it.
    ///
    /// # Panics
    /// When its file cannot be written.
    pub fn set(&self, ahead_ms: i64) {
        // Over the bytes that are there: programs have them mapped.
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(self.file());
        let file = file.expect("the folder of a test can be written");
        std::os::unix::fs::FileExt::write_all_at(&file, &(ahead_ms * 1_000).to_ne_bytes(), 0).expect("the same");
    }

    fn file(&self) -> PathBuf {
        self.kept.path().join("moved")
    }
}

impl Default for MovedClock {
    fn default() -> Self {
        Self::new()
    }
}
