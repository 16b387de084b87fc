//! What every step body does besides its own work: take its place on the floor, leave a line in the effects file, take
//! its time.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use workflow::prelude::StepContext;

use crate::cli::Options;
use crate::console::say;
use crate::effects::{Effects, EffectsError};
use crate::engine::EngineSlot;
use crate::floor::Floor;

/// Shared by all step bodies of the process.
#[derive(Debug)]
pub(crate) struct Workbench {
    effects: Effects,
    /// How long a body takes, after its line.
    step_time: Duration,
    floor: Floor,
    /// The steps whose body ran in this process, for the timeline.
    ran: Mutex<HashSet<Place>>,
    /// Whether each body is told of as it begins: where no timeline comes in the end.
    tells: bool,
}

/// One step of one order: the instance's id and the step's path in it.
pub(crate) type Place = (String, String);

/// A body could not leave its trace, and so did nothing.
pub(crate) type WorkbenchError = EffectsError;

impl Workbench {
    /// The bench of a process with this command line.
    ///
    /// # Errors
    /// When the effects file cannot be used.
    pub(crate) fn new(options: &Options, engine: EngineSlot) -> Result<Self, EffectsError> {
        let effects = Effects::new(options.effects.clone())?;
        let floor = Floor::new(options.concurrency, options.crash_after.as_deref(), engine);
        Ok(Self { effects, step_time: options.step_time, floor, ran: Mutex::default(), tells: false })
    }

    /// The same bench, which says on standard error which bodies run. It keeps no list of them: a worker would keep it
    /// for ever.
    pub(crate) fn telling(self) -> Self {
        Self { tells: true, ..self }
    }

    /// Runs the body of a step: `act`, with all that goes round it.
    ///
    /// # Errors
    /// Those of `act`, and when the effects file could not be written.
    pub(crate) async fn work<T, E: From<WorkbenchError>>(
        &self,
        cx: &StepContext,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let admitted = self.floor.enter(cx).await;
        let done = self.leave_line_and(cx, act).await;
        admitted.ended(done.is_ok());
        done
    }

    async fn leave_line_and<T, E: From<WorkbenchError>>(
        &self,
        cx: &StepContext,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.leave_line(cx)?;
        if !self.step_time.is_zero() {
            tokio::time::sleep(self.step_time).await;
        }
        act.await
    }

    fn leave_line(&self, cx: &StepContext) -> Result<(), WorkbenchError> {
        let attempt = cx.attempt().to_string();
        let columns = [Some(cx.instance_id()), Some(cx.name()), cx.key(), Some(attempt.as_str())];
        self.effects.append(&columns.into_iter().flatten().collect::<Vec<_>>())?;
        if self.tells {
            let key = cx.key().map(|key| format!(" {key}")).unwrap_or_default();
            say(format_args!("ran       {}  {}{key}  attempt {attempt}", cx.instance_id(), cx.name()));
        } else {
            self.ran().insert((cx.instance_id().to_owned(), cx.path()));
        }
        Ok(())
    }

    /// Waits for the crash that `--crash-after` asked for, if a step brought it about. The last order may end, and be seen
    /// to end, before the floor has read the step's commit: so this comes before a process may say that it is done.
    pub(crate) async fn no_crash(&self) {
        self.floor.no_crash().await;
    }

    /// Whether the body of this step ran in this process.
    pub(crate) fn ran_here(&self, place: &Place) -> bool {
        self.ran().contains(place)
    }

    fn ran(&self) -> std::sync::MutexGuard<'_, HashSet<Place>> {
        self.ran.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
