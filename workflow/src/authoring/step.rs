//! Steps: a body that runs at least once, and whose result is recorded exactly once.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use super::attempt::{Attempts, Bodies, Ended, Start};
use super::context::Ctx;
use super::durable::{BoxFuture, Durable, Recordable};
use super::operation::{Label, Operation, result, unreadable};
use super::options::Options;
use super::run::Run;
use crate::error::{Failure, StepError, StepFailure, TypedFailure};
use crate::journal::machine::{Ask, OpId};
use crate::journal::path::Kind;
use crate::journal::record::Outcome;
use crate::words::failure::{FailureData, FailureKind};
use crate::words::location::Location;
use crate::words::payload::{CodecError, Payload};

/// A step, as `step!` makes it. Awaiting it gives `Result<T, StepError>`.
///
/// # Durability
/// The body runs at least once: after a crash it may run again. Its result is recorded once; from then on every
/// replay gets the recorded copy, and the body never runs again.
#[must_use = "a step does nothing until it is awaited, joined or raced"]
pub struct Step<'a, T, E, M = Plain> {
    /// Behind one pointer: generated code moves a step several times.
    work: Box<Work<'a, T, E>>,
    mode: PhantomData<fn() -> M>,
}

/// How the value of an operation is read.
pub(super) type Decode<T> = fn(&Payload) -> Result<T, CodecError>;

/// A step whose failure is a [`StepError`].
#[derive(Debug)]
pub struct Plain;

/// A step whose failure carries the body's own error: `.typed()`.
#[derive(Debug)]
pub struct Typed;

/// What a step's body makes: a future of a result.
#[diagnostic::on_unimplemented(
    message = "the body of a step is a future of a `Result`, and this one is not",
    label = "the body of this step gives `{Self}`",
    note = "call an `async fn` that gives a `Result`, or write a block: `step!(\"name\", {{ .. Ok(value) }})`",
    note = "a child or a part is awaited beside the step, or inside of a `group!`"
)]
pub trait StepBody<T, E>: Future<Output = Result<T, E>> {}

#[diagnostic::do_not_recommend]
impl<T, E, F: Future<Output = Result<T, E>>> StepBody<T, E> for F {}

/// The step that `step!` expands to when its body asks for the attempt. `body` makes the future of one attempt.
pub fn step_with_context<'a, F, Fut, T, E>(name: &'static str, at: Location, body: F) -> Step<'a, T, E>
where
    F: Fn(StepContext) -> Fut + Send + 'a,
    Fut: StepBody<T, E> + Send + 'a,
    T: Recordable,
    E: StepFailure + 'a,
{
    // This is made anew for each body that is written; all else is there once for each pair of `T` and `E`.
    Step { work: Work::new(name, at, Box::new(Asking(body))), mode: PhantomData }
}

/// The step that `step!` expands to when its body asks for nothing.
pub fn step<'a, F, Fut, T, E>(name: &'static str, at: Location, body: F) -> Step<'a, T, E>
where
    F: Fn() -> Fut + Send + 'a,
    Fut: StepBody<T, E> + Send + 'a,
    T: Recordable,
    E: StepFailure + 'a,
{
    Step { work: Work::new(name, at, Box::new(Simple(body))), mode: PhantomData }
}

impl<T, E, M> Step<'_, T, E, M> {
    /// Tells apart the occurrences of one name: in a loop over a collection, the item's id. At most 256 bytes.
    pub fn key(mut self, key: impl std::fmt::Display) -> Self {
        self.work.options.set_key(&key);
        self
    }

    /// How often it is tried again after its first attempt failed. 0 unless given. More than 10,000 end the
    /// run, with a failure of the class `workflow::LimitExceeded`.
    pub fn retries(mut self, retries: u32) -> Self {
        self.work.options.set_retries(retries);
        self
    }

    /// How long to wait before the second attempt; the base of `backoff`. Zero unless given.
    pub fn delay(mut self, delay: std::time::Duration) -> Self {
        self.work.options.policy.delay = delay;
        self
    }

    /// How the delay grows with each attempt. Constant unless given.
    pub fn backoff(mut self, backoff: crate::words::retry::Backoff) -> Self {
        self.work.options.policy.backoff = backoff;
        self
    }

    /// The longest delay that `backoff` may reach, before jitter.
    pub fn max_delay(mut self, longest: std::time::Duration) -> Self {
        self.work.options.policy.max_delay = Some(longest);
        self
    }

    /// By which fraction of itself (0.0 to 1.0) each delay is moved at random, to either side.
    pub fn jitter(mut self, fraction: f64) -> Self {
        self.work.options.policy.jitter = fraction;
        self
    }

    /// How long one attempt may take. Then it is dropped, and has failed.
    pub fn timeout(mut self, limit: std::time::Duration) -> Self {
        self.work.options.timeout = Some(limit);
        self
    }

    /// No further attempt when this says `true` of the body's error.
    pub fn unless(mut self, fatal: fn(&E) -> bool) -> Self {
        self.work.rules.unless = Some(fatal);
        self
    }
}

impl<'a, T, E: TypedFailure> Step<'a, T, E> {
    /// Keeps the body's own error: awaiting gives `Result<T, Failure<E>>`, with the recorded copy of the error, live
    /// and in every replay.
    pub fn typed(mut self) -> Step<'a, T, E, Typed> {
        self.work.rules.keep = Some(E::keep);
        Step { work: self.work, mode: PhantomData }
    }
}

#[diagnostic::do_not_recommend]
impl<T: Send, E> Durable for Step<'_, T, E, Plain> {
    type Output = Result<T, StepError>;

    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
        let Self { mut work, mode: _ } = self;
        async move {
            let (operation, decode) = work.begin(cx);
            let mut attempts = Attempts::new(operation, Bodies(&mut *work));
            let outcome = (&mut attempts).await;
            result(&attempts.operation, outcome, decode).await
        }
    }
}

#[diagnostic::do_not_recommend]
impl<T: Send, E: TypedFailure> Durable for Step<'_, T, E, Typed> {
    type Output = Result<T, Failure<E::Kept>>;

    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
        let Self { mut work, mode: _ } = self;
        async move {
            let (operation, decode) = work.begin(cx);
            let mut attempts = Attempts::new(operation, Bodies(&mut *work));
            let outcome = (&mut attempts).await;
            let data = match &outcome {
                Outcome::Failed(failure) => failure.data.clone(),
                _ => None,
            };
            let step = match (result(&attempts.operation, outcome, decode).await, &data) {
                (Ok(value), _) => return Ok(value),
                (Err(step), None) => return Err(Failure::Other(step)),
                (Err(step), Some(data)) => (step, data.decode()),
            };
            match step {
                (step, Ok(error)) => Err(Failure::Failed { error, step }),
                (_, Err(reason)) => {
                    let Operation { cx, label, .. } = &attempts.operation;
                    unreadable(cx, label, &reason).await
                }
            }
        }
    }
}

/// How an error is written as it is.
type Keep<E> = fn(&E) -> Result<Payload, CodecError>;

/// What is done with the error of a body.
pub(super) struct Rules<E> {
    unless: Option<fn(&E) -> bool>,
    keep: Option<Keep<E>>,
}

impl<E> Clone for Rules<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Rules<E> {}

/// Makes the future of one attempt. Not a `dyn Fn`: that comes with a `FnOnce`, which is code that nothing calls.
trait Body<'a, T, E>: Send {
    fn attempt(&self, of: Beginning<'_>) -> BoxFuture<'a, Result<T, E>>;
}

/// A body that asks for the attempt.
struct Asking<F>(F);

impl<'a, F, Fut, T, E> Body<'a, T, E> for Asking<F>
where
    F: Fn(StepContext) -> Fut + Send,
    Fut: Future<Output = Result<T, E>> + Send + 'a,
{
    fn attempt(&self, of: Beginning<'_>) -> BoxFuture<'a, Result<T, E>> {
        Box::pin((self.0)(of.context()))
    }
}

/// A body that does not: no context is made for it.
struct Simple<F>(F);

impl<'a, F, Fut, T, E> Body<'a, T, E> for Simple<F>
where
    F: Fn() -> Fut + Send,
    Fut: Future<Output = Result<T, E>> + Send + 'a,
{
    fn attempt(&self, _of: Beginning<'_>) -> BoxFuture<'a, Result<T, E>> {
        Box::pin((self.0)())
    }
}

/// What a step does; its body is erased up to the types of its value and its error.
struct Work<'a, T, E> {
    body: Box<dyn Body<'a, T, E> + 'a>,
    options: Options,
    rules: Rules<E>,
    finish: Finish<'a, T, E>,
    decode: Decode<T>,
}

impl<'a, T: Recordable, E: StepFailure + 'a> Work<'a, T, E> {
    #[inline(never)]
    fn new(name: &'static str, at: Location, body: Box<dyn Body<'a, T, E> + 'a>) -> Box<Self> {
        let options = Options::new(Kind::Step, name, at);
        let rules = Rules { unless: None, keep: None };
        Box::new(Self { body, options, rules, finish: finishing, decode: Payload::decode::<T> })
    }
}

impl<T, E> Work<'_, T, E> {
    fn begin(&mut self, cx: Ctx) -> (Operation, Decode<T>) {
        let Options { label, policy, timeout } = self.options.take();
        (Operation::new(cx, label, Ask::Step { policy, timeout }), self.decode)
    }
}

/// How the future of an attempt becomes one of what is recorded.
type Finish<'a, T, E> = fn(BoxFuture<'a, Result<T, E>>, Rules<E>) -> BoxFuture<'a, Ended>;

impl<'a, T, E> Start<'a> for Work<'a, T, E> {
    fn start(&self, of: Beginning<'_>) -> BoxFuture<'a, Ended> {
        (self.finish)(self.body.attempt(of), self.rules)
    }
}

fn finishing<'a, T: Recordable, E: StepFailure + 'a>(
    body: BoxFuture<'a, Result<T, E>>,
    rules: Rules<E>,
) -> BoxFuture<'a, Ended> {
    Box::pin(async move {
        match body.await {
            Ok(value) => record(&value),
            Err(error) => Err(failed(error, rules)),
        }
    })
}

/// The value as it is recorded. It must read back: what is delivered is the copy.
pub(super) fn record<T: Recordable>(value: &T) -> Ended {
    match Payload::encode(value).and_then(|payload| payload.decode::<T>().map(|_| payload)) {
        Ok(payload) => Ok(payload),
        Err(error) => Err(FailureData::of_error(FailureKind::NotRecordable, "", &error)),
    }
}

fn failed<E: StepFailure>(error: E, rules: Rules<E>) -> FailureData {
    let ruled_out = rules.unless.is_some_and(|unless| unless(&error));
    // An error that cannot be written is kept in words only.
    let data = rules.keep.and_then(|keep| keep(&error).ok());
    let failure = error.describe();
    FailureData { fatal: failure.fatal || ruled_out, data, ..failure }
}

/// What a step's body can know of its attempt: the argument of `step!("name", |cx| …)`.
#[derive(Clone)]
pub struct StepContext {
    run: Arc<Run>,
    op: OpId,
    label: Label,
    attempt: u32,
}

/// An attempt that begins.
#[derive(Clone, Copy)]
pub(super) struct Beginning<'o> {
    pub(super) operation: &'o Operation,
    pub(super) op: OpId,
    pub(super) attempt: u32,
}

impl Beginning<'_> {
    #[inline(never)]
    fn context(self) -> StepContext {
        let Self { operation: Operation { cx, label, .. }, op, attempt } = self;
        StepContext { run: cx.run().clone(), op, label: label.clone(), attempt }
    }
}

impl StepContext {
    /// The name of the step.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.label.name
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.label.key.as_deref()
    }

    /// Its place in the structure of the workflow, as it is recorded and as `history()` shows it.
    #[must_use]
    pub fn path(&self) -> String {
        self.run.machine(|machine| machine.path(self.op).as_str().to_owned())
    }

    /// Which attempt this is, from 1. After a crash an attempt may run again under the same number.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The id of the workflow instance.
    #[must_use]
    pub fn instance_id(&self) -> &str {
        self.run.info.id.as_str()
    }

    /// A key for services that deduplicate requests: 32 hexadecimal digits, the same for every attempt of this step in
    /// this run, also after a crash, and of no other step.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        self.run.machine(|machine| machine.idempotency_key(self.op))
    }
}

impl fmt::Debug for StepContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepContext")
            .field("instance_id", &self.instance_id())
            .field("name", &self.label.name)
            .field("key", &self.label.key)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

impl<T, E, M> fmt::Debug for Step<'_, T, E, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("options", &self.work.options).finish_non_exhaustive()
    }
}
