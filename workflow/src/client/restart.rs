//! Restarting an instance from one of its operations.

use std::fmt;
use std::future::IntoFuture;

use super::error::EngineError;
use super::handle::{Handle, Subject};
use super::history;
use crate::journal::command::Action;
use crate::journal::head::{Head, State};
use crate::journal::path::{Kind, Path};
use crate::journal::record::Record;
use crate::store::BoxFuture;
use crate::words::limits::{KEY_BYTES_MAX, PATH_BYTES_MAX};

/// Most names of operations that an error lists.
const NAMES_SHOWN: usize = 10;
/// Most characters that an error repeats of what was asked for.
const NAME_CHARS_SHOWN: usize = 300;
/// How often it is looked which run has the operation, when that changes again and again.
const TRIES: usize = 5;

/// A restart from an operation: made by [`Handle::restart_from`], carried out when it is awaited.
///
/// The new run has the same inputs. It keeps what operations recorded that the code had asked for before it came to this
/// one; this operation, and all that were asked for later, run again, with idempotency keys of the new run. The old run
/// stays readable as history. In detail:
/// - Events that were not read stay in the mailbox; those that forgotten waits had received are not given again.
/// - Timers that were open when the operation was asked for have the time left that they had then; a `sleep_until` is over
///   when it would have been.
/// - Children that had not ended are terminated, and started anew.
/// - A group around the operation is tried on from there, in the attempt in which the code first came to it.
/// - A group itself begins anew, whether it has ended or not.
/// - A restart that no worker has taken up yet is replaced by a newer one, which sees what the older one would forget.
/// - Which operations came before is decided by the code, which is replayed when a worker takes the run up. Code that
///   does not go along with the journal, or does not come to the operation, parks the run, as any other replay.
///
/// # Errors
/// [`EngineError::NoSuchStep`] when the newest run has recorded nothing of such an operation: a step whose first attempt
/// still runs, and a wait without a time limit whose event has not come, have recorded nothing. [`EngineError::TooLong`] for
/// more than 32 KiB of a name or path, or 256 bytes of a key. [`EngineError::Refused`] when
/// the run begins anew again and again meanwhile, [`EngineError::NotFound`], or what reading and writing the store gives.
///
/// # Crashes
/// Once answered with success the new run is kept, and what it keeps of the old one is not deleted before it has been
/// taken over.
#[must_use = "nothing is restarted until it is awaited"]
pub struct RestartFrom<W> {
    handle: Handle<W>,
    operation: String,
    key: Option<String>,
    occurrence: Option<u32>,
}

impl<W: Subject> RestartFrom<W> {
    pub(super) const fn new(handle: Handle<W>, operation: String) -> Self {
        Self { handle, operation, key: None, occurrence: None }
    }

    /// The operation of this key. Without it: the one of the name that was recorded first, whatever its key.
    pub fn key(mut self, key: impl fmt::Display) -> Self {
        self.key = Some(key.to_string());
        self
    }

    /// Not the first of its name and key in its scope, but the one that as many came before, counted from 0.
    pub fn occurrence(mut self, before: u32) -> Self {
        self.occurrence = Some(before);
        self
    }

    /// This operation or a group around it, if it is the one that is meant. A group that has not ended has no record of its
    /// own, only what is in it has.
    fn meant(&self, path: &Path) -> Option<Path> {
        let around = path.enclosing().map(Path::from_recorded).filter(Path::is_group);
        std::iter::once(path.clone()).chain(around).find(|path| self.is_meant(path))
    }

    fn is_meant(&self, path: &Path) -> bool {
        let Some(last) = path.last().filter(|last| !matches!(last.kind, Kind::Part | Kind::Changed)) else {
            return false;
        };
        let named = last.name == self.operation
            && self.key.as_ref().is_none_or(|key| last.key.as_ref() == Some(key))
            && self.occurrence.is_none_or(|before| last.occurrence == before);
        named || path.as_str() == self.operation
    }

    async fn carry_out(self) -> Result<State, EngineError> {
        EngineError::check_text("the operation", &self.operation, PATH_BYTES_MAX)?;
        EngineError::check_text("the operation's key", self.key.as_deref().unwrap_or_default(), KEY_BYTES_MAX)?;
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match self.try_once().await {
                // It began anew between the look and the write, or has been taken up: it is looked at again.
                Err(EngineError::Refused { .. }) if tries > 0 => {}
                outcome => return outcome,
            }
        }
    }

    async fn try_once(&self) -> Result<State, EngineError> {
        let head = self.handle.snapshot().await?.head;
        let run = source(&head);
        let records = history::records(self.handle.engine(), self.handle.instance_id(), run).await?;
        match records.iter().find_map(|record| self.meant(&record.path)) {
            Some(path) => {
                let action = Action::RestartFrom { path, source: run };
                self.handle.control(action, "restarted from an operation").await
            }
            None => Err(self.no_such_step(run, &records)),
        }
    }

    fn no_such_step(&self, run: u32, records: &[Record]) -> EngineError {
        // A path is as long as all the names around it.
        let mut operation: String = self.operation.chars().take(NAME_CHARS_SHOWN).collect();
        operation = format!("`{operation}`");
        if let Some(key) = &self.key {
            operation += &format!(" of key `{key}`");
        }
        if let Some(before) = self.occurrence {
            operation += &format!(", occurrence {before}");
        }
        let mut names: Vec<String> = Vec::new();
        for last in records.iter().filter_map(|record| record.path.last()) {
            let name = format!("`{}`", last.name);
            if !last.name.is_empty() && !names.contains(&name) && names.len() < NAMES_SHOWN {
                names.push(name);
            }
        }
        let recorded = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        EngineError::NoSuchStep { id: self.handle.id().to_owned(), run, operation, recorded }
    }
}

/// The run whose records the newest one has, or will have.
fn source(head: &Head) -> u32 {
    head.fork.as_ref().filter(|fork| fork.open).map_or(head.run, |fork| fork.source)
}

impl<W: Subject> IntoFuture for RestartFrom<W> {
    type Output = Result<State, EngineError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.carry_out())
    }
}

impl<W> fmt::Debug for RestartFrom<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestartFrom")
            .field("handle", &self.handle)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}
