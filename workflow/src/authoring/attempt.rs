//! The attempts of a step or group: the loop that starts, polls and drops its body as the state machine says.
//!
//! It is not generic over the user's types: the compiler makes it once for steps and once for groups.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::durable::BoxFuture;
use super::observed::{Observed, Within};
use super::operation::Operation;
use super::run::{Answer, Attempt};
use super::signals::{BodyWake, Signals};
use super::step::Beginning;
use crate::journal::machine::{OpId, OpPoll};
use crate::journal::record::Outcome;
use crate::words::failure::{FailureData, FailureKind};
use crate::words::payload::Payload;

/// How one attempt ended: what is recorded.
pub(super) type Ended = Result<Payload, FailureData>;

/// What is done in each attempt.
pub(super) trait Work: Send + Unpin {
    /// One attempt in progress.
    type Body: Send + Unpin;

    /// Begins an attempt, which is within these spans.
    fn begin(&mut self, operation: &Operation, op: OpId, attempt: u32, within: &Within) -> Self::Body;

    /// Polls an attempt.
    fn poll(body: &mut Self::Body, operation: &Operation, task: &mut Context<'_>) -> Poll<Ended>;
}

/// A step or group in progress.
pub(super) struct Attempts<W: Work> {
    pub(super) operation: Operation,
    work: W,
    body: Option<W::Body>,
    /// The latest attempt that was started here.
    started: u32,
    observed: Observed,
}

impl<W: Work> Attempts<W> {
    pub(super) fn new(operation: Operation, work: W) -> Self {
        Self { operation, work, body: None, started: 0, observed: Observed::default() }
    }

    /// Brings the body in line with the attempt that is to run now, and polls it.
    fn run_attempt(&mut self, attempt: u32, task: &mut Context<'_>) {
        let Some(op) = self.operation.id() else { return };
        let begins = attempt > self.started;
        if begins {
            self.started = attempt;
            // The earlier body goes first: the operations of a block must be dropped before the new one asks for the same.
            self.body = None;
        }
        let within = self.observed.within(&self.operation, op, attempt);
        let entered = within.enter();
        if begins {
            self.observed.begins(&self.operation);
            self.body = Some(self.work.begin(&self.operation, op, attempt, &within));
        }
        let Some(body) = &mut self.body else { return };
        if let Poll::Ready(ended) = W::poll(body, &self.operation, task) {
            self.body = None;
            drop(entered);
            self.observed.ended(&self.operation, &ended);
            self.operation.cx.run().machine(|machine| machine.body_ended(op, attempt, ended));
        }
    }
}

impl<W: Work> Attempts<W> {
    /// Drops a body that is not to run any more.
    fn stop(&mut self) {
        if self.body.take().is_some() {
            self.observed.dropped(&self.operation);
        }
    }
}

impl<W: Work> Future for Attempts<W> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Outcome> {
        let this = &mut *self;
        match this.operation.poll(task) {
            OpPoll::Ready(outcome) => {
                this.stop();
                let done = matches!(outcome, Outcome::Value(_));
                this.observed.over(&this.operation, done, this.started > 0);
                return Poll::Ready(outcome);
            }
            OpPoll::Pending { attempt: Some(attempt) } => this.run_attempt(attempt, task),
            OpPoll::Pending { attempt: None } => this.stop(),
        }
        Poll::Pending
    }
}

/// Something that can make the body of a step's attempt.
pub(super) trait Start<'a>: Send {
    fn start(&self, of: Beginning<'_>) -> BoxFuture<'a, Ended>;
}

/// A step's work: bodies with wakers of their own, whose panics are failures.
pub(super) struct Bodies<'w, 'a>(pub(super) &'w mut (dyn Start<'a> + 'w));

impl<'a> Work for Bodies<'_, 'a> {
    type Body = Body<'a>;

    fn begin(&mut self, operation: &Operation, op: OpId, attempt: u32, within: &Within) -> Body<'a> {
        let run = operation.cx.run();
        let label = &operation.label;
        let answer = run.stand_in.as_ref().and_then(|other| {
            let path = run.machine(|machine| machine.path(op).clone());
            let (instance, key) = (&run.info.id, label.key.as_deref());
            other.body(&Attempt { instance, name: label.name, key, path: &path, number: attempt })
        });
        let (future, counts) = match answer {
            Some(Answer::End(ended)) => (ready(ended), true),
            Some(Answer::Never) => (never(), false),
            None => (self.own_body(operation, op, attempt), true),
        };
        Body::new(run.signals.clone(), op, future, counts, within.clone())
    }

    /// Polls it if it was woken: its waker is its own.
    fn poll(body: &mut Body<'a>, operation: &Operation, _task: &mut Context<'_>) -> Poll<Ended> {
        let poll = body.poll();
        if poll.is_ready() {
            // It may have held the thread for long: what was due while it ran comes first.
            operation.cx.run().tick();
        }
        poll
    }
}

impl<'a> Bodies<'_, 'a> {
    fn own_body(&self, operation: &Operation, op: OpId, attempt: u32) -> BoxFuture<'a, Ended> {
        let of = Beginning { operation, op, attempt };
        // Making the future runs the user's expression, which may panic as the future itself may.
        catch_unwind(AssertUnwindSafe(|| self.0.start(of))).unwrap_or_else(|panic| ready(Err(panicked(&*panic))))
    }
}

/// The body of one attempt of a step, with the waker it is polled with.
pub(super) struct Body<'a> {
    future: Option<BoxFuture<'a, Ended>>,
    wake: Arc<BodyWake>,
    waker: Waker,
    signals: Arc<Signals>,
    /// Whether it is something that can still happen by itself.
    counts: bool,
    /// What is polled within it is dropped within it.
    within: Within,
}

impl<'a> Body<'a> {
    fn new(signals: Arc<Signals>, op: OpId, future: BoxFuture<'a, Ended>, counts: bool, within: Within) -> Self {
        let wake = BodyWake::new(signals.clone(), op);
        let waker = Waker::from(wake.clone());
        if counts {
            signals.body_began();
        }
        Self { future: Some(future), wake, waker, signals, counts, within }
    }

    fn poll(&mut self) -> Poll<Ended> {
        let Some(future) = self.future.as_mut().filter(|_| self.wake.take()) else { return Poll::Pending };
        let mut cx = Context::from_waker(&self.waker);
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))) {
            Ok(poll) => poll,
            Err(panic) => Poll::Ready(Err(panicked(&*panic))),
        }
    }
}

impl Drop for Body<'_> {
    fn drop(&mut self) {
        if self.counts {
            self.signals.body_ended();
        }
        let _entered = self.within.enter();
        let future = self.future.take();
        // A panic while a body is dropped must not be taken for one of the workflow's code, nor abort a panic in flight.
        if catch_unwind(AssertUnwindSafe(|| drop(future))).is_err() {
            // Not what it said, which may hold values: the program's panic hook had that.
            tracing::warn!("a step's body panicked while it was dropped");
        }
    }
}

fn ready<'a>(ended: Ended) -> BoxFuture<'a, Ended> {
    Box::pin(std::future::ready(ended))
}

fn never<'a>() -> BoxFuture<'a, Ended> {
    Box::pin(std::future::pending())
}

/// What a panic of a body is recorded as.
fn panicked(panic: &(dyn Any + Send)) -> FailureData {
    FailureData::new(FailureKind::Panicked, "", panic_message(panic))
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "a panic without a message"
    }
}
