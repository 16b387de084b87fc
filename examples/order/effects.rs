//! The effects file: what really ran, told by the step bodies themselves and not by the store.
//!
//! One line a body, written whole and appended (`O_APPEND`), so that processes that share the file never overwrite or
//! split each other's lines, and a line stands even if the process is killed the moment after.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Appends the lines; without a file it does nothing.
#[derive(Debug, Clone)]
pub(crate) struct Effects {
    file: Option<PathBuf>,
}

/// The effects file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the effects file {}: {error}", file.display())]
pub(crate) struct EffectsError {
    file: PathBuf,
    error: io::Error,
}

impl Effects {
    /// Takes the file, which need not exist yet; its folder must.
    ///
    /// # Errors
    /// When it exists and cannot be written, or its folder is missing.
    pub(crate) fn new(file: Option<PathBuf>) -> Result<Self, EffectsError> {
        if let Some(file) = &file {
            check(file).map_err(|error| EffectsError { file: file.clone(), error })?;
        }
        Ok(Self { file })
    }

    /// Appends one line: the columns, separated by tabs.
    ///
    /// # Errors
    /// When the line could not be written.
    pub(crate) fn append(&self, columns: &[&str]) -> Result<(), EffectsError> {
        let Some(file) = &self.file else { return Ok(()) };
        let line = format!("{}\n", columns.join("\t"));
        // Opened for each line: the file may be moved away or emptied while a worker runs on.
        let opened = OpenOptions::new().append(true).create(true).open(file);
        opened
            .and_then(|mut opened| opened.write_all(line.as_bytes()))
            .map_err(|error| EffectsError { file: file.clone(), error })
    }
}

/// Nothing is created here: the file comes into being with its first line.
fn check(file: &Path) -> io::Result<()> {
    match OpenOptions::new().append(true).open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if folder.is_dir() { Ok(()) } else { Err(error) }
        }
        opened => opened.map(drop),
    }
}
