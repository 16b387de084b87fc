//! The changes of one instance, one after another.

use std::fmt;
use std::marker::PhantomData;

use super::engine::Engine;
use super::error::EngineError;
use super::handle::{Subject, check_workflow};
use super::result::look;
use super::status::{self, Status};
use crate::journal::command::Wait;
use crate::journal::head::{Head, Place, State};
use crate::store::Snapshot;
use crate::words::id::InstanceId;

/// The changes of an instance's status: made by [`Handle::on_change`](super::Handle::on_change).
///
/// What is given is always the newest status: of changes that follow each other faster than they are taken, those in
/// between are left out. The last one is never left out.
pub struct Changes<W> {
    engine: Engine,
    id: InstanceId,
    given: Option<Shown>,
    error: Option<EngineError>,
    of: PhantomData<fn() -> W>,
}

/// What makes one status another: not each record, but where the instance stands.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    run: u32,
    state: State,
    pausing: bool,
    waits: Vec<Wait>,
}

impl Shown {
    fn of(head: &Head) -> Self {
        let waits = match &head.place {
            Place::Asleep { waits, .. } | Place::Paused { waits, .. } => waits.clone(),
            _ => Vec::new(),
        };
        Self { run: head.run, state: head.state(), pausing: head.pause, waits }
    }
}

impl<W: Subject> Changes<W> {
    pub(super) fn new(engine: Engine, id: InstanceId) -> Self {
        Self { engine, id, given: None, error: None, of: PhantomData }
    }

    /// Waits for the next change and gives the status after it; the first time, the status as it is.
    ///
    /// `None` when no more will come: the end of the instance was given, the instance does not exist (any more), or it
    /// cannot be read, which [`Changes::error`] then tells. A store that cannot be reached is waited for. May be
    /// dropped and called again: nothing is lost.
    pub async fn next(&mut self) -> Option<Status<W::Output>> {
        let over = self.given.as_ref().is_some_and(|given| given.state.is_final()) || self.error.is_some();
        if over {
            return None;
        }
        match self.find().await {
            Ok(found) => found,
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }

    /// Why no more changes come, when that is an error.
    #[must_use]
    pub const fn error(&self) -> Option<&EngineError> {
        self.error.as_ref()
    }

    pub(super) fn into_error(self) -> Option<EngineError> {
        self.error
    }

    async fn find(&mut self) -> Result<Option<Status<W::Output>>, EngineError> {
        // Watched from before the look, so that no change falls between the two.
        let mut watch = self.engine.core().changes().watch(&self.id);
        loop {
            let Some(snapshot) = look(&self.engine, &self.id, || self.engine.store().inspect(self.id.clone())).await?
            else {
                return Ok(None);
            };
            check_workflow::<W>(&snapshot)?;
            let shown = Shown::of(&snapshot.head);
            if self.given.as_ref() != Some(&shown) {
                return self.give(snapshot, shown).await.map(Some);
            }
            watch.changed().await;
        }
    }

    async fn give(&mut self, snapshot: Snapshot, shown: Shown) -> Result<Status<W::Output>, EngineError> {
        let status = status::read(&self.engine, snapshot).await?;
        // Only what was given counts: a dropped call gives it the next time.
        self.given = Some(shown);
        Ok(status)
    }
}

impl<W> fmt::Debug for Changes<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("id", &self.id).field("error", &self.error).finish_non_exhaustive()
    }
}
