//! One operation of the state machine as a future: asked for at its first poll, dropped when it is dropped.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::context::Ctx;
use crate::error::StepError;
use crate::journal::machine::{Ask, OpId, OpName, OpPoll};
use crate::journal::path::Kind;
use crate::journal::record::Outcome;
use crate::words::location::Location;
use crate::words::payload::{CodecError, Payload};

/// An operation and what it asks for.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) cx: Ctx,
    pub(super) label: Label,
    phase: Phase,
}

/// What an operation is called, and where.
#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) key: Option<String>,
    pub(super) at: Location,
}

#[derive(Debug)]
enum Phase {
    Unasked(Ask),
    Open(OpId),
    Over,
}

impl Operation {
    pub(super) const fn new(cx: Ctx, label: Label, ask: Ask) -> Self {
        Self { cx, label, phase: Phase::Unasked(ask) }
    }

    /// Asks for it if that is still to be done; then where it stands.
    pub(super) fn poll(&mut self, task: &Context<'_>) -> OpPoll {
        // Polled again after its end, it stays pending, as nothing can come any more.
        let Some(op) = self.id() else { return OpPoll::Pending { attempt: None } };
        let poll = self.cx.run().poll(op, task.waker());
        if let OpPoll::Ready(_) = poll {
            self.phase = Phase::Over;
        }
        poll
    }

    /// Its id while it is open; asks for it if that is still to be done.
    pub(super) fn id(&mut self) -> Option<OpId> {
        if let Phase::Unasked(_) = self.phase
            && let Phase::Unasked(ask) = std::mem::replace(&mut self.phase, Phase::Over)
        {
            let label = &self.label;
            let name = OpName { kind: label.kind, name: label.name, key: label.key.as_deref(), at: label.at };
            let op = self.cx.run().machine(|machine| machine.ask(self.cx.scope(), name, ask));
            self.phase = Phase::Open(op);
        }
        match self.phase {
            Phase::Open(op) => Some(op),
            Phase::Unasked(_) | Phase::Over => None,
        }
    }
}

impl Operation {
    /// What a step or group has recorded; nothing when it cannot go on from here.
    fn payload(&self, outcome: Outcome) -> Option<Result<Payload, StepError>> {
        let Label { kind, name, key, .. } = &self.label;
        match outcome {
            Outcome::Value(payload) => Some(Ok(payload)),
            Outcome::Failed(failure) => Some(Err(StepError::new(*kind == Kind::Group, name, key.as_deref(), failure))),
            _ => {
                self.park(&MISFIT);
                None
            }
        }
    }

    fn park(&self, reason: &dyn fmt::Display) {
        park(&self.cx, &self.label, reason);
    }
}

impl Future for Operation {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Outcome> {
        match Self::poll(&mut self, task) {
            OpPoll::Ready(outcome) => Poll::Ready(outcome),
            OpPoll::Pending { .. } => Poll::Pending,
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if let Phase::Open(op) = self.phase {
            self.cx.run().drop_op(op);
        }
    }
}

/// What an ended step or group gives its workflow.
pub(super) async fn result<T>(
    operation: &Operation,
    outcome: Outcome,
    decode: fn(&Payload) -> Result<T, CodecError>,
) -> Result<T, StepError> {
    match operation.payload(outcome) {
        Some(Ok(payload)) => match decode(&payload) {
            Ok(value) => return Ok(value),
            Err(reason) => operation.park(&reason),
        },
        Some(Err(error)) => return Err(error),
        None => {}
    }
    std::future::pending().await
}

/// Parks the run because what its journal holds cannot be read by this code; never goes on.
pub(super) fn unreadable<T>(cx: &Ctx, label: &Label, reason: &dyn fmt::Display) -> std::future::Pending<T> {
    park(cx, label, reason);
    std::future::pending()
}

fn park(cx: &Ctx, label: &Label, reason: &dyn fmt::Display) {
    let Label { kind, name, at, .. } = label;
    let message = format!("the recorded outcome of {} {name:?} ({at}) cannot be read: {reason}", kind.word());
    cx.run().machine(|machine| machine.unreadable(message));
}

const MISFIT: &str = "it is of another kind of operation";

/// The machine gives each operation an outcome of its own kind; anything else is damage.
pub(super) fn misfit<T>(cx: &Ctx, label: &Label) -> std::future::Pending<T> {
    unreadable(cx, label, &MISFIT)
}
