//! Making one instance: the options of a create, what is checked before anything is written, and its outcome.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::builder::Retention;
use super::engine::Engine;
use super::error::EngineError;
use super::handle::Handle;
use crate::definition::{Definition, EncodedInputs};
use crate::engine::Watch;
use crate::journal::command::{self, CreateReply, InstanceSpec};
use crate::journal::message::NewMessage;
use crate::store::BoxFuture;
use crate::words::id::{InstanceId, QueueName, RequestId, WorkflowName, random_u128};
use crate::words::limits::{DURATION_MS_MAX, PAYLOAD_WARN_BYTES};
use crate::words::payload::Payload;
use crate::words::time::Timestamp;

/// Begins a create of workflow `W` with these inputs.
pub fn create<W: Definition>(engine: &Engine, inputs: EncodedInputs) -> Create<W> {
    Create { engine: engine.clone(), item: new_instance(inputs), attach: false }
}

/// An instance to be made in a batch.
pub fn new_instance<W: Definition>(inputs: EncodedInputs) -> New<W> {
    New { inputs, options: Options::default(), of: PhantomData }
}

/// An instance of `W` to be created: made by `order::create(&engine, …)`, carried out when it is awaited.
///
/// Awaiting gives the instance's [`Handle`]. The create is idempotent by the instance's id: of any number of creates of
/// one id, at the same time or not, from any process, exactly one makes it; each other is told
/// [`EngineError::AlreadyExists`], or gets the handle too if it said [`Create::attach`]. The id is taken until the
/// instance has ended and its retention has passed.
///
/// # Errors
/// Before anything is written: [`EngineError::InvalidId`], [`EngineError::Option`], [`EngineError::Input`] (inputs
/// that cannot be encoded, or take more than 1 MiB together; from 256 KiB on a warning with their size is logged).
/// By the store: [`EngineError::AlreadyExists`], [`EngineError::WrongWorkflow`]. Whether it was created is not known
/// after [`EngineError::NoAnswer`] and [`EngineError::Store`]: create it again with the same id and `attach`.
///
/// # Crashes
/// Once awaited with success the instance is kept, to the durability of the store, and will be run. A process that dies
/// before that has created it or not, never half.
#[must_use = "a create does nothing until it is awaited"]
pub struct Create<W> {
    engine: Engine,
    item: New<W>,
    attach: bool,
}

/// An instance of `W` for [`CreateBatch`](super::CreateBatch): made by `order::new(…)`.
#[must_use = "it is created by `create_batch`"]
pub struct New<W> {
    inputs: EncodedInputs,
    options: Options,
    of: PhantomData<fn() -> W>,
}

/// What can be said of an instance at its creation.
#[derive(Debug, Default)]
struct Options {
    id: Option<String>,
    priority: u8,
    queue: Option<String>,
    retention: Option<Retention>,
    start_at: Option<SystemTime>,
}

macro_rules! options {
    ($type:ident, $self:ident => $options:expr) => {
        impl<W: Definition> $type<W> {
            /// The instance's id: 1 to 200 bytes of `A-Z a-z 0-9 . _ ~ : @ + -`. If not set, a random one that sorts by
            /// time.
            pub fn id(mut $self, id: impl Into<String>) -> Self {
                $options.id = Some(id.into());
                $self
            }

            /// Its priority, from 0 (first, and the default) to 255 (last): each step lets instances that are created
            /// up to 30 seconds later come first. Nothing starves: what waits long enough is first whatever its
            /// priority.
            pub fn priority(mut $self, priority: u8) -> Self {
                $options.priority = priority;
                $self
            }

            /// Its queue, instead of the workflow's. Some worker must serve it, or the instance stays queued.
            pub fn queue(mut $self, queue: impl Into<String>) -> Self {
                $options.queue = Some(queue.into());
                $self
            }

            /// How long it is kept after it completed, and after it errored or was terminated; if not set, as its workflow
            /// says (`keep_complete`, `keep_failed`), else the engine. At most ten years.
            pub fn retention(mut $self, success: Duration, failure: Duration) -> Self {
                $options.retention = Some(Retention { success, failure });
                $self
            }

            /// Not before this time, by the store's clock; at most ten years ahead. A time that has passed is now.
            pub fn start_at(mut $self, time: SystemTime) -> Self {
                $options.start_at = Some(time);
                $self
            }
        }
    };
}
options!(Create, self => self.item.options);
options!(New, self => self.options);

impl<W: Definition> Create<W> {
    /// Takes the instance that has this id already, if it is one of this workflow: whatever its state and its inputs.
    /// Without this such a create fails with [`EngineError::AlreadyExists`].
    pub fn attach(mut self) -> Self {
        self.attach = true;
        self
    }

    async fn carry_out(self) -> Result<Handle<W>, EngineError> {
        let prepared = self.item.prepare(&self.engine)?;
        prepared.carry_out(self.engine, None, self.attach).await.map(Made::handle)
    }
}

impl<W: Definition> IntoFuture for Create<W> {
    type Output = Result<Handle<W>, EngineError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.carry_out())
    }
}

impl<W: Definition> New<W> {
    /// As [`Self::prepare`], for an instance whose id is known.
    pub(super) fn prepare_as(mut self, engine: &Engine, id: &InstanceId) -> Result<Prepared, EngineError> {
        match &self.options.id {
            Some(own) if own != id.as_str() => Err(EngineError::option(
                "create_if_absent",
                format_args!(
                    "the instance to create has the id `{own}`, and the event is for `{id}`; leave its id out"
                ),
            )),
            _ => {
                self.options.id = Some(id.to_string());
                self.prepare(engine)
            }
        }
    }

    /// Checks everything that can be checked without the store.
    pub(super) fn prepare(self, engine: &Engine) -> Result<Prepared, EngineError> {
        let keep = (W::KEEP_COMPLETE, W::KEEP_FAILED);
        let kind = Kind { name: W::NAME, version: W::VERSION, queue: W::QUEUE, keep };
        Prepared::new(kind, self.inputs, self.options, engine)
    }
}

/// What a create must know of its workflow. Everything from here on is there once, not for each workflow.
struct Kind {
    name: &'static str,
    version: u32,
    queue: &'static str,
    /// When it completed, when it did not.
    keep: (Option<Duration>, Option<Duration>),
}

/// A create that passed its checks.
#[derive(Clone)]
pub(super) struct Prepared {
    id: InstanceId,
    spec: Arc<InstanceSpec>,
    workflow: &'static str,
}

/// The outcome of a create: where the instance is.
pub(super) struct Made {
    engine: Engine,
    id: InstanceId,
    /// Of one that this create made.
    watch: Option<Watch>,
}

impl Made {
    /// Whether this create made it.
    pub(super) const fn is_new(&self) -> bool {
        self.watch.is_some()
    }

    pub(super) fn handle<W: Definition>(self) -> Handle<W> {
        let Self { engine, id, watch } = self;
        match watch {
            Some(watch) => Handle::born(engine, id, watch),
            None => Handle::new(engine, id),
        }
    }
}

impl Prepared {
    fn new(kind: Kind, inputs: EncodedInputs, options: Options, engine: &Engine) -> Result<Self, EngineError> {
        let now = engine.rough_now();
        let id = match options.id {
            Some(id) => InstanceId::new(id)?,
            None => InstanceId::generate(now),
        };
        let retention = options.retention.unwrap_or_else(|| engine.retention().or_of(kind.keep));
        retention.check()?;
        let spec = InstanceSpec {
            workflow: WorkflowName::new(kind.name)?,
            version: kind.version,
            queue: QueueName::new(options.queue.as_deref().unwrap_or(kind.queue))?,
            priority: options.priority,
            input: encode_inputs(kind.name, inputs, &id)?,
            seed: random_u128(),
            start_at: options.start_at.map(|time| check_start(time, now)).transpose()?,
            keep_complete: retention.success,
            keep_failed: retention.failure,
            parent: None,
        };
        Ok(Self { id, spec: Arc::new(spec), workflow: kind.name })
    }

    pub(super) fn id(&self) -> &InstanceId {
        &self.id
    }

    /// Boxed, so that its code is made here and not where it is awaited.
    pub(super) fn carry_out(
        self,
        engine: Engine,
        message: Option<NewMessage>,
        attach: bool,
    ) -> BoxFuture<'static, Result<Made, EngineError>> {
        Box::pin(self.create(engine, message, attach))
    }

    async fn create(self, engine: Engine, message: Option<NewMessage>, attach: bool) -> Result<Made, EngineError> {
        let request = command::Create {
            request: RequestId::generate(),
            id: self.id.clone(),
            spec: self.spec,
            // The engine offers one of its slots when it has one free.
            local: None,
            message,
        };
        // From before the create, so that no change of what it makes falls between the two.
        let watch = engine.core().changes().watch(&self.id);
        let reply = engine.within(engine.core().create(request)).await?;
        let (id, wanted) = (self.id, self.workflow);
        match reply {
            CreateReply::Created { .. } => Ok(Made { engine, id, watch: Some(watch) }),
            CreateReply::Exists { workflow, .. } if attach && workflow.as_str() == wanted => {
                Ok(Made { engine, id, watch: None })
            }
            CreateReply::Exists { workflow, .. } if attach => Err(EngineError::WrongWorkflow {
                id: id.to_string(),
                wanted: wanted.to_owned(),
                found: workflow.to_string(),
            }),
            CreateReply::Exists { workflow, state } => {
                Err(EngineError::AlreadyExists { id: id.to_string(), workflow: workflow.to_string(), state })
            }
        }
    }
}

fn encode_inputs(workflow: &str, inputs: EncodedInputs, id: &InstanceId) -> Result<Payload, EngineError> {
    let input = inputs.into_payload().map_err(|source| EngineError::Input { workflow: workflow.to_owned(), source })?;
    warn_if_large("inputs", input.as_bytes().len(), id);
    Ok(input)
}

/// Says that a payload is on its way to the limit. Its size only: its content may be secret.
pub(super) fn warn_if_large(what: &'static str, bytes: usize, id: &InstanceId) {
    if bytes >= PAYLOAD_WARN_BYTES {
        tracing::warn!(bytes, instance = %id, "large {what}: a reference to where the data is would be cheaper to keep");
    }
}

fn check_start(time: SystemTime, now: Timestamp) -> Result<Timestamp, EngineError> {
    let start = Timestamp::from_system_time(time);
    if start.since(now) > DURATION_MS_MAX {
        return Err(EngineError::option("start_at", "the latest is ten years of 365 days from now"));
    }
    Ok(start)
}

impl<W: Definition> fmt::Debug for Create<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Create").field("item", &self.item).field("attach", &self.attach).finish_non_exhaustive()
    }
}

impl<W: Definition> fmt::Debug for New<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the inputs: they may hold secrets.
        f.debug_struct("New").field("workflow", &W::NAME).field("options", &self.options).finish_non_exhaustive()
    }
}
