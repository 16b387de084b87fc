//! Groups: durable operations under one name, with a result of their own.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::attempt::Ended;
use super::context::Ctx;
use super::durable::{BoxFuture, Durable, Recordable};
use super::operation::{Operation, misfit, unreadable};
use super::options::{Options, option_methods};
use super::step::{Decode, record};
use crate::error::{BlockError, StepError};
use crate::journal::machine::{Ask, OpPoll};
use crate::journal::path::Kind;
use crate::journal::record::Outcome;
use crate::words::location::Location;
use crate::words::payload::Payload;

/// A group, as `group!` makes it. Awaiting it gives `Result<T, StepError>`.
///
/// # Durability
/// Each operation within is durable by itself. When the group has ended, its own result is recorded, and a replay takes
/// that without entering it. When it fails and is tried again, what succeeded within is not repeated.
#[must_use = "a group does nothing until it is awaited, joined or raced"]
pub struct Group<'a, T> {
    options: Options,
    block: Block<'a>,
    decode: Decode<T>,
}

type Block<'a> = Box<dyn Fn(Ctx) -> BoxFuture<'a, Ended> + Send + 'a>;

/// The group that `group!` expands to. `block` makes the future of one attempt, in the context it is given.
pub fn group<'a, F, Fut, T>(name: &'static str, at: Location, block: F) -> Group<'a, T>
where
    F: Fn(Ctx) -> Fut + Send + 'a,
    Fut: Future<Output = Result<T, BlockError>> + Send + 'a,
    T: Recordable,
{
    let block = move |cx: Ctx| -> BoxFuture<'a, Ended> {
        let block = block(cx);
        Box::pin(async move {
            match block.await {
                Ok(value) => record(&value),
                Err(error) => Err(error.into_failure()),
            }
        })
    };
    Group { options: Options::new(Kind::Group, name, at), block: Box::new(block), decode: Payload::decode::<T> }
}

impl<T> Group<'_, T> {
    option_methods!();
}

#[diagnostic::do_not_recommend]
impl<T: Send> Durable for Group<'_, T> {
    type Output = Result<T, StepError>;

    fn run(self, cx: Ctx) -> impl Future<Output = Self::Output> + Send {
        let Self { options: Options { label, policy, timeout }, block, decode } = self;
        let operation = Operation::new(cx, label, Ask::Group { policy, timeout });
        let mut attempts = Blocks { operation, make: block, block: None, started: 0 };
        async move {
            let outcome = (&mut attempts).await;
            let Operation { cx, label, .. } = &attempts.operation;
            match outcome {
                Outcome::Value(payload) => match decode(&payload) {
                    Ok(value) => Ok(value),
                    Err(reason) => unreadable(cx, label, &reason).await,
                },
                Outcome::Failed(failure) => Err(StepError::new(true, label.name, label.key.as_deref(), failure)),
                _ => misfit(cx, label).await,
            }
        }
    }
}

/// A group in progress. Its block is workflow code: it is polled with the task's own waker, and its panics are not
/// caught here.
struct Blocks<'a> {
    operation: Operation,
    make: Block<'a>,
    block: Option<BoxFuture<'a, Ended>>,
    /// The latest attempt that was started here.
    started: u32,
}

impl Blocks<'_> {
    fn run_attempt(&mut self, attempt: u32, task: &mut Context<'_>) {
        let Some(op) = self.operation.id() else { return };
        let cx = &self.operation.cx;
        if attempt > self.started {
            self.started = attempt;
            // The earlier block goes first: its operations must be dropped before the new one asks for the same.
            self.block = None;
            let scope = cx.run().machine(|machine| machine.group_scope(op));
            self.block = Some((self.make)(cx.within(scope)));
        }
        let Some(block) = &mut self.block else { return };
        if let Poll::Ready(ended) = block.as_mut().poll(task) {
            self.block = None;
            cx.run().machine(|machine| machine.body_ended(op, attempt, ended));
        }
    }
}

impl Future for Blocks<'_> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Outcome> {
        let this = &mut *self;
        match this.operation.poll(task) {
            OpPoll::Ready(outcome) => {
                this.block = None;
                return Poll::Ready(outcome);
            }
            OpPoll::Pending { attempt: Some(attempt) } => this.run_attempt(attempt, task),
            OpPoll::Pending { attempt: None } => this.block = None,
        }
        Poll::Pending
    }
}

impl<T> fmt::Debug for Group<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("options", &self.options).finish_non_exhaustive()
    }
}
