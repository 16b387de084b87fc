//! A handle on one instance: asking about it and controlling it.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::change::Changes;
use super::engine::Engine;
use super::error::EngineError;
use super::event::SendEvent;
use super::history::{self, History};
use super::restart::RestartFrom;
use super::result::{self, ResultError};
use super::status::{self, Status};
use crate::authoring::event::Event;
use crate::definition::{Definition, WorkflowError, WorkflowOutput};
use crate::engine::Watch;
use crate::journal::command::{Action, Command, Control, ControlReply, Reply};
use crate::journal::head::State;
use crate::store::{BoxFuture, Snapshot, StoreError};
use crate::words::id::{InstanceId, RequestId};
use crate::words::limits::MESSAGE_CHARS_MAX;
use crate::words::payload::Payload;

/// What an instance's output and error are read as: of a workflow, as its own types; of [`Untyped`], as JSON.
pub trait Subject: Send + Sync + 'static {
    /// Its output.
    type Output: WorkflowOutput;
    /// Its error.
    type Error: WorkflowError;
    /// The workflow that instances must be of; `None` for any.
    const WORKFLOW: Option<&'static str>;
}

impl<W: Definition> Subject for W {
    type Output = W::Output;
    type Error = W::Error;
    const WORKFLOW: Option<&'static str> = Some(W::NAME);
}

/// An instance of any workflow: its output and error are JSON values.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Untyped;

impl Subject for Untyped {
    type Output = serde_json::Value;
    type Error = serde_json::Value;
    const WORKFLOW: Option<&'static str> = None;
}

/// A handle on an instance of any workflow: what [`Engine::instance`] gives.
pub type Instance = Handle<Untyped>;

/// A handle on one instance of workflow `W`. Cheap to clone. It holds the id and the engine, which lives as long as its
/// handles unless it is shut down. It follows the instance through restarts; its methods say [`EngineError::NotFound`]
/// once the instance is deleted.
pub struct Handle<W> {
    engine: Engine,
    id: InstanceId,
    /// Of a handle that a create gave: watches from before it. What has not changed since need not be looked at.
    born: Option<Arc<Watch>>,
    of: PhantomData<fn() -> W>,
}

/// Begins to look for an instance of `W`.
pub fn get<W: Subject>(engine: &Engine, id: impl Into<String>) -> Get<W> {
    Get { engine: engine.clone(), id: id.into(), of: PhantomData }
}

/// A look for one instance: made by `order::get(&engine, id)` or [`Engine::instance`]. Awaiting it gives the handle.
///
/// # Errors
/// [`EngineError::NotFound`], [`EngineError::WrongWorkflow`], [`EngineError::InvalidId`], or what reading the store
/// gives.
#[must_use = "it looks for nothing until it is awaited"]
pub struct Get<W> {
    engine: Engine,
    id: String,
    of: PhantomData<fn() -> W>,
}

impl<W: Subject> IntoFuture for Get<W> {
    type Output = Result<Handle<W>, EngineError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let handle = Handle::new(self.engine, InstanceId::new(self.id)?);
            handle.snapshot().await?;
            Ok(handle)
        })
    }
}

impl<W: Subject> Get<W> {
    /// Sends an event to the instance, as [`Handle::send`]; with
    /// [`create_if_absent`](SendEvent::create_if_absent) also where there is none yet.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an event is given away: what was sent is not the sender's any more"
    )]
    pub fn send<E: Event>(self, event: E) -> SendEvent<W> {
        SendEvent::new(self.engine, self.id, E::TYPE, event.to_payload()).unseen()
    }

    /// Sends an event of a type that is known by its name only, as [`Handle::send_type`].
    pub fn send_type(self, event_type: &str, payload: impl Serialize) -> SendEvent<W> {
        SendEvent::new(self.engine, self.id, event_type, Payload::encode(&payload)).unseen()
    }
}

impl<W: Subject> Handle<W> {
    pub(super) fn new(engine: Engine, id: InstanceId) -> Self {
        Self { engine, id, born: None, of: PhantomData }
    }

    /// The handle that a create gives which made the instance.
    pub(super) fn born(engine: Engine, id: InstanceId, watch: Watch) -> Self {
        Self { engine, id, born: Some(Arc::new(watch)), of: PhantomData }
    }

    /// The instance's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// Whether the call that gave this handle created the instance; false for one that was found: by `get`, or by a create
    /// that was told to [`attach`](super::Create::attach).
    #[must_use]
    pub const fn was_created(&self) -> bool {
        self.born.is_some()
    }

    /// The same instance with its output and error as JSON.
    #[must_use]
    pub fn untyped(&self) -> Instance {
        Handle { engine: self.engine.clone(), id: self.id.clone(), born: self.born.clone(), of: PhantomData }
    }

    /// How the instance stands now, by the store: its state, times, output or error, what it waits for, why it is
    /// paused.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::WrongWorkflow`] when the id now belongs to another workflow, or what
    /// reading the store gives.
    pub async fn status(&self) -> Result<Status<W::Output>, EngineError> {
        let snapshot = self.snapshot().await?;
        status::read(&self.engine, snapshot).await
    }

    /// What the newest run did: each operation with its attempts, times and outcome, as a tree.
    ///
    /// # Errors
    /// As [`Handle::status`]; and [`EngineError::Unreadable`] when a newer version of the framework wrote it.
    pub async fn history(&self) -> Result<History, EngineError> {
        let run = self.snapshot().await?.head.run;
        history::read(&self.engine, &self.id, run).await
    }

    /// What an earlier run did, from 1. Runs before a restart are kept as long as a failed run would be.
    ///
    /// # Errors
    /// As [`Handle::history`]; and [`EngineError::NoSuchRun`].
    pub async fn history_of(&self, run: u32) -> Result<History, EngineError> {
        self.snapshot().await?;
        history::read(&self.engine, &self.id, run).await
    }

    /// Waits for the end of the instance, as long as it takes, and gives its output. The end is pushed by the store, not
    /// polled for; a restart meanwhile is followed; a store that cannot be reached is waited for.
    ///
    /// # Errors
    /// [`ResultError::Failed`] with the workflow's own error, [`ResultError::Errored`] when it failed in another way,
    /// [`ResultError::Terminated`], [`ResultError::Unknown`] when there is no such instance (any more),
    /// [`ResultError::Differs`] when it is parked at its end because its replay did something else (until it is resumed),
    /// [`ResultError::Store`] when the store says that it cannot be read.
    pub async fn result(&self) -> Result<W::Output, ResultError<W::Error>> {
        result::wait::<W>(&self.engine, &self.id, self.born.as_deref()).await
    }

    /// As [`Handle::result`], for at most `limit`. Giving up changes nothing for the instance.
    ///
    /// # Errors
    /// As [`Handle::result`]; and [`ResultError::TimedOut`].
    pub async fn result_within(&self, limit: Duration) -> Result<W::Output, ResultError<W::Error>> {
        match tokio::time::timeout(limit, self.result()).await {
            Ok(result) => result,
            Err(_) => Err(ResultError::TimedOut { after: limit }),
        }
    }

    /// The changes of the instance's status from now on, pushed. The first is the status as it is.
    #[must_use]
    pub fn on_change(&self) -> Changes<W> {
        Changes::new(self.engine.clone(), self.id.clone())
    }

    /// Waits, as long as it takes, until `wanted` is true of the instance's status or the instance has ended, and gives that
    /// status: `instance.until(|status| status.state == State::Waiting)`. Of changes that follow each other closely some
    /// may not be seen, as with [`Handle::on_change`].
    ///
    /// # Errors
    /// [`EngineError::NotFound`] when there is no such instance (any more), or what reading the store gives.
    pub async fn until(
        &self,
        mut wanted: impl FnMut(&Status<W::Output>) -> bool,
    ) -> Result<Status<W::Output>, EngineError> {
        let mut changes = self.on_change();
        while let Some(status) = changes.next().await {
            if status.state.is_final() || wanted(&status) {
                return Ok(status);
            }
        }
        Err(changes.into_error().unwrap_or_else(|| EngineError::NotFound { id: self.id.to_string() }))
    }

    /// Pauses the instance: nothing of it begins until [`Handle::resume`]. Its timers stand still, except
    /// `sleep_until`; events sent to it are kept.
    ///
    /// Gives the state it is in now. [`State::Running`] means that step bodies are running: they end and are recorded,
    /// then it is paused; its status shows `pausing`. Pausing a paused instance changes nothing.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when it has ended, [`EngineError::NotFound`], or what writing to the store gives.
    ///
    /// # Crashes
    /// Once answered, the pause is kept: a worker that dies before its bodies have ended leaves a paused instance.
    pub async fn pause(&self) -> Result<State, EngineError> {
        self.control(Action::Pause, "paused").await
    }

    /// Takes back a pause, or one that has not taken effect yet: the instance goes on, and timers are due as much later
    /// as it was paused. Also continues an instance that was parked, for a divergence or a panic, once its code is
    /// mended.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when it is not paused, [`EngineError::NotFound`], or what writing to the store gives.
    pub async fn resume(&self) -> Result<State, EngineError> {
        self.control(Action::Resume, "resumed").await
    }

    /// Ends the instance now, with a reason of up to 4,096 bytes that is shown in its status. Bodies that run are
    /// dropped, no later step begins, and nothing that is still written for it is kept. Children that are not abandoned
    /// are terminated too.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when it has ended, [`EngineError::TooLong`], [`EngineError::NotFound`], or what writing
    /// to the store gives.
    pub async fn terminate(&self, reason: impl Into<String>) -> Result<State, EngineError> {
        let reason = reason.into();
        EngineError::check_text("the reason", &reason, MESSAGE_CHARS_MAX)?;
        self.control(Action::Terminate { reason }, "terminated").await
    }

    /// Begins a new run from the start, with the same inputs, whatever the state. Events and timers of the old run are
    /// gone, its children that are not abandoned are terminated; its history stays readable.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], or what writing to the store gives.
    pub async fn restart(&self) -> Result<State, EngineError> {
        self.control(Action::Restart, "restarted").await
    }

    /// Begins a new run that keeps everything the newest run had begun before it came to an operation, and forgets that
    /// operation and all that began after it: the name of a step, group, sleep, wait or child, or its path in the
    /// [`History`]. Whatever the state. See [`RestartFrom`].
    pub fn restart_from(&self, operation: impl Into<String>) -> RestartFrom<W> {
        RestartFrom::new(self.clone(), operation.into())
    }

    /// Deletes the instance, which has ended, before its retention is over: with the journals of all its runs, as soon as a
    /// worker sweeps next, within seconds. Then its id is free again. A child is kept for ten more minutes, so that a late
    /// copy of the command that created it does not create it once more; and what has something to say to others, such as
    /// its end to its parent, is kept until that is said.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when it has not ended: terminate it first. [`EngineError::NotFound`], which is also what a
    /// second call says when it is gone; or what writing to the store gives.
    ///
    /// # Crashes
    /// Once answered, it is deleted by whichever worker sweeps next.
    pub async fn delete(&self) -> Result<(), EngineError> {
        self.control(Action::Delete, "deleted").await.map(drop)
    }

    /// Sends an event to the instance, for `wait_for::<E>`. Awaiting what this gives carries it out; `.key(…)` names the
    /// key of the waits it is for, `.id(…)` makes it safe to send twice.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an event is given away: what was sent is not the sender's any more"
    )]
    pub fn send<E: Event>(&self, event: E) -> SendEvent<W> {
        SendEvent::new(self.engine.clone(), self.id.to_string(), E::TYPE, event.to_payload())
    }

    /// Sends an event of a type that is known by its name only, for `wait_for_type` or for `wait_for` of an event with
    /// that name.
    pub fn send_type(&self, event_type: &str, payload: impl Serialize) -> SendEvent<W> {
        SendEvent::new(self.engine.clone(), self.id.to_string(), event_type, Payload::encode(&payload))
    }

    /// That there is such an instance, and of this workflow.
    pub(super) async fn seen(&self) -> Result<(), EngineError> {
        self.snapshot().await.map(drop)
    }

    pub(super) const fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) const fn instance_id(&self) -> &InstanceId {
        &self.id
    }

    pub(super) async fn snapshot(&self) -> Result<Snapshot, EngineError> {
        let snapshot = self.engine.read(|| self.engine.store().inspect(self.id.clone())).await?;
        let snapshot = snapshot.ok_or_else(|| EngineError::NotFound { id: self.id.to_string() })?;
        check_workflow::<W>(&snapshot)?;
        Ok(snapshot)
    }

    pub(super) async fn control(&self, action: Action, word: &'static str) -> Result<State, EngineError> {
        self.control_run(None, action, word).await
    }

    /// Of this run only, if one is named: [`EngineError::NotFound`] when another is the newest.
    pub(super) async fn control_run(
        &self,
        run: Option<u32>,
        action: Action,
        word: &'static str,
    ) -> Result<State, EngineError> {
        let control = Control { request: RequestId::generate(), id: self.id.clone(), run, action };
        match self.engine.send(Command::Control(control)).await? {
            Reply::Control(ControlReply::Done(state)) => Ok(state),
            Reply::Control(ControlReply::Unknown) => Err(EngineError::NotFound { id: self.id.to_string() }),
            Reply::Control(ControlReply::Refused(state)) => {
                Err(EngineError::Refused { id: self.id.to_string(), action: word, state })
            }
            other => Err(wrong_reply(&self.engine, &other)),
        }
    }
}

/// Refuses an instance that is not one of workflow `W`.
pub(super) fn check_workflow<W: Subject>(snapshot: &Snapshot) -> Result<(), EngineError> {
    let found = snapshot.head.spec.workflow.as_str();
    match W::WORKFLOW {
        Some(wanted) if wanted != found => Err(EngineError::WrongWorkflow {
            id: snapshot.id.to_string(),
            wanted: wanted.to_owned(),
            found: found.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// A store answered something else than it was asked.
pub(super) fn wrong_reply(engine: &Engine, reply: &Reply) -> EngineError {
    let kind = match reply {
        Reply::Create(_) => "a create's",
        Reply::Send(_) => "an event's",
        Reply::Control(_) => "a control's",
        Reply::Lease(_) => "a lease's",
        Reply::Claim(_) => "a claim's",
        Reply::Own(_) => "an owner's",
        Reply::Fence(_) => "a fence's",
        Reply::Count { .. } => "a count's",
    };
    let message = format!("it gave {kind} answer to another command");
    StoreError::Damaged { store: engine.store().describe(), message }.into()
}

impl<W> Clone for Handle<W> {
    fn clone(&self) -> Self {
        Self { engine: self.engine.clone(), id: self.id.clone(), born: self.born.clone(), of: PhantomData }
    }
}

impl<W> fmt::Debug for Handle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.id).finish()
    }
}

impl<W> fmt::Debug for Get<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Get").field(&self.id).finish()
    }
}
