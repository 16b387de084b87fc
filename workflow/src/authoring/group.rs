//! Groups: durable operations under one name, with a result of their own.

use std::fmt;
use std::future::Future;
use std::task::{Context, Poll};

use super::attempt::{Attempts, Ended, Work};
use super::context::Ctx;
use super::durable::{BoxFuture, Durable, Recordable};
use super::observed::Within;
use super::operation::{Operation, result};
use super::options::Options;
use super::step::{Decode, record};
use crate::error::{BlockError, StepError};
use crate::journal::machine::{Ask, OpId};
use crate::journal::path::Kind;
use crate::words::location::Location;
use crate::words::payload::Payload;

/// A group, as `group!` makes it. Awaiting it gives `Result<T, StepError>`.
///
/// # Durability
/// Each operation within is durable by itself. When the group has ended, its own result is recorded, and a replay takes
/// that without entering it. When it fails and is tried again, what succeeded within is not repeated.
///
/// A failure within that rules out further attempts rules out those of the group: see [`Fatal`](crate::error::Fatal).
#[must_use = "a group does nothing until it is awaited, joined or raced"]
pub struct Group<'a, T> {
    options: Options,
    block: Box<dyn Block<'a, T> + 'a>,
    finish: Finish<'a, T>,
    decode: Decode<T>,
}

/// Makes the future of one attempt.
trait Block<'a, T>: Send {
    fn attempt(&self, cx: Ctx) -> BoxFuture<'a, Result<T, BlockError>>;
}

impl<'a, F, Fut, T> Block<'a, T> for F
where
    F: Fn(Ctx) -> Fut + Send,
    Fut: Future<Output = Result<T, BlockError>> + Send + 'a,
{
    fn attempt(&self, cx: Ctx) -> BoxFuture<'a, Result<T, BlockError>> {
        Box::pin(self(cx))
    }
}

/// How the future of an attempt becomes one of what is recorded.
type Finish<'a, T> = fn(BoxFuture<'a, Result<T, BlockError>>) -> BoxFuture<'a, Ended>;

/// The group that `group!` expands to. `block` makes the future of one attempt, in the context it is given.
pub fn group<'a, F, Fut, T>(name: &'static str, at: Location, block: F) -> Group<'a, T>
where
    F: Fn(Ctx) -> Fut + Send + 'a,
    Fut: Future<Output = Result<T, BlockError>> + Send + 'a,
    T: Recordable,
{
    // As with steps, all that is made anew for each block.
    Group::new(name, at, Box::new(block))
}

impl<'a, T: Recordable> Group<'a, T> {
    #[inline(never)]
    fn new(name: &'static str, at: Location, block: Box<dyn Block<'a, T> + 'a>) -> Self {
        Self { options: Options::new(Kind::Group, name, at), block, finish: finishing, decode: Payload::decode::<T> }
    }
}

fn finishing<'a, T: Recordable>(block: BoxFuture<'a, Result<T, BlockError>>) -> BoxFuture<'a, Ended> {
    Box::pin(async move {
        match block.await {
            Ok(value) => record(&value),
            Err(error) => Err(error.into_failure()),
        }
    })
}

impl<T> Group<'_, T> {
    /// Tells apart the occurrences of one name: in a loop over a collection, the item's id. At most 256 bytes.
    pub fn key(mut self, key: impl std::fmt::Display) -> Self {
        self.options.set_key(&key);
        self
    }

    /// How often it is tried again after its first attempt failed. 0 unless given. More than 10,000 end the
    /// run, with a failure of the class `workflow::LimitExceeded`.
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
}

#[diagnostic::do_not_recommend]
impl<T: Send> Durable for Group<'_, T> {
    type Output = Result<T, StepError>;

    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
        let Self { options: Options { label, policy, timeout }, block, finish, decode } = self;
        let operation = Operation::new(cx, label, Ask::Group { policy, timeout });
        async move {
            let mut begin = move |cx: Ctx| finish(block.attempt(cx));
            let mut attempts = Attempts::new(operation, Blocks(&mut begin));
            let outcome = (&mut attempts).await;
            result(&attempts.operation, outcome, decode).await
        }
    }
}

/// A group's work. Its blocks are workflow code: they are polled with the task's own waker, and their panics are not
/// caught here.
struct Blocks<'w, 'a>(&'w mut (dyn FnMut(Ctx) -> BoxFuture<'a, Ended> + Send + 'w));

impl<'a> Work for Blocks<'_, 'a> {
    type Body = BoxFuture<'a, Ended>;

    fn begin(&mut self, operation: &Operation, op: OpId, _attempt: u32, _within: &Within) -> BoxFuture<'a, Ended> {
        let cx = &operation.cx;
        let scope = cx.run().machine(|machine| machine.group_scope(op));
        (self.0)(cx.within(scope))
    }

    fn poll(block: &mut BoxFuture<'a, Ended>, _operation: &Operation, task: &mut Context<'_>) -> Poll<Ended> {
        block.as_mut().poll(task)
    }
}

impl<T> fmt::Debug for Group<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("options", &self.options).finish_non_exhaustive()
    }
}
