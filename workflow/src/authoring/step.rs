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
    options: Options,
    body: Box<dyn Body<'a, E> + 'a>,
    decode: Decode<T>,
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

/// The step that `step!` expands to. `body` makes the future of one attempt.
pub fn step<'a, F, Fut, T, E>(name: &'static str, at: Location, body: F) -> Step<'a, T, E>
where
    F: Fn(StepContext) -> Fut + Send + 'a,
    Fut: StepBody<T, E> + Send + 'a,
    T: Recordable,
    E: StepFailure + 'a,
{
    Step {
        options: Options::new(Kind::Step, name, at),
        body: Box::new(Closure { body, rules: Rules { unless: None, keep: None } }),
        decode: Payload::decode::<T>,
        mode: PhantomData,
    }
}

impl<T, E, M> Step<'_, T, E, M> {
    /// Tells apart the occurrences of one name: in a loop over a collection, the item's id. At most 256 bytes.
    pub fn key(mut self, key: impl std::fmt::Display) -> Self {
        self.options.set_key(&key);
        self
    }

    /// How often it is tried again after its first attempt failed. 0 unless given, at most 10,000.
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.set_retries(retries);
        self
    }

    /// How long to wait before the second attempt; the base of `backoff`. Zero unless given.
    pub const fn delay(mut self, delay: std::time::Duration) -> Self {
        self.options.policy.delay = delay;
        self
    }

    /// How the delay grows with each attempt. Constant unless given.
    pub const fn backoff(mut self, backoff: crate::words::retry::Backoff) -> Self {
        self.options.policy.backoff = backoff;
        self
    }

    /// The longest delay that `backoff` may reach, before jitter.
    pub const fn max_delay(mut self, longest: std::time::Duration) -> Self {
        self.options.policy.max_delay = Some(longest);
        self
    }

    /// By which fraction of itself (0.0 to 1.0) each delay is moved at random, to either side.
    pub const fn jitter(mut self, fraction: f64) -> Self {
        self.options.policy.jitter = fraction;
        self
    }

    /// How long one attempt may take. Then it is dropped, and has failed.
    pub const fn timeout(mut self, limit: std::time::Duration) -> Self {
        self.options.timeout = Some(limit);
        self
    }

    /// No further attempt when this says `true` of the body's error.
    pub fn unless(mut self, fatal: fn(&E) -> bool) -> Self {
        self.body.rules().unless = Some(fatal);
        self
    }
}

impl<'a, T, E: TypedFailure> Step<'a, T, E> {
    /// Keeps the body's own error: awaiting gives `Result<T, Failure<E>>`, with the recorded copy of the error, live
    /// and in every replay.
    pub fn typed(mut self) -> Step<'a, T, E, Typed> {
        self.body.rules().keep = Some(E::keep);
        Step { options: self.options, body: self.body, decode: self.decode, mode: PhantomData }
    }
}

impl<'a, T, E, M> Step<'a, T, E, M> {
    fn attempts(self, cx: Ctx) -> (Attempts<Bodies<'a>>, Decode<T>) {
        let Self { options: Options { label, policy, timeout }, body, decode, mode: _ } = self;
        let operation = Operation::new(cx, label, Ask::Step { policy, timeout });
        (Attempts::new(operation, Bodies(body)), decode)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Send, E> Durable for Step<'_, T, E, Plain> {
    type Output = Result<T, StepError>;

    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
        let (mut attempts, decode) = self.attempts(cx);
        async move {
            let outcome = (&mut attempts).await;
            result(&attempts.operation, outcome, decode).await
        }
    }
}

#[diagnostic::do_not_recommend]
impl<T: Send, E: TypedFailure> Durable for Step<'_, T, E, Typed> {
    type Output = Result<T, Failure<E::Kept>>;

    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
        let (mut attempts, decode) = self.attempts(cx);
        async move {
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

/// A step's body, erased up to the type of its error, which its rules are about.
trait Body<'a, E>: Start<'a> {
    fn rules(&mut self) -> &mut Rules<E>;
}

struct Closure<F, E> {
    body: F,
    rules: Rules<E>,
}

impl<'a, F, Fut, T, E> Start<'a> for Closure<F, E>
where
    F: Fn(StepContext) -> Fut + Send,
    Fut: Future<Output = Result<T, E>> + Send + 'a,
    T: Recordable,
    E: StepFailure + 'a,
{
    fn start(&self, cx: StepContext) -> BoxFuture<'a, Ended> {
        let body = (self.body)(cx);
        let rules = self.rules;
        Box::pin(async move {
            match body.await {
                Ok(value) => record(&value),
                Err(error) => Err(failed(error, rules)),
            }
        })
    }
}

impl<'a, F, Fut, T, E> Body<'a, E> for Closure<F, E>
where
    F: Fn(StepContext) -> Fut + Send,
    Fut: Future<Output = Result<T, E>> + Send + 'a,
    T: Recordable,
    E: StepFailure + 'a,
{
    fn rules(&mut self) -> &mut Rules<E> {
        &mut self.rules
    }
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

impl StepContext {
    pub(super) const fn new(run: Arc<Run>, op: OpId, label: Label, attempt: u32) -> Self {
        Self { run, op, label, attempt }
    }

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
        f.debug_struct("Step").field("options", &self.options).finish_non_exhaustive()
    }
}
