//! The effects file: what step bodies of worker processes did, one line each, written before anything else.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file to which bodies append one line each. One write of a short line with O_APPEND is never torn.
#[derive(Debug, Clone)]
pub struct Effects {
    file: Arc<File>,
}

/// One line of an effects file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Effect {
    /// The instance.
    pub instance: String,
    /// The step, with its key.
    pub step: String,
    /// The number of the attempt.
    pub attempt: u32,
    /// The process that ran it.
    pub process: u32,
}

impl Effects {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Arc::new(file) })
    }

    /// Writes down that a body begins.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(&self, instance: &str, step: &str, attempt: u32) -> std::io::Result<()> {
        self.append(&format!("{instance}\t{step}\t{attempt}\t{}\n", std::process::id()))
    }

    pub(crate) fn append(&self, line: &str) -> std::io::Result<()> {
        (&*self.file).write_all(line.as_bytes())
    }
}

/// Reads an effects file; a file that is not there has no lines.
///
/// # Panics
/// When a line is not one.
#[must_use]
pub fn read(path: &PathBuf) -> Vec<Effect> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(parse).collect()
}

/// How often each step of each instance ran.
#[must_use]
pub fn executions(effects: &[Effect]) -> HashMap<(String, String), usize> {
    let mut counts = HashMap::new();
    for effect in effects {
        *counts.entry((effect.instance.clone(), effect.step.clone())).or_default() += 1;
    }
    counts
}

fn parse(line: &str) -> Effect {
    let mut fields = line.split('\t').map(str::to_owned);
    let mut next = || fields.next().unwrap_or_else(|| panic!("not a line of an effects file: {line:?}"));
    let (instance, step) = (next(), next());
    let number = |text: String| text.parse().unwrap_or_else(|_| panic!("not a number in {line:?}"));
    Effect { instance, step, attempt: number(next()), process: number(next()) }
}
